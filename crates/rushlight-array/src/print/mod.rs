//! Tensors as text, to the character as PyTorch 2.15 prints them (the rules of `torch/_tensor_str.py`).
//!
//! Three steps: find the elements that will be seen ([`visible`]), turn them into texts of one width
//! ([`number::Column`]), lay the texts out in brackets ([`Layout`]). Only the seen elements are ever asked
//! for, and they alone decide the width and the notation, so that printing a huge tensor costs nothing.

mod number;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use crate::DType;
use number::Column;
pub(crate) use number::Numbers;

/// How tensors are printed: the five options of `torch.set_printoptions`, with the same defaults.
///
/// ```
/// use rushlight_array::PrintOptions;
/// let options = PrintOptions { precision: 2, ..PrintOptions::default() };
/// assert_eq!((options.threshold, options.edgeitems, options.linewidth), (1000, 3, 80));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct PrintOptions {
    /// Digits after the point of a float; 4 by default, and no more than 65534 are written.
    pub precision: usize,
    /// A tensor of more elements than this is summarised with `...`; 1000 by default.
    pub threshold: usize,
    /// Elements kept at each end of an axis in a summary; 3 by default.
    pub edgeitems: usize,
    /// Columns after which a line is broken, in characters; 80 by default.
    pub linewidth: usize,
    /// Scientific notation: always, never, or (`None`, the default) where the values call for it: the largest
    /// over 1e8, the smallest under 1e-4, or more than a factor 1000 between the two, by absolute value and
    /// without zeros, infinities and NaN.
    pub sci_mode: Option<bool>,
}

impl PrintOptions {
    const DEFAULT: PrintOptions =
        PrintOptions { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sci_mode: None };

    /// Torch's profile `short`: two digits, two elements at each end.
    pub const fn short() -> PrintOptions {
        PrintOptions { precision: 2, edgeitems: 2, ..PrintOptions::DEFAULT }
    }

    /// Torch's profile `full`: every element is printed, however many.
    pub const fn full() -> PrintOptions {
        PrintOptions { threshold: usize::MAX, ..PrintOptions::DEFAULT }
    }
}

impl Default for PrintOptions {
    fn default() -> PrintOptions {
        PrintOptions::DEFAULT
    }
}

static OPTIONS: RwLock<PrintOptions> = RwLock::new(PrintOptions::DEFAULT);

/// Sets how tensors are printed from now on, in the whole process, as `torch.set_printoptions` does.
///
/// It replaces all five options; torch keeps those that the call does not name (except `sci_mode`). To change
/// one, start from [`print_options`].
///
/// ```
/// use rushlight_array::{PrintOptions, print_options, set_print_options};
/// set_print_options(PrintOptions { precision: 2, ..print_options() });
/// assert_eq!(print_options().precision, 2);
/// ```
pub fn set_print_options(options: PrintOptions) {
    *OPTIONS.write().unwrap_or_else(PoisonError::into_inner) = options;
}

