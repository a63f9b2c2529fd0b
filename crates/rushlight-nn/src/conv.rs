//! Convolutions as layers.

use crate::activation::ReLU;
use crate::module::{Module, Parameter, Path, downcast};
use crate::pool::MaxPool2d;
use crate::walk::{Field, Walk};
use crate::{fields, init};
use rushlight_array::{Array, DType, fail};
use rushlight_autograd::Tensor;
use rushlight_autograd::ops::{self, ConvOptions, ConvTransposeOptions, PadMode, Padding, PerAxis};

/// Weight and bias as PyTorch draws them: evenly from +-1/sqrt(fan_in), the weight first.
fn draw(shape: &[usize], outputs: usize, with_bias: bool) -> (Parameter, Option<Parameter>) {
    let weight = Parameter::new(Array::zeros(shape, DType::F32));
    init::kaiming_uniform_(&weight, 5f64.sqrt(), init::FanMode::FanIn, init::Nonlinearity::LeakyReLU);
    let bias = with_bias.then(|| {
        let bias = Parameter::new(Array::zeros(outputs, DType::F32));
        let fan_in: usize = shape[1..].iter().product();
        let bound = if fan_in > 0 { 1.0 / (fan_in as f64).sqrt() } else { 0.0 };
        init::uniform_(&bias, -bound, bound);
        bias
    });
    (weight, bias)
}

/// Python's text of a tuple: `(3, 3)`, `(3,)`.
pub(crate) fn tuple<T: ToString>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    match &texts[..] {
        [one] => format!("({one},)"),
        texts => format!("({})", texts.join(", ")),
    }
}

/// The channels of each group.
#[track_caller]
fn grouped(name: &str, in_channels: usize, out_channels: usize, groups: usize) -> [usize; 2] {
    if groups == 0 || !in_channels.is_multiple_of(groups) || !out_channels.is_multiple_of(groups) {
        fail!(
            "{name}: {in_channels} input and {out_channels} output channels cannot be cut into {groups} groups; both must be multiples"
        );
    }
    [in_channels / groups, out_channels / groups]
}

