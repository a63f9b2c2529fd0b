//! Tensors joined into one.

use super::layout::reshape::{atleast_1d, atleast_2d, atleast_3d};
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, axis, fail};

/// Tensors joined along a dim.
#[derive(Debug)]
struct Cat {
    dim: isize,
    name: &'static str,
}

impl Op for Cat {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        Array::cat(inputs, self.dim)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let mut start = 0;
        for i in 0..saved.len() {
            let shape = saved.shape(i);
            if *shape == [0] {
                give.to(i, || Tensor::constant(Array::full(0, 0.0, grad.dtype(), &grad.device())));
                continue;
            }
            let len = shape[axis("cat", self.dim, shape)];
            give.to(i, || grad.narrow(self.dim, start, len));
            start += len;
        }
    }
}

/// Joins.
impl Tensor {
    /// Joins tensors along an existing dim; dtypes are promoted. One of shape `[0]` counts as nothing. Also PyTorch's
    /// `concat` and `concatenate`.
    ///
    /// # Panics
    /// If there is none, one is a scalar, or shapes differ outside of the dim.
    #[track_caller]
    pub fn cat(tensors: &[&Tensor], dim: isize) -> Tensor {
        Tensor::apply(Cat { dim, name: "cat" }, tensors)
    }

    /// Joins tensors of one shape along a new dim.
    ///
    /// # Panics
    /// If there is none, shapes differ, or the dim is out of range.
    #[track_caller]
    pub fn stack(tensors: &[&Tensor], dim: isize) -> Tensor {
        let Some(first) = tensors.first() else { fail!("stack: an empty list of tensors") };
        let rank = first.dim() as isize + 1;
        if !(-rank..rank).contains(&dim) {
            fail!(
                "stack: dim {dim} is out of range for tensors of shape {:?}; expected {} to {}",
                first.shape(),
                -rank,
                rank - 1
            );
        }
        let mut rows = Vec::with_capacity(tensors.len());
        for (i, tensor) in tensors.iter().enumerate() {
            if tensor.shape() != first.shape() {
                fail!(
                    "stack: shapes {:?} and {:?} (tensor {i}) differ; all must be equal",
                    first.shape(),
                    tensor.shape()
                );
            }
            rows.push(tensor.unsqueeze(dim));
        }
        let dim = if dim < 0 { dim + rank } else { dim };
        Tensor::apply(Cat { dim, name: "stack" }, &rows.iter().collect::<Vec<_>>())
    }
}

/// Joins tensors along an existing dim; dtypes are promoted.
///
/// # Panics
/// If there is none, one is a scalar, or shapes differ outside of the dim.
#[doc(alias = "concat")]
#[track_caller]
pub fn cat(tensors: &[&Tensor], dim: isize) -> Tensor {
    Tensor::cat(tensors, dim)
}

/// Joins tensors of one shape along a new dim.
///
/// # Panics
/// If there is none, or shapes differ.
#[track_caller]
pub fn stack(tensors: &[&Tensor], dim: isize) -> Tensor {
    Tensor::stack(tensors, dim)
}

/// Joins tensors side by side: along dim 1, or dim 0 if they have one dim.
///
/// ```
/// use rushlight_autograd::{ops::hstack, tensor};
/// assert_eq!(hstack(&[&tensor([1, 2]), &tensor(3)]).to_vec::<i64>(), [1, 2, 3]);
/// ```
///
/// # Panics
/// If there is none, or shapes differ outside of the dim.
#[track_caller]
pub fn hstack(tensors: &[&Tensor]) -> Tensor {
    let dim = if tensors.first().is_some_and(|first| first.dim() > 1) { 1 } else { 0 };
    joined("hstack", tensors, atleast_1d, dim)
}

/// Joins tensors one below the other, along dim 0; those of one dim count as rows. Also PyTorch's `row_stack`.
///
/// # Panics
/// If there is none, or shapes differ outside of the dim.
#[track_caller]
pub fn vstack(tensors: &[&Tensor]) -> Tensor {
    joined("vstack", tensors, atleast_2d, 0)
}

