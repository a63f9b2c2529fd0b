//! Normalisation of channels: over a batch, or for each sample of its own.

use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// Options of [`batch_norm_with`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNormOptions {
    /// Whether mean and variance are those of the batch, which also move the running ones.
    pub training: bool,
    /// The share of the batch in the new running statistics.
    pub momentum: f64,
    /// Added to the variance.
    pub eps: f64,
}

impl Default for BatchNormOptions {
    fn default() -> Self {
        BatchNormOptions { training: false, momentum: 0.1, eps: 1e-5 }
    }
}

/// Options of [`instance_norm_with`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct InstanceNormOptions {
    /// Whether mean and variance are those of each sample's channel, which also move the running ones.
    pub use_input_stats: bool,
    /// The share of the samples in the new running statistics.
    pub momentum: f64,
    /// Added to the variance.
    pub eps: f64,
}

impl Default for InstanceNormOptions {
    fn default() -> Self {
        InstanceNormOptions { use_input_stats: true, momentum: 0.1, eps: 1e-5 }
    }
}

/// Inputs are `x`, `[N, C, *]`, then weight and bias where there are such.
#[derive(Debug)]
struct BatchNorm {
    /// Whether mean and variance are those of `x`, and so have gradients.
    of_input: bool,
    eps: f64,
    has_weight: bool,
    has_bias: bool,
    /// Mean of each channel and the inverse of its deviation, `[C, 2]`.
    stats: Option<Array>,
}

/// `[N, C, *]` as `[N, C, L]`.
fn three(shape: &[usize]) -> [usize; 3] {
    [shape[0], shape[1], shape[2..].iter().product()]
}

impl BatchNorm {
    /// The weight over the deviation, of each channel.
    fn gain(&self, rate: &Array, weight: impl FnOnce() -> Array) -> Array {
        if self.has_weight { rate.mul(&weight().cast(rate.dtype())) } else { rate.clone() }
    }

    /// The rule by kernels.
    fn direct(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let shape = three(saved.shape(0));
        let (x, g) = (saved.input_array(0).reshape(shape), grad.value().reshape(shape));
        let stats = saved.by_product_array();
        let (mean, rate) = (stats.select(1, 0), stats.select(1, 1));
        let gain = self.gain(&rate, || saved.input_array(1).clone());
        let all = self.of_input || (1..saved.len()).any(|i| give.needs(i));
        let sums = if all { g.channel_grad_sums(&x, &mean) } else { stats.zeros_like() };
        let (level, along) = (sums.select(1, 0), sums.select(1, 1));
        give.to(0, || {
            let zero = mean.zeros_like();
            let dx = match self.of_input {
                true => {
                    let share = -1.0 / (shape[0] * shape[2]) as f64;
                    let slope = gain.mul(&rate).mul(&rate).mul(&along).scale(share);
                    let level = gain.mul(&level).scale(share);
                    g.channel_mix(&x, &Array::stack(&[&mean, &gain, &slope, &level], 1))
                }
                false => g.channel_scale(&Array::stack(&[&zero, &gain, &zero], 1)),
            };
            dx.reshape(saved.shape(0)).into()
        });
        if self.has_weight {
            give.to(1, || along.mul(&rate).into());
        }
        if self.has_bias {
            give.to(1 + usize::from(self.has_weight), || level.clone().into());
        }
    }

