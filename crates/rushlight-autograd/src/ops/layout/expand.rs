//! Dims repeated without a copy.

use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, NewShape, Shape, broadcast_shapes};

/// Dims of size 1 repeated; the engine sums the gradient over them.
#[derive(Debug)]
struct Expand(NewShape);

impl Op for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].expand(self.0.clone())
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
    }
}

/// Expansion.
impl Tensor {
    /// Repeats dims of size 1 to the given sizes, and adds dims in front, without copying; -1 keeps a size.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1], [2]]).expand([-1, 3]).to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If a size differs and is not 1.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<NewShape>) -> Tensor {
        Tensor::apply(Expand(shape.into()), &[self])
    }

    /// [`Tensor::expand`] to the shape of another tensor.
    ///
    /// # Panics
    /// If a size differs and is not 1.
    #[track_caller]
    pub fn expand_as(&self, other: &Tensor) -> Tensor {
        self.expand(other.shape())
    }

    /// The same as [`Tensor::expand`].
    ///
    /// # Panics
    /// If a size differs and is not 1.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<NewShape>) -> Tensor {
        self.expand(shape)
    }
}

/// Tensors expanded to the shape that they broadcast to together.
///
/// ```
/// use rushlight_autograd::{ops::broadcast_tensors, tensor};
/// let pair = broadcast_tensors(&[&tensor([[1], [2]]), &tensor([3, 4])]);
/// assert_eq!(pair[0].to_vec::<i64>(), [1, 1, 2, 2]);
/// assert_eq!(pair[1].to_vec::<i64>(), [3, 4, 3, 4]);
/// ```
///
/// # Panics
/// If the shapes do not broadcast.
#[track_caller]
pub fn broadcast_tensors(tensors: &[&Tensor]) -> Vec<Tensor> {
    let mut shape = Shape::from(());
    for tensor in tensors {
        shape = broadcast_shapes("broadcast_tensors", &shape, &tensor.shape());
    }
    let mut expanded = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        expanded.push(tensor.expand(&shape));
    }
    expanded
}

/// A shape and one that expands to it.
fn pair(draw: &mut crate::table::Draw<'_>) -> (Shape, Vec<usize>) {
    let shape = draw.shape(0, 2);
    let small: Shape = shape.iter().map(|&s| if draw.coin() { 1 } else { s }).collect();
    let full = [draw.size()].into_iter().chain(shape.iter().copied()).collect();
    (small, full)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Expand", "expand", "torch.Tensor.expand", |draw| {
        let (small, full) = pair(draw);
        Sample::new(vec![draw.leaf(&small, Domain::Any)], move |x| x[0].expand(full.as_slice()).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("expand: shape [2, 3] does not expand to [2, 4]", || {
                floats([2, 3]).expand([2, 4]);
            }),
            Reject::new(
                "expand: sizes [-1, 2, 3] for shape [2, 3]; -1 may only keep a dim that exists",
                || {
                    floats([2, 3]).expand([-1, 2, 3]);
                },
            ),
            Reject::new("holds more elements than can be counted", || {
                floats([1]).expand([usize::MAX / 2, 3]);
            }),
        ]
    }),
    OpInfo::composed("expand_as", "torch.Tensor.expand_as", |draw| {
        let (small, full) = pair(draw);
        let other = draw.constant(&full, Domain::Any);
        Sample::new(vec![draw.leaf(&small, Domain::Any)], move |x| x[0].expand_as(&other).exp())
    }),
    OpInfo::composed("broadcast_to", "torch.broadcast_to", |draw| {
        let (small, full) = pair(draw);
        Sample::new(vec![draw.leaf(&small, Domain::Any)], move |x| x[0].broadcast_to(full.as_slice()).exp())
    }),
    OpInfo::composed("broadcast_tensors", "torch.broadcast_tensors", |draw| {
        let (small, full) = pair(draw);
        let leaves = vec![draw.leaf(&small, Domain::Any), draw.leaf(&full, Domain::Any)];
        Sample::new(leaves, |x| {
            let both = broadcast_tensors(&[&x[0], &x[1]]);
            &both[0].exp() * &both[1]
        })
    })
    .rejects(|| {
        vec![Reject::new("broadcast_tensors: shapes [2] and [3] do not broadcast", || {
            broadcast_tensors(&[&floats([2]), &floats([3])]);
        })]
    }),
];
