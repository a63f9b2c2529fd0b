//! Borders around a tensor, or cut off from it.

use super::layout::region::Region;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, Shape, fail};

/// What stands in a border: PyTorch's `mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PadMode {
    /// One value.
    #[default]
    Constant,
    /// The places before the border, mirrored at the outermost one, which is not repeated.
    Reflect,
    /// The outermost place.
    Replicate,
    /// The places at the other end.
    Circular,
}

/// Borders of zeros: two sizes for each dim, before and behind it, **the last dim first**. Negative sizes cut off.
///
/// ```
/// use rushlight_autograd::{ops::pad, tensor};
/// assert_eq!(pad(&tensor([1, 2]), [2, 1]).to_vec::<i64>(), [0, 0, 1, 2, 0]);
/// assert_eq!(pad(&tensor([[1, 2]]), [0, -1, 0, 1]).to_vec::<i64>(), [1, 0]);
/// ```
///
/// # Panics
/// If the number of sizes is odd or more than twice that of dims, or more is cut off than there is.
#[track_caller]
pub fn pad(x: &Tensor, pad: impl Into<Pads>) -> Tensor {
    constant("pad", x, &pad.into().0, Scalar::Float(0.0))
}

/// As [`pad`], with other borders; the value is that of [`PadMode::Constant`], cast to the tensor's dtype.
///
/// The other modes work on the last one, two or three dims of tensors that have one or two dims more, as in PyTorch.
///
/// ```
/// use rushlight_autograd::{ops::{PadMode, pad_with}, tensor};
/// let x = tensor([[1.0, 2.0, 3.0]]);
/// assert_eq!(pad_with(&x, [2, 0], PadMode::Reflect, 0.0).to_vec::<f32>(), [3.0, 2.0, 1.0, 2.0, 3.0]);
/// assert_eq!(pad_with(&x, [2, 0], PadMode::Replicate, 0.0).to_vec::<f32>(), [1.0, 1.0, 1.0, 2.0, 3.0]);
/// assert_eq!(pad_with(&x, [2, 0], PadMode::Circular, 0.0).to_vec::<f32>(), [2.0, 3.0, 1.0, 2.0, 3.0]);
/// ```
///
/// # Panics
/// As [`pad`]; in other modes if the tensor has not a fitting number of dims, a border is larger than the mode allows
/// (reflect: smaller than the dim; circular: no larger), there are no elements to take it from, or the value is not 0.
#[track_caller]
pub fn pad_with(x: &Tensor, pad: impl Into<Pads>, mode: PadMode, value: impl Into<Scalar>) -> Tensor {
    let (pads, value) = (pad.into().0, value.into());
    if mode == PadMode::Constant {
        return constant("pad", x, &pads, value);
    }
    check(x, &pads, mode, value);
    let rank = x.dim();
    let mut out = x.clone();
    for (k, sides) in pads.chunks_exact(2).enumerate() {
        let axis = rank - 1 - k;
        let index = places(x.shape()[axis] as isize, sides[0], sides[1], mode);
        let index = Array::from_vec(index.clone(), index.len()).to_device(&x.device());
        out = out.index_select(axis as isize, &index.into());
    }
    out
}

/// [`pad_with`] a value.
///
/// # Panics
/// As [`pad`].
#[track_caller]
pub fn constant_pad_nd(x: &Tensor, pad: impl Into<Pads>, value: impl Into<Scalar>) -> Tensor {
    constant("constant_pad_nd", x, &pad.into().0, value.into())
}

/// Sizes of borders: a list of integers, some perhaps negative.
///
/// Nobody writes it out: lists turn into it by themselves.
#[derive(Clone, Debug)]
pub struct Pads(Vec<isize>);

