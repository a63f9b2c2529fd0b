use crate::state;
use crate::walk::{Item, Walk};
use rushlight_array::context::{self, Frame, Name, NameCell};
use rushlight_array::{Array, Result, fail};
use rushlight_autograd::{GradModeGuard, Tensor, To};
use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};

/// The fields of a module, shown to a [`Walk`]. Write it with [`fields!`](crate::fields).
pub trait Fields: Any + Send + Sync {
    /// Shows every field to the walk, in order.
    fn visit(&self, walk: &mut Walk<'_>);
}

/// Lists the fields of a module: `fields!(Net { layers, dropout });`.
///
/// It does not compile if a field is forgotten. It implements [`Fields`] and, so that `println!("{net}")`
/// prints what PyTorch prints, `Display`.
///
/// ```compile_fail,E0027
/// use rushlight_nn::{Linear, Module, fields};
/// struct Net {
///     a: Linear,
///     b: Linear,
/// }
/// fields!(Net { a }); // error: pattern does not mention field `b`
/// impl Module for Net {}
/// ```
#[macro_export]
macro_rules! fields {
    ($module:ident { $($field:ident),* $(,)? }) => {
        impl $crate::Fields for $module {
            fn visit(&self, walk: &mut $crate::Walk<'_>) {
                let Self { $($field),* } = self;
                $(walk.field(stringify!($field), $field);)*
                let _ = walk;
            }
        }

        impl ::std::fmt::Display for $module {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&$crate::format_module(self))
            }
        }
    };
}

/// A layer, a loss, or a whole model: PyTorch's `nn.Module`.
///
/// A type is a module by a [`fields!`](crate::fields) line and an `impl Module` with a `forward`. All else
/// comes with it.
pub trait Module: Fields {
    /// The result for an input.
    ///
    /// # Panics
    /// If the input does not fit. The default body panics: modules with other arguments (losses, for
    /// instance) have a `forward` method of their own instead.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _ = x;
        fail!("Module [{}] is missing the required \"forward\" function of one tensor", self.type_name())
    }

    /// The type's name, as printed: `Linear`.
    fn type_name(&self) -> &'static str {
        let path = std::any::type_name::<Self>();
        let path = path.split('<').next().unwrap_or(path);
        path.rsplit("::").next().unwrap_or(path)
    }

    /// What is printed between the brackets of a layer: `in_features=2, out_features=3`.
    fn extra_repr(&self) -> String {
        String::new()
    }

    /// The parameters with their qualified names, in the order of the fields; a shared one once.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let mut found: Vec<(String, Tensor)> = Vec::new();
        Walk::through(self, &mut |name, item| {
            if let Item::Parameter(parameter) = item
                && !found.iter().any(|(_, other)| other.is(parameter))
            {
                found.push((name.to_string(), parameter.0.clone()));
            }
            true
        });
        found
    }

    /// Handles on the parameters, for an optimiser.
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, parameter)| parameter).collect()
    }

    /// The number of trainable numbers.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().filter(|p| p.requires_grad()).map(Tensor::numel).sum()
    }

    /// Switches to training mode: dropout drops.
    fn train(&self) {
        set_mode(self, true);
    }

    /// Switches to evaluation mode.
    fn eval(&self) {
        set_mode(self, false);
    }

    /// Moves or casts all parameters, their gradients and buffers, in place; casts leave integers alone:
    /// `model.to(&device)`, `model.to(DType::F64)`.
    #[track_caller]
    fn to(&self, to: impl Into<To>)
    where
        Self: Sized,
    {
        self.move_to(&to.into());
    }

    /// As [`Module::to`], also for a `dyn Module`.
    #[track_caller]
    fn move_to(&self, to: &To) {
        move_all(self, to);
    }

    /// All parameters and buffers by their qualified names, as constants that later steps do not change.
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        state::state_dict(self)
    }

    /// Sets all parameters and buffers from a state dict.
    ///
    /// # Errors
    /// If a name is missing or unexpected, or a shape differs: one error lists them all, and nothing is
    /// changed.
    fn load_state_dict(&self, state: &[(String, Tensor)]) -> Result<()> {
        state::load_state_dict(self, state)
    }

    /// Forgets the gradients of all parameters.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Tensor::zero_grad);
    }

    /// Lets all parameters learn, or freezes them.
    fn requires_grad_(&self, requires_grad: bool) {
        self.parameters().iter().for_each(|p| p.set_requires_grad(requires_grad));
    }
}

fn set_mode(module: &(impl Module + ?Sized), training: bool) {
    Walk::through(module, &mut |_, item| {
        if let Item::Mode(mode) = item {
            mode.0.store(training, Ordering::Relaxed);
        }
        true
    });
}

#[track_caller]
fn move_all(module: &(impl Module + ?Sized), to: &To) {
    for tensor in state::cells(module).into_iter().map(|(_, tensor)| tensor) {
        if matches!(to, To::DType(_)) && !tensor.dtype().is_float() {
            continue;
        }
        let grad = tensor.grad();
        let _mode = GradModeGuard::no_grad();
        tensor.set_grad(None);
        tensor.set(tensor.detach().to(to.clone()));
        tensor.set_grad(grad.map(|grad| grad.to(to.clone())));
    }
}

/// A tensor that learns: a leaf that requires a gradient. It prints as PyTorch's `Parameter`.
#[derive(Clone)]
pub struct Parameter(pub(crate) Tensor);

impl Parameter {
    /// A parameter that starts with these values.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn new(value: impl Into<Array>) -> Self {
        Parameter(Tensor::new_leaf(value.into(), true))
    }
}

impl Deref for Parameter {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameter containing:\n{}", self.0)
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tensor that belongs to a module's state but does not learn, as the running mean of a batch norm.
#[derive(Clone, Debug)]
pub struct Buffer(Tensor);

impl Buffer {
    /// A buffer that starts with these values.
    pub fn new(value: impl Into<Array>) -> Self {
        Buffer(Tensor::new_leaf(value.into(), false))
    }
}

impl Deref for Buffer {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        &self.0
    }
}

/// Whether a module is training; it is, until `eval()` is called on it or on a model that holds it.
#[derive(Debug)]
pub struct Mode(AtomicBool);

impl Mode {
    /// Whether the module is training.
    pub fn is_training(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Mode {
    fn default() -> Self {
        Mode(AtomicBool::new(true))
    }
}

/// Where a module stands in its model (`layers.2`), for messages. It is learnt in every walk through the
/// model: by `parameters()`, `train()`, `eval()`, printing, and so on.
#[derive(Debug, Default)]
pub struct Path(NameCell);

impl Path {
    /// The qualified name, empty while it is not known.
    pub fn get(&self) -> &'static str {
        self.0.get().as_str()
    }

    pub(crate) fn set(&self, path: &str) {
        self.0.set(Name::new(path));
    }

    /// Names this place in the messages of all panics until the guard is dropped.
    #[track_caller]
    pub(crate) fn enter(&self, child: Option<usize>, kind: &'static str) -> context::Guard {
        context::enter(Frame { path: self.0.get(), child, kind, caller: Location::caller() })
    }
}
