//! Elements that a mask names.

use super::{filler, zeros};
use crate::op::{Gradients, Op, Saved};
use crate::ops::Operand;
use crate::ops::elementwise::Where;
use crate::ops::inplace::in_place;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Shape, broadcast_shapes, fail};

/// The elements where a mask of the same shape is true.
#[derive(Debug)]
struct MaskedSelect(Array);

impl Op for MaskedSelect {
    fn name(&self) -> &'static str {
        "masked_select"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].masked_select(&self.0)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || zeros(grad, saved.shape(0)).masked_scatter(&self.0.clone().into(), grad));
    }
}

/// A tensor with the elements where a mask of the same shape is true replaced by the first ones of another.
#[derive(Debug)]
struct MaskedScatter(Array);

impl Op for MaskedScatter {
    fn name(&self) -> &'static str {
        "masked_scatter"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].masked_scatter(&self.0, inputs[1])
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let mask = Tensor::constant(self.0.clone());
        give.to(0, || grad.masked_fill(&mask, 0.0));
        give.to(1, || {
            let used = grad.masked_select(&mask);
            let rest = zeros(grad, &Shape::from(saved.shape(1).numel() - used.numel()));
            Tensor::cat(&[&used, &rest], 0).reshape(saved.shape(1))
        });
    }
}

#[track_caller]
fn check_mask(op: &str, mask: &Tensor) {
    if mask.dtype() != DType::Bool {
        fail!("{op}: the mask is {}, not bool; compare it, as in x.gt(0.0)", mask.dtype().name());
    }
}

/// Masks.
impl Tensor {
    /// The elements where the bool mask is true, as one dim; mask and tensor broadcast.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, -2.0], [-3.0, 4.0]]);
    /// assert_eq!(x.masked_select(&x.gt(0.0)).to_vec::<f32>(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        check_mask("masked_select", mask);
        let shape = broadcast_shapes("masked_select", &self.shape(), &mask.shape());
        let mask = mask.array().expand(&shape);
        Tensor::apply(MaskedSelect(mask), &[&self.expand(&shape)])
    }

    /// This tensor with one value, a number or a scalar tensor, where the bool mask is true; mask and tensor broadcast.
    /// The value is cast to this tensor's dtype.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([1.0, -2.0]);
    /// assert_eq!(x.masked_fill(&x.lt(0.0), 0.5).to_vec::<f32>(), [1.0, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast, the value has dims, or a number is beyond the range of the dtype.
    #[track_caller]
    pub fn masked_fill<'a>(&self, mask: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        check_mask("masked_fill", mask);
        let value = filler("masked_fill", self, value.into());
        Tensor::apply(Where { condition: mask.array(), name: "masked_fill" }, &[&value, self])
    }

    /// This tensor with the elements where the bool mask is true replaced by the first ones of `source`, in row-major
    /// order; mask and tensor broadcast.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([1.0, -2.0, -3.0]);
    /// assert_eq!(x.masked_scatter(&x.lt(0.0), &tensor([8.0, 9.0, 10.0])).to_vec::<f32>(), [1.0, 8.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast, the dtypes differ, or the source has too few elements.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        check_mask("masked_scatter", mask);
        let shape = broadcast_shapes("masked_scatter", &self.shape(), &mask.shape());
        let mask = mask.array().expand(&shape);
        Tensor::apply(MaskedScatter(mask), &[&self.expand(&shape), source])
    }
}

in_place! {
    masked_fill_<'a> = masked_fill(mask: &Tensor, value: impl Into<Operand<'a>>);
    masked_scatter_ = masked_scatter(mask: &Tensor, source: &Tensor);
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("MaskedSelect", "masked_select", "torch.masked_select", |draw| {
        let (shape, other) = draw.broadcast_pair();
        let mask = Tensor::constant(draw.mask(&other));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].masked_select(&mask).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("masked_select: the mask is float32, not bool", || {
                floats([3]).masked_select(&floats([3]));
            }),
            Reject::new("masked_select: shapes [3] and [2] do not broadcast", || {
                floats([3]).masked_select(&floats([2]).gt(0.0));
            }),
        ]
    }),
    OpInfo::composed("masked_fill", "torch.masked_fill", |draw| {
        let (shape, other) = draw.broadcast_pair();
        let mask = Tensor::constant(draw.mask(&other));
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&[], Domain::Any)];
        let number = draw.coin();
        Sample::new(inputs, move |x| match number {
            true => x[0].masked_fill(&mask, 0.5).exp(),
            false => x[0].masked_fill(&mask, &x[1]).exp(),
        })
    })
    .rejects(|| {
        vec![
            Reject::new("masked_fill: the mask is float32, not bool", || {
                floats([3]).masked_fill(&floats([3]), 0.0);
            }),
            Reject::new("masked_fill: the value has shape [1]", || {
                floats([3]).masked_fill(&floats([3]).gt(0.0), &floats([1]));
            }),
            Reject::new("masked_fill: 300 has no place in uint8", || {
                floats([3]).to(DType::U8).masked_fill(&floats([3]).gt(0.0), 300);
            }),
        ]
    }),
    OpInfo::op("MaskedScatter", "masked_scatter", "torch.masked_scatter", |draw| {
        let (shape, other) = draw.broadcast_pair();
        let mask = Tensor::constant(draw.mask(&other));
        let full = broadcast_shapes("masked_scatter", &shape, &other);
        let count = full.numel() + draw.below(2);
        let source = draw.leaf(&[count], Domain::Any);
        Sample::new(vec![draw.leaf(&shape, Domain::Any), source], move |x| {
            x[0].masked_scatter(&mask, &x[1]).exp()
        })
    })
    .rejects(|| {
        vec![
            Reject::new("masked_scatter: the mask has 3 true elements, the source 2", || {
                floats([3]).masked_scatter(&floats([3]).eq(0.0), &floats([2]));
            }),
            Reject::new("masked_scatter: the source is float64, the array float32", || {
                floats([3]).masked_scatter(&floats([3]).eq(0.0), &floats([3]).to(DType::F64));
            }),
        ]
    }),
];