/// Joins tensors one behind the other, along dim 2.
///
/// # Panics
/// If there is none, or shapes differ outside of the dim.
#[track_caller]
pub fn dstack(tensors: &[&Tensor]) -> Tensor {
    joined("dstack", tensors, atleast_3d, 2)
}

/// Joins tensors side by side, along dim 1; those of one dim count as columns.
///
/// ```
/// use rushlight_autograd::{ops::column_stack, tensor};
/// assert_eq!(column_stack(&[&tensor([1, 2]), &tensor([3, 4])]).to_vec::<i64>(), [1, 3, 2, 4]);
/// ```
///
/// # Panics
/// If there is none, or shapes differ outside of the dim.
#[track_caller]
pub fn column_stack(tensors: &[&Tensor]) -> Tensor {
    let column = |x: &Tensor| if x.dim() < 2 { x.reshape([x.numel(), 1]) } else { x.clone() };
    joined("column_stack", tensors, column, 1)
}

#[track_caller]
fn joined(call: &str, tensors: &[&Tensor], raised: fn(&Tensor) -> Tensor, dim: isize) -> Tensor {
    if tensors.is_empty() {
        fail!("{call}: an empty list of tensors");
    }
    let raised: Vec<Tensor> = tensors.iter().map(|x| raised(x)).collect();
    Tensor::cat(&raised.iter().collect::<Vec<_>>(), dim)
}

/// A matrix with the given ones along its diagonal and zeros elsewhere. Scalars and rows count as matrices of one row.
///
/// ```
/// use rushlight_autograd::{ops::block_diag, tensor};
/// let y = block_diag(&[&tensor([[1], [2]]), &tensor(3)]);
/// assert_eq!(y.to_vec::<i64>(), [1, 0, 2, 0, 0, 3]);
/// ```
///
/// # Panics
/// If a tensor has more than two dims.
#[track_caller]
pub fn block_diag(tensors: &[&Tensor]) -> Tensor {
    let mut blocks = Vec::with_capacity(tensors.len());
    for (i, x) in tensors.iter().enumerate() {
        if x.dim() > 2 {
            fail!("block_diag: tensor {i} has shape {:?}; at most 2 dims are allowed", x.shape());
        }
        blocks.push(atleast_2d(x));
    }
    let Some(first) = blocks.first() else { return crate::create::zeros([1, 0]) };
    let columns: usize = blocks.iter().map(|x| x.size(1)).sum();
    let dtype = blocks.iter().fold(first.dtype(), |dtype, x| dtype.promote(x.dtype()));
    let (mut rows, mut before) = (Vec::with_capacity(blocks.len()), 0);
    for block in &blocks {
        let (height, width) = (block.size(0), block.size(1));
        let zeros = |width| Tensor::constant(Array::full([height, width], 0.0, dtype, &block.device()));
        rows.push(Tensor::cat(&[&zeros(before), block, &zeros(columns - before - width)], 1));
        before += width;
    }
    Tensor::cat(&rows.iter().collect::<Vec<_>>(), 0)
}

/// Leaves that are equal but along a dim, and the dim.
fn parts(draw: &mut Draw<'_>, least: usize) -> (Vec<Tensor>, isize) {
    let shape = draw.full_shape(least, 3);
    let dim = draw.dim(&shape);
    let at = axis("cat", dim, &shape);
    let leaves = (0..2 + draw.below(2)).map(|_| {
        let size = draw.size();
        let sizes: Vec<usize> =
            shape.iter().enumerate().map(|(d, &s)| if d == at { size } else { s }).collect();
        draw.leaf(&sizes, Domain::Any)
    });
    (leaves.collect(), dim)
}

/// Leaves of one shape.
fn equals(draw: &mut Draw<'_>, least: usize, most: usize) -> Vec<Tensor> {
    let shape = draw.shape(least, most);
    vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, Domain::Any)]
}

