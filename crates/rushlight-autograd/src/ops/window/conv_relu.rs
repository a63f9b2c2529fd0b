//! A convolution, a relu and perhaps a pool as one node, as most networks have them one behind the other.

use super::conv::{Convolve, convolution};
use super::pool::{max_windows, spread};
use super::{Conv2dOptions, MaxPool2dOptions, PerAxis};
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::unary::relu_rule;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::window::Spans;
use rushlight_array::{Array, Shape};
use std::sync::Arc;

/// The convolution, and the windows of the pool with the shape of its result.
#[derive(Debug)]
struct ConvRelu {
    conv: Convolve,
    pool: Option<(Arc<Spans>, Shape)>,
    /// Whether a backward pass may ask for the places of the largest elements.
    places: bool,
    index: Option<Array>,
}

impl Op for ConvRelu {
    fn name(&self) -> &'static str {
        "conv_relu"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (spans, shape) = match &self.pool {
            Some((spans, shape)) => (Some(&**spans), shape),
            None => (None, &self.conv.shapes[2]),
        };
        let bias = inputs.get(2).copied();
        let (y, index) = inputs[0].conv_relu(&self.conv.conv, inputs[1], bias, spans, self.places);
        self.index = index;
        y.reshape(shape)
    }
    fn saves(&self) -> Saves {
        Saves::first(2).and_output()
    }
    fn by_product(&mut self) -> Option<Array> {
        self.index.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // The largest of a window is zero where none is positive: nothing goes to its place then.
        let grad = relu_rule(saved, grad);
        let grad = match &self.pool {
            Some((spans, _)) => spread(spans, saved.by_product_array(), &grad, &self.conv.shapes[2]),
            None => grad,
        };
        self.conv.give(saved, &grad, give);
    }
    fn grad_fn(&self) -> String {
        let name = if self.pool.is_some() { "MaxPool2DWithIndicesBackward0" } else { "ReluBackward0" };
        name.to_string()
    }
}

/// `max_pool2d(relu(conv2d(x, weight, bias)))` as one node, or without the pool: the same numbers in one pass, sample by
/// sample, so that what lies between stays in a cache. `Sequential` calls it for such modules in a row.
///
/// Shape: as [`conv2d_with`](super::conv2d_with) and, behind it, [`max_pool2d_with`](super::max_pool2d_with).
///
/// ```
/// use rushlight_autograd::ops::{conv2d_relu, max_pool2d};
/// use rushlight_autograd::tensor;
/// let x = tensor([[[1.0, 2.0], [-3.0, 1.0]]]);
/// let twice = tensor([[[[2.0]]]]);
/// let pool = Some((2.into(), Default::default()));
/// assert_eq!(conv2d_relu(&x, &twice, None, Default::default(), None).to_vec::<f32>(), [2.0, 4.0, 0.0, 2.0]);
/// assert_eq!(conv2d_relu(&x, &twice, None, Default::default(), pool).to_vec::<f32>(), [4.0]);
/// ```
///
/// # Panics
/// As those.
#[track_caller]
pub fn conv2d_relu(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: Conv2dOptions,
    pool: Option<(PerAxis<2>, MaxPool2dOptions)>,
) -> Tensor {
    let conv = convolution("conv2d", x, weight, bias, &options);
    let pool = pool.map(|(kernel, options)| {
        let pool = max_windows("max_pool2d", &conv.shapes[2], kernel, &options);
        (pool.spans, pool.output)
    });
    let inputs = [Some(x), Some(weight), bias];
    let places = is_grad_enabled() && inputs.iter().flatten().any(|x| x.requires_grad());
    let op = ConvRelu { conv, pool, places, index: None };
    match bias {
        Some(bias) => Tensor::apply(op, &[x, weight, bias]),
        None => Tensor::apply(op, &[x, weight]),
    }
}

pub(super) const ROW: OpInfo = OpInfo::op("ConvRelu", "conv2d_relu", "torch.nn.functional.conv2d", |draw| {
    let (outputs, kernel) = (1 + draw.below(2), 1 + draw.below(2));
    let sizes = [2 + draw.below(2) * 2 + kernel, 3 + draw.below(3) + kernel];
    let mut shape = vec![1 + draw.below(2), 2];
    shape.extend(sizes);
    let mut inputs =
        vec![draw.leaf(&shape, Domain::Distinct), draw.leaf(&[outputs, 2, kernel, kernel], Domain::Distinct)];
    if draw.coin() {
        inputs.push(draw.leaf(&[outputs], Domain::Any));
    }
    let pool = draw.coin().then(|| (PerAxis::from(2), MaxPool2dOptions::default()));
    Sample::new(inputs, move |x| conv2d_relu(&x[0], &x[1], x.get(2), Conv2dOptions::default(), pool))
})
.rejects(|| {
    vec![
        Reject::new("conv2d: input shape [2, 4, 5, 5] does not fit weight [6, 3, 3, 3]", || {
            conv2d_relu(&floats([2, 4, 5, 5]), &floats([6, 3, 3, 3]), None, Conv2dOptions::default(), None);
        }),
        Reject::new("max_pool2d: a window of 4", || {
            let pool = Some((PerAxis::from(4), MaxPool2dOptions::default()));
            conv2d_relu(&floats([2, 4, 5, 5]), &floats([6, 4, 3, 3]), None, Conv2dOptions::default(), pool);
        }),
    ]
});
