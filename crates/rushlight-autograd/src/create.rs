use crate::tensor::Tensor;
use rushlight_array::random::default_generator;
use rushlight_array::{Array, DType, Device, Literal, Scalar, Shape};

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

/// A tensor of zeros, `f32`.
pub fn zeros(shape: impl Into<Shape>) -> Tensor {
    Array::zeros(shape, DType::F32).into()
}

/// A tensor of ones, `f32`.
pub fn ones(shape: impl Into<Shape>) -> Tensor {
    Array::ones(shape, DType::F32).into()
}

/// A tensor of one value: `f32`, `i64` or `bool` as the value is.
pub fn full(shape: impl Into<Shape>, value: impl Into<Scalar>) -> Tensor {
    let value = value.into();
    let dtype = match value {
        Scalar::Float(_) => DType::F32,
        Scalar::Int(_) => DType::I64,
        Scalar::Bool(_) => DType::Bool,
    };
    Array::full(shape, value, dtype, &Device::cpu()).into()
}

/// `start, start + step, ...` below `end`; `i64` if all three are integers, else `f32`.
///
/// # Panics
/// If `step` is zero or leads away from `end`.
#[track_caller]
pub fn arange(start: impl Into<Scalar>, end: impl Into<Scalar>, step: impl Into<Scalar>) -> Tensor {
    Array::arange(start, end, step).into()
}

/// `steps` evenly spaced values from `start` to `end`, both included, `f32`.
pub fn linspace(start: f64, end: f64, steps: usize) -> Tensor {
    Array::linspace(start, end, steps, DType::F32).into()
}

/// An identity matrix, `f32`.
pub fn eye(n: usize) -> Tensor {
    Array::eye(n, n, DType::F32).into()
}

/// Values drawn evenly from `[0, 1)` by the default generator, `f32`.
pub fn rand(shape: impl Into<Shape>) -> Tensor {
    Array::uniform(shape, 0.0, 1.0, DType::F32, &default_generator()).into()
}

/// Standard normal values drawn by the default generator, `f32`.
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

    /// Zeros of this tensor's shape, dtype and device.
    pub fn zeros_like(&self) -> Tensor {
        self.array().zeros_like().into()
    }

    /// Ones of this tensor's shape, dtype and device.
    pub fn ones_like(&self) -> Tensor {
        self.array().ones_like().into()
    }

    /// A standard normal tensor of this tensor's shape and dtype, drawn by the default generator.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn randn_like(&self) -> Tensor {
        let drawn = Array::normal(self.shape(), 0.0, 1.0, self.dtype(), &default_generator());
        drawn.to_device(&self.device()).into()
    }
}
