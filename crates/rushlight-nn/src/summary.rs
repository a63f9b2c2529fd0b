//! A table of a model's layers.

use crate::hook::observe;
use crate::module::Module;
use crate::walk::{Item, Walk};
use rushlight_array::Shape;
use rushlight_autograd::{Tensor, no_grad, zeros};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// A layer's row in a [`Summary`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SummaryRow {
    /// The qualified name; empty for the model itself.
    pub name: String,
    /// The type: `Conv2d`.
    pub kind: String,
    /// The shape of its last output; `None` if it did not tell of one.
    pub output_shape: Option<Vec<usize>>,
    /// Its own parameters, without those of the layers below it.
    pub parameters: usize,
    /// Multiplications with an addition of all its passes.
    pub multiply_adds: usize,
}

/// What [`summary`] finds. It prints as a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The model and all layers below it, in the order of the fields.
    pub rows: Vec<SummaryRow>,
    /// The shape of the input.
    pub input_shape: Vec<usize>,
    /// All parameters; a shared one once.
    pub parameters: usize,
    /// Those that learn.
    pub trainable: usize,
    /// Multiplications with an addition of the whole pass.
    pub multiply_adds: usize,
}

/// Sends zeros of `input_shape` through the model, in evaluation mode, and lists output shapes, parameters and
/// multiply-adds of its layers. The model is left as it was.
///
/// A layer of your own tells of its output if it has a [`Path`](crate::Path).
///
/// ```
/// use rushlight_nn::{Conv2d, Flatten, Linear, ReLU, sequential, summary};
/// let net = sequential![Conv2d::new(1, 4, 3), ReLU, Flatten::default(), Linear::new(4 * 26 * 26, 10)];
/// let table = summary(&net, [1, 1, 28, 28]);
/// assert_eq!(table.rows[1].output_shape, Some(vec![1, 4, 26, 26]));
/// assert_eq!(table.multiply_adds, 4 * 26 * 26 * 9 + 4 * 26 * 26 * 10);
/// ```
///
/// # Panics
/// As the model's `forward`.
#[track_caller]
pub fn summary(model: &dyn Module, input_shape: impl Into<Shape>) -> Summary {
    summary_of(model, &zeros(input_shape))
}

/// As [`summary`], with an input of your own: integers for an embedding, for instance.
///
/// # Panics
/// As the model's `forward`.
#[track_caller]
pub fn summary_of(model: &dyn Module, input: &Tensor) -> Summary {
    // A walk also tells the layers their names.
    let mut rows = vec![row("", model)];
    Walk::through(model, &mut |name, item| {
        if let Item::Module(module) = item {
            rows.push(row(name, module));
        }
        true
    });
    let rows = Rc::new(RefCell::new(rows));
    let output = {
        let _modes = Evaluating::of(model);
        let seen = Rc::clone(&rows);
        let observer = Box::new(move |name: &str, module: &dyn Module, x: &Tensor, y: &Tensor| {
            let mut rows = seen.borrow_mut();
            if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
                row.output_shape = Some(y.shape().to_vec());
                row.multiply_adds += module.multiply_adds(x, y);
            }
        });
        observe(observer, || no_grad(|| model.forward(input)))
    };
    let mut rows = rows.take();
    rows[0].output_shape = Some(output.shape().to_vec());
    let parameters = model.parameters();
    Summary {
        input_shape: input.shape().to_vec(),
        parameters: parameters.iter().map(Tensor::numel).sum(),
        trainable: parameters.iter().filter(|p| p.requires_grad()).map(Tensor::numel).sum(),
        multiply_adds: rows.iter().map(|row| row.multiply_adds).sum(),
        rows,
    }
}

fn row(name: &str, module: &dyn Module) -> SummaryRow {
    let mut parameters = 0;
    Walk::through(module, &mut |_, item| {
        if let Item::Parameter(parameter) = item {
            parameters += parameter.numel();
        }
        false
    });
    let kind = module.type_name().to_owned();
    SummaryRow { name: name.to_owned(), kind, output_shape: None, parameters, multiply_adds: 0 }
}

/// A model in evaluation mode; each layer has its own mode back at the end, also after a panic.
struct Evaluating<'a> {
    model: &'a dyn Module,
    training: Vec<bool>,
}

impl<'a> Evaluating<'a> {
    fn of(model: &'a dyn Module) -> Self {
        let mut training = Vec::new();
        Walk::through(model, &mut |_, item| {
            if let Item::Mode(mode) = item {
                training.push(mode.is_training());
                mode.set(false);
            }
            true
        });
        Evaluating { model, training }
    }
}

impl Drop for Evaluating<'_> {
    fn drop(&mut self) {
        let mut training = self.training.iter();
        Walk::through(self.model, &mut |_, item| {
            if let Item::Mode(mode) = item {
                mode.set(*training.next().expect("the walk is the same"));
            }
            true
        });
    }
}

/// `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![["layer", "output shape", "parameters", "multiply-adds"].map(str::to_owned)];
        for row in &self.rows {
            let depth = if row.name.is_empty() { 0 } else { 1 + row.name.matches('.').count() };
            let last = row.name.rsplit('.').next().unwrap_or_default();
            let label = if last.is_empty() { row.kind.clone() } else { format!("({last}) {}", row.kind) };
            let number = |n: usize| if n == 0 { "-".to_owned() } else { grouped(n) };
            table.push([
                format!("{}{label}", "  ".repeat(depth)),
                row.output_shape.as_ref().map_or("-".to_owned(), |shape| format!("{shape:?}")),
                number(row.parameters),
                number(row.multiply_adds),
            ]);
        }
        let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or_default();
        let widths: [usize; 4] = std::array::from_fn(width);
        let rule = "-".repeat(widths.iter().sum::<usize>() + 6);
        for (i, [layer, shape, parameters, work]) in table.iter().enumerate() {
            let [a, b, c, d] = widths;
            writeln!(f, "{layer:<a$}  {shape:<b$}  {parameters:>c$}  {work:>d$}")?;
            if i == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        writeln!(f, "{rule}")?;
        writeln!(f, "input shape: {:?}", self.input_shape)?;
        writeln!(f, "parameters: {} ({} trainable)", grouped(self.parameters), grouped(self.trainable))?;
        write!(f, "multiply-adds: {}", grouped(self.multiply_adds))
    }
}
