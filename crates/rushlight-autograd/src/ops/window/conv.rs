//! Convolutions in one, two and three dimensions, and their transposes.

use super::{Slide, spatial};
use crate::autocast;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::window::Conv;
use rushlight_array::{Array, DType, Shape, fail};

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding<const N: usize> {
    /// So many on both sides of each axis.
    Zeros([usize; N]),
    /// As many as give a result of the input's size; if their number is odd, one more stands at the end. Only with
    /// stride 1.
    Same,
    /// None.
    Valid,
}

impl<const N: usize> From<usize> for Padding<N> {
    fn from(size: usize) -> Self {
        Padding::Zeros([size; N])
    }
}

impl<const N: usize> From<[usize; N]> for Padding<N> {
    fn from(sizes: [usize; N]) -> Self {
        Padding::Zeros(sizes)
    }
}

/// How the windows of a convolution lie.
///
/// ```
/// use rushlight_autograd::ops::{Conv2dOptions, Padding};
/// let options = Conv2dOptions { stride: [2, 2], padding: Padding::Zeros([1, 1]), ..Default::default() };
/// assert_eq!(options.groups, 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvOptions<const N: usize> {
    /// From window to window.
    pub stride: [usize; N],
    /// Zeros around the input.
    pub padding: Padding<N>,
    /// From place to place inside of a window.
    pub dilation: [usize; N],
    /// Channels are cut into so many groups, each with weights of its own.
    pub groups: usize,
}

/// Options of [`conv1d_with`].
pub type Conv1dOptions = ConvOptions<1>;
/// Options of [`conv2d_with`].
pub type Conv2dOptions = ConvOptions<2>;
/// Options of [`conv3d_with`].
pub type Conv3dOptions = ConvOptions<3>;

impl<const N: usize> Default for ConvOptions<N> {
    fn default() -> Self {
        ConvOptions { stride: [1; N], padding: Padding::Valid, dilation: [1; N], groups: 1 }
    }
}

/// How the windows of a transposed convolution lie in its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvTransposeOptions<const N: usize> {
    /// From window to window.
    pub stride: [usize; N],
    /// So much is cut off both sides of each axis of the result.
    pub padding: [usize; N],
    /// So much is added at the end of each axis of the result.
    pub output_padding: [usize; N],
    /// Channels are cut into so many groups, each with weights of its own.
    pub groups: usize,
    /// From place to place inside of a window.
    pub dilation: [usize; N],
}

/// Options of [`conv_transpose1d_with`].
pub type ConvTranspose1dOptions = ConvTransposeOptions<1>;
/// Options of [`conv_transpose2d_with`].
pub type ConvTranspose2dOptions = ConvTransposeOptions<2>;
/// Options of [`conv_transpose3d_with`].
pub type ConvTranspose3dOptions = ConvTransposeOptions<3>;

impl<const N: usize> Default for ConvTransposeOptions<N> {
    fn default() -> Self {
        ConvTransposeOptions {
            stride: [1; N],
            padding: [0; N],
            output_padding: [0; N],
            groups: 1,
            dilation: [1; N],
        }
    }
}

/// Which of the three is computed from the other two. Each is linear in both, so their rules are again of this kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The result, from input and weight, and perhaps a bias.
    Output,
    /// The gradient of the input, from that of the result and the weight.
    Input,
    /// The gradient of the weight, from that of the result and the input.
    Weight,
}

/// A convolution or one of its gradients.
#[derive(Clone, Debug)]
pub(super) struct Convolve {
    pub(super) conv: Conv,
    part: Part,
    /// As the user sees them: input, weight, result.
    pub(super) shapes: [Shape; 3],
}

impl Convolve {
    /// Gives input, weight and bias their gradients from that of the result.
    pub(super) fn give(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || self.of(Part::Input, grad, &saved.input(1)));
        give.to(1, || self.of(Part::Weight, grad, &saved.input(0)));
        if saved.len() > 2 {
            give.to(2, || {
                let [n, channels, ..] = self.conv.output_shape();
                grad.reshape([n, channels, self.conv.window.output_len()]).sum_dim([0, 2], false)
            });
        }
    }

    fn of(&self, part: Part, a: &Tensor, b: &Tensor) -> Tensor {
        Tensor::apply(Convolve { part, ..self.clone() }, &[a, b])
    }
}

