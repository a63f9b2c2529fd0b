//! The arguments of a call, as an operation's arm takes them: in PyTorch's order, by position or by name.

use rushlight::array::Scalar;
use rushlight::autograd::ops::Operand;
use rushlight::{DType, Tensor};

/// A Python value with its tensors built.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Py {
    Tensor(Tensor),
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    None,
    List(Vec<Py>),
    Tuple(Vec<Py>),
    Slice([Option<i64>; 3]),
    Ellipsis,
    DType(DType),
}

/// Why an arm could not be called: Rust's types have no such argument.
pub type Misfit = String;

/// The arguments that are left.
#[derive(Clone, Debug)]
pub struct Args {
    args: std::collections::VecDeque<Py>,
    kwargs: Vec<(String, Py)>,
}

/// An argument's type.
pub trait Take: Sized {
    /// The value, if it has this type.
    fn take(value: Py) -> Option<Self>;
}

macro_rules! take {
    ($($t:ty: $($pattern:pat => $value:expr),*;)*) => {$(
        impl Take for $t {
            fn take(value: Py) -> Option<Self> {
                match value {
                    $($pattern => Some($value),)*
                    _ => None,
                }
            }
        }
    )*};
}
impl Take for Py {
    fn take(value: Py) -> Option<Self> {
        Some(value)
    }
}

take! {
    Tensor: Py::Tensor(x) => x;
    bool: Py::Bool(x) => x, Py::Int(x) => x != 0;
    i64: Py::Int(x) => x, Py::Bool(x) => i64::from(x);
    isize: Py::Int(x) => isize::try_from(x).ok()?;
    usize: Py::Int(x) => usize::try_from(x).ok()?;
    f64: Py::Float(x) => x, Py::Int(x) => x as f64, Py::Bool(x) => f64::from(u8::from(x));
    String: Py::Str(x) => x;
    DType: Py::DType(x) => x;
    Scalar: Py::Float(x) => Scalar::Float(x), Py::Int(x) => Scalar::Int(x), Py::Bool(x) => Scalar::Bool(x);
}

impl<T: Take> Take for Option<T> {
    fn take(value: Py) -> Option<Self> {
        match value {
            Py::None => Some(None),
            value => T::take(value).map(Some),
        }
    }
}

impl<T: Take> Take for Vec<T> {
    fn take(value: Py) -> Option<Self> {
        match value {
            Py::List(items) | Py::Tuple(items) => items.into_iter().map(T::take).collect(),
            _ => None,
        }
    }
}

/// One integer or several: a `dim` that may be a tuple, a `stride`.
#[derive(Clone, Debug)]
pub struct Ints(pub Vec<i64>);

impl Take for Ints {
    fn take(value: Py) -> Option<Self> {
        match value {
            Py::Int(x) => Some(Ints(vec![x])),
            value => Vec::take(value).map(Ints),
        }
    }
}

impl Ints {
    /// As dims.
    pub fn dims(&self) -> Vec<isize> {
        self.0.iter().map(|&dim| dim as isize).collect()
    }

    /// As sizes, one for each of `n` dims: a single one stands for all.
    ///
    /// # Errors
    /// If one is negative or there is another number of them.
    pub fn sizes<const N: usize>(&self) -> Result<[usize; N], Misfit> {
        let sizes: Option<Vec<usize>> = self.0.iter().map(|&size| usize::try_from(size).ok()).collect();
        let sizes = sizes.ok_or(format!("sizes cannot be negative: {:?}", self.0))?;
        match sizes.as_slice() {
            [one] => Ok([*one; N]),
            sizes => sizes.try_into().map_err(|_| format!("expected {N} sizes, got {sizes:?}")),
        }
    }
}

/// A tensor or a number.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Other {
    Tensor(Tensor),
    Number(Scalar),
}

impl Take for Other {
    fn take(value: Py) -> Option<Self> {
        match value {
            Py::Tensor(x) => Some(Other::Tensor(x)),
            value => Scalar::take(value).map(Other::Number),
        }
    }
}

impl<'a> From<&'a Other> for Operand<'a> {
    fn from(other: &'a Other) -> Self {
        match other {
            Other::Tensor(x) => Operand::Tensor(x),
            Other::Number(x) => Operand::Number(*x),
        }
    }
}

impl Args {
    /// From those of a case.
    pub fn new(args: Vec<Py>, kwargs: Vec<(String, Py)>) -> Args {
        Args { args: args.into(), kwargs }
    }

    /// The next argument: by position, or by this name.
    ///
    /// # Errors
    /// If there is none, or it has another type.
    pub fn take<T: Take>(&mut self, name: &str) -> Result<T, Misfit> {
        let value = self.next(name).ok_or_else(|| format!("the argument `{name}` is missing"))?;
        T::take(value.clone()).ok_or_else(|| format!("the argument `{name}` is of another type: {value:?}"))
    }

    /// As [`Args::take`], with a value for an argument that is not there.
    ///
    /// # Errors
    /// If it has another type.
    pub fn take_or<T: Take>(&mut self, name: &str, default: T) -> Result<T, Misfit> {
        match self.next(name) {
            Some(value) => T::take(value.clone())
                .ok_or_else(|| format!("the argument `{name}` is of another type: {value:?}")),
            None => Ok(default),
        }
    }

    /// An argument that may be absent or None.
    ///
    /// # Errors
    /// If it has another type.
    pub fn option<T: Take>(&mut self, name: &str) -> Result<Option<T>, Misfit> {
        self.take_or(name, None)
    }

    /// All positional arguments that are left, and the named one: `x.permute(0, 1)` or `x.permute((0, 1))`.
    ///
    /// # Errors
    /// If one is not an integer.
    pub fn ints(&mut self, name: &str) -> Result<Vec<i64>, Misfit> {
        if let Some(Py::Int(_)) = self.args.front() {
            return self
                .args
                .drain(..)
                .map(|x| i64::take(x).ok_or(format!("`{name}` is not integers")))
                .collect();
        }
        self.take(name)
    }

    /// Whether arguments are left, by position or by name.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty() && self.kwargs.is_empty()
    }

    /// Whether an argument of this name was written out, which picks one of PyTorch's overloads.
    pub fn has(&self, name: &str) -> bool {
        self.kwargs.iter().any(|(key, _)| key == name)
    }

    /// The next positional argument, left where it is.
    pub fn peek(&self) -> Option<&Py> {
        self.args.front()
    }

    /// The number of positional arguments that are left.
    pub fn positional(&self) -> usize {
        self.args.len()
    }

    /// A keyword argument that never stands by position.
    ///
    /// # Errors
    /// If it has another type.
    pub fn keyword<T: Take>(&mut self, name: &str) -> Result<Option<T>, Misfit> {
        match self.kwargs.iter().position(|(key, _)| key == name) {
            None => Ok(None),
            Some(at) => match self.kwargs.remove(at).1 {
                Py::None => Ok(None),
                value => T::take(value.clone())
                    .map(Some)
                    .ok_or_else(|| format!("the argument `{name}` is of another type: {value:?}")),
            },
        }
    }

    fn next(&mut self, name: &str) -> Option<Py> {
        if let Some(value) = self.args.pop_front() {
            return Some(value);
        }
        let at = self.kwargs.iter().position(|(key, _)| key == name)?;
        Some(self.kwargs.remove(at).1)
    }
}
