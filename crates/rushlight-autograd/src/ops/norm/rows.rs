//! Normalisation of rows: layer norm and RMS norm.

use crate::autocast;
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Norm;
use rushlight_array::{Array, DType, fail};
use std::borrow::Cow;

/// Inputs are `x`, then weight and bias where there are such.
#[derive(Debug)]
struct NormOp {
    kind: Norm,
    /// The elements of a row.
    size: usize,
    eps: f64,
    has_weight: bool,
    stats: Option<Array>,
}

impl NormOp {
    fn rows<'a>(&self, x: &'a Array) -> Cow<'a, Array> {
        match *x.shape() == [x.shape()[0], self.size] {
            true => Cow::Borrowed(x),
            false => Cow::Owned(x.reshape([x.numel() / self.size.max(1), self.size])),
        }
    }

    fn flat<'a>(&self, x: &'a Array) -> Cow<'a, Array> {
        if x.rank() == 1 { Cow::Borrowed(x) } else { Cow::Owned(x.reshape([self.size])) }
    }

    /// The rule in operations that have rules of their own, for derivatives of the gradients.
    fn recorded(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let x = saved.input(0);
        let [count, size] = [x.numel() / self.size.max(1), self.size];
        let rows = |x: &Tensor| x.reshape([count, size]);
        let (g, x) = (rows(grad), rows(&x));
        let centred = match self.kind {
            Norm::Layer => {
                // Twice, as in the kernel: the first mean is rounded.
                let near = &x - x.mean_dim(1, true);
                &near - near.mean_dim(1, true)
            }
            Norm::Rms => x,
        };
        let rate = ((&centred * &centred).mean_dim(1, true) + self.eps).pow(-0.5);
        let unit = centred * &rate;
        give.to(0, || {
            let inner = match self.has_weight {
                true => &g * saved.input(1).reshape([size]),
                false => g.clone(),
            };
            let mut dx = &inner - &unit * (&inner * &unit).mean_dim(1, true);
            if self.kind == Norm::Layer {
                dx -= inner.mean_dim(1, true);
            }
            (dx * &rate).reshape(saved.shape(0))
        });
        if self.has_weight {
            give.to(1, || (&g * &unit).sum_dim(0, false).reshape(saved.shape(1)));
        }
        let bias = 1 + usize::from(self.has_weight);
        if saved.len() > bias {
            give.to(bias, || g.sum_dim(0, false).reshape(saved.shape(bias)));
        }
    }
}

impl Op for NormOp {
    fn name(&self) -> &'static str {
        match self.kind {
            Norm::Layer => "layer_norm",
            Norm::Rms => "rms_norm",
        }
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        let weight = self.has_weight.then(|| self.flat(inputs[1]));
        let bias = inputs.get(1 + usize::from(self.has_weight)).map(|bias| self.flat(bias));
        let (y, stats) = self.rows(x).norm(self.kind, weight.as_deref(), bias.as_deref(), self.eps);
        self.stats = Some(stats);
        if y.shape() == x.shape() { y } else { y.reshape(x.shape()) }
    }
    fn saves(&self) -> Saves {
        Saves::first(1 + u32::from(self.has_weight))
    }
    fn by_product(&mut self) -> Option<Array> {
        self.stats.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        if is_grad_enabled() || saved.shape(0).numel() == 0 {
            return self.recorded(saved, grad, give);
        }
        let weight = self.has_weight.then(|| self.flat(saved.input_array(1)));
        let (x, grad) = (self.rows(saved.input_array(0)), grad.value());
        let [dx, dw, db] =
            x.norm_grad(self.kind, saved.by_product_array(), weight.as_deref(), &self.rows(&grad));
        let shaped = |grad: Array, i: usize| match grad.shape() == saved.shape(i) {
            true => Tensor::from(grad),
            false => grad.reshape(saved.shape(i)).into(),
        };
        give.to(0, || shaped(dx, 0));
        if self.has_weight {
            give.to(1, || shaped(dw, 1));
        }
        let bias = 1 + usize::from(self.has_weight);
        if saved.len() > bias {
            give.to(bias, || shaped(db, bias));
        }
    }
    fn grad_fn(&self) -> String {
        match self.kind {
            Norm::Layer => "NativeLayerNormBackward0",
            Norm::Rms => "FusedRmsNormBackward0",
        }
        .to_string()
    }
}

