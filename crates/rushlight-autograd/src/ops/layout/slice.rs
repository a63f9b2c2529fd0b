//! Places along a dim: read as a view, or replaced.

use super::real_axis;
use super::region::Region;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Layout, Shape, axis, fail};

/// Where [`Tensor::narrow`] begins: a number, negative from the back, or an integer tensor without dims.
///
/// Nobody writes it out: numbers and tensors turn into it by themselves.
#[derive(Clone, Debug)]
pub enum Start {
    /// A number.
    At(isize),
    /// The value of a tensor.
    Of(Tensor),
}

impl From<isize> for Start {
    fn from(at: isize) -> Self {
        Start::At(at)
    }
}

impl From<i32> for Start {
    fn from(at: i32) -> Self {
        Start::At(at as isize)
    }
}

impl From<usize> for Start {
    fn from(at: usize) -> Self {
        Start::At(isize::try_from(at).unwrap_or(isize::MAX))
    }
}

impl From<&Tensor> for Start {
    fn from(at: &Tensor) -> Self {
        Start::Of(at.clone())
    }
}

impl Start {
    #[track_caller]
    fn get(self) -> isize {
        match self {
            Start::At(at) => at,
            Start::Of(x) if x.dim() == 0 && x.dtype().is_int() => x.item_as::<i64>() as isize,
            Start::Of(x) => fail!(
                "narrow: the start has shape {:?} and dtype {}; it must be an integer without dims",
                x.shape(),
                x.dtype().name()
            ),
        }
    }
}

/// The optional arguments of [`Tensor::slice_scatter_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SliceScatterOptions {
    /// The first place; negative from the back. None is 0.
    pub start: Option<isize>,
    /// The place behind the last; negative from the back. None is the size of the dim.
    pub end: Option<isize>,
    /// From place to place.
    pub step: usize,
}

impl Default for SliceScatterOptions {
    fn default() -> Self {
        SliceScatterOptions { start: None, end: None, step: 1 }
    }
}

/// A place between 0 and `size`, whatever number is given: negative from the back, as in Python's slices.
pub(super) fn clamped(place: isize, size: usize) -> usize {
    let from_back = || size.saturating_sub(place.unsigned_abs());
    usize::try_from(place).map_or_else(|_| from_back(), |place| place.min(size))
}