impl Op for Convolve {
    fn name(&self) -> &'static str {
        match self.part {
            Part::Output => "convolution",
            Part::Input => "conv_transpose",
            Part::Weight => "conv_grad_weight",
        }
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [x, weight, output] = &self.shapes;
        match self.part {
            Part::Output => inputs[0].conv(&self.conv, inputs[1], inputs.get(2).copied()).reshape(output),
            Part::Input => inputs[0].conv_grad_input(&self.conv, inputs[1]).reshape(x),
            Part::Weight => inputs[0].conv_grad_weight(&self.conv, inputs[1]).reshape(weight),
        }
    }
    fn saves(&self) -> Saves {
        Saves::first(2)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let input = |i| saved.input(i);
        match self.part {
            Part::Output => self.give(saved, grad, give),
            Part::Input => {
                give.to(0, || self.of(Part::Output, grad, &input(1)));
                give.to(1, || self.of(Part::Weight, &input(0), grad));
            }
            Part::Weight => {
                give.to(0, || self.of(Part::Output, &input(1), grad));
                give.to(1, || self.of(Part::Input, &input(0), grad));
            }
        }
    }
    fn grad_fn(&self) -> String {
        "ConvolutionBackward0".to_string()
    }
}

/// Checks that weight and bias go with the input.
#[track_caller]
fn check_operands(
    name: &str,
    n: usize,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    groups: usize,
    transposed: bool,
) {
    let (shape, weights) = (x.shape(), weight.shape());
    let form = ["L", "H, W", "D, H, W"][n - 1];
    if shape.len() != n + 1 && shape.len() != n + 2 {
        fail!("{name}: the input has shape {shape:?}; it must be [N, C, {form}] or [C, {form}]");
    }
    if shape[shape.len() - n..].contains(&0) {
        fail!(
            "{name}: the input has shape {shape:?}; of its sizes only those of the batch and the channels may be 0"
        );
    }
    if weights.len() != n + 2 {
        let channels = if transposed { "C, O / groups" } else { "O, C / groups" };
        fail!("{name}: the weight has shape {weights:?}; it must be [{channels}] and {n} kernel sizes");
    }
    if groups == 0 {
        fail!("{name}: groups is 0; it must be at least 1");
    }
    let channels = shape[shape.len() - n - 1];
    let (wanted, outputs) = match transposed {
        false => (weights[1].checked_mul(groups), Some(weights[0])),
        true => (Some(weights[0]), weights[1].checked_mul(groups)),
    };
    if wanted != Some(channels) {
        fail!(
            "{name}: input shape {shape:?} does not fit weight {weights:?} with groups = {groups}; it has {channels} \
             channels and must have {}",
            wanted.map_or("fewer groups".to_string(), |wanted| wanted.to_string())
        );
    }
    if weights[0] == 0 || !weights[0].is_multiple_of(groups) {
        fail!(
            "{name}: weight shape {weights:?} does not fit groups = {groups}; its first size must be a multiple of it"
        );
    }
    if x.dtype() == DType::Bool {
        fail!("{name}: the input is bool; cast with .to(DType::F32) first");
    }
    for (what, other) in [("weight", Some(weight)), ("bias", bias)] {
        let Some(other) = other else { continue };
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
    }
    let Some(outputs) = outputs else {
        fail!("{name}: weight shape {weights:?} with groups = {groups} has more channels than can be counted")
    };
    if let Some(bias) = bias
        && bias.shape() != [outputs]
    {
        fail!(
            "{name}: bias shape {:?} does not fit weight {weights:?}; it must be [{outputs}]",
            bias.shape()
        );
    }
}

/// The operation, from checked operands.
#[track_caller]
pub(super) fn convolution<const N: usize>(
    name: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions<N>,
) -> Convolve {
    check_operands(name, N, x, weight, bias, options.groups, false);
    let (shape, weights) = (x.shape(), weight.shape());
    let kernel: [usize; N] = spatial(&weights);
    let padding = match options.padding {
        Padding::Valid => [[0; 2]; N],
        Padding::Zeros(sizes) => sizes.map(|size| [size; 2]),
        Padding::Same if options.stride != [1; N] => {
            fail!("{name}: Padding::Same goes with stride 1 only, not with {:?}", options.stride)
        }
        Padding::Same => std::array::from_fn(|i| {
            let total = kernel[i].saturating_sub(1).saturating_mul(options.dilation[i]);
            [total / 2, total - total / 2]
        }),
    };
    let slide = Slide { kernel, stride: options.stride, padding, dilation: options.dilation };
    let window = slide.over(name, spatial(&shape));
    let batch = if shape.len() > N + 1 { shape[0] } else { 1 };
    let groups = options.groups;
    let conv = Conv { window, batch, groups, inputs: weights[1], outputs: weights[0] / groups };
    let mut output = shape.to_vec();
    let first = shape.len() - N - 1;
    output[first] = weights[0];
    output[first + 1..].copy_from_slice(&window.output[3 - N..]);
    Convolve { conv, part: Part::Output, shapes: [shape, weights, Shape::from(output)] }
}