fn refs(x: &[Tensor]) -> Vec<&Tensor> {
    x.iter().collect()
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Cat", "cat", "torch.cat", |draw| {
        let (leaves, dim) = parts(draw, 1);
        Sample::new(leaves, move |x| Tensor::cat(&refs(x), dim).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("cat: shapes [2, 3] and [2, 4] (tensor 1) differ outside of dim 0", || {
                Tensor::cat(&[&floats([2, 3]), &floats([2, 4])], 0);
            }),
            Reject::new("cat: an empty list of tensors", || {
                Tensor::cat(&[], 0);
            }),
            Reject::new("cat: tensor 1 is a scalar, which has no dim to join along", || {
                Tensor::cat(&[&floats([2]), &floats([])], 0);
            }),
            Reject::new("cat: dim 2 is out of range for shape [2, 3]", || {
                Tensor::cat(&[&floats([0]), &floats([2, 3])], 2);
            }),
            Reject::new("cat: the sizes along dim 0 add up to more than can be counted", || {
                let many = floats([1]).expand([usize::MAX / 2]);
                Tensor::cat(&[&many, &many, &many], 0);
            }),
        ]
    }),
    OpInfo::composed("stack", "torch.stack", |draw| {
        let leaves = equals(draw, 0, 3);
        let rank = leaves[0].dim() as isize + 1;
        let dim = draw.below(2 * rank as usize) as isize - rank;
        Sample::new(leaves, move |x| Tensor::stack(&refs(x), dim).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("stack: shapes [2] and [3] (tensor 1) differ; all must be equal", || {
                Tensor::stack(&[&floats([2]), &floats([3])], 0);
            }),
            Reject::new("stack: dim 2 is out of range for tensors of shape [2]; expected -2 to 1", || {
                Tensor::stack(&[&floats([2])], 2);
            }),
        ]
    }),
    OpInfo::composed("hstack", "torch.hstack", |draw| {
        Sample::new(equals(draw, 0, 3), |x| hstack(&refs(x)).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("hstack: an empty list of tensors", || {
                hstack(&[]);
            }),
            Reject::new("cat: shapes [2] and [2, 2] (tensor 1) differ", || {
                hstack(&[&floats([2]), &floats([2, 2])]);
            }),
        ]
    }),
    OpInfo::composed("vstack", "torch.vstack", |draw| {
        Sample::new(equals(draw, 0, 3), |x| vstack(&refs(x)).exp())
    })
    .rejects(|| {
        vec![Reject::new("vstack: an empty list of tensors", || {
            vstack(&[]);
        })]
    }),
    OpInfo::composed("dstack", "torch.dstack", |draw| {
        Sample::new(equals(draw, 0, 3), |x| dstack(&refs(x)).exp())
    })
    .rejects(|| {
        vec![Reject::new("dstack: an empty list of tensors", || {
            dstack(&[]);
        })]
    }),
    OpInfo::composed("column_stack", "torch.column_stack", |draw| {
        Sample::new(equals(draw, 0, 3), |x| column_stack(&refs(x)).exp())
    })
    .rejects(|| {
        vec![Reject::new("column_stack: an empty list of tensors", || {
            column_stack(&[]);
        })]
    }),
    OpInfo::composed("block_diag", "torch.block_diag", |draw| {
        let shapes = [draw.shape(0, 2), draw.shape(0, 2), draw.shape(0, 2)];
        let leaves = shapes.iter().map(|shape| draw.leaf(shape, Domain::Any)).collect();
        Sample::new(leaves, |x| block_diag(&refs(x)).exp())
    })
    .rejects(|| {
        vec![Reject::new("block_diag: tensor 1 has shape [1, 2, 3]; at most 2 dims are allowed", || {
            block_diag(&[&floats([2]), &floats([1, 2, 3])]);
        })]
    }),
];