/// Places along a dim.
impl Tensor {
    /// The `len` places from `start` along `dim`; a negative start counts from the back.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1, 2, 3, 4]).narrow(0, 1, 2).to_vec::<i64>(), [2, 3]);
    /// assert_eq!(tensor([1, 2, 3, 4]).narrow(0, -1, 1).to_vec::<i64>(), [4]);
    /// ```
    ///
    /// # Panics
    /// If they leave the dim.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: impl Into<Start>, len: usize) -> Tensor {
        let (shape, at) = (self.shape(), start.into().get());
        let axis = real_axis("narrow", dim, &shape);
        let size = shape[axis] as isize;
        if at < -size || at > size {
            fail!(
                "narrow: start {at} is out of range for dim {dim} of shape {shape:?}; expected {} to {size}",
                -size
            );
        }
        let start = if at < 0 { at + size } else { at } as usize;
        self.slice("narrow", axis, start, len, 1)
    }

    /// The `len` places from `start` along `dim`, `step` apart.
    ///
    /// # Panics
    /// If they leave the dim, or `step` is 0.
    #[track_caller]
    pub fn step(&self, dim: isize, start: usize, len: usize, step: usize) -> Tensor {
        self.slice("step", real_axis("step", dim, &self.shape()), start, len, step)
    }

    #[track_caller]
    fn slice(&self, call: &str, axis: usize, start: usize, len: usize, step: usize) -> Tensor {
        // The method that was called says no; the op behind it has PyTorch's name.
        let _ = self.value().layout().slice(call, axis, start, len, step);
        Region::Slice { axis, start, len, step }.pick("slice", self)
    }

    /// The elements at one index along `dim`, without that dim; a negative index counts from the back.
    ///
    /// # Panics
    /// If the index is out of range.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        let (axis, index) = self.place("select", dim, index);
        Region::Select { axis, index }.pick("select", self)
    }

    /// A dim and an index along it, counted from the front.
    #[track_caller]
    fn place(&self, op: &str, dim: isize, index: isize) -> (usize, usize) {
        let shape = self.shape();
        let axis = real_axis(op, dim, &shape);
        let size = shape[axis] as isize;
        if index >= size || index < -size {
            fail!("{op}: index {index} is out of range for dim {dim} of shape {shape:?}");
        }
        (axis, if index < 0 { index + size } else { index } as usize)
    }

    /// This tensor with `source` at one index along `dim`; it has the shape of what [`Tensor::select`] gives.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let y = tensor([[1, 2], [3, 4]]).select_scatter(&tensor([8, 9]), 0, -1);
    /// assert_eq!(y.to_vec::<i64>(), [1, 2, 8, 9]);
    /// ```
    ///
    /// # Panics
    /// If the index is out of range or the source has another shape.
    #[track_caller]
    pub fn select_scatter(&self, source: &Tensor, dim: isize, index: isize) -> Tensor {
        let (axis, index) = self.place("select_scatter", dim, index);
        Region::Select { axis, index }.replace("select_scatter", self, source)
    }

    /// This tensor with `source` in all places along `dim`, that is `source` in this tensor's dtype;
    /// [`Tensor::slice_scatter_with`] replaces some.
    ///
    /// # Panics
    /// If the source has another shape.
    #[track_caller]
    pub fn slice_scatter(&self, source: &Tensor, dim: isize) -> Tensor {
        self.slice_scatter_with(source, dim, &SliceScatterOptions::default())
    }

    /// This tensor with `source` in the places `start..end`, `step` apart, along `dim`. As in Python's slices, places
    /// outside of the dim are left out.
    ///
    /// ```
    /// use rushlight_autograd::{ops::SliceScatterOptions, tensor};
    /// let options = SliceScatterOptions { start: Some(1), step: 2, ..Default::default() };
    /// let y = tensor([1, 2, 3, 4]).slice_scatter_with(&tensor([8, 9]), 0, &options);
    /// assert_eq!(y.to_vec::<i64>(), [1, 8, 3, 9]);
    /// ```
    ///
    /// # Panics
    /// If the step is 0 or the source has another shape than these places.
    #[track_caller]
    pub fn slice_scatter_with(&self, source: &Tensor, dim: isize, options: &SliceScatterOptions) -> Tensor {
        let shape = self.shape();
        let axis = real_axis("slice_scatter", dim, &shape);
        if options.step == 0 {
            fail!("slice_scatter: step 0 along dim {dim} of shape {shape:?}; it must be at least 1");
        }
        let start = clamped(options.start.unwrap_or(0), shape[axis]);
        let end = options.end.map_or(shape[axis], |end| clamped(end, shape[axis]));
        let len = end.saturating_sub(start).div_ceil(options.step);
        let region = Region::Slice { axis, start, len, step: options.step };
        region.replace("slice_scatter", self, source)
    }
}