#[track_caller]
fn convolve<const N: usize>(
    name: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions<N>,
) -> Tensor {
    let op = convolution(name, x, weight, bias, options);
    match bias {
        Some(bias) => Tensor::apply(op, &[x, weight, bias]),
        None => Tensor::apply(op, &[x, weight]),
    }
}

#[track_caller]
fn transposed<const N: usize>(
    name: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTransposeOptions<N>,
) -> Tensor {
    check_operands(name, N, x, weight, bias, options.groups, true);
    let (shape, weights) = (x.shape(), weight.shape());
    let (small, kernel): ([usize; N], [usize; N]) = (spatial(&shape), spatial(&weights));
    let padding = options.padding.map(|size| [size; 2]);
    let slide = Slide { kernel, stride: options.stride, padding, dilation: options.dilation };
    slide.check_positive(name);
    let mut large = [0; N];
    for i in 0..N {
        let (stride, dilation, more) = (options.stride[i], options.dilation[i], options.output_padding[i]);
        if more >= stride.max(dilation) {
            fail!(
                "{name}: output_padding is {:?}, stride {:?} and dilation {:?}; it must be smaller than one of them",
                options.output_padding,
                options.stride,
                options.dilation
            );
        }
        let wide = |size: usize| size as i128;
        // None of the factors is above 2^64, so that only their products are to be watched.
        let steps = (wide(small[i]) - 1).checked_mul(wide(stride));
        let size = steps
            .zip((wide(kernel[i]) - 1).checked_mul(wide(dilation)))
            .and_then(|(steps, extent)| steps.checked_add(extent))
            .filter(|&size| size < super::MOST as i128)
            .map(|size| size + wide(more) + 1 - 2 * wide(options.padding[i]));
        match size {
            Some(size) if (1..=(super::MOST as i128)).contains(&size) => large[i] = size as usize,
            _ => fail!(
                "{name}: input shape {shape:?} with kernel {kernel:?}, stride {:?}, padding {:?} and dilation {:?} \
                 gives no result: every size of it must be at least 1 and countable",
                options.stride,
                options.padding,
                options.dilation
            ),
        }
    }
    let batch = if shape.len() > N + 1 { shape[0] } else { 1 };
    let (window, groups) = (slide.window(name, large, small), options.groups);
    let conv = Conv { window, batch, groups, inputs: weights[1], outputs: weights[0] / groups };
    let mut output = shape.to_vec();
    let first = shape.len() - N - 1;
    output[first] = weights[1] * groups;
    output[first + 1..].copy_from_slice(&large);
    let op = Convolve { conv, part: Part::Input, shapes: [Shape::from(output), weights, shape] };
    let y = Tensor::apply(op, &[x, weight]);
    match bias {
        // Within `autocast` the product may have another dtype.
        Some(bias) => {
            y.add(&bias.to(y.dtype()).reshape([&[bias.len()][..], &[1; N][..]].concat().as_slice()))
        }
        None => y,
    }
}

