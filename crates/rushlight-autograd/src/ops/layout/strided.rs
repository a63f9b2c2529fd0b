//! Views that reach elements more than once, or in any order: windows, and the storage under other strides.

use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved};
use crate::ops::inplace::in_place;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, Layout, Shape, axis, fail};
use std::sync::Arc;

/// Sliding windows along a dim.
#[derive(Debug)]
struct Unfold {
    dim: isize,
    size: usize,
    step: usize,
}

impl Op for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].unfold(self.dim, self.size, self.step)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // Where each element of the windows came from, in a flat reading of the input.
        give.to(0, || {
            let shape = saved.shape(0);
            let places = Array::arange(0, shape.numel() as i64, 1).reshape(shape);
            let index = places.unfold(self.dim, self.size, self.step).reshape([-1]);
            sum_into(shape.numel(), &index, grad).reshape(shape)
        });
    }
}

/// A flat tensor with the elements of `grad` added up in the places that `index`, on the CPU, names.
fn sum_into(len: usize, index: &Array, grad: &Tensor) -> Tensor {
    let index = Tensor::constant(index.to_device(&grad.device()));
    let zeros = Array::full(len, 0.0, grad.dtype(), &grad.device());
    Tensor::constant(zeros).index_add(0, &index, &grad.reshape(grad.numel()))
}

/// The storage of a tensor under other sizes and strides.
#[derive(Debug)]
struct AsStrided {
    shape: Shape,
    strides: Vec<usize>,
    /// From the beginning of the storage; the input's own offset if none was given.
    offset: Option<usize>,
    /// Both layouts, for the gradient.
    layouts: Option<Box<[Layout; 2]>>,
}

impl Op for AsStrided {
    fn name(&self) -> &'static str {
        "as_strided"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let offset = self.offset.unwrap_or(inputs[0].layout().offset());
        let view = inputs[0].as_strided(&self.shape, &self.strides, offset);
        self.layouts = Some(Box::new([inputs[0].layout().clone(), view.layout().clone()]));
        view
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let Some([input, view]) = self.layouts.as_deref() else { unreachable!("forward ran before") };
        give.to(0, || strided_gradient(input, view, grad));
    }
}

/// What each element of the input gets: through the storage, as PyTorch does. Elements of the view that lie in one
/// place add up; elements of the input that lie in one place share it evenly.
fn strided_gradient(input: &Layout, view: &Layout, grad: &Tensor) -> Tensor {
    let (read, written) = (input.places(), view.places());
    let first = read.iter().chain(&written).copied().min().unwrap_or(0);
    let len = read.iter().chain(&written).copied().max().map_or(0, |last| (last - first) as usize + 1);
    let index = |places: &[i64]| {
        Array::from_vec(places.iter().map(|&place| place - first).collect::<Vec<i64>>(), places.len())
    };
    let mut owners = vec![0.0f64; len];
    read.iter().for_each(|&place| owners[(place - first) as usize] += 1.0);
    let mut storage = sum_into(len, &index(&written), grad);
    if owners.iter().any(|&count| count > 1.0) {
        let share: Vec<f64> = owners.iter().map(|&count| 1.0 / f64::max(count, 1.0)).collect();
        let share = Array::from_vec(share, len).cast(grad.dtype()).to_device(&grad.device());
        storage = &storage * &Tensor::constant(share);
    }
    let read = Tensor::constant(index(&read).to_device(&grad.device()));
    storage.index_select(0, &read).reshape(input.shape())
}

/// A tensor whose storage holds another's elements under some sizes and strides.
#[derive(Debug)]
struct AsStridedScatter {
    strides: Vec<usize>,
    /// From the beginning of the storage; the input's own offset if none was given.
    offset: Option<usize>,
    /// Where the elements lie, counted from the input's first, for the gradient.
    places: Vec<i64>,
    recorded: bool,
}

