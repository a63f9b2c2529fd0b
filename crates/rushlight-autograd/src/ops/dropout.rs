//! Dropout (Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012).

use crate::ops::unary::one;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::random::{Generator, default_generator, with_default_generator};
use rushlight_array::{Array, Shape, fail};

/// Sets each element to zero with probability `p` and multiplies the others by 1 / (1 - p); nothing unless `training`.
/// The mask is drawn from the default generator, and none is drawn where it cannot matter.
///
/// ```
/// use rushlight_autograd::{ops::dropout, tensor};
/// let x = tensor([1.0, 2.0]);
/// assert_eq!(dropout(&x, 0.5, false).to_vec::<f32>(), [1.0, 2.0]);
/// assert!([0.0, 2.0].contains(&dropout(&x, 0.5, true).get(0).item()));
/// ```
///
/// # Panics
/// If `p` is not a probability, or the dtype is not a float and a mask is drawn.
#[track_caller]
pub fn dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    drop_out("dropout", x, p, training, Shape::clone)
}

/// As [`dropout`], but whole channels at once: `(N, C, *)`, where all that lies behind two dims is dropped or kept.
///
/// ```
/// use rushlight_autograd::{ones, ops::dropout2d};
/// let y = dropout2d(&ones([1, 4, 5, 5]), 0.5, true).sum_dim([2, 3], false);
/// assert!(y.to_vec::<f32>().iter().all(|sum| [0.0, 50.0].contains(sum)));
/// ```
///
/// # Panics
/// If `p` is not a probability; where a mask is drawn, if x has less than two dims or the dtype is not a float.
#[track_caller]
pub fn dropout2d(x: &Tensor, p: f64, training: bool) -> Tensor {
    drop_out("dropout2d", x, p, training, |shape| channels("dropout2d", shape, 2))
}

/// As [`dropout2d`], for channels of one dim: `(N, C, L)` or `(C, L)`.
///
/// # Panics
/// If `p` is not a probability or x has another number of dims; where a mask is drawn, if the dtype is not a float.
#[track_caller]
pub fn dropout1d(x: &Tensor, p: f64, training: bool) -> Tensor {
    if !(2..=3).contains(&x.dim()) {
        fail!("dropout1d: the shape is {:?}; it must be [N, C, L] or [C, L]", x.shape());
    }
    drop_out("dropout1d", x, p, training, |shape| channels("dropout1d", shape, shape.len() - 1))
}

/// As [`dropout2d`], for channels of three dims: `(N, C, D, H, W)` or `(C, D, H, W)`.
///
/// # Panics
/// If `p` is not a probability or x has another number of dims; where a mask is drawn, if the dtype is not a float.
#[track_caller]
pub fn dropout3d(x: &Tensor, p: f64, training: bool) -> Tensor {
    if !(4..=5).contains(&x.dim()) {
        fail!("dropout3d: the shape is {:?}; it must be [N, C, D, H, W] or [C, D, H, W]", x.shape());
    }
    drop_out("dropout3d", x, p, training, |shape| channels("dropout3d", shape, shape.len() - 3))
}

/// Dropout for [`Tensor::selu`]: an element becomes selu's limit at minus infinity with probability `p`, and all are scaled
/// and shifted so that mean 0 and variance 1 stay (Klambauer et al., "Self-normalizing neural networks", 2017).
///
/// # Panics
/// As [`dropout`].
#[track_caller]
pub fn alpha_dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    alpha_drop_out("alpha_dropout", x, p, training, Shape::clone)
}

/// As [`alpha_dropout`], but whole channels at once: `(N, C, *)`.
///
/// # Panics
/// As [`dropout2d`].
#[track_caller]
pub fn feature_alpha_dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    alpha_drop_out("feature_alpha_dropout", x, p, training, |shape| {
        channels("feature_alpha_dropout", shape, 2)
    })
}

/// In-place form of [`dropout`]; see [`Tensor::add_`] for what that means.
///
/// # Panics
/// As [`dropout`]; if x is a leaf that requires a gradient and recording is on.
#[track_caller]
pub fn dropout_(x: &mut Tensor, p: f64, training: bool) -> &mut Tensor {
    x.check_replaceable("dropout_");
    let result = dropout(x, p, training);
    x.replace("dropout_", result)
}

/// In-place form of [`dropout2d`]; see [`Tensor::add_`] for what that means.
///
/// # Panics
/// As [`dropout2d`]; if x is a leaf that requires a gradient and recording is on.
#[track_caller]
pub fn dropout2d_(x: &mut Tensor, p: f64, training: bool) -> &mut Tensor {
    x.check_replaceable("dropout2d_");
    let result = dropout2d(x, p, training);
    x.replace("dropout2d_", result)
}

/// One place a channel.
#[track_caller]
fn channels(name: &str, shape: &Shape, dims: usize) -> Shape {
    if shape.len() < 2 {
        fail!("{name}: the shape is {shape:?}; it must have at least two dims, of samples and channels");
    }
    shape.iter().enumerate().map(|(axis, &size)| if axis < dims { size } else { 1 }).collect()
}

