use crate::table::{Domain, OpInfo, Reject, Sample};
use crate::tensor::Tensor;
use rushlight_array::random::default_generator;
use rushlight_array::{Array, DType, Device, Literal, Scalar, Shape, fail};

/// A tensor from a number or nested arrays of numbers, as `torch.tensor`: integers become `i64`, floats
/// `f32`, bools `bool`.
///
/// ```
/// use rushlight_autograd::tensor;
/// assert_eq!(tensor(1).to_string(), "tensor(1)");
/// assert_eq!(tensor([1.0, 2.5]).to_string(), "tensor([1.0000, 2.5000])");
/// ```
///
/// # Panics
/// If rows have different lengths.
#[track_caller]
pub fn tensor(literal: impl Literal) -> Tensor {
    Array::new(literal).into()
}

/// As [`tensor`], in a dtype of your choice: `torch.tensor(..., dtype=...)`.
///
/// # Panics
/// If rows have different lengths.
#[track_caller]
pub fn tensor_as(literal: impl Literal, dtype: DType) -> Tensor {
    Array::new_as(literal, dtype).into()
}

/// The dtype and the device of a new tensor: what PyTorch's `dtype=` and `device=` say. What is not given is the default
/// of the function.
///
/// Nobody writes it out: a dtype, a device, or a pair of both turn into it by themselves.
///
/// ```
/// use rushlight_autograd::array::{DType, Device};
/// use rushlight_autograd::zeros_with;
/// assert_eq!(zeros_with([2], DType::I64).dtype(), DType::I64);
/// assert_eq!(zeros_with([2], (DType::F64, &Device::cpu())).dtype(), DType::F64);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TensorOptions {
    /// The type of the elements.
    pub dtype: Option<DType>,
    /// Where they are; else on the CPU, or where the tensor is that the new one is like.
    pub device: Option<Device>,
}

impl TensorOptions {
    /// What is not given is that of another tensor.
    fn like(self, other: &Tensor) -> (DType, Device) {
        (self.dtype.unwrap_or_else(|| other.dtype()), self.device.unwrap_or_else(|| other.device()))
    }

    /// What is not given is this dtype, and the CPU.
    fn or(self, dtype: DType) -> (DType, Device) {
        (self.dtype.unwrap_or(dtype), self.device.unwrap_or_else(Device::cpu))
    }
}

impl From<DType> for TensorOptions {
    fn from(dtype: DType) -> Self {
        TensorOptions { dtype: Some(dtype), device: None }
    }
}

impl From<&Device> for TensorOptions {
    fn from(device: &Device) -> Self {
        TensorOptions { dtype: None, device: Some(device.clone()) }
    }
}

impl From<(DType, &Device)> for TensorOptions {
    fn from((dtype, device): (DType, &Device)) -> Self {
        TensorOptions { dtype: Some(dtype), device: Some(device.clone()) }
    }
}

/// Whether a number beyond the range of a half type becomes infinite there, or is refused: PyTorch does the one where
/// whole tensors are filled and the other where some of their elements are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halves {
    Overflow,
    Bounded,
}

/// Refuses a number that a dtype has no place for. A negative integer wraps in `u8`, as in PyTorch.
#[track_caller]
pub(crate) fn check_fits(name: &str, value: Scalar, dtype: DType, halves: Halves) {
    let fits = match (dtype.int_range(), value) {
        // A fraction is cut at the upper end, but is too much at the lower one. The upper end of i64 is no f64.
        (Some((least, most)), Scalar::Float(value)) => value >= least as f64 && value < most as f64 + 1.0,
        (Some((least, most)), value) => {
            let least = if least == 0 { -most } else { least };
            (least..=most).contains(&value.to_i64())
        }
        (None, value) => {
            let most = match (dtype, halves) {
                (DType::F16 | DType::BF16, Halves::Overflow) => f64::INFINITY,
                _ => greatest(dtype),
            };
            !value.to_f64().is_finite() || value.to_f64().abs() <= most
        }
    };
    if !fits {
        let value = match value {
            Scalar::Float(value) => value.to_string(),
            value => value.to_i64().to_string(),
        };
        fail!("{name}: {value} has no place in {}; use a wider dtype", dtype.name());
    }
}