/// A shape with a slice along one of its dims.
fn sliced(draw: &mut Draw<'_>) -> (Shape, isize, [usize; 3]) {
    let shape = draw.full_shape(1, 3);
    let dim = draw.dim(&shape);
    let size = shape[axis("narrow", dim, &shape)];
    let start = draw.below(size);
    let step = 1 + draw.below(2);
    let len = draw.below((size - start).div_ceil(step) + 1);
    (shape, dim, [start, len, step])
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Part", "narrow", "torch.narrow", |draw| {
        let (shape, dim, [start, len, step]) = sliced(draw);
        let len = if step == 1 { len } else { len.min(shape[axis("narrow", dim, &shape)] - start) };
        let start =
            start as isize - if draw.coin() { shape[axis("narrow", dim, &shape)] as isize } else { 0 };
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].narrow(dim, start, len).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("narrow: start 1, length 2, step 1 leave axis 0 of shape [2, 3]", || {
                floats([2, 3]).narrow(0, 1, 2);
            }),
            Reject::new(
                "narrow: start -3 is out of range for dim 0 of shape [2, 3]; expected -2 to 2",
                || {
                    floats([2, 3]).narrow(0, -3, 1);
                },
            ),
            Reject::new("narrow: the start has shape [1] and dtype float32", || {
                floats([2, 3]).narrow(0, &floats([1]), 1);
            }),
            Reject::new("narrow: a scalar has no dim 0", || {
                floats([]).narrow(0, 0, 1);
            }),
            Reject::new("narrow: start 1, length 18446744073709551615, step 1 leave axis 0", || {
                floats([2, 3]).narrow(0, 1, usize::MAX);
            }),
        ]
    }),
    OpInfo::composed("step", "torch.Tensor.__getitem__", |draw| {
        let (shape, dim, [start, len, step]) = sliced(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].step(dim, start, len, step).exp())
    })
    .differs("Python's `x[start:end:step]` along one dim; `get` takes ranges.")
    .rejects(|| {
        vec![Reject::new("step: start 0, length 2, step 0 leave axis 0 of shape [2, 3]", || {
            floats([2, 3]).step(0, 0, 2, 0);
        })]
    }),
    OpInfo::composed("select", "torch.select", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let size = shape[axis("select", dim, &shape)];
        let index = draw.below(2 * size) as isize - size as isize;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].select(dim, index).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("select: index 3 is out of range for dim 1 of shape [2, 3]", || {
                floats([2, 3]).select(1, 3);
            }),
            Reject::new("select: a scalar has no dim 0", || {
                floats([]).select(0, 0);
            }),
        ]
    }),
    OpInfo::composed("select_scatter", "torch.select_scatter", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let at = axis("select", dim, &shape);
        let index = draw.below(2 * shape[at]) as isize - shape[at] as isize;
        let rest: Vec<usize> = (0..shape.len()).filter(|&d| d != at).map(|d| shape[d]).collect();
        let leaves = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&rest, Domain::Any)];
        Sample::new(leaves, move |x| x[0].select_scatter(&x[1], dim, index).exp())
    })
    .rejects(|| {
        vec![
            Reject::new(
                "select_scatter: the source has shape [1], but its places in shape [2, 3] have shape [3]",
                || {
                    floats([2, 3]).select_scatter(&floats([1]), 0, 1);
                },
            ),
            Reject::new("select_scatter: index -3 is out of range for dim 0 of shape [2, 3]", || {
                floats([2, 3]).select_scatter(&floats([3]), 0, -3);
            }),
        ]
    }),
    OpInfo::op("Replace", "slice_scatter", "torch.slice_scatter", |draw| {
        let (shape, dim, [start, len, step]) = sliced(draw);
        let at = axis("narrow", dim, &shape);
        let part = Layout::contiguous(&shape).slice("slice", at, start, len, step).shape().clone();
        let end = if len == 0 { start } else { start + (len - 1) * step + 1 } as isize;
        let options = SliceScatterOptions { start: Some(start as isize), end: Some(end), step };
        let leaves = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&part, Domain::Any)];
        Sample::new(leaves, move |x| x[0].slice_scatter_with(&x[1], dim, &options).exp())
    })
    .rejects(|| {
        vec![
            Reject::new(
                "slice_scatter: the source has shape [1], but its places in shape [2, 3] have shape [2, 3]",
                || {
                    floats([2, 3]).slice_scatter(&floats([1]), 0);
                },
            ),
            Reject::new("slice_scatter: step 0 along dim 0 of shape [2, 3]", || {
                let options = SliceScatterOptions { step: 0, ..Default::default() };
                floats([2, 3]).slice_scatter_with(&floats([2, 3]), 0, &options);
            }),
        ]
    }),
];
