//! Bounds for gradients, between the backward pass and the step.

use crate::groups::IntoParameters;
use rushlight_array::{DType, fail};
use rushlight_autograd::ops::NormOptions;
use rushlight_autograd::ops::linalg::NormOrder;
use rushlight_autograd::{Tensor, full, no_grad};

/// The norm of all tensors as one vector: PyTorch's `torch.nn.utils.get_total_norm`. A tensor without dimensions; 0 if there is
/// no tensor.
pub fn get_total_norm(tensors: &[Tensor]) -> Tensor {
    get_total_norm_with(tensors, 2.0, false)
}

/// As [`get_total_norm`], of any order: infinity for the greatest size.
///
/// # Panics
/// If the norm is NaN or infinite and `error_if_nonfinite` is set.
#[track_caller]
pub fn get_total_norm_with(tensors: &[Tensor], norm_type: f64, error_if_nonfinite: bool) -> Tensor {
    let Some(first) = tensors.first() else { return full((), 0.0) };
    let device = first.device();
    let total = no_grad(|| {
        let of = |x: &Tensor| {
            x.detach().norm_with(&NormOptions { p: NormOrder::P(norm_type), ..NormOptions::default() })
        };
        let norms: Vec<Tensor> = tensors.iter().map(|x| of(x).to(&device)).collect();
        of(&Tensor::stack(&norms.iter().collect::<Vec<_>>(), 0))
    });
    if error_if_nonfinite && !total.to(DType::F64).item().is_finite() {
        fail!(
            "clip_grad_norm_: the norm of order {norm_type} of the gradients is {}, so they cannot be clipped; without \
             error_if_nonfinite they would be scaled by it",
            total.to(DType::F64).item()
        );
    }
    total
}

/// Scales the gradients of parameters so that their norm, as one vector, is at most `max_norm`: PyTorch's
/// `torch.nn.utils.clip_grad_norm_`. Returns the norm of before.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::clip_grad_norm_;
/// let w = tensor([1.0, 2.0]).requires_grad_();
/// w.set_grad(Some(tensor([3.0, 4.0])));
/// assert_eq!(clip_grad_norm_([&w], 1.0).item(), 5.0);
/// let grad = w.grad().unwrap().to_vec::<f32>();
/// assert!((grad[0] - 0.6).abs() < 1e-6 && (grad[1] - 0.8).abs() < 1e-6);
/// ```
#[track_caller]
pub fn clip_grad_norm_(parameters: impl IntoParameters, max_norm: f64) -> Tensor {
    clip_grad_norm_with_(parameters, max_norm, 2.0, false)
}

/// As [`clip_grad_norm_`], by a norm of any order: infinity for the greatest size.
///
/// # Panics
/// If the norm is NaN or infinite and `error_if_nonfinite` is set.
#[track_caller]
pub fn clip_grad_norm_with_(
    parameters: impl IntoParameters,
    max_norm: f64,
    norm_type: f64,
    error_if_nonfinite: bool,
) -> Tensor {
    let parameters = parameters.into_parameters();
    let grads: Vec<Tensor> = parameters.iter().filter_map(Tensor::grad).collect();
    let total = get_total_norm_with(&grads, norm_type, error_if_nonfinite);
    clip_grads_with_norm_(parameters, max_norm, &total);
    total
}

/// Scales the gradients of parameters by `max_norm / total_norm` if that is below 1: PyTorch's
/// `torch.nn.utils.clip_grads_with_norm_`, for a norm that is known already, as of parameters on several machines.
#[track_caller]
pub fn clip_grads_with_norm_(parameters: impl IntoParameters, max_norm: f64, total_norm: &Tensor) {
    // In the norm's own precision, as PyTorch has it. Where the norm is NaN, all gradients become so.
    let factor = no_grad(|| (total_norm.detach() + 1e-6).reciprocal() * max_norm);
    let factor = factor.to(DType::F64).item();
    change(parameters, |grad| grad * if factor > 1.0 { 1.0 } else { factor });
}

/// Brings each element of the gradients into `[-clip_value, clip_value]`: PyTorch's `torch.nn.utils.clip_grad_value_`.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::clip_grad_value_;
/// let w = tensor([1.0, 2.0]).requires_grad_();
/// w.set_grad(Some(tensor([3.0, -0.5])));
/// clip_grad_value_([&w], 1.0);
/// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [1.0, -0.5]);
/// ```
#[track_caller]
pub fn clip_grad_value_(parameters: impl IntoParameters, clip_value: f64) {
    change(parameters, |grad| grad.clamp(-clip_value, clip_value));
}

/// Changes the gradients that there are.
fn change(parameters: impl IntoParameters, change: impl Fn(Tensor) -> Tensor) {
    no_grad(|| {
        for parameter in parameters.into_parameters() {
            if let Some(grad) = parameter.grad() {
                // The parameter lets go of it first, so that it may be changed in place.
                parameter.set_grad(None);
                parameter.set_grad(Some(change(grad.detach())));
            }
        }
    });
}