/// Refuses a range of integers that a dtype has no place for.
#[track_caller]
pub(crate) fn check_draws(name: &str, low: i64, high: i64, dtype: DType) {
    let (least, most) = match dtype {
        DType::Bool => (0, 1),
        DType::F16 => (-65_504, 65_504),
        _ => dtype.int_range().unwrap_or((i64::MIN, i64::MAX)),
    };
    if low < least || high.saturating_sub(1) > most {
        fail!("{name}: {low}..{high} is not within {least}..={most}, the range of {}", dtype.name());
    }
}

/// The greatest finite value of a float type.
fn greatest(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 65_504.0,
        DType::BF16 => f64::from_bits(0x47ef_e000_0000_0000),
        DType::F32 => f64::from(f32::MAX),
        _ => f64::MAX,
    }
}

/// The row of a function that makes a tensor and has no gradient.
macro_rules! made {
    ($name:ident, $module:literal, |$x:ident, $device:ident| $call:expr) => {
        OpInfo::composed(stringify!($name), concat!($module, stringify!($name)), |draw| {
            let shape = draw.shape(0, 2);
            Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
                let $x = &x[0];
                let $device = &$x.device();
                $call
            })
        })
        .never()
    };
}

/// Tensors of one value: the function, its twin with options, the forms like another tensor.
macro_rules! of_one_value {
    ($($what:literal $value:literal $plain:ident $with:ident $like:ident $like_with:ident $new:ident $new_with:ident;)*) => {
        $(
            #[doc = concat!("A tensor of ", $what, ", `f32`.")]
            ///
            /// # Panics
            /// If the shape needs more than `isize::MAX` bytes.
            #[track_caller]
            pub fn $plain(shape: impl Into<Shape>) -> Tensor {
                $with(shape, DType::F32)
            }

            #[doc = concat!("A tensor of ", $what, " of a dtype or on a device of your choice.")]
            ///
            /// # Panics
            /// If the shape needs more than `isize::MAX` bytes.
            #[track_caller]
            pub fn $with(shape: impl Into<Shape>, options: impl Into<TensorOptions>) -> Tensor {
                let (dtype, device) = options.into().or(DType::F32);
                Array::full(shape, $value, dtype, &device).into()
            }

            impl Tensor {
                #[doc = concat!("A tensor of ", $what, " of this tensor's shape, dtype and device.")]
                #[track_caller]
                pub fn $like(&self) -> Tensor {
                    self.$new(self.shape())
                }

                #[doc = concat!("A tensor of ", $what, " of this tensor's shape; dtype and device are its own, if not given.")]
                #[track_caller]
                pub fn $like_with(&self, options: impl Into<TensorOptions>) -> Tensor {
                    self.$new_with(self.shape(), options)
                }

                #[doc = concat!("A tensor of ", $what, " of this tensor's dtype and device.")]
                ///
                /// # Panics
                /// If the shape needs more than `isize::MAX` bytes.
                #[track_caller]
                pub fn $new(&self, shape: impl Into<Shape>) -> Tensor {
                    self.$new_with(shape, TensorOptions::default())
                }

                #[doc = concat!("A tensor of ", $what, " of this tensor's dtype and device, if not given.")]
                ///
                /// # Panics
                /// If the shape needs more than `isize::MAX` bytes.
                #[track_caller]
                pub fn $new_with(&self, shape: impl Into<Shape>, options: impl Into<TensorOptions>) -> Tensor {
                    let (dtype, device) = options.into().like(self);
                    Array::full(shape, $value, dtype, &device).into()
                }
            }
        )*

        const OF_ONE_VALUE: &[OpInfo] = &[$(
            made!($plain, "torch.", |x, device| {
                $plain(x.shape()).to(device) + $with(x.shape(), (DType::F64, device))
            }),
            made!($like, "torch.", |x, _device| x.$like() + x.$like_with(DType::F32)),
            made!($new, "torch.Tensor.", |x, _device| x.$new([2]) + x.$new_with([2, 1], DType::I64)),
        )*];
    };
}
of_one_value! {
    "zeros" 0.0 zeros zeros_with zeros_like zeros_like_with new_zeros new_zeros_with;
    "ones" 1.0 ones ones_with ones_like ones_like_with new_ones new_ones_with;
    // PyTorch's values are what the memory held before; memory is never read like that here.
    "arbitrary values (zeros)" 0.0 empty empty_with empty_like empty_like_with new_empty new_empty_with;
}