macro_rules! convolutions {
    ($($n:literal: $conv:ident $conv_with:ident $transpose:ident $transpose_with:ident, $form:literal $(, $example:literal)?;)*) => {$(
        #[doc = concat!("The cross-correlation of each sample with the weight, plus a bias: PyTorch's `functional.", stringify!($conv), "`.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N`, weight `(O, C, kernel)`, bias `(O)` -> `(N, O, ", $form, ")` with")]
        /// `size - kernel + 1` places along each axis. Integers are allowed and wrap.
        ///
        $(#[doc = $example])?
        /// # Panics
        /// If shapes, dtypes or devices do not fit, or the kernel is larger than the input.
        #[track_caller]
        pub fn $conv(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
            convolve::<$n>(stringify!($conv), x, weight, bias, &ConvOptions::default())
        }

        #[doc = concat!("As [`", stringify!($conv), "`], with options.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")`, weight `(O, C / groups, kernel)`, bias `(O)` -> `(N, O, ", $form, ")` with")]
        /// `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1` places along each axis.
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($conv), "`]; if groups, stride or dilation is 0, the channels cannot be cut into the groups, or")]
        /// [`Padding::Same`] meets a stride.
        #[track_caller]
        pub fn $conv_with(
            x: &Tensor,
            weight: &Tensor,
            bias: Option<&Tensor>,
            options: ConvOptions<$n>,
        ) -> Tensor {
            convolve(stringify!($conv), x, weight, bias, &options)
        }

        #[doc = concat!("The transpose of [`", stringify!($conv), "`] as a linear map, plus a bias: PyTorch's `functional.", stringify!($transpose), "`.")]
        ///
        /// Each element of the input adds a multiple of the kernel to the result.
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N`, weight `(C, O, kernel)`, bias `(O)` -> `(N, O, ", $form, ")` with")]
        /// `size + kernel - 1` places along each axis.
        ///
        /// # Panics
        /// If shapes, dtypes or devices do not fit.
        #[track_caller]
        pub fn $transpose(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
            transposed::<$n>(stringify!($transpose), x, weight, bias, &ConvTransposeOptions::default())
        }

        #[doc = concat!("As [`", stringify!($transpose), "`], with options.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")`, weight `(C, O / groups, kernel)`, bias `(O)` -> `(N, O, ", $form, ")` with")]
        /// `(size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1` places along each axis.
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($transpose), "`]; if groups, stride or dilation is 0, the channels cannot be cut into the groups,")]
        /// `output_padding` is as large as stride and dilation, or nothing is left of the result.
        #[track_caller]
        pub fn $transpose_with(
            x: &Tensor,
            weight: &Tensor,
            bias: Option<&Tensor>,
            options: ConvTransposeOptions<$n>,
        ) -> Tensor {
            transposed(stringify!($transpose), x, weight, bias, &options)
        }
    )*};
}
convolutions! {
    1: conv1d conv1d_with conv_transpose1d conv_transpose1d_with, "L";
    2: conv2d conv2d_with conv_transpose2d conv_transpose2d_with, "H, W", "
```
use rushlight_autograd::{ops::conv2d, tensor};
let x = tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]);
let ones = tensor([[[[1.0, 1.0], [1.0, 1.0]]]]);
let y = conv2d(&x, &ones, Some(&tensor([0.5])));
assert_eq!(y.to_vec::<f32>(), [12.5, 16.5]);
```
";
    3: conv3d conv3d_with conv_transpose3d conv_transpose3d_with, "D, H, W";
}

/// Windows, groups and shapes of a sample, and whether there is a bias.
struct Drawn<const N: usize> {
    options: ConvOptions<N>,
    transpose: ConvTransposeOptions<N>,
    inputs: Vec<Tensor>,
}

fn draw<const N: usize>(draw: &mut Draw<'_>, transposed: bool) -> Drawn<N> {
    let (groups, inputs, outputs) = (1 + draw.below(2), 1 + draw.below(2), 1 + draw.below(2));
    let stride: [usize; N] = std::array::from_fn(|_| 1 + draw.below(2));
    let kernel: [usize; N] = std::array::from_fn(|_| 1 + draw.below(if N > 2 { 2 } else { 3 }));
    let dilation: [usize; N] = std::array::from_fn(|_| 1 + draw.below(2));
    let padding: [usize; N] = std::array::from_fn(|i| draw.below(kernel[i]));
    let same = stride == [1; N] && draw.coin();
    let mut shape: Vec<usize> = if draw.coin() { vec![draw.size()] } else { vec![] };
    shape.push(groups * if transposed { outputs } else { inputs });
    for i in 0..N {
        let least = (kernel[i] - 1) * dilation[i] + 1;
        shape.push(least + if i + 1 == N { draw.full_size() } else { draw.below(2) });
    }
    let mut weight = vec![groups * outputs, inputs];
    weight.extend(kernel);
    let mut tensors = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&weight, Domain::Any)];
    if draw.coin() {
        tensors.push(draw.leaf(&[groups * if transposed { inputs } else { outputs }], Domain::Any));
    }
    let output_padding = std::array::from_fn(|i| draw.below(stride[i].max(dilation[i])));
    let transpose = ConvTransposeOptions { stride, padding, output_padding, groups, dilation };
    let padding = if same { Padding::Same } else { Padding::Zeros(padding) };
    Drawn { options: ConvOptions { stride, padding, dilation, groups }, transpose, inputs: tensors }
}