/// Drops by a mask of a shape that broadcasts with that of x.
#[track_caller]
fn drop_out(name: &str, x: &Tensor, p: f64, training: bool, mask_shape: fn(&Shape) -> Shape) -> Tensor {
    let kept = match kept(name, x, p, training, mask_shape) {
        Ok(kept) => kept,
        Err(decided) => return decided,
    };
    x * Tensor::constant(kept.div(&kept.scalar_operand(1.0 - p)))
}

#[track_caller]
fn alpha_drop_out(name: &str, x: &Tensor, p: f64, training: bool, mask_shape: fn(&Shape) -> Shape) -> Tensor {
    // selu's limit is minus its scale times its alpha.
    const ALPHA: f64 = 1.758_099_340_847_376_6;
    let kept = match kept(name, x, p, training, mask_shape) {
        Ok(kept) => Tensor::constant(kept),
        Err(decided) => return decided,
    };
    let scale = 1.0 / ((ALPHA * ALPHA * p + 1.0) * (1.0 - p)).sqrt();
    let shift = (&kept - 1.0) * (ALPHA * scale) + ALPHA * scale * p;
    x * (kept * scale) + shift
}

/// One for what is kept and zero for what is dropped, of the dtype of x; or the result, if nothing is drawn.
#[track_caller]
fn kept(
    name: &str,
    x: &Tensor,
    p: f64,
    training: bool,
    mask_shape: fn(&Shape) -> Shape,
) -> Result<Array, Tensor> {
    if !(0.0..=1.0).contains(&p) {
        fail!("{name}: p is {p}; a probability must be between 0 and 1");
    }
    if !training || p == 0.0 || x.numel() == 0 {
        return Err(x.clone());
    }
    if p == 1.0 {
        // Of the kind that integers keep; NaN and infinities become NaN, as in PyTorch.
        let nothing = 0;
        return Err(x * nothing);
    }
    if !x.dtype().is_float() {
        fail!("{name}: the dtype is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    let shape = mask_shape(&x.shape());
    Ok(Array::bernoulli_on(shape, 1.0 - p, &default_generator(), &x.device()).cast(x.dtype()))
}

/// A sample of some dims, whose mask is the same in each call.
fn masked(draw: &mut Draw<'_>, dims: usize, call: fn(&Tensor, f64, bool) -> Tensor) -> Sample {
    let shape = draw.full_shape(dims, dims + 1);
    let (p, training) = [(0.5, true), (0.5, false), (0.0, true), (1.0, true)][draw.below(4)];
    Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
        with_default_generator(|| Generator::new(7), || call(&x[0], p, training))
    })
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("dropout", "torch.nn.functional.dropout", |draw| {
        // Samples are called often and must be the same each time: with p = 1/2 in evaluation, or p = 0 or 1.
        let (p, training) = [(0.5, false), (0.0, true), (1.0, true)][draw.below(3)];
        one(draw, Domain::Any, move |x| dropout(&x[0], p, training))
    })
    .rejects(|| {
        vec![
            Reject::new("dropout: p is 1.5; a probability must be between 0 and 1", || {
                dropout(&floats([2]), 1.5, true);
            }),
            Reject::new("dropout: the dtype is int64, not a float", || {
                dropout(&integers(), 0.5, true);
            }),
        ]
    }),
    OpInfo::composed("dropout2d", "torch.nn.functional.dropout2d", |draw| {
        let (p, training) = [(0.5, false), (0.0, true), (1.0, true)][draw.below(3)];
        one(draw, Domain::Any, move |x| dropout2d(&x[0], p, training))
    })
    .rejects(|| {
        vec![Reject::new("dropout2d: the shape is [2]; it must have at least two dims", || {
            dropout2d(&floats([2]), 0.5, true);
        })]
    }),
    OpInfo::composed("dropout1d", "torch.nn.functional.dropout1d", |draw| masked(draw, 2, dropout1d))
        .rejects(|| {
            vec![Reject::new("dropout1d: the shape is [2]; it must be [N, C, L] or [C, L]", || {
                dropout1d(&floats([2]), 0.5, true);
            })]
        }),
    OpInfo::composed("dropout3d", "torch.nn.functional.dropout3d", |draw| masked(draw, 4, dropout3d))
        .differs("inputs of other than 4 or 5 dims are refused, where PyTorch warns")
        .rejects(|| {
            vec![Reject::new("dropout3d: the shape is [2]; it must be [N, C, D, H, W] or", || {
                dropout3d(&floats([2]), 0.5, true);
            })]
        }),
    OpInfo::composed("alpha_dropout", "torch.nn.functional.alpha_dropout", |draw| {
        masked(draw, 1, alpha_dropout)
    })
    .rejects(|| {
        vec![Reject::new("alpha_dropout: p is 1.5; a probability must be between 0 and 1", || {
            alpha_dropout(&floats([2]), 1.5, true);
        })]
    }),
    OpInfo::composed("feature_alpha_dropout", "torch.nn.functional.feature_alpha_dropout", |draw| {
        masked(draw, 2, feature_alpha_dropout)
    })
    .rejects(|| {
        vec![Reject::new("feature_alpha_dropout: the shape is [2]; it must have at least two dims", || {
            feature_alpha_dropout(&floats([2]), 0.5, true);
        })]
    }),
];