    /// The rule in operations that have rules of their own, for derivatives of the gradients.
    fn recorded(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let shape = three(saved.shape(0));
        let (x, g) = (saved.input(0).reshape(shape), grad.reshape(shape));
        let of_channel = |y: &Tensor| y.reshape([1, shape[1], 1]);
        let over = [0isize, 2];
        let (unit, rate) = if self.of_input {
            // Twice, as in the kernel: the first mean is rounded.
            let near = &x - x.mean_dim(over, true);
            let centred = &near - near.mean_dim(over, true);
            let rate = ((&centred * &centred).mean_dim(over, true) + self.eps).pow(-0.5);
            (centred * &rate, rate)
        } else {
            let stats = saved.by_product().to(x.dtype());
            let (mean, rate) = (of_channel(&stats.select(1, 0)), of_channel(&stats.select(1, 1)));
            ((x - mean) * &rate, rate)
        };
        give.to(0, || {
            let inner = match self.has_weight {
                true => &g * of_channel(&saved.input(1)),
                false => g.clone(),
            };
            let dx = match self.of_input {
                true => {
                    let along = &unit * (&inner * &unit).mean_dim(over, true);
                    (&inner - along - inner.mean_dim(over, true)) * &rate
                }
                false => inner * &rate,
            };
            dx.reshape(saved.shape(0))
        });
        if self.has_weight {
            give.to(1, || (&g * &unit).sum_dim(over, false));
        }
        if self.has_bias {
            give.to(1 + usize::from(self.has_weight), || g.sum_dim(over, false));
        }
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (x, stats) = (inputs[0], self.stats.as_ref().expect("they are found before"));
        if x.numel() == 0 {
            return x.clone();
        }
        let (mean, rate) = (stats.select(1, 0), stats.select(1, 1));
        let gain = self.gain(&rate, || inputs[1].clone());
        let bias = match self.has_bias {
            true => inputs[1 + usize::from(self.has_weight)].cast(rate.dtype()),
            false => mean.zeros_like(),
        };
        let factors = Array::stack(&[&mean, &gain, &bias], 1);
        x.reshape(three(x.shape())).channel_scale(&factors).reshape(x.shape())
    }
    fn saves(&self) -> Saves {
        Saves::first(1 + u32::from(self.has_weight))
    }
    fn by_product(&mut self) -> Option<Array> {
        self.stats.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        if is_grad_enabled() || saved.shape(0).numel() == 0 {
            self.recorded(saved, grad, give);
        } else {
            self.direct(saved, grad, give);
        }
    }
    fn grad_fn(&self) -> String {
        "NativeBatchNormBackward0".to_string()
    }
}

/// Normalises with the given mean and variance, `[C, 2]`.
#[track_caller]
fn apply(
    x: &Tensor,
    stats: &Array,
    of_input: bool,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let rate = stats.select(1, 1).offset(eps).powf(-0.5);
    let stats = Some(Array::stack(&[&stats.select(1, 0), &rate], 1));
    let op = BatchNorm { of_input, eps, has_weight: weight.is_some(), has_bias: bias.is_some(), stats };
    let inputs: Vec<&Tensor> = [Some(x), weight, bias].into_iter().flatten().collect();
    Tensor::apply(op, &inputs)
}