macro_rules! rows {
    ($($row:ident, $transpose_row:ident: $conv:ident $conv_with:ident $transpose:ident $transpose_with:ident;)*) => {$(
        pub(super) const $row: OpInfo = OpInfo::composed(
            stringify!($conv),
            concat!("torch.nn.functional.", stringify!($conv)),
            |source| {
                let drawn = draw(source, false);
                Sample::new(drawn.inputs, move |x| $conv_with(&x[0], &x[1], x.get(2), drawn.options))
            },
        );
        pub(super) const $transpose_row: OpInfo = OpInfo::composed(
            stringify!($transpose),
            concat!("torch.nn.functional.", stringify!($transpose)),
            |source| {
                let drawn = draw(source, true);
                Sample::new(drawn.inputs, move |x| $transpose_with(&x[0], &x[1], x.get(2), drawn.transpose))
            },
        );
    )*};
}
rows! {
    CONV1D, CONV_TRANSPOSE1D: conv1d conv1d_with conv_transpose1d conv_transpose1d_with;
    CONV2D, CONV_TRANSPOSE2D_BARE: conv2d conv2d_with conv_transpose2d conv_transpose2d_with;
    CONV3D, CONV_TRANSPOSE3D: conv3d conv3d_with conv_transpose3d conv_transpose3d_with;
}

pub(super) const CONV: OpInfo = OpInfo::op("Convolve", CONV2D.name, CONV2D.torch, CONV2D.sample).rejects(|| {
    let options = Conv2dOptions::default;
    vec![
        Reject::new(
            "conv2d: input shape [2, 4, 5, 5] does not fit weight [6, 3, 3, 3] with groups = 1; it has 4 channels and \
             must have 3",
            || {
                conv2d(&floats([2, 4, 5, 5]), &floats([6, 3, 3, 3]), None);
            },
        ),
        Reject::new("conv2d: weight shape [5, 2, 1, 1] does not fit groups = 2", move || {
            conv2d_with(
                &floats([2, 4, 5, 5]),
                &floats([5, 2, 1, 1]),
                None,
                Conv2dOptions { groups: 2, ..options() },
            );
        }),
        Reject::new("conv2d: a window of 7 (kernel [7, 7], dilation [1, 1]) is larger than the input of 5", || {
            conv2d(&floats([2, 4, 5, 5]), &floats([6, 4, 7, 7]), None);
        }),
        Reject::new("conv2d: the stride is [1, 0]; every number of it must be at least 1", move || {
            conv2d_with(
                &floats([4, 5, 5]),
                &floats([6, 4, 3, 3]),
                None,
                Conv2dOptions { stride: [1, 0], ..options() },
            );
        }),
        Reject::new("reach further than can be counted", move || {
            conv2d_with(
                &floats([4, 5, 5]),
                &floats([6, 4, 3, 3]),
                None,
                Conv2dOptions { padding: Padding::Zeros([1, usize::MAX]), ..options() },
            );
        }),
        Reject::new("conv2d: Padding::Same goes with stride 1 only, not with [2, 2]", move || {
            conv2d_with(
                &floats([4, 5, 5]),
                &floats([6, 4, 3, 3]),
                None,
                Conv2dOptions { stride: [2, 2], padding: Padding::Same, ..options() },
            );
        }),
        Reject::new("conv2d: bias shape [4] does not fit weight [6, 4, 3, 3]; it must be [6]", || {
            conv2d(&floats([4, 5, 5]), &floats([6, 4, 3, 3]), Some(&floats([4])));
        }),
        Reject::new("conv2d: the input has shape [3]; it must be [N, C, H, W] or [C, H, W]", || {
            conv2d(&integers(), &floats([6, 4, 3, 3]), None);
        }),
    ]
});

pub(super) const CONV_TRANSPOSE2D: OpInfo = CONV_TRANSPOSE2D_BARE.rejects(|| {
    vec![
        Reject::new(
            "conv_transpose2d: output_padding is [1, 1], stride [1, 1] and dilation [1, 1]; it must be smaller",
            || {
                conv_transpose2d_with(
                    &floats([2, 4, 4]),
                    &floats([2, 1, 3, 3]),
                    None,
                    ConvTransposeOptions { output_padding: [1, 1], ..Default::default() },
                );
            },
        ),
        Reject::new("conv_transpose2d: input shape [2, 1, 1] with kernel [3, 3], stride [1, 1], padding [3, 3]", || {
            conv_transpose2d_with(
                &floats([2, 1, 1]),
                &floats([2, 1, 3, 3]),
                None,
                ConvTransposeOptions { padding: [3, 3], ..Default::default() },
            );
        }),
    ]
});
