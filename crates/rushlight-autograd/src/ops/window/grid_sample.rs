//! Reading images at places between their pixels, and the grids of places that affine maps make (Jaderberg et al.,
//! "Spatial transformer networks", 2015).

use crate::autocast::Choice;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

/// How [`grid_sample_with`] reads between pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GridSampleMode {
    /// The mean of the four pixels around, weighted by how near they are: `"bilinear"`.
    #[default]
    Bilinear,
    /// The nearest pixel, the even one of two: `"nearest"`. The grid's gradient is 0.
    Nearest,
}

/// What [`grid_sample_with`] reads outside of the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GridPadding {
    /// Zeros.
    #[default]
    Zeros,
    /// The pixel at the border.
    Border,
    /// The image mirrored at its border, as often as it takes.
    Reflection,
}

/// Options of [`grid_sample_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GridSampleOptions {
    /// How to read between pixels.
    pub mode: GridSampleMode,
    /// What lies outside.
    pub padding_mode: GridPadding,
    /// Whether -1 and 1 are the centres of the outermost pixels; else they are the image's edges.
    pub align_corners: bool,
}

/// Images read at the places of a grid, between their pixels: PyTorch's `functional.grid_sample` with its defaults.
///
/// A place is a pair `x, y` from -1 to 1, from the left to the right edge and from the upper to the lower one; outside
/// of the image are zeros.
///
/// Shape: `(N, C, H, W)` and a grid `(N, H', W', 2)` -> `(N, C, H', W')`.
///
/// ```
/// use rushlight_autograd::{ops::grid_sample, tensor};
/// let image = tensor([[[[1.0, 2.0], [3.0, 4.0]]]]);
/// let grid = tensor([[[[0.0, 0.0], [-0.5, 0.5]]]]); // the middle, and the centre of the lower left pixel
/// assert_eq!(grid_sample(&image, &grid).to_vec::<f32>(), [2.5, 3.0]);
/// ```
///
/// # Panics
/// If the shapes do not fit, the image has no pixel, or the dtypes are not one and the same float.
#[track_caller]
pub fn grid_sample(input: &Tensor, grid: &Tensor) -> Tensor {
    grid_sample_with(input, grid, GridSampleOptions::default())
}

/// As [`grid_sample`], with options.
///
/// # Panics
/// As [`grid_sample`].
#[track_caller]
pub fn grid_sample_with(input: &Tensor, grid: &Tensor, options: GridSampleOptions) -> Tensor {
    let (shape, places) = (input.shape(), grid.shape());
    let &[n, c, height, width] = &shape[..] else { refuse(&shape, &places) };
    let &[grids, rows, columns, 2] = &places[..] else { refuse(&shape, &places) };
    if grids != n || height == 0 || width == 0 {
        refuse(&shape, &places);
    }
    let choice = Choice::of("grid_sample", &[input, grid]);
    let (input, grid) = (&choice.cast(input), &choice.cast(grid));
    if input.dtype() != grid.dtype() || !input.dtype().is_float() {
        fail!(
            "grid_sample: the dtypes are {} and {} of the grid; both must be the same float",
            input.dtype().name(),
            grid.dtype().name()
        );
    }
    let flat = [n, 1, rows * columns];
    let x = pixel(&grid.select(3, 0), width, options).reshape(flat);
    let y = pixel(&grid.select(3, 1), height, options).reshape(flat);
    let image = input.reshape([n, c, height * width]);
    let read = |x: &Tensor, y: &Tensor| {
        let inside = |at: &Tensor, size: usize| at.ge(0).logical_and(&at.lt(size));
        let outside = inside(x, width).logical_and(&inside(y, height)).logical_not();
        let whole = |at: &Tensor| at.masked_fill(&outside, 0.0).to(DType::I64);
        let place = whole(y) * width as i64 + whole(x);
        let pixels = image.gather(2, &place.expand([n, c, rows * columns].as_slice()));
        pixels.masked_fill(&outside, 0.0)
    };
    let values = match options.mode {
        GridSampleMode::Nearest => {
            let [column, row] = [&x, &y].map(|at| at.detach().round());
            // The grid has a part in the graph, and a gradient of zeros.
            let all = Tensor::constant(Array::full((), true, DType::Bool, &x.device()));
            read(&column, &row) + x.masked_fill(&all, 0.0)
        }
        GridSampleMode::Bilinear => {
            let [left, upper] = [&x, &y].map(|at| at.detach().floor());
            let (right, lower) = (&left + 1.0, &upper + 1.0);
            let (from_left, from_upper) = (&x - &left, &y - &upper);
            let (to_right, to_lower) = (&right - &x, &lower - &y);
            read(&left, &upper) * (&to_right * &to_lower)
                + read(&right, &upper) * (&from_left * &to_lower)
                + read(&left, &lower) * (&to_right * &from_upper)
                + read(&right, &lower) * (&from_left * &from_upper)
        }
    };
    values.reshape([n, c, rows, columns])
}

#[track_caller]
fn refuse(input: &[usize], grid: &[usize]) -> ! {
    fail!(
        "grid_sample: the input has shape {input:?} and the grid {grid:?}; they must be [N, C, H, W] with pixels and \
         [N, H', W', 2]"
    )
}

