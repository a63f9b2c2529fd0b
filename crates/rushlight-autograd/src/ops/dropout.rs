//! Dropout (Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012).

use crate::ops::unary::one;
use crate::table::{Domain, OpInfo, Reject, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::random::default_generator;
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
    drop_out("dropout2d", x, p, training, channels)
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
fn channels(shape: &Shape) -> Shape {
    if shape.len() < 2 {
        fail!("dropout2d: the shape is {shape:?}; it must have at least two dims, of samples and channels");
    }
    shape.iter().enumerate().map(|(axis, &size)| if axis < 2 { size } else { 1 }).collect()
}

/// Drops by a mask of a shape that broadcasts with that of x.
#[track_caller]
fn drop_out(name: &str, x: &Tensor, p: f64, training: bool, mask_shape: fn(&Shape) -> Shape) -> Tensor {
    if !(0.0..=1.0).contains(&p) {
        fail!("{name}: p is {p}; a probability must be between 0 and 1");
    }
    if !training || p == 0.0 || x.numel() == 0 {
        return x.clone();
    }
    if p == 1.0 {
        // Of the kind that integers keep; NaN and infinities become NaN, as in PyTorch.
        let nothing = 0;
        return x * nothing;
    }
    if !x.dtype().is_float() {
        fail!("{name}: the dtype is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    let mask = Array::bernoulli(mask_shape(&x.shape()), 1.0 - p, &default_generator()).cast(x.dtype());
    let mask = mask.div(&mask.scalar_operand(1.0 - p)).to_device(&x.device());
    x * Tensor::constant(mask)
}

pub(crate) static TABLE: &[OpInfo] = &[
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
];