/// Checks the input, and that the others have an element for each of its channels.
#[track_caller]
fn check(name: &str, x: &Tensor, others: [(&str, Option<&Tensor>); 4]) {
    let shape = x.shape();
    // PyTorch lets `[0]` pass.
    if shape.len() < 2 && shape != [0] {
        fail!("{name}: the input has shape {shape:?}; it must be [N, C] and any more sizes");
    }
    let channels = shape.get(1).copied().unwrap_or(0);
    if !x.dtype().is_float() {
        fail!("{name}: the input is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    for (what, other) in others {
        let Some(other) = other else { continue };
        if other.shape() != [channels] {
            fail!(
                "{name}: {what} shape {:?} does not fit input {shape:?}; it must be [{channels}]",
                other.shape()
            );
        }
        // Half precision goes with statistics and weights in full.
        if other.dtype() != x.dtype() && other.dtype() != x.dtype().compute() {
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
    }
}

/// Moves a running statistic towards a new one.
#[track_caller]
fn update(name: &str, what: &str, running: Option<&Tensor>, new: &Array, momentum: f64) {
    let Some(running) = running else { return };
    if running.leaf().is_none() {
        fail!("{name}: {what} is no leaf and cannot be changed; make it with Tensor::new_leaf(.., false)");
    }
    let old = running.array();
    let new = new.cast(old.dtype().compute()).scale(momentum);
    running.set(old.cast(old.dtype().compute()).scale(1.0 - momentum).add(&new).cast(old.dtype()));
}

/// Running mean and variance as `[C, 2]`, in the dtype that `x` is computed in.
#[track_caller]
fn running_stats(name: &str, x: &Tensor, mean: Option<&Tensor>, variance: Option<&Tensor>) -> Array {
    let (Some(mean), Some(variance)) = (mean, variance) else {
        fail!("{name}: running mean and variance must be given where those of the input are not used");
    };
    Array::stack(&[&mean.value(), &variance.value()], 1).cast(x.dtype().compute())
}

/// Channels shifted and scaled by running statistics, times a weight, plus a bias: PyTorch's `functional.batch_norm` in
/// evaluation (Ioffe & Szegedy, "Batch normalization", 2015).
///
/// Shape: `(N, C, *)`, the others `(C)` -> as the input.
///
/// ```
/// use rushlight_autograd::{ops::batch_norm, tensor};
/// let (mean, variance) = (tensor([1.0, 0.0]), tensor([4.0, 1.0]));
/// let y = batch_norm(&tensor([[5.0, 3.0]]), Some(&mean), Some(&variance), None, None);
/// assert!(y.allclose(&tensor([[2.0, 3.0]]), 1e-4, 0.0));
/// ```
///
/// # Panics
/// If a shape, dtype or device does not fit, or mean or variance is missing.
#[track_caller]
pub fn batch_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Tensor {
    batch_norm_with(x, running_mean, running_var, weight, bias, BatchNormOptions::default())
}

/// As [`batch_norm`], with options; in training the statistics are those of the batch.
///
/// Running statistics then become `(1 - momentum) old + momentum new`, with the variance divided by the number of
/// elements less one: they must be leaves that can be set, as buffers of a module are.
///
/// ```
/// use rushlight_autograd::ops::{BatchNormOptions, batch_norm_with};
/// use rushlight_autograd::{Tensor, tensor};
/// let mean = Tensor::new_leaf(tensor([0.0]).array(), false);
/// let options = BatchNormOptions { training: true, ..Default::default() };
/// let y = batch_norm_with(&tensor([[1.0], [5.0]]), Some(&mean), None, None, None, options);
/// assert!(y.allclose(&tensor([[-1.0], [1.0]]), 1e-5, 0.0));
/// assert!(mean.allclose(&tensor([0.3]), 1e-6, 0.0));
/// ```
///
/// # Panics
/// As [`batch_norm`]; if a channel has a single element in training, or running statistics are no leaves.
#[track_caller]
pub fn batch_norm_with(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    options: BatchNormOptions,
) -> Tensor {
    const NAME: &str = "batch_norm";
    let others =
        [("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)];
    check(NAME, x, others);
    let BatchNormOptions { training, momentum, eps } = options;
    if x.shape().len() < 2 {
        return x.clone();
    }
    if !training {
        let stats = running_stats(NAME, x, running_mean, running_var);
        return apply(x, &stats, false, weight, bias, eps);
    }
    let shape = x.shape();
    let [samples, _, len] = three(&shape);
    let count = samples * len;
    if count == 1 {
        fail!("{NAME}: input shape {shape:?} has one value for each channel; training needs more than 1");
    }
    let stats = x.value().reshape(three(&shape)).channel_stats();
    if count > 0 {
        let unbiased = count as f64 / (count as f64 - 1.0);
        update(NAME, "running_mean", running_mean, &stats.select(1, 0), momentum);
        update(NAME, "running_var", running_var, &stats.select(1, 1).scale(unbiased), momentum);
    }
    apply(x, &stats, true, weight, bias, eps)
}

/// Each channel of each sample with mean 0 and variance 1, times a weight, plus a bias: PyTorch's
/// `functional.instance_norm` (Ulyanov, Vedaldi & Lempitsky, "Instance normalization", 2016).
///
/// Running statistics move towards the means over all samples; see [`batch_norm_with`].
///
/// Shape: `(N, C, *)`, the others `(C)` -> as the input.
///
/// # Panics
/// If a shape, dtype or device does not fit, or a channel has a single element.
#[track_caller]
pub fn instance_norm(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Tensor {
    instance_norm_with(x, running_mean, running_var, weight, bias, InstanceNormOptions::default())
}

/// As [`instance_norm`], with options; without `use_input_stats` it is [`batch_norm`].
///
/// # Panics
/// As [`instance_norm`]; if running statistics are wanted and missing, or to be changed and no leaves.
#[track_caller]
pub fn instance_norm_with(
    x: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    options: InstanceNormOptions,
) -> Tensor {
    const NAME: &str = "instance_norm";
    let others =
        [("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)];
    check(NAME, x, others);
    let InstanceNormOptions { use_input_stats, momentum, eps } = options;
    if x.shape().len() < 2 {
        return x.clone();
    }
    if !use_input_stats {
        let stats = running_stats(NAME, x, running_mean, running_var);
        return apply(x, &stats, false, weight, bias, eps);
    }
    let shape = x.shape();
    let [samples, channels, len] = three(&shape);
    if len == 1 {
        fail!(
            "{NAME}: input shape {shape:?} has one value for each channel of a sample; it needs more than 1"
        );
    }
    let rows = x.reshape([1, samples * channels, len]);
    let stats = rows.value().channel_stats();
    if x.numel() > 0 {
        let unbiased = len as f64 / (len as f64 - 1.0);
        let mean = stats.reshape([samples, channels, 2]).mean_dim(0, false);
        update(NAME, "running_mean", running_mean, &mean.select(1, 0), momentum);
        update(NAME, "running_var", running_var, &mean.select(1, 1).scale(unbiased), momentum);
    }
    let repeated = |w: &Tensor| w.unsqueeze(0).expand([samples, channels]).reshape([samples * channels]);
    let (weight, bias) = (weight.map(repeated), bias.map(repeated));
    apply(&rows, &stats, true, weight.as_ref(), bias.as_ref(), eps).reshape(&shape)
}

/// Input, weight and bias of a sample, with at least two elements in each row and column.
fn draw(draw: &mut Draw<'_>) -> (Vec<Tensor>, [bool; 2], Tensor, Tensor) {
    let mut shape = vec![1 + draw.full_size(), 1 + draw.below(2)];
    shape.extend([1 + draw.full_size(), 2]);
    shape.truncate(3 + draw.below(2));
    let has = [draw.coin(), draw.coin()];
    let mut inputs = vec![draw.leaf(&shape, Domain::Distinct)];
    for _ in 0..has.iter().filter(|&&has| has).count() {
        inputs.push(draw.leaf(&[shape[1]], Domain::Any));
    }
    let (mean, variance) =
        (draw.constant(&[shape[1]], Domain::Any), draw.constant(&[shape[1]], Domain::Positive));
    (inputs, has, mean, variance)
}

/// Statistics of the dtype of an input.
fn like(stats: &Tensor, x: &Tensor) -> Tensor {
    stats.to(x.dtype())
}

pub(super) const BATCH_NORM: OpInfo =
    OpInfo::op("BatchNorm", "batch_norm", "torch.nn.functional.batch_norm", |source| {
        let (inputs, has, mean, variance) = draw(source);
        let options = BatchNormOptions { training: source.coin(), eps: 0.1, ..Default::default() };
        Sample::new(inputs, move |x| {
            let weight = if has[0] { x.get(1) } else { None };
            let bias = if has[1] { x.last() } else { None };
            if options.training {
                return batch_norm_with(&x[0], None, None, weight, bias, options);
            }
            let (mean, variance) = (like(&mean, &x[0]), like(&variance, &x[0]));
            batch_norm_with(&x[0], Some(&mean), Some(&variance), weight, bias, options)
        })
    })
    .rejects(|| {
        let training = BatchNormOptions { training: true, ..Default::default() };
        vec![
            Reject::new("batch_norm: input shape [1, 3] has one value for each channel", move || {
                batch_norm_with(&floats([1, 3]), None, None, None, None, training);
            }),
            Reject::new("batch_norm: running mean and variance must be given", || {
                batch_norm(&floats([2, 3]), None, None, None, None);
            }),
            Reject::new("batch_norm: the input has shape [3]; it must be [N, C] and any more sizes", || {
                batch_norm(&integers(), None, None, None, None);
            }),
            Reject::new("batch_norm: running_mean is no leaf and cannot be changed", move || {
                batch_norm_with(&floats([2, 3]), Some(&floats([3])), None, None, None, training);
            }),
            Reject::new(
                "batch_norm: weight shape [2] does not fit input [2, 3]; it must be [3]",
                move || {
                    batch_norm_with(&floats([2, 3]), None, None, Some(&floats([2])), None, training);
                },
            ),
        ]
    });

pub(super) const INSTANCE_NORM: OpInfo =
    OpInfo::composed("instance_norm", "torch.nn.functional.instance_norm", |source| {
        let (inputs, has, mean, variance) = draw(source);
        let options = InstanceNormOptions { use_input_stats: source.coin(), eps: 0.1, ..Default::default() };
        Sample::new(inputs, move |x| {
            let weight = if has[0] { x.get(1) } else { None };
            let bias = if has[1] { x.last() } else { None };
            if options.use_input_stats {
                return instance_norm_with(&x[0], None, None, weight, bias, options);
            }
            let (mean, variance) = (like(&mean, &x[0]), like(&variance, &x[0]));
            instance_norm_with(&x[0], Some(&mean), Some(&variance), weight, bias, options)
        })
    })
    .rejects(|| {
        vec![Reject::new(
            "instance_norm: input shape [2, 3] has one value for each channel of a sample",
            || {
                instance_norm(&floats([2, 3]), None, None, None, None);
            },
        )]
    });