/// A tensor of one value: `f32`, `i64` or `bool` as the value is.
///
/// # Panics
/// If the shape needs more than `isize::MAX` bytes.
#[track_caller]
pub fn full(shape: impl Into<Shape>, value: impl Into<Scalar>) -> Tensor {
    full_with(shape, value, TensorOptions::default())
}

/// A tensor of one value, of a dtype or on a device of your choice.
///
/// # Panics
/// If the shape needs more than `isize::MAX` bytes, or the dtype has no place for the value; a half type has infinity.
#[track_caller]
pub fn full_with(
    shape: impl Into<Shape>,
    value: impl Into<Scalar>,
    options: impl Into<TensorOptions>,
) -> Tensor {
    let value = value.into();
    let (dtype, device) = options.into().or(value.dtype());
    check_fits("full", value, dtype, Halves::Overflow);
    Array::full(shape, value, dtype, &device).into()
}

/// `start, start + step, ...` below `end`; `i64` if all three are integers, else `f32`.
///
/// ```
/// use rushlight_autograd::arange;
/// assert_eq!(arange(0, 5, 2).to_vec::<i64>(), [0, 2, 4]);
/// assert_eq!(arange(1, 0, -0.5).to_vec::<f32>(), [1.0, 0.5]);
/// ```
///
/// # Panics
/// If `step` is zero or leads away from `end`.
#[track_caller]
pub fn arange(start: impl Into<Scalar>, end: impl Into<Scalar>, step: impl Into<Scalar>) -> Tensor {
    arange_with(start, end, step, TensorOptions::default())
}

/// [`arange`] of a dtype or on a device of your choice. In an integer type `start` and `step` are cut to integers.
///
/// # Panics
/// As [`arange`]; if the dtype is bool.
#[track_caller]
pub fn arange_with(
    start: impl Into<Scalar>,
    end: impl Into<Scalar>,
    step: impl Into<Scalar>,
    options: impl Into<TensorOptions>,
) -> Tensor {
    let [start, end, step] = [start.into(), end.into(), step.into()];
    let is_float = [start, end, step].iter().any(|x| matches!(x, Scalar::Float(_)));
    let (dtype, device) = options.into().or(if is_float { DType::F32 } else { DType::I64 });
    Array::arange_as(start, end, step, dtype).to_device(&device).into()
}

/// `steps` evenly spaced values from `start` to `end`, both included, `f32`.
///
/// # Panics
/// If it needs more than `isize::MAX` bytes.
#[track_caller]
pub fn linspace(start: f64, end: f64, steps: usize) -> Tensor {
    linspace_with(start, end, steps, TensorOptions::default())
}

/// [`linspace`] of a dtype or on a device of your choice. In an integer type the ends and then the values are cut to
/// integers.
///
/// # Panics
/// If the dtype is bool.
#[track_caller]
pub fn linspace_with(start: f64, end: f64, steps: usize, options: impl Into<TensorOptions>) -> Tensor {
    let (dtype, device) = options.into().or(DType::F32);
    check_number("linspace", dtype);
    Array::linspace(start, end, steps, dtype).to_device(&device).into()
}

/// `steps` values from `base^start` to `base^end`, both included, with evenly spaced exponents, `f32`. PyTorch's default
/// base is 10.
///
/// ```
/// use rushlight_autograd::logspace;
/// assert_eq!(logspace(0.0, 3.0, 4, 2.0).to_vec::<f32>(), [1.0, 2.0, 4.0, 8.0]);
/// ```
///
/// # Panics
/// If it needs more than `isize::MAX` bytes.
#[track_caller]
pub fn logspace(start: f64, end: f64, steps: usize, base: f64) -> Tensor {
    logspace_with(start, end, steps, base, TensorOptions::default())
}