macro_rules! pads {
    ($($int:ty),*) => {$(
        impl From<&[$int]> for Pads {
            fn from(sizes: &[$int]) -> Self {
                Pads(sizes.iter().map(|&size| isize::try_from(size).unwrap_or(isize::MAX)).collect())
            }
        }
        impl<const N: usize> From<[$int; N]> for Pads {
            fn from(sizes: [$int; N]) -> Self {
                Pads::from(sizes.as_slice())
            }
        }
        impl From<&Vec<$int>> for Pads {
            fn from(sizes: &Vec<$int>) -> Self {
                Pads::from(sizes.as_slice())
            }
        }
        impl From<Vec<$int>> for Pads {
            fn from(sizes: Vec<$int>) -> Self {
                Pads::from(sizes.as_slice())
            }
        }
    )*};
}
pads!(i32, isize, usize);

#[track_caller]
fn constant(call: &str, x: &Tensor, pads: &[isize], value: Scalar) -> Tensor {
    let shape = x.shape();
    check_pairs(call, &shape, pads);
    let rank = shape.len();
    let (mut sizes, mut starts) = (shape.to_vec(), vec![0; rank]);
    let mut inner = x.clone();
    for (k, sides) in pads.chunks_exact(2).enumerate() {
        let axis = rank - 1 - k;
        let [before, behind] = [sides[0], sides[1]];
        let cut = |side: isize| side.min(0).unsigned_abs();
        let kept = shape[axis].checked_sub(cut(before)).and_then(|size| size.checked_sub(cut(behind)));
        let Some(kept) = kept else {
            fail!(
                "{call}: {before} and {behind} cut off more than the {} of dim {axis} of shape {shape:?}",
                shape[axis]
            )
        };
        if kept < shape[axis] {
            inner = inner.narrow(axis as isize, cut(before), kept);
        }
        starts[axis] = before.max(0) as usize;
        let Some(size) =
            kept.checked_add(starts[axis]).and_then(|size| size.checked_add(behind.max(0) as usize))
        else {
            fail!(
                "{call}: {before} and {behind} for dim {axis} of shape {shape:?} are more than can be counted"
            )
        };
        sizes[axis] = size;
    }
    let region = Region::Window { starts, sizes: inner.shape().to_vec() };
    region.embed("constant_pad_nd", &inner, &Shape::from(sizes.as_slice()), value)
}

#[track_caller]
fn check_pairs(call: &str, shape: &Shape, pads: &[isize]) {
    if pads.len() % 2 == 1 || pads.len() > 2 * shape.len() {
        fail!(
            "{call}: {} sizes {pads:?} for shape {shape:?}; there must be two for each dim, or fewer pairs",
            pads.len()
        );
    }
}

/// A border can have at most this many elements, as their places are listed.
const MOST_PLACES: isize = 1 << 27;

/// Whether a mode other than constant has what it needs.
#[track_caller]
fn check(x: &Tensor, pads: &[isize], mode: PadMode, value: Scalar) {
    let shape = x.shape();
    check_pairs("pad", &shape, pads);
    if value.to_f64() != 0.0 {
        fail!("pad: the value {} for mode {mode:?}; only PadMode::Constant has one", value.to_f64());
    }
    let (padded, rank) = (pads.len() / 2, shape.len());
    if !(1..=3).contains(&padded) || !(padded + 1..=padded + 2).contains(&rank) {
        fail!(
            "pad: {} sizes for shape {shape:?} in mode {mode:?}; 2 go with 2 or 3 dims, 4 with 3 or 4, 6 with 4 or 5",
            pads.len()
        );
    }
    if x.dtype() == DType::Bool && mode != PadMode::Circular {
        fail!("pad: bools in mode {mode:?}; cast them first");
    }
    // Only the first dim of a batch may be empty.
    let unbatched = usize::from(rank == padded + 2);
    if mode != PadMode::Circular && shape[unbatched..].contains(&0) {
        fail!("pad: shape {shape:?} is empty; mode {mode:?} has no elements to take");
    }
    for (k, sides) in pads.chunks_exact(2).enumerate() {
        let axis = rank - 1 - k;
        let size = shape[axis] as isize;
        let most = match mode {
            PadMode::Reflect => size - 1,
            PadMode::Circular => size,
            _ => MOST_PLACES,
        };
        let least = isize::from(mode != PadMode::Circular);
        let result = size.saturating_add(sides[0]).saturating_add(sides[1]);
        if sides.iter().any(|&side| side > most) || result < least {
            fail!(
                "pad: {} and {} for dim {axis} of shape {shape:?} in mode {mode:?}; at most {most}, and something must be left",
                sides[0],
                sides[1]
            );
        }
    }
}

