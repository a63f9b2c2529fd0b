//! Windows as columns, and back: PyTorch's `unfold` and `fold`.

use super::{PerAxis, Slide, spatial};
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::window::Window;
use rushlight_array::{Array, Shape, fail};

/// How the windows of [`unfold_with`] and [`fold_with`] lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnfoldOptions {
    /// From place to place inside of a window.
    pub dilation: [usize; 2],
    /// Zeros before and behind each axis.
    pub padding: [usize; 2],
    /// From window to window.
    pub stride: [usize; 2],
}

impl Default for UnfoldOptions {
    fn default() -> Self {
        UnfoldOptions { dilation: [1; 2], padding: [0; 2], stride: [1; 2] }
    }
}

impl UnfoldOptions {
    fn slide(&self, kernel: PerAxis<2>) -> Slide<2> {
        Slide {
            kernel: kernel.0,
            stride: self.stride,
            padding: self.padding.map(|size| [size; 2]),
            dilation: self.dilation,
        }
    }
}

/// Images as columns, or the transpose of that as a linear map.
#[derive(Clone, Debug)]
struct Im2Col {
    window: Window,
    /// `[N, C, H, W]` of the images.
    images: [usize; 4],
    folds: bool,
    /// The shape of the result.
    shape: Shape,
}

impl Op for Im2Col {
    fn name(&self) -> &'static str {
        if self.folds { "col2im" } else { "im2col" }
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [n, c, h, w] = self.images;
        let y = match self.folds {
            false => inputs[0].reshape([n, c, 1, h, w]).unfold_windows(&self.window),
            true => {
                let columns = [n, c * self.window.kernel_len(), self.window.output_len()];
                inputs[0].reshape(columns).fold_windows(&self.window)
            }
        };
        y.reshape(&self.shape)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let op = Im2Col { folds: !self.folds, shape: saved.shape(0).clone(), ..self.clone() };
            Tensor::apply(op, &[grad])
        });
    }
    fn grad_fn(&self) -> String {
        if self.folds { "Col2ImBackward0" } else { "Im2ColBackward0" }.to_string()
    }
}

/// The windows of images as columns, with windows at every place: PyTorch's `functional.unfold` (im2col).
///
/// Shape: `(N, C, H, W)` or `(C, H, W)` -> `(N, C * kernel, windows)` or `(C * kernel, windows)`. Any dtype.
///
/// ```
/// use rushlight_autograd::{ops::unfold, tensor};
/// let x = tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]);
/// assert_eq!(unfold(&x, 2).to_vec::<f32>(), [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]);
/// ```
///
/// # Panics
/// If the shape does not fit or a window is larger than the input.
#[track_caller]
pub fn unfold(x: &Tensor, kernel_size: impl Into<PerAxis<2>>) -> Tensor {
    unfold_with(x, kernel_size, UnfoldOptions::default())
}

/// As [`unfold`], with options.
///
/// # Panics
/// As [`unfold`]; if kernel, stride or dilation is 0.
#[track_caller]
pub fn unfold_with(x: &Tensor, kernel_size: impl Into<PerAxis<2>>, options: UnfoldOptions) -> Tensor {
    let shape = x.shape();
    if !matches!(shape.len(), 3 | 4) || shape[shape.len() - 3..].contains(&0) {
        fail!(
            "unfold: the input has shape {shape:?}; it must be [N, C, H, W] or [C, H, W], and only N may be 0"
        );
    }
    let window = options.slide(kernel_size.into()).over("unfold", spatial(&shape));
    let [c, h, w] = spatial(&shape);
    let n = if shape.len() == 4 { shape[0] } else { 1 };
    let Some(rows) = c.checked_mul(window.kernel_len()) else {
        fail!("unfold: {c} channels with kernel {:?} are more rows than can be counted", window.kernel)
    };
    let columns = [n, rows, window.output_len()];
    let shape = Shape::from(columns[4 - shape.len()..].to_vec());
    Tensor::apply(Im2Col { window, images: [n, c, h, w], folds: false, shape }, &[x])
}

/// The sums of columns in the places of images that [`unfold`] takes them from: PyTorch's `functional.fold` (col2im).
///
/// Shape: `(N, C * kernel, windows)` or `(C * kernel, windows)` -> `(N, C, H, W)` or `(C, H, W)`, with `H, W` as wanted.
///
/// ```
/// use rushlight_autograd::{ops::fold, tensor};
/// let columns = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(fold(&columns, [1, 3], [1, 2]).to_vec::<f32>(), [1.0, 5.0, 4.0]);
/// ```
///
/// # Panics
/// If the shape does not go with the windows.
#[track_caller]
pub fn fold(x: &Tensor, output_size: impl Into<PerAxis<2>>, kernel_size: impl Into<PerAxis<2>>) -> Tensor {
    fold_with(x, output_size, kernel_size, UnfoldOptions::default())
}

