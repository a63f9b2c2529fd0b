use super::Array;
use crate::backend::Term;
use crate::cpu::reduce::places::{self, NamedArg};
use crate::cpu::reduce::{self, NamedReduce};
use crate::dtype::DType;
use crate::fail;
use crate::layout::axis;
use crate::shape::{Dims, Shape};
use crate::short::Short;

type Axes = Short<usize>;

/// Reductions. `dims` is one dim or several, negative ones counted from the back; none at all means every
/// dim. With `keepdim` the reduced dims stay with size 1.
impl Array {
    /// The sum of all elements; integers and bools are summed as `i64`.
    pub fn sum(&self) -> Array {
        self.sum_axes(&self.all_axes(), false)
    }

    /// The sum along dims; integers and bools are summed as `i64`.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.sum_axes(&self.axes("sum", &dims.into()), keepdim)
    }

    fn sum_axes(&self, axes: &[usize], keepdim: bool) -> Array {
        if self.dtype() == DType::Bool {
            return self.reduced(self.device().kernels().count_nonzero(self, axes), axes, keepdim);
        }
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::I64 };
        self.reduce(reduce::sum(), &self.in_dtype(dtype.compute()), axes, keepdim).into_dtype(dtype)
    }

    /// The product of all elements; integers and bools give `i64`.
    pub fn prod(&self) -> Array {
        self.prod_axes(&self.all_axes(), false)
    }

    /// The product along dims; integers and bools give `i64`.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn prod_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.prod_axes(&self.axes("prod", &dims.into()), keepdim)
    }

    fn prod_axes(&self, axes: &[usize], keepdim: bool) -> Array {
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::I64 };
        self.reduce(reduce::prod(), &self.in_dtype(dtype.compute()), axes, keepdim).into_dtype(dtype)
    }

    /// The sum of absolute values or squares along dims, of a float array or of what it differs by from `centre`, which has
    /// the shape of the result with `keepdim`. It keeps the dims, and is in the type of computing.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn reduce_term(
        &self,
        name: &str,
        term: Term,
        centre: Option<&Array>,
        dims: impl Into<Dims>,
    ) -> Array {
        let axes = self.axes(name, &dims.into());
        self.device().kernels().reduce_term(term, &self.in_dtype(self.dtype().compute()), centre, &axes)
    }

    /// The number of elements along dims that are not zero, as `i64`.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn count_nonzero(&self, name: &str, dims: impl Into<Dims>, keepdim: bool) -> Array {
        let axes = self.axes(name, &dims.into());
        self.reduced(self.device().kernels().count_nonzero(self, &axes), &axes, keepdim)
    }

    /// The mean along dims.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.mean_axes(&self.axes("mean", &dims.into()), keepdim)
    }

    /// The mean of all elements; NaN if there is none.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn mean(&self) -> Array {
        self.mean_axes(&self.all_axes(), false)
    }

    #[track_caller]
    fn mean_axes(&self, axes: &[usize], keepdim: bool) -> Array {
        if !self.dtype().is_float() {
            fail!("mean: the dtype is {}, not a float; cast with .to(DType::F32) first", self.dtype().name());
        }
        let count: usize = axes.iter().map(|&a| self.shape()[a]).product();
        let sum = self.reduce(reduce::sum(), &self.in_dtype(self.dtype().compute()), axes, keepdim);
        sum.div(&sum.scalar_like(count as f64)).into_dtype(self.dtype())
    }

    /// The largest element along dims.
    ///
    /// # Panics
    /// If a reduced dim is empty, out of range or named twice.
    #[track_caller]
    pub fn amax(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.extreme("amax", reduce::max(), &self.axes("amax", &dims.into()), keepdim)
    }

    /// The smallest element along dims.
    ///
    /// # Panics
    /// If a reduced dim is empty, out of range or named twice.
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.extreme("amin", reduce::min(), &self.axes("amin", &dims.into()), keepdim)
    }

    /// The largest of all elements.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn max(&self) -> Array {
        self.extreme("max", reduce::max(), &self.all_axes(), false)
    }

    /// The smallest of all elements.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn min(&self) -> Array {
        self.extreme("min", reduce::min(), &self.all_axes(), false)
    }

    #[track_caller]
    fn extreme(&self, name: &str, call: NamedReduce, axes: &[usize], keepdim: bool) -> Array {
        if let Some(&a) = axes.iter().find(|&&a| self.shape()[a] == 0) {
            fail!("{name}: axis {a} of shape {:?} is empty and has no extreme value", self.shape());
        }
        self.reduce(call, &self.in_dtype(self.dtype().compute()), axes, keepdim).into_dtype(self.dtype())
    }

    /// Whether all elements are true (not zero).
    pub fn all(&self) -> Array {
        self.all_axes_true(&self.all_axes(), false)
    }

    /// Whether any element is true (not zero).
    pub fn any(&self) -> Array {
        self.any_axes_true(&self.all_axes(), false)
    }

    /// Whether all elements along dims are true (not zero).
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn all_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.all_axes_true(&self.axes("all", &dims.into()), keepdim)
    }

    /// Whether any element along dims is true (not zero).
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn any_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Array {
        self.any_axes_true(&self.axes("any", &dims.into()), keepdim)
    }

    fn all_axes_true(&self, axes: &[usize], keepdim: bool) -> Array {
        if self.dtype() == DType::Bool || axes.len() < self.rank() {
            return self.reduce(reduce::prod(), &self.in_dtype(DType::Bool), axes, keepdim);
        }
        // One pass, without the array of bools.
        let count = self.reduced(self.device().kernels().count_nonzero(self, axes), axes, keepdim);
        count.eq(&count.scalar_like(self.numel() as i64))
    }

    fn any_axes_true(&self, axes: &[usize], keepdim: bool) -> Array {
        if self.dtype() == DType::Bool || axes.len() < self.rank() {
            return self.reduce(reduce::sum(), &self.in_dtype(DType::Bool), axes, keepdim);
        }
        self.reduced(self.device().kernels().count_nonzero(self, axes), axes, keepdim).cast(DType::Bool)
    }

    /// The position of the first largest element along `dim`, as `i64`.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn argmax(&self, dim: isize, keepdim: bool) -> Array {
        self.arg("argmax", places::max(), dim, keepdim)
    }

    /// The position of the first smallest element along `dim`, as `i64`.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn argmin(&self, dim: isize, keepdim: bool) -> Array {
        self.arg("argmin", places::min(), dim, keepdim)
    }

    #[track_caller]
    fn arg(&self, name: &str, call: NamedArg, dim: isize, keepdim: bool) -> Array {
        let a = axis(name, dim, self.shape());
        let x = if self.rank() == 0 { self.reshape([1]) } else { self.clone() };
        if x.shape()[a] == 0 {
            fail!("{name}: axis {a} of shape {:?} is empty and has no position", self.shape());
        }
        let out = self.device().kernels().arg_reduce(call, &x.cast(x.dtype().compute()), a);
        if keepdim && self.rank() > 0 { out } else { out.with_layout(out.layout().squeeze(&[a])) }
    }

    /// `exp(x)` over its sum along `dim`.
    ///
    /// # Panics
    /// If the dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Array {
        self.rowwise("softmax", dim, |x, a| x.device().kernels().softmax(x, a))
    }

    /// The logarithm of the softmax along `dim`.
    ///
    /// # Panics
    /// If the dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Array {
        self.rowwise("log_softmax", dim, |x, a| x.device().kernels().log_softmax(x, a))
    }

    #[track_caller]
    fn rowwise(&self, name: &str, dim: isize, f: impl Fn(&Array, usize) -> Array) -> Array {
        let a = axis(name, dim, self.shape());
        if !self.dtype().is_float() {
            fail!(
                "{name}: the dtype is {}, not a float; cast with .to(DType::F32) first",
                self.dtype().name()
            );
        }
        if self.numel() == 0 {
            return self.clone();
        }
        let x = self.in_dtype(self.dtype().compute());
        let y = if self.rank() == 0 { f(&x.reshape([1]), a).reshape(()) } else { f(&x, a) };
        y.into_dtype(self.dtype())
    }

    pub(crate) fn all_axes(&self) -> Axes {
        (0..self.rank()).collect()
    }

    /// The distinct axes that the dims name, ascending; all if there is none.
    #[track_caller]
    fn axes(&self, op: &str, dims: &Dims) -> Axes {
        if dims.0.is_empty() {
            return self.all_axes();
        }
        let mut axes = Axes::new();
        for &dim in &dims.0 {
            let a = axis(op, dim, self.shape());
            if axes.contains(&a) {
                fail!("{op}: dim {dim} appears twice in {:?}", dims.0);
            }
            axes.push(a);
        }
        axes.sort_unstable();
        if self.rank() == 0 { Axes::new() } else { axes }
    }

    fn reduce(&self, call: NamedReduce, x: &Array, axes: &[usize], keepdim: bool) -> Array {
        self.reduced(self.device().kernels().reduce(call, x, axes), axes, keepdim)
    }

    /// A result with the reduced axes, or without.
    fn reduced(&self, out: Array, axes: &[usize], keepdim: bool) -> Array {
        if keepdim { out } else { out.with_layout(out.layout().squeeze(axes)) }
    }

    /// Sums an array down to a shape that broadcasts to its own: the gradient of an expansion.
    ///
    /// # Panics
    /// If `shape` does not broadcast to this array's shape.
    #[track_caller]
    pub fn sum_to(&self, shape: &Shape) -> Array {
        if self.shape() == shape {
            return self.clone();
        }
        if Shape::broadcast(self.shape(), shape).ok().as_ref() != Some(self.shape()) {
            fail!(
                "sum_to: shape {shape:?} does not broadcast to {:?}; sizes must be equal or 1",
                self.shape()
            );
        }
        let new = self.rank() - shape.len();
        let axes: Axes =
            (0..self.rank()).filter(|&i| i < new || (shape[i - new] == 1 && self.shape()[i] != 1)).collect();
        let out =
            self.device().kernels().reduce(reduce::sum(), &self.in_dtype(self.dtype().compute()), &axes);
        out.into_dtype(self.dtype()).reshape(shape)
    }
}