/// The options in force, as `torch.get_printoptions` gives them.
pub fn print_options() -> PrintOptions {
    OPTIONS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What precedes the values; continuation lines are indented by its length.
const PREFIX: &str = "tensor(";

/// The text of a tensor: `tensor([1., 2.])`.
///
/// `numbers` is asked only for the elements that appear. `extra` holds what the tensor knows beyond its values,
/// already rendered: `device='cuda:0'`, `grad_fn=<AddmmBackward0>`, `requires_grad=True`; a device goes before
/// `size=` and `dtype=`, the others after, as in torch.
pub(crate) fn format_tensor(
    shape: &[usize],
    dtype: DType,
    numbers: Numbers<'_>,
    options: &PrintOptions,
    extra: &[String],
) -> String {
    let empty = shape.contains(&0);
    let mut text = PREFIX.to_owned();
    if empty {
        text.push_str("[]");
    } else {
        push_values(&mut text, shape, numbers, options);
    }
    let (mut suffixes, after): (Vec<String>, Vec<String>) =
        extra.iter().cloned().partition(|suffix| suffix.starts_with("device="));
    // Without edge items a summary shows nothing of the shape; torch then writes it out for every tensor.
    let hides_shape = if empty { shape.len() != 1 } else { options.edgeitems == 0 };
    if hides_shape {
        suffixes.push(format!("size={}", python_tuple(shape)));
    }
    // `[1]` and `[True]` tell their dtype, `[]` does not.
    let evident = dtype == DType::F32 || !empty && matches!(dtype, DType::I64 | DType::Bool);
    if !evident {
        suffixes.push(format!("dtype={dtype}"));
    }
    suffixes.extend(after);
    push_suffixes(&mut text, &suffixes, options.linewidth);
    text.push(')');
    text
}

fn push_values(text: &mut String, shape: &[usize], numbers: Numbers<'_>, options: &PrintOptions) {
    let numel = shape.iter().fold(1_usize, |product, &n| product.saturating_mul(n));
    let edge = (numel > options.threshold).then_some(options.edgeitems);
    let mut indices = Vec::new();
    visible(shape, edge, 0, &mut indices);
    let Column { texts, width } = number::column(numbers, &indices, options);
    let texts = texts.into_iter();
    Layout { text, texts, edge, width, linewidth: options.linewidth }.push(shape, PREFIX.len());
}

/// Pushes the row-major indices of the elements that are printed, in the order in which they are.
fn visible(shape: &[usize], edge: Option<usize>, start: usize, indices: &mut Vec<usize>) {
    let Some((&n, rest)) = shape.split_first() else {
        indices.push(start);
        return;
    };
    let (head, tail) = ends(n, edge);
    let stride: usize = rest.iter().product();
    for i in head.chain(tail) {
        visible(rest, edge, start + i * stride, indices);
    }
}

/// The positions shown along an axis of `n`: those before and those after the `...`. Where nothing is left out
/// the second range is empty and starts where the first ends.
fn ends(n: usize, edge: Option<usize>) -> (Range<usize>, Range<usize>) {
    match edge {
        Some(edge) if n > edge.saturating_mul(2) => (0..edge, n - edge..n),
        _ => (0..n, n..n),
    }
}

/// Writes texts into nested brackets, one matrix row to a line, a blank line between matrices.
struct Layout<'a> {
    text: &'a mut String,
    texts: std::vec::IntoIter<String>,
    edge: Option<usize>,
    width: usize,
    linewidth: usize,
}

impl Layout<'_> {
    /// Writes the tensor, or the part of one, that starts at column `indent`.
    fn push(&mut self, shape: &[usize], indent: usize) {
        match shape {
            [] => self.text.extend(self.texts.next()),
            [n] => self.push_vector(*n, indent),
            [n, rest @ ..] => self.push_slices(*n, rest, indent),
        }
    }

    fn push_slices(&mut self, n: usize, rest: &[usize], indent: usize) {
        let separator = format!(",{}{}", "\n".repeat(rest.len()), " ".repeat(indent + 1));
        let (head, tail) = ends(n, self.edge);
        self.text.push('[');
        for i in head.clone() {
            if i > 0 {
                self.text.push_str(&separator);
            }
            self.push(rest, indent + 1);
        }
        if head.end < tail.start {
            if !head.is_empty() {
                self.text.push_str(&separator);
            }
            self.text.push_str("...");
        }
        for _ in tail {
            self.text.push_str(&separator);
            self.push(rest, indent + 1);
        }
        self.text.push(']');
    }

    fn push_vector(&mut self, n: usize, indent: usize) {
        let (head, tail) = ends(n, self.edge);
        let mut items: Vec<String> = self.texts.by_ref().take(head.len()).collect();
        if head.end < tail.start {
            items.push(if head.is_empty() { "..." } else { " ..." }.to_owned());
        }
        items.extend(self.texts.by_ref().take(tail.len()));
        // Torch divides by the formatter's width even where `nan`, `inf` or `0.` is wider than it.
        let per_line = (self.linewidth.saturating_sub(indent) / (self.width + 2)).max(1);
        let lines: Vec<String> = items.chunks(per_line).map(|line| line.join(", ")).collect();
        let separator = format!(",\n{}", " ".repeat(indent + 1));
        self.text.push('[');
        self.text.push_str(&lines.join(&separator));
        self.text.push(']');
    }
}

/// Appends `, suffix` for each, on a new line where the last would get longer than `linewidth`.
fn push_suffixes(text: &mut String, suffixes: &[String], linewidth: usize) {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    // The two are torch's, which counts a character before the first of the line and one after the last.
    let mut column = last_line.chars().count() + 2;
    for suffix in suffixes {
        let length = suffix.chars().count();
        if column + length + 2 > linewidth {
            text.push_str(",\n");
            text.push_str(&" ".repeat(PREFIX.len()));
            column = PREFIX.len() + length;
        } else {
            text.push_str(", ");
            column += length + 2;
        }
        text.push_str(suffix);
    }
}

/// `()`, `(3,)`, `(0, 3)`.
fn python_tuple(shape: &[usize]) -> String {
    let numbers: Vec<String> = shape.iter().map(usize::to_string).collect();
    match numbers.as_slice() {
        [one] => format!("({one},)"),
        all => format!("({})", all.join(", ")),
    }
}