/// As [`fold`], with options.
///
/// # Panics
/// As [`fold`]; if kernel, stride or dilation is 0.
#[track_caller]
pub fn fold_with(
    x: &Tensor,
    output_size: impl Into<PerAxis<2>>,
    kernel_size: impl Into<PerAxis<2>>,
    options: UnfoldOptions,
) -> Tensor {
    let (shape, PerAxis([h, w])) = (x.shape(), output_size.into());
    if !matches!(shape.len(), 2 | 3) || shape[shape.len() - 2..].contains(&0) {
        fail!(
            "fold: the input has shape {shape:?}; it must be [N, C * kernel, windows] or without N, and only N may be 0"
        );
    }
    let window = options.slide(kernel_size.into()).over("fold", [h, w]);
    let [rows, count] = spatial(&shape);
    let kernel = &window.kernel[1..];
    if kernel[0].checked_mul(kernel[1]).is_none_or(|kernel| !rows.is_multiple_of(kernel)) {
        fail!(
            "fold: input shape {shape:?} has {rows} rows; they must be a multiple of the kernel {kernel:?}"
        );
    }
    let wanted = &window.output[1..];
    if wanted[0].checked_mul(wanted[1]) != Some(count) {
        fail!(
            "fold: input shape {shape:?} has {count} columns; output size {:?} has {wanted:?} windows",
            [h, w]
        );
    }
    let n = if shape.len() == 3 { shape[0] } else { 1 };
    let images = [n, rows / window.kernel_len(), h, w];
    let shape = Shape::from(images[3 - shape.len()..].to_vec());
    Tensor::apply(Im2Col { window, images, folds: true, shape }, &[x])
}

/// `[N, C, H, W]`, kernel and options of a sample.
fn draw(draw: &mut Draw<'_>) -> (Vec<usize>, [usize; 2], UnfoldOptions) {
    let kernel: [usize; 2] = std::array::from_fn(|_| 1 + draw.below(2));
    let mut pair = |n: usize| [draw.below(n), draw.below(n)];
    let (padding, [d0, d1], [s0, s1]) = (pair(2), pair(2), pair(2));
    let options = UnfoldOptions { dilation: [1 + d0, 1 + d1], padding, stride: [1 + s0, 1 + s1] };
    let shape = vec![draw.size(), 1 + draw.below(2), 3 + draw.below(2), 2 + draw.full_size()];
    (shape, kernel, options)
}

pub(super) const UNFOLD: OpInfo = OpInfo::op("Im2Col", "unfold", "torch.nn.functional.unfold", |source| {
    let (shape, kernel, options) = draw(source);
    let shape = &shape[source.below(2)..];
    Sample::new(vec![source.leaf(shape, Domain::Any)], move |x| unfold_with(&x[0], kernel, options))
})
.rejects(|| {
    vec![
        Reject::new("unfold: the input has shape [2, 0, 5, 5]", || {
            unfold(&floats([2, 0, 5, 5]), 2);
        }),
        Reject::new("unfold: a window of 6", || {
            unfold(&floats([2, 5, 5]), 6);
        }),
    ]
});

pub(super) const FOLD: OpInfo = OpInfo::composed("fold", "torch.nn.functional.fold", |source| {
    let (shape, kernel, options) = draw(source);
    let size = [shape[2], shape[3]];
    let window = options.slide(kernel.into()).over("fold", size);
    let columns = [shape[0], shape[1] * window.kernel_len(), window.output_len()];
    let columns = &columns[source.below(2)..];
    Sample::new(vec![source.leaf(columns, Domain::Any)], move |x| fold_with(&x[0], size, kernel, options))
})
.rejects(|| {
    vec![
        Reject::new(
            "fold: input shape [3, 16] has 3 rows; they must be a multiple of the kernel [2, 2]",
            || {
                fold(&floats([3, 16]), 5, 2);
            },
        ),
        Reject::new(
            "fold: input shape [4, 15] has 15 columns; output size [5, 5] has [4, 4] windows",
            || {
                fold(&floats([4, 15]), 5, 2);
            },
        ),
    ]
});