impl<const N: usize> Field for ConvOptions<N> {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl<const N: usize> Field for ConvTransposeOptions<N> {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl Field for PadMode {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

/// What stands between the brackets of any convolution.
struct Shown<'a, const N: usize> {
    channels: [usize; 2],
    kernel: &'a [usize],
    stride: [usize; N],
    padding: String,
    dilation: [usize; N],
    output_padding: [usize; N],
    groups: usize,
    bias: bool,
    mode: PadMode,
}

impl<const N: usize> Shown<'_, N> {
    fn text(self) -> String {
        let mut text = format!(
            "{}, {}, kernel_size={}, stride={}",
            self.channels[0],
            self.channels[1],
            tuple(self.kernel),
            tuple(&self.stride)
        );
        if !self.padding.is_empty() {
            text += &format!(", padding={}", self.padding);
        }
        if self.dilation != [1; N] {
            text += &format!(", dilation={}", tuple(&self.dilation));
        }
        if self.output_padding != [0; N] {
            text += &format!(", output_padding={}", tuple(&self.output_padding));
        }
        if self.groups != 1 {
            text += &format!(", groups={}", self.groups);
        }
        if !self.bias {
            text += ", bias=False";
        }
        let mode = match self.mode {
            PadMode::Constant => return text,
            PadMode::Reflect => "reflect",
            PadMode::Replicate => "replicate",
            PadMode::Circular => "circular",
        };
        text + &format!(", padding_mode={mode}")
    }
}

/// The borders that a padding mode fills, from the last axis to the first, as `pad` takes them.
fn borders<const N: usize>(options: &ConvOptions<N>, kernel: &[usize]) -> Vec<isize> {
    let side = |axis: usize| match options.padding {
        Padding::Zeros(sizes) => [sizes[axis]; 2],
        Padding::Valid => [0; 2],
        Padding::Same => {
            let total = options.dilation[axis] * (kernel[axis] - 1);
            [total / 2, total - total / 2]
        }
    };
    (0..N).rev().flat_map(side).map(|size| size as isize).collect()
}

macro_rules! convolutions {
    ($($n:literal: $Conv:ident $Transpose:ident $conv:ident $transpose:ident, $form:literal $(, fused $relu:ident, $example:literal)?;)*) => {$(
        #[doc = concat!("A convolution layer: [`", stringify!($conv), "`](crate::functional::", stringify!($conv), ") with a weight and a bias.")]
        ///
        #[doc = concat!("Shape: `(N, in_channels, ", $form, ")` or without `N` -> `(N, out_channels, ", $form, ")` with")]
        /// `(size + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1` places along each axis; weight
        /// `(out_channels, in_channels / groups, kernel_size)`, bias `(out_channels)`.
        ///
        /// Weight and bias start evenly drawn from +-1/sqrt(fan_in), as in PyTorch.
        $(#[doc = $example])?
        #[derive(Debug)]
        pub struct $Conv {
            /// `(out_channels, in_channels / groups, kernel_size)`.
            pub weight: Parameter,
            /// `(out_channels)`.
            pub bias: Option<Parameter>,
            options: ConvOptions<$n>,
            mode: PadMode,
            path: Path,
        }
        fields!($Conv { path, weight, bias, options, mode });

        impl $Conv {
            /// A layer with a bias and PyTorch's defaults: stride 1, no padding.
            pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<PerAxis<$n>>) -> Self {
                $Conv::with(in_channels, out_channels, kernel_size, ConvOptions::default())
            }

            /// A layer with a bias.
            ///
            /// # Panics
            /// If the channels cannot be cut into the groups.
            #[track_caller]
            pub fn with(
                in_channels: usize,
                out_channels: usize,
                kernel_size: impl Into<PerAxis<$n>>,
                options: ConvOptions<$n>,
            ) -> Self {
                $Conv::build(in_channels, out_channels, kernel_size.into(), options, true)
            }

            /// A layer without a bias.
            ///
            /// # Panics
            /// If the channels cannot be cut into the groups.
            #[track_caller]
            pub fn without_bias(
                in_channels: usize,
                out_channels: usize,
                kernel_size: impl Into<PerAxis<$n>>,
                options: ConvOptions<$n>,
            ) -> Self {
                $Conv::build(in_channels, out_channels, kernel_size.into(), options, false)
            }

            #[track_caller]
            fn build(inputs: usize, outputs: usize, kernel: PerAxis<$n>, options: ConvOptions<$n>, bias: bool) -> Self {
                let [inputs, _] = grouped(stringify!($Conv), inputs, outputs, options.groups);
                let mut shape = vec![outputs, inputs];
                shape.extend(kernel.0);
                let (weight, bias) = draw(&shape, outputs, bias);
                $Conv { weight, bias, options, mode: PadMode::Constant, path: Path::default() }
            }

            /// Pads with something other than zeros.
            pub fn padding_mode(mut self, mode: PadMode) -> Self {
                self.mode = mode;
                self
            }
        }

        impl Module for $Conv {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Conv));
                let (weight, bias) = (&self.weight, self.bias.as_deref());
                let y = if self.mode == PadMode::Constant {
                    ops::$conv(x, weight, bias, self.options)
                } else {
                    let padded = ops::pad_with(x, borders(&self.options, &weight.shape()[2..]), self.mode, 0.0);
                    ops::$conv(&padded, weight, bias, ConvOptions { padding: Padding::Valid, ..self.options })
                };
                self.path.finish(self, x, y)
            }

            $(#[track_caller]
            fn fused(&self, x: &Tensor, behind: &[Box<dyn Module>]) -> Option<(Tensor, usize)> {
                self.$relu(x, behind)
            })?

            fn multiply_adds(&self, _: &Tensor, y: &Tensor) -> usize {
                y.numel() * self.weight.shape()[1..].iter().product::<usize>()
            }

            fn extra_repr(&self) -> String {
                let (shape, options) = (self.weight.shape(), &self.options);
                let padding = match options.padding {
                    Padding::Same => "same".to_owned(),
                    Padding::Zeros(sizes) if sizes != [0; $n] => tuple(&sizes),
                    _ => String::new(),
                };
                Shown::<$n> {
                    channels: [shape[1] * options.groups, shape[0]],
                    kernel: &shape[2..],
                    stride: options.stride,
                    padding,
                    dilation: options.dilation,
                    output_padding: [0; $n],
                    groups: options.groups,
                    bias: self.bias.is_some(),
                    mode: self.mode,
                }
                .text()
            }
        }

        #[doc = concat!("A transposed convolution layer: [`", stringify!($transpose), "`](crate::functional::", stringify!($transpose), ") with a weight and a bias.")]
        ///
        #[doc = concat!("Shape: `(N, in_channels, ", $form, ")` or without `N` -> `(N, out_channels, ", $form, ")` with")]
        /// `(size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1` places along each axis; weight
        /// `(in_channels, out_channels / groups, kernel_size)`, bias `(out_channels)`.
        ///
        /// Weight and bias start evenly drawn from +-1/sqrt(fan_in), where PyTorch takes the second size of the weight for
        /// the inputs.
        #[derive(Debug)]
        pub struct $Transpose {
            /// `(in_channels, out_channels / groups, kernel_size)`.
            pub weight: Parameter,
            /// `(out_channels)`.
            pub bias: Option<Parameter>,
            options: ConvTransposeOptions<$n>,
            path: Path,
        }
        fields!($Transpose { path, weight, bias, options });