/// Places from -1 to 1 as places along an axis of pixels, counted from the first one's centre.
fn pixel(place: &Tensor, size: usize, options: GridSampleOptions) -> Tensor {
    let (most, size) = (size as f64 - 1.0, size as f64);
    let (low, span) = if options.align_corners { (0.0, most) } else { (-0.5, size) };
    let x = (place + 1.0) * (span / 2.0) + low;
    // NaN counts as the first pixel, and has no gradient.
    let bounded = |x: &Tensor| x.masked_fill(&x.ne(x), 0.0).clamp(0.0, most);
    match options.padding_mode {
        GridPadding::Zeros => x,
        GridPadding::Border => bounded(&x),
        GridPadding::Reflection => {
            // Of one pixel with aligned corners there is no room to reflect in.
            let span = if span == 0.0 { 1.0 } else { span };
            let way = x - low;
            let way = where_(&way.lt(0.0), &-&way, &way);
            let turns = (way.detach() / span).floor();
            let rest = &way - &turns * span;
            let odd = (&turns - (&turns * 0.5).floor() * 2.0).gt(0.0);
            bounded(&(where_(&odd, &(span - &rest), &rest) + low))
        }
    }
}

/// The grid of places for [`grid_sample`] that an affine map makes of the pixels of an image: PyTorch's
/// `functional.affine_grid` with its default.
///
/// Shape: maps `(N, 2, 3)` and the size `[N, C, H, W]` of the result of [`grid_sample`] -> `(N, H, W, 2)`.
///
/// ```
/// use rushlight_autograd::{ops::affine_grid, tensor};
/// let same = tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
/// assert_eq!(affine_grid(&same, [1, 1, 1, 2]).to_vec::<f32>(), [-0.5, 0.0, 0.5, 0.0]);
/// ```
///
/// # Panics
/// If the shapes do not fit, a size is 0, or the dtype is not a float.
#[track_caller]
pub fn affine_grid(theta: &Tensor, size: [usize; 4]) -> Tensor {
    affine_grid_with(theta, size, false)
}

/// As [`affine_grid`]; `align_corners` as in [`GridSampleOptions`].
///
/// # Panics
/// As [`affine_grid`].
#[track_caller]
pub fn affine_grid_with(theta: &Tensor, size: [usize; 4], align_corners: bool) -> Tensor {
    let [n, _, height, width] = size;
    if *theta.shape() != [n, 2, 3] || size.contains(&0) {
        fail!(
            "affine_grid: theta has shape {:?} for the size {size:?}; it must be [{n}, 2, 3], and no size 0",
            theta.shape()
        );
    }
    if !theta.dtype().is_float() {
        fail!(
            "affine_grid: the dtype is {}, not a float; cast with .to(DType::F32) first",
            theta.dtype().name()
        );
    }
    let axis = |count: usize| {
        let end = if align_corners { 1.0 } else { (count as f64 - 1.0) / count as f64 };
        let places = match count {
            1 => Array::full([1], 0.0, DType::F64, &theta.device()),
            count => Array::linspace(-end, end, count, DType::F64).to_device(&theta.device()),
        };
        Tensor::constant(places.cast(theta.dtype()))
    };
    let (x, y) = (axis(width).reshape([1, width]), axis(height).reshape([height, 1]));
    let all = [height as isize, width as isize];
    let one = x.ones_like();
    let base = Tensor::stack(&[&x.expand(all), &y.expand(all), &one.expand(all)], 2);
    let places = base.reshape([1, height * width, 3]).matmul(&theta.transpose(1, 2));
    places.reshape([n, height, width, 2])
}

pub(super) const GRID_SAMPLE: OpInfo = OpInfo::composed(
    "grid_sample",
    "torch.nn.functional.grid_sample",
    |draw| {
        let sizes: [usize; 6] = std::array::from_fn(|_| draw.full_size());
        let [n, c, h, w, rows, columns] = sizes;
        let options = GridSampleOptions {
            mode: [GridSampleMode::Bilinear, GridSampleMode::Nearest][draw.below(2)],
            padding_mode: [GridPadding::Zeros, GridPadding::Border, GridPadding::Reflection][draw.below(3)],
            align_corners: draw.coin(),
        };
        let inputs =
            vec![draw.leaf(&[n, c, h, w], Domain::Any), draw.leaf(&[n, rows, columns, 2], Domain::Distinct)];
        // Not half way between pixels, nor on one.
        Sample::new(inputs, move |x| grid_sample_with(&x[0], &(&x[1] * 0.8137 + 0.0123), options))
    },
)
.differs(
    "images in two dims, read bilinearly or at the nearest pixel; volumes and bicubic reading are missing",
)
.rejects(|| {
    vec![
        Reject::new(
            "grid_sample: the input has shape [1, 1, 2, 2] and the grid [1, 4, 2]; they must",
            || {
                grid_sample(&floats([1, 1, 2, 2]), &floats([1, 4, 2]));
            },
        ),
        Reject::new("grid_sample: the dtypes are float32 and float64 of the grid", || {
            grid_sample(&floats([1, 1, 2, 2]), &floats([1, 1, 1, 2]).to(DType::F64));
        }),
    ]
});

pub(super) const AFFINE_GRID: OpInfo =
    OpInfo::composed("affine_grid", "torch.nn.functional.affine_grid", |draw| {
        let [n, h, w] = [draw.full_size(), draw.full_size(), draw.full_size()];
        let align = draw.coin();
        Sample::new(vec![draw.leaf(&[n, 2, 3], Domain::Any)], move |x| {
            affine_grid_with(&x[0], [n, 1, h, w], align)
        })
    })
    .differs("grids in two dims alone")
    .rejects(|| {
        vec![Reject::new("affine_grid: theta has shape [2, 3] for the size [1, 1, 2, 2]", || {
            affine_grid(&floats([2, 3]), [1, 1, 2, 2]);
        })]
    });
