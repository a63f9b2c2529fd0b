use crate::hook::{self, ForwardHookHandle, Hooks};
use crate::state;
use crate::walk::{Item, Show, Walk};
use rushlight_array::context::{self, Frame, Name, NameCell};
use rushlight_array::{Array, Result, fail};
use rushlight_autograd::{GradModeGuard, Tensor, To};
use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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
                $crate::write_module(self, f)
            }
        }
    };
}

/// A layer, a loss, or a whole model: PyTorch's `nn.Module`.
///
/// A type is a module by a [`fields!`](crate::fields) line and an `impl Module` with a `forward`. All else
/// comes with it.
// The bodies below are compiled for each type of module: they hand a way to show the fields to functions that are
// compiled once.
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
        last_segment(std::any::type_name::<Self>())
    }

    /// What is printed between the brackets of a layer: `in_features=2, out_features=3`.
    fn extra_repr(&self) -> String {
        String::new()
    }

    /// The parameters with their qualified names, in the order of the fields; a shared one once.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        state::named_parameters(&self)
    }

    /// Handles on the parameters, for an optimiser.
    fn parameters(&self) -> Vec<Tensor> {
        state::without_names(self.named_parameters())
    }

    /// The number of trainable numbers.
    fn num_parameters(&self) -> usize {
        state::num_trainable(self.parameters())
    }

    /// Switches to training mode: dropout drops.
    fn train(&self) {
        set_mode(&self, true);
    }

    /// Switches to evaluation mode.
    fn eval(&self) {
        set_mode(&self, false);
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
        move_all(&self, to);
    }

    /// All parameters and buffers by their qualified names, as constants that later steps do not change.
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        state::state_dict(&self)
    }

    /// Sets all parameters and buffers from a state dict.
    ///
    /// # Errors
    /// If a name is missing or unexpected, or a shape differs: one error lists them all, and nothing is
    /// changed.
    fn load_state_dict(&self, state: &[(String, Tensor)]) -> Result<()> {
        state::load_state_dict(&self, self.type_name(), state)
    }

    /// Calls `hook` with this module, its input and its output after each forward pass; what the hook returns takes the
    /// output's place. Hooks are called in the order in which they came. See [`Path`] for an example.
    ///
    /// # Panics
    /// If the module has no [`Path`] among its fields: the hooks are kept there. Of the library's modules those without
    /// parameters and options (`ReLU`, `Tanh`, ...) have none; a hook on the `Sequential` or layer around them serves.
    #[track_caller]
    fn register_forward_hook(
        &self,
        hook: impl Fn(&dyn Module, &Tensor, &Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> ForwardHookHandle
    where
        Self: Sized,
    {
        match own_hooks(&self) {
            Some(hooks) => hooks.add(Arc::new(hook)),
            None => fail!(
                "register_forward_hook: {} has no field of type Path to keep hooks in; register on a module around it",
                self.type_name()
            ),
        }
    }

    /// The multiplications with an addition that a forward pass took, for [`summary`](crate::summary()).
    fn multiply_adds(&self, x: &Tensor, y: &Tensor) -> usize {
        let _ = (x, y);
        0
    }

    /// The result of this module and of those right `behind` it, if they are computed in one pass, and the number of
    /// modules that it stands for: a linear layer or a convolution with a relu behind it, and a pool behind that. Nothing
    /// if somebody wants to see what lies between. [`Sequential`](crate::Sequential) asks the modules, and does not look
    /// for them, so that a program holds only the code of those that it makes.
    #[doc(hidden)]
    fn fused(&self, x: &Tensor, behind: &[Box<dyn Module>]) -> Option<(Tensor, usize)> {
        let _ = (x, behind);
        None
    }

    /// Forgets the gradients of all parameters.
    fn zero_grad(&self) {
        state::zero_grad(self.parameters());
    }

    /// Lets all parameters learn, or freezes them.
    fn requires_grad_(&self, requires_grad: bool) {
        state::set_requires_grad(self.parameters(), requires_grad);
    }
}

/// One of the modules as the type it is.
pub(crate) fn downcast<M: Module>(modules: &[Box<dyn Module>], i: usize) -> Option<&M> {
    let any: &dyn Any = &**modules.get(i)?;
    any.downcast_ref()
}

/// `Linear` of `rushlight_nn::linear::Linear`.
fn last_segment(path: &'static str) -> &'static str {
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// The hooks of a module itself, not of those below it.
#[inline(never)]
fn own_hooks(module: Show<'_>) -> Option<Arc<Hooks>> {
    let mut found = None;
    Walk::start(module, &mut |_, item| {
        if let Item::Path(path) = item {
            found.get_or_insert_with(|| path.hooks());
        }
        false
    });
    found
}

/// Whether the module itself knows its place.
pub(crate) fn has_path(module: &dyn Module) -> bool {
    let mut found = false;
    Walk::through(module, &mut |_, item| {
        found |= matches!(item, Item::Path(_));
        false
    });
    found
}

#[inline(never)]
fn set_mode(module: Show<'_>, training: bool) {
    Walk::start(module, &mut |_, item| {
        if let Item::Mode(mode) = item {
            mode.set(training);
        }
        true
    });
}

#[inline(never)]
#[track_caller]
fn move_all(module: Show<'_>, to: &To) {
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

    pub(crate) fn set(&self, training: bool) {
        self.0.store(training, Ordering::Relaxed);
    }
}

impl Default for Mode {
    fn default() -> Self {
        Mode(AtomicBool::new(true))
    }
}

/// Where a module stands in its model (`layers.2`), for messages, and the hooks on it. The place is learnt in every walk
/// through the model: by `parameters()`, `train()`, `eval()`, printing, and so on.
///
/// A module of your own can have one, too:
///
/// ```
/// use rushlight_autograd::{Tensor, tensor};
/// use rushlight_nn::{Module, Path, fields};
///
/// struct Double {
///     path: Path,
/// }
/// fields!(Double { path });
///
/// impl Module for Double {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         self.path.finish(self, x, x * 2.0)
///     }
/// }
///
/// let double = Double { path: Path::default() };
/// let handle = double.register_forward_hook(|_, _, y| Some(y + 1.0));
/// assert_eq!(double.forward(&tensor([3.0])).item(), 7.0);
/// handle.remove();
/// assert_eq!(double.forward(&tensor([3.0])).item(), 6.0);
/// ```
#[derive(Debug, Default)]
pub struct Path {
    name: NameCell,
    hooks: OnceLock<Arc<Hooks>>,
}

impl Path {
    /// The qualified name, empty while it is not known.
    pub fn get(&self) -> &'static str {
        self.name.get().as_str()
    }

    pub(crate) fn set(&self, path: &str) {
        self.name.set(Name::new(path));
    }

    /// Names this place in the messages of all panics until the guard is dropped.
    #[track_caller]
    pub(crate) fn enter(&self, child: Option<usize>, kind: &'static str) -> context::Guard {
        context::enter(Frame { path: self.name.get(), child, kind, caller: Location::caller() })
    }
    /// Ends a forward pass: calls the hooks, whose output takes the place of `y` if they give one.
    pub fn finish(&self, module: &dyn Module, x: &Tensor, y: Tensor) -> Tensor {
        let y = match self.hooks.get() {
            Some(hooks) => hooks.call(module, x, y),
            None => y,
        };
        if hook::observed() {
            hook::tell(self.get(), module, x, &y);
        }
        y
    }

    /// Whether [`Path::finish`] has somebody to tell.
    pub(crate) fn is_watched(&self) -> bool {
        hook::observed() || self.hooks.get().is_some()
    }

    fn hooks(&self) -> Arc<Hooks> {
        Arc::clone(self.hooks.get_or_init(Arc::default))
    }
}