/// [`logspace`] of a dtype or on a device of your choice.
///
/// # Panics
/// If the dtype is bool.
#[track_caller]
pub fn logspace_with(
    start: f64,
    end: f64,
    steps: usize,
    base: f64,
    options: impl Into<TensorOptions>,
) -> Tensor {
    let (dtype, device) = options.into().or(DType::F32);
    check_number("logspace", dtype);
    let exponents = Array::linspace(start, end, steps, DType::F64);
    exponents.scalar_operand(base).pow(&exponents).cast(dtype).to_device(&device).into()
}

#[track_caller]
fn check_number(name: &str, dtype: DType) {
    if dtype == DType::Bool {
        fail!("{name}: not defined for bool; use DType::I64 and compare");
    }
}

/// An identity matrix, `f32`.
///
/// # Panics
/// If the matrix needs more than `isize::MAX` bytes.
#[track_caller]
pub fn eye(n: usize) -> Tensor {
    eye_with(n, n, TensorOptions::default())
}

/// A matrix of `n` rows and `m` columns with ones where row and column are equal, of a dtype or on a device of your
/// choice.
///
/// # Panics
/// If the matrix needs more than `isize::MAX` bytes.
#[track_caller]
pub fn eye_with(n: usize, m: usize, options: impl Into<TensorOptions>) -> Tensor {
    let (dtype, device) = options.into().or(DType::F32);
    Array::eye(n, m, dtype).to_device(&device).into()
}

/// Values drawn evenly from `[0, 1)` by the default generator, `f32`.
///
/// # Panics
/// If it needs more than `isize::MAX` bytes.
#[track_caller]
pub fn rand(shape: impl Into<Shape>) -> Tensor {
    Array::uniform(shape, 0.0, 1.0, DType::F32, &default_generator()).into()
}

/// Standard normal values drawn by the default generator, `f32`.
///
/// # Panics
/// If it needs more than `isize::MAX` bytes.
#[track_caller]
pub fn randn(shape: impl Into<Shape>) -> Tensor {
    Array::normal(shape, 0.0, 1.0, DType::F32, &default_generator()).into()
}

/// Integers drawn evenly from `low..high` by the default generator, `i64`.
///
/// # Panics
/// If the range is empty.
#[track_caller]
pub fn randint(low: i64, high: i64, shape: impl Into<Shape>) -> Tensor {
    Array::randint(low, high, shape, &default_generator()).into()
}

/// The integers `0..n` in a random order, drawn by the default generator, `i64`.
///
/// # Panics
/// If it needs more than `isize::MAX` bytes.
#[track_caller]
pub fn randperm(n: usize) -> Tensor {
    Array::randperm(n, &default_generator()).into()
}

impl Tensor {
    /// A tensor of the values, with the dtype of their Rust type.
    ///
    /// # Panics
    /// If the number of values is not the number of elements of the shape.
    #[track_caller]
    pub fn from_vec<T: rushlight_array::Element>(values: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        Array::from_vec(values, shape).into()
    }

    /// One value in this tensor's shape, dtype and device.
    ///
    /// # Panics
    /// If the dtype has no place for the value.
    #[track_caller]
    pub fn full_like(&self, value: impl Into<Scalar>) -> Tensor {
        self.new_full(self.shape(), value)
    }

    /// One value in this tensor's shape; dtype and device are its own, if not given.
    ///
    /// # Panics
    /// As [`Tensor::full_like`].
    #[track_caller]
    pub fn full_like_with(&self, value: impl Into<Scalar>, options: impl Into<TensorOptions>) -> Tensor {
        self.new_full_with(self.shape(), value, options)
    }

    /// A tensor of one value of this tensor's dtype and device.
    ///
    /// # Panics
    /// As [`full_with`].
    #[track_caller]
    pub fn new_full(&self, shape: impl Into<Shape>, value: impl Into<Scalar>) -> Tensor {
        self.new_full_with(shape, value, TensorOptions::default())
    }

    /// A tensor of one value of this tensor's dtype and device, if not given.
    ///
    /// # Panics
    /// As [`full_with`].
    #[track_caller]
    pub fn new_full_with(
        &self,
        shape: impl Into<Shape>,
        value: impl Into<Scalar>,
        options: impl Into<TensorOptions>,
    ) -> Tensor {
        let (dtype, device) = options.into().like(self);
        full_with(shape, value, (dtype, &device))
    }