/// Where the elements along a padded dim come from.
fn places(size: isize, before: isize, behind: isize, mode: PadMode) -> Vec<i64> {
    // What is left when negative sizes have cut: its beginning and its length, which circular goes around.
    let first = -before.min(0);
    let left = (size - first + behind.min(0)).max(1);
    let place = |at: isize| match mode {
        PadMode::Reflect if at < 0 => -at,
        PadMode::Reflect if at >= size => 2 * (size - 1) - at,
        PadMode::Circular => first + (at - first).rem_euclid(left),
        PadMode::Replicate => at.clamp(0, size - 1),
        _ => at,
    };
    (-before..size + behind).map(|at| place(at) as i64).collect()
}

/// A leaf, and pads that fit all modes.
fn padded(draw: &mut Draw<'_>) -> (Tensor, Vec<isize>) {
    let rank = 1 + draw.below(2);
    let shape = draw.full_shape(rank + 1, 3);
    let mut pads = Vec::new();
    for axis in (shape.len() - rank..shape.len()).rev() {
        let size = shape[axis].min(4);
        pads.push(draw.below(size) as isize);
        pads.push(draw.below(2 * size - 1) as isize - (size as isize - 1));
    }
    (draw.leaf(&shape, Domain::Any), pads)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("pad", "torch.nn.functional.pad", |draw| {
        let (leaf, pads) = padded(draw);
        let modes = [PadMode::Constant, PadMode::Reflect, PadMode::Replicate, PadMode::Circular];
        let mode = modes[draw.below(4)];
        Sample::new(vec![leaf], move |x| pad_with(&x[0], &pads, mode, 0.0).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("pad: 1 sizes [1] for shape [2, 3]; there must be two for each dim", || {
                pad(&floats([2, 3]), [1]);
            }),
            Reject::new("pad: 4 sizes [1, 1, 1, 1] for shape [3]; there must be two for each dim", || {
                pad(&floats([3]), [1, 1, 1, 1]);
            }),
            Reject::new("pad: -2 and -2 cut off more than the 3 of dim 1 of shape [2, 3]", || {
                pad(&floats([2, 3]), [-2, -2]);
            }),
            Reject::new("pad: the value 1 for mode Reflect; only PadMode::Constant has one", || {
                pad_with(&floats([2, 3]), [1, 1], PadMode::Reflect, 1.0);
            }),
            Reject::new("pad: 2 sizes for shape [3] in mode Circular; 2 go with 2 or 3 dims", || {
                pad_with(&floats([3]), [1, 1], PadMode::Circular, 0.0);
            }),
            Reject::new("pad: 3 and 0 for dim 1 of shape [2, 3] in mode Reflect; at most 2", || {
                pad_with(&floats([2, 3]), [3, 0], PadMode::Reflect, 0.0);
            }),
            Reject::new("pad: 4 and 0 for dim 1 of shape [2, 3] in mode Circular; at most 3", || {
                pad_with(&floats([2, 3]), [4, 0], PadMode::Circular, 0.0);
            }),
            Reject::new("pad: shape [2, 0] is empty; mode Replicate has no elements to take", || {
                pad_with(&floats([2, 0]), [1, 1], PadMode::Replicate, 0.0);
            }),
        ]
    }),
    OpInfo::op("Embed", "constant_pad_nd", "torch.constant_pad_nd", |draw| {
        let (leaf, pads) = padded(draw);
        Sample::new(vec![leaf], move |x| constant_pad_nd(&x[0], &pads, 0.5).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("constant_pad_nd: 3 sizes [1, 1, 1] for shape [2, 3]", || {
                constant_pad_nd(&floats([2, 3]), [1, 1, 1], 0.0);
            }),
            Reject::new("shape: [2, 9223372036854775810] holds more elements than can be counted", || {
                constant_pad_nd(&floats([1, 3]), [isize::MAX, 0, 1, 0], 0.0);
            }),
        ]
    }),
];