impl Op for AsStridedScatter {
    fn name(&self) -> &'static str {
        "as_strided_scatter"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [x, source] = [inputs[0], inputs[1]];
        // What lies in one place several times cannot be replaced one by one.
        let expanded =
            x.layout().strides().iter().zip(x.shape().iter()).any(|(&stride, &size)| stride == 0 && size > 1);
        let x = if expanded { x.copy() } else { x.clone() };
        let offset = self.offset.unwrap_or(x.layout().offset());
        let region = x.as_strided(source.shape(), &self.strides, offset).layout().clone();
        let (storage, own) = x.into_parts();
        if self.recorded {
            self.places = region.places().iter().map(|&place| place - own.offset() as i64).collect();
        }
        let len = storage.len();
        let whole = Array::from_parts(Arc::clone(&storage), Layout::contiguous(len));
        let source = source.cast(whole.dtype());
        let (storage, _) = whole.place(&region, &source).into_parts();
        Array::from_parts(storage, own)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // The input was contiguous, so that its elements are numbered as those of its gradient. What was written outside of
        // it shows nowhere: it stands for a place behind the last.
        let count = saved.shape(0).numel();
        let number = |&place: &i64| if (0..count as i64).contains(&place) { place } else { count as i64 };
        let index: Vec<i64> = self.places.iter().map(number).collect();
        let index = Array::from_vec(index, self.places.len()).to_device(&grad.device());
        let index = Tensor::constant(index);
        let zeros = |len: usize| Tensor::constant(Array::full(len, 0.0, grad.dtype(), &grad.device()));
        let flat = Tensor::cat(&[&grad.reshape(count), &zeros(1)], 0);
        // PyTorch's rule, which has it the wrong way round: what was replaced passes the gradient, the rest nothing.
        give.to(0, || {
            let passed = zeros(count + 1).scatter(0, &index, &flat.index_select(0, &index));
            passed.narrow(0, 0, count).reshape(saved.shape(0))
        });
        give.to(1, || flat.index_select(0, &index).reshape(saved.shape(1)));
    }
}

/// Strided views.
impl Tensor {
    /// Windows of `size` places, `step` apart, along `dim`; the window becomes a new last dim.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([1, 2, 3]).unfold(0, 2, 1);
    /// assert_eq!(x.to_string(), "tensor([[1, 2],\n        [2, 3]])");
    /// ```
    ///
    /// # Panics
    /// If the window is larger than the dim or `step` is 0.
    #[track_caller]
    pub fn unfold(&self, dim: isize, size: usize, step: usize) -> Tensor {
        Tensor::apply(Unfold { dim, size, step }, &[self])
    }

    /// The tensor's storage under other sizes and strides (in elements, one for each dim), from the place where this
    /// tensor begins. Elements may stand in the result several times; their gradients add up.
    ///
    /// A view knows the block of memory it is a view of, so this may show elements that the tensor itself does not. It
    /// is a sharp tool: prefer `unfold`, `diagonal`, `transpose`.
    ///
    /// ```
    /// use rushlight_autograd::arange;
    /// let x = arange(0, 9, 1).reshape([3, 3]);
    /// assert_eq!(x.as_strided([2, 2], &[1, 2]).to_vec::<i64>(), [0, 2, 1, 3]);
    /// ```
    ///
    /// # Panics
    /// If the storage has no such elements, or there is not one stride for each dim.
    #[track_caller]
    pub fn as_strided(&self, shape: impl Into<Shape>, strides: &[usize]) -> Tensor {
        self.strided(&shape.into(), strides, None)
    }

    /// As [`Tensor::as_strided`], from a place counted from the storage's beginning: PyTorch's `storage_offset`.
    ///
    /// # Panics
    /// If the storage has no such elements, or there is not one stride for each dim.
    #[track_caller]
    pub fn as_strided_with(
        &self,
        shape: impl Into<Shape>,
        strides: &[usize],
        storage_offset: usize,
    ) -> Tensor {
        self.strided(&shape.into(), strides, Some(storage_offset))
    }

    #[track_caller]
    fn strided(&self, shape: &Shape, strides: &[usize], offset: Option<usize>) -> Tensor {
        let op = AsStrided { shape: shape.clone(), strides: strides.to_vec(), offset, layouts: None };
        Tensor::apply(op, &[self])
    }

    /// This tensor with the elements of `source` in the places that [`Tensor::as_strided`] would show under these sizes
    /// and strides. Where places meet, one of the elements stays.
    ///
    /// ```
    /// use rushlight_autograd::{tensor, zeros};
    /// let y = zeros([2, 3]).as_strided_scatter(&tensor([1.0, 2.0]), [2], &[4]);
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the storage has no such elements, the source has another shape, there is not one stride for each dim, or a
    /// gradient is wanted of a tensor that is not contiguous.
    #[track_caller]
    pub fn as_strided_scatter(&self, source: &Tensor, shape: impl Into<Shape>, strides: &[usize]) -> Tensor {
        self.checked_scatter(source, &shape.into(), strides, None)
    }

    /// As [`Tensor::as_strided_scatter`], from a place counted from the storage's beginning: PyTorch's `storage_offset`.
    ///
    /// # Panics
    /// As [`Tensor::as_strided_scatter`].
    #[track_caller]
    pub fn as_strided_scatter_with(
        &self,
        source: &Tensor,
        shape: impl Into<Shape>,
        strides: &[usize],
        storage_offset: usize,
    ) -> Tensor {
        self.checked_scatter(source, &shape.into(), strides, Some(storage_offset))
    }