    /// Values from `[0, 1)` in this tensor's shape, dtype and device, drawn by the default generator.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn rand_like(&self) -> Tensor {
        self.rand_like_with(TensorOptions::default())
    }

    /// Values from `[0, 1)` in this tensor's shape; dtype and device are its own, if not given.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn rand_like_with(&self, options: impl Into<TensorOptions>) -> Tensor {
        let (dtype, device) = options.into().like(self);
        Array::uniform_on(self.shape(), 0.0, 1.0, dtype, &default_generator(), &device).into()
    }

    /// Standard normal values in this tensor's shape, dtype and device, drawn by the default generator.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn randn_like(&self) -> Tensor {
        self.randn_like_with(TensorOptions::default())
    }

    /// Standard normal values in this tensor's shape; dtype and device are its own, if not given.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn randn_like_with(&self, options: impl Into<TensorOptions>) -> Tensor {
        let (dtype, device) = options.into().like(self);
        Array::normal_on(self.shape(), 0.0, 1.0, dtype, &default_generator(), &device).into()
    }

    /// Integers from `low..high` in this tensor's shape, dtype and device, drawn by the default generator.
    ///
    /// # Panics
    /// If the range is empty, or the dtype has no place for some of its numbers.
    #[track_caller]
    pub fn randint_like(&self, low: i64, high: i64) -> Tensor {
        check_draws("randint_like", low, high, self.dtype());
        let drawn = Array::randint_on(low, high, self.shape(), &default_generator(), &self.device());
        drawn.cast(self.dtype()).into()
    }
}

pub(crate) const TABLES: [&[OpInfo]; 2] = [OF_ONE_VALUE, TABLE];

const TABLE: &[OpInfo] = &[
    made!(full, "torch.", |x, device| full(x.shape(), 2).to(device)
        + full_with([], true, (DType::F64, device)))
    .rejects(|| {
        vec![Reject::new("full: 300 has no place in uint8", || {
            full_with([2], 300, DType::U8);
        })]
    }),
    made!(full_like, "torch.", |x, _device| x.full_like(2.5) + x.full_like_with(2.5, DType::I64)),
    made!(new_full, "torch.Tensor.", |x, _device| x.new_full([2], 1) + x.new_full_with([2], 2, DType::F32)),
    made!(arange, "torch.", |_x, device| arange(0, 5, 2).to(device) + arange_with(0.5, 3.5, 1, device))
        .rejects(|| {
            vec![
                Reject::new("arange: step 1 does not lead from 5 to 0", || {
                    arange(5, 0, 1);
                }),
                Reject::new("arange: not defined for bool", || {
                    arange_with(0, 2, 1, DType::Bool);
                }),
            ]
        }),
    made!(linspace, "torch.", |_x, device| {
        linspace(0.0, 1.0, 3).to(device) + linspace_with(0.0, 9.5, 3, (DType::I64, device))
    })
    .rejects(|| {
        vec![Reject::new("linspace: not defined for bool", || {
            linspace_with(0.0, 1.0, 2, DType::Bool);
        })]
    }),
    made!(logspace, "torch.", |_x, device| {
        logspace(0.0, 1.0, 3, 10.0).to(device) + logspace_with(0.0, 2.0, 3, 2.0, (DType::I64, device))
    }),
    made!(eye, "torch.", |_x, device| eye(3).to(device) + eye_with(3, 3, (DType::Bool, device))),
    // Times 0, since two draws differ; without the sign that a zero keeps.
    made!(rand_like, "torch.", |x, _device| x.rand_like() * 0.0 + x.rand_like_with(DType::F32) * 0.0),
    made!(randn_like, "torch.", |x, _device| ((x.randn_like() + x.randn_like_with(DType::F32)) * 0.0).abs()),
    made!(randint_like, "torch.", |x, _device| x.randint_like(2, 3)).rejects(|| {
        vec![Reject::new("randint_like: 0..300 is not within 0..=255, the range of uint8", || {
            zeros_with([2], DType::U8).randint_like(0, 300);
        })]
    }),
];