#[track_caller]
pub(super) fn apply(
    kind: Norm,
    x: &Tensor,
    normalized_shape: &[usize],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    // What does not fit the input is refused below, before the product counts.
    let size = normalized_shape.iter().fold(1usize, |size, &next| size.wrapping_mul(next));
    let op = NormOp { kind, size, eps, has_weight: weight.is_some(), stats: None };
    let (name, shape) = (op.name(), x.shape());
    if normalized_shape.is_empty() || !shape.ends_with(normalized_shape) {
        fail!("{name}: input shape {shape:?} does not end with normalized_shape {normalized_shape:?}");
    }
    if !x.dtype().is_float() {
        fail!("{name}: the input is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    let mut inputs = vec![x];
    for (what, other) in [("weight", weight), ("bias", bias)] {
        let Some(other) = other else { continue };
        if other.shape() != *normalized_shape {
            fail!(
                "{name}: {what} shape {:?} does not fit; it must be normalized_shape {normalized_shape:?}",
                other.shape()
            );
        }
        if other.dtype() != x.dtype() && !autocast::joins(other, x) {
            fail!(
                "{name}: the input is {}, the {what} {}; cast one with .to(..)",
                x.dtype().name(),
                other.dtype().name()
            );
        }
        if other.device() != x.device() {
            fail!(
                "{name}: the input is on {}, the {what} on {}; move one with .to(..)",
                x.device(),
                other.device()
            );
        }
        inputs.push(other);
    }
    Tensor::apply(op, &inputs)
}

/// Rows with mean 0 and variance 1, times a weight, plus a bias: PyTorch's `functional.layer_norm` (Ba, Kiros &
/// Hinton, "Layer normalization", 2016).
///
/// Shape: `(*, normalized_shape)`, weight and bias `normalized_shape` -> as the input.
///
/// ```
/// use rushlight_autograd::{ops::layer_norm, tensor};
/// let y = layer_norm(&tensor([[1.0, 5.0]]), &[2], None, None);
/// assert!(y.allclose(&tensor([[-1.0, 1.0]]), 1e-5, 0.0));
/// ```
///
/// # Panics
/// If the input's shape does not end with `normalized_shape`, weight or bias have another shape, or a dtype or device
/// does not fit.
#[track_caller]
pub fn layer_norm(
    x: &Tensor,
    normalized_shape: &[usize],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Tensor {
    layer_norm_with(x, normalized_shape, weight, bias, 1e-5)
}

/// As [`layer_norm`], with the number that is added to the variance.
///
/// # Panics
/// As [`layer_norm`].
#[track_caller]
pub fn layer_norm_with(
    x: &Tensor,
    normalized_shape: &[usize],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    apply(Norm::Layer, x, normalized_shape, weight, bias, eps)
}

/// Rows with mean square 1, times a weight: PyTorch's `functional.rms_norm` (Zhang & Sennrich, "Root mean square layer
/// normalization", 2019).
///
/// Shape: `(*, normalized_shape)`, weight `normalized_shape` -> as the input.
///
/// ```
/// use rushlight_autograd::{ops::rms_norm, tensor};
/// let y = rms_norm(&tensor([[1.0, 7.0]]), &[2], None);
/// assert!(y.allclose(&tensor([[0.2, 1.4]]), 1e-6, 0.0));
/// ```
///
/// # Panics
/// As [`layer_norm`].
#[track_caller]
pub fn rms_norm(x: &Tensor, normalized_shape: &[usize], weight: Option<&Tensor>) -> Tensor {
    // Half precision is computed in f32, so it is that whose steps count.
    let eps = if x.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    rms_norm_with(x, normalized_shape, weight, eps)
}

/// As [`rms_norm`], with the number that is added to the mean square, which is else the epsilon of the dtype.
///
/// # Panics
/// As [`layer_norm`].
#[track_caller]
pub fn rms_norm_with(x: &Tensor, normalized_shape: &[usize], weight: Option<&Tensor>, eps: f64) -> Tensor {
    apply(Norm::Rms, x, normalized_shape, weight, None, eps)
}

fn draw(draw: &mut Draw<'_>, layer: bool) -> Sample {
    let mut shape = draw.shape(0, 2).to_vec();
    let mut normalized: Vec<usize> = vec![draw.full_size(), draw.full_size()];
    normalized.truncate(1 + draw.below(2));
    shape.extend(&normalized);
    let mut inputs = vec![draw.leaf(&shape, Domain::Any)];
    let (has_weight, has_bias) = (draw.coin(), draw.coin() && layer);
    for _ in 0..usize::from(has_weight) + usize::from(has_bias) {
        inputs.push(draw.leaf(&normalized, Domain::Any));
    }
    Sample::new(inputs, move |x| {
        let weight = if has_weight { x.get(1) } else { None };
        if !layer {
            return rms_norm_with(&x[0], &normalized, weight, 0.1);
        }
        let bias = x.get(1 + usize::from(has_weight));
        layer_norm_with(&x[0], &normalized, weight, bias, 0.1)
    })
}

pub(super) const LAYER_NORM: OpInfo =
    OpInfo::op("NormOp", "layer_norm", "torch.nn.functional.layer_norm", |source| draw(source, true))
        .rejects(|| {
            vec![
                Reject::new("layer_norm: input shape [2, 3] does not end with normalized_shape [2]", || {
                    layer_norm(&floats([2, 3]), &[2], None, None);
                }),
                Reject::new(
                    "layer_norm: bias shape [2] does not fit; it must be normalized_shape [3]",
                    || {
                        layer_norm(&floats([2, 3]), &[3], None, Some(&floats([2])));
                    },
                ),
            ]
        });

pub(super) const RMS_NORM: OpInfo =
    OpInfo::composed("rms_norm", "torch.nn.functional.rms_norm", |source| draw(source, false)).rejects(
        || {
            vec![Reject::new("rms_norm: the input is int64, not a float", || {
                rms_norm(&integers(), &[3], None);
            })]
        },
    );