    #[track_caller]
    fn checked_scatter(
        &self,
        source: &Tensor,
        shape: &Shape,
        strides: &[usize],
        offset: Option<usize>,
    ) -> Tensor {
        if source.shape() != *shape {
            fail!(
                "as_strided_scatter: the source has shape {:?}, its places {shape:?}; they must be equal",
                source.shape()
            );
        }
        let recorded = is_grad_enabled() && (self.requires_grad() || source.requires_grad());
        if recorded && !self.is_contiguous() {
            fail!(
                "as_strided_scatter: shape {:?} is not contiguous, and its gradient would be ambiguous; call contiguous() first",
                self.shape()
            );
        }
        let op = AsStridedScatter { strides: strides.to_vec(), offset, places: Vec::new(), recorded };
        Tensor::apply(op, &[self, source])
    }
}

in_place! { views
    as_strided_ = as_strided(shape: impl Into<Shape>, strides: &[usize]);
    as_strided_with_ = as_strided_with(shape: impl Into<Shape>, strides: &[usize], storage_offset: usize);
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Unfold", "unfold", "torch.Tensor.unfold", |draw| {
        let shape = draw.full_shape(0, 2);
        let dim = draw.dim(&shape);
        let size = 1 + draw.below(shape.get(axis("unfold", dim, &shape)).copied().unwrap_or(1));
        let step = 1 + draw.below(2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].unfold(dim, size, step).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("unfold: size 4, step 1 do not fit axis 1 of shape [2, 3]", || {
                floats([2, 3]).unfold(1, 4, 1);
            }),
            Reject::new("unfold: size 1, step 0 do not fit axis 1 of shape [2, 3]", || {
                floats([2, 3]).unfold(1, 1, 0);
            }),
        ]
    }),
    OpInfo::op("AsStrided", "as_strided", "torch.as_strided", |draw| {
        let shape = draw.full_shape(2, 3);
        let leaf = draw.leaf(&shape, Domain::Any);
        let n = shape.numel();
        let strides = [draw.below(3), draw.below(3)];
        let most = |stride: usize| ((n - 1) / 2).checked_div(stride).map_or(2, |last| (last + 1).min(8));
        let sizes = strides.map(|stride| 1 + draw.below(most(stride)));
        // A dense copy, so that the strides mean the same whatever the leaf's layout; sometimes seen through another view.
        let turned = draw.coin();
        Sample::new(vec![leaf], move |x| {
            let dense = x[0].contiguous();
            let seen = if turned { dense.transpose(0, 1) } else { dense };
            seen.as_strided(sizes, &strides).exp()
        })
    })
    .rejects(|| {
        vec![
            Reject::new("as_strided: shape [2, 2] with strides [3, 3] from place 0 reaches outside of a storage of 6", || {
                floats([2, 3]).as_strided([2, 2], &[3, 3]);
            }),
            Reject::new("as_strided: 1 strides [1] for shape [2, 2]; there must be one for each dim", || {
                floats([2, 3]).as_strided([2, 2], &[1]);
            }),
            Reject::new("reaches outside of a storage of 6 elements", || {
                floats([2, 3]).as_strided_with([2, 2], &[1, 1], usize::MAX);
            }),
        ]
    }),
    OpInfo::op("AsStridedScatter", "as_strided_scatter", "torch.as_strided_scatter", |draw| {
        let shape = draw.full_shape(1, 3);
        let rows = 1 + draw.below(shape.numel().div_ceil(3));
        // The gradient of the input is PyTorch's, not the derivative.
        let input = draw.constant(&shape, Domain::Any).contiguous();
        let leaves = vec![draw.leaf(&[rows], Domain::Any)];
        Sample::new(leaves, move |x| input.as_strided_scatter(&x[0], [rows], &[3]).exp())
    })
    .differs(
        "As in PyTorch 2.15 the input's gradient is not the derivative: it passes where elements were replaced and is 0 elsewhere, which PyTorch's own `gradcheck` finds too.",
    )
    .rejects(|| {
        vec![
            Reject::new("as_strided_scatter: the source has shape [2], its places [3]", || {
                floats([2, 3]).as_strided_scatter(&floats([2]), [3], &[1]);
            }),
            Reject::new("reaches outside of a storage of 6 elements", || {
                floats([2, 3]).as_strided_scatter(&floats([2]), [2], &[200]);
            }),
            Reject::new("as_strided_scatter: shape [3, 2] is not contiguous", || {
                floats([2, 3]).requires_grad_().t().as_strided_scatter(&floats([2]), [2], &[1]);
            }),
        ]
    }),
];