        impl $Transpose {
            /// A layer with a bias and PyTorch's defaults: stride 1, no padding.
            pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<PerAxis<$n>>) -> Self {
                $Transpose::with(in_channels, out_channels, kernel_size, ConvTransposeOptions::default())
            }

            /// A layer with a bias.
            ///
            /// # Panics
            /// If the channels cannot be cut into the groups.
            #[track_caller]
            pub fn with(
                in_channels: usize,
                out_channels: usize,
                kernel_size: impl Into<PerAxis<$n>>,
                options: ConvTransposeOptions<$n>,
            ) -> Self {
                $Transpose::build(in_channels, out_channels, kernel_size.into(), options, true)
            }

            /// A layer without a bias.
            ///
            /// # Panics
            /// If the channels cannot be cut into the groups.
            #[track_caller]
            pub fn without_bias(
                in_channels: usize,
                out_channels: usize,
                kernel_size: impl Into<PerAxis<$n>>,
                options: ConvTransposeOptions<$n>,
            ) -> Self {
                $Transpose::build(in_channels, out_channels, kernel_size.into(), options, false)
            }

            #[track_caller]
            fn build(
                inputs: usize,
                outputs: usize,
                kernel: PerAxis<$n>,
                options: ConvTransposeOptions<$n>,
                bias: bool,
            ) -> Self {
                let [_, of_group] = grouped(stringify!($Transpose), inputs, outputs, options.groups);
                let mut shape = vec![inputs, of_group];
                shape.extend(kernel.0);
                let (weight, bias) = draw(&shape, outputs, bias);
                $Transpose { weight, bias, options, path: Path::default() }
            }
        }

        impl Module for $Transpose {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Transpose));
                let y = ops::$transpose(x, &self.weight, self.bias.as_deref(), self.options);
                self.path.finish(self, x, y)
            }

            fn multiply_adds(&self, x: &Tensor, _: &Tensor) -> usize {
                x.numel() * self.weight.shape()[1..].iter().product::<usize>()
            }

            fn extra_repr(&self) -> String {
                let (shape, options) = (self.weight.shape(), &self.options);
                let padding = if options.padding == [0; $n] { String::new() } else { tuple(&options.padding) };
                Shown::<$n> {
                    channels: [shape[0], shape[1] * options.groups],
                    kernel: &shape[2..],
                    stride: options.stride,
                    padding,
                    dilation: options.dilation,
                    output_padding: options.output_padding,
                    groups: options.groups,
                    bias: self.bias.is_some(),
                    mode: PadMode::Constant,
                }
                .text()
            }
        }
    )*};
}
convolutions! {
    1: Conv1d ConvTranspose1d conv1d_with conv_transpose1d_with, "L";
    2: Conv2d ConvTranspose2d conv2d_with conv_transpose2d_with, "H, W", fused forward_relu, "
```
use rushlight_autograd::randn;
use rushlight_nn::functional::Conv2dOptions;
use rushlight_nn::{Conv2d, Module};
let conv = Conv2d::with(1, 8, 3, Conv2dOptions { padding: 1.into(), ..Default::default() });
assert_eq!(conv.forward(&randn([2, 1, 28, 28])).shape(), [2, 8, 28, 28]);
assert_eq!(conv.to_string(), \"Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))\");
```
";
    3: Conv3d ConvTranspose3d conv3d_with conv_transpose3d_with, "D, H, W";
}

impl Conv2d {
    /// The result with a relu and perhaps a pool behind it, in one pass; nothing if somebody wants to see what lies
    /// between, or the padding is not of zeros.
    #[track_caller]
    fn forward_relu(&self, x: &Tensor, behind: &[Box<dyn Module>]) -> Option<(Tensor, usize)> {
        downcast::<ReLU>(behind, 0)?;
        if self.path.is_watched() || self.mode != PadMode::Constant {
            return None;
        }
        let pool = downcast::<MaxPool2d>(behind, 1).and_then(MaxPool2d::unwatched);
        let count = if pool.is_some() { 3 } else { 2 };
        let _place = self.path.enter(None, "Conv2d");
        Some((ops::conv2d_relu(x, &self.weight, self.bias.as_deref(), self.options, pool), count))
    }
}
