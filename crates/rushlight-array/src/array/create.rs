use super::Array;
use crate::backend::Kernels;
use crate::cpu::memory::HostBuffer;
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::fail;
use crate::layout::Layout;
use crate::random::{Draws, Generator};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::Storage;
use std::sync::Arc;

/// Draws floats of a dtype. A macro, because a panic inside a closure would not name the caller's line.
macro_rules! random_float {
    ($op:literal, $shape:expr, $dtype:expr, |$out:ident| $f32:expr, $f64:expr) => {{
        let (shape, dtype): (Shape, DType) = ($shape.into(), $dtype);
        check_float($op, dtype);
        shape.check_bytes($op, dtype.compute());
        let mut buffer = HostBuffer::scratch(dtype.compute(), shape.numel());
        if dtype == DType::F64 {
            let $out = buffer.as_mut_slice();
            $f64;
        } else {
            let $out = buffer.as_mut_slice();
            $f32;
        }
        Array::from_host(buffer, shape).cast(dtype)
    }};
}

impl Array {
    /// An array filled with one value.
    ///
    /// # Panics
    /// If the shape needs more than `isize::MAX` bytes.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: impl Into<Scalar>, dtype: DType, device: &Device) -> Array {
        let shape = shape.into();
        // A backend's method could not blame the caller's line.
        shape.check_bytes("full", dtype);
        device.kernels().fill(&shape, dtype, value.into())
    }

    /// An array of zeros on the CPU; see [`Array::full`].
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Array {
        Array::full(shape, 0.0, dtype, &Device::cpu())
    }

    /// An array of ones on the CPU; see [`Array::full`].
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Array {
        Array::full(shape, 1.0, dtype, &Device::cpu())
    }

    /// Zeros of the shape, dtype and device of this array.
    pub fn zeros_like(&self) -> Array {
        Array::full(self.shape(), 0.0, self.dtype(), self.device())
    }

    /// Ones of the shape, dtype and device of this array.
    pub fn ones_like(&self) -> Array {
        Array::full(self.shape(), 1.0, self.dtype(), self.device())
    }

    /// A scalar array of this array's dtype and device.
    pub(crate) fn scalar_like(&self, value: impl Into<Scalar>) -> Array {
        Array::full((), value, self.dtype(), self.device())
    }

    /// `start, start + step, ...` up to but not including `end`; `i64` if all three are integers, else `f32`.
    ///
    /// # Panics
    /// If `step` is zero or leads away from `end`.
    #[track_caller]
    pub fn arange(start: impl Into<Scalar>, end: impl Into<Scalar>, step: impl Into<Scalar>) -> Array {
        let (start, end, step) = (start.into(), end.into(), step.into());
        let is_float = [start, end, step].iter().any(|x| matches!(x, Scalar::Float(_)));
        Array::arange_as(start, end, step, if is_float { DType::F32 } else { DType::I64 })
    }

    /// [`Array::arange`] of a dtype of your choice. In an integer type `start` and `step` are cut to integers, as in
    /// PyTorch.
    ///
    /// # Panics
    /// As [`Array::arange`]; if the dtype is bool.
    #[track_caller]
    pub fn arange_as(start: Scalar, end: Scalar, step: Scalar, dtype: DType) -> Array {
        if dtype == DType::Bool {
            fail!("arange: not defined for bool; use DType::I64 and compare");
        }
        let span = end.to_f64() - start.to_f64();
        let finite = span.is_finite() && step.to_f64().is_finite();
        if step.to_f64() == 0.0 || span * step.to_f64() < 0.0 || !finite {
            fail!(
                "arange: step {} does not lead from {} to {}; it must be finite and have the sign of end - start",
                step.to_f64(),
                start.to_f64(),
                end.to_f64()
            );
        }
        // Whole numbers are counted exactly.
        let count = match (start, end, step) {
            (Scalar::Float(_), _, _) | (_, Scalar::Float(_), _) | (_, _, Scalar::Float(_)) => {
                (span / step.to_f64()).ceil()
            }
            (start, end, step) => {
                let (span, step) =
                    (i128::from(end.to_i64()) - i128::from(start.to_i64()), i128::from(step.to_i64()));
                ((span + step - step.signum()) / step) as f64
            }
        };
        if count >= isize::MAX as f64 {
            fail!("arange: {count:e} elements are more than can be counted; use a larger step");
        }
        let len = Shape::from(count as usize);
        len.check_bytes("arange", DType::F64);
        if dtype.is_float() {
            let (start, step) = (start.to_f64(), step.to_f64());
            return Array::build(len, |out: &mut [f64]| {
                out.iter_mut().enumerate().for_each(|(i, o)| *o = start + i as f64 * step);
            })
            .cast(dtype);
        }
        let (start, step) = (start.to_i64(), step.to_i64());
        Array::build(len, |out: &mut [i64]| {
            out.iter_mut()
                .enumerate()
                .for_each(|(i, o)| *o = start.wrapping_add((i as i64).wrapping_mul(step)));
        })
        .cast(dtype)
    }

    /// `steps` values from `start` to `end`, both included, evenly spaced; computed from both ends
    /// inwards, as PyTorch does.
    ///
    /// In an integer type the ends, and then the values, are cut to integers.
    #[track_caller]
    pub fn linspace(start: f64, end: f64, steps: usize, dtype: DType) -> Array {
        Shape::from(steps).check_bytes("linspace", DType::F64);
        let [start, end] = [start, end].map(|x| if dtype.is_int() { x.trunc() } else { x });
        let step = if steps > 1 { (end - start) / (steps - 1) as f64 } else { 0.0 };
        let value = |i: usize| match i < steps / 2 || steps == 1 {
            true => start + step * i as f64,
            false => end - step * (steps - 1 - i) as f64,
        };
        Array::build(steps, |out: &mut [f64]| out.iter_mut().enumerate().for_each(|(i, o)| *o = value(i)))
            .cast(dtype)
    }

    /// An identity matrix: ones where row and column are equal.
    ///
    /// # Panics
    /// If the matrix needs more than `isize::MAX` bytes.
    #[track_caller]
    pub fn eye(rows: usize, columns: usize, dtype: DType) -> Array {
        let shape = Shape::from([rows, columns]);
        shape.check_bytes("eye", dtype);
        Array::build(shape, |out: &mut [bool]| {
            out.fill(false);
            out.iter_mut().step_by(columns + 1).take(rows.min(columns)).for_each(|one| *one = true);
        })
        .cast(dtype)
    }

    /// Values drawn evenly from `[low, high)`; `F32` or `F64` are drawn as such, other floats as `F32`.
    ///
    /// # Panics
    /// If `dtype` is not a float.
    #[track_caller]
    pub fn uniform(
        shape: impl Into<Shape>,
        low: f64,
        high: f64,
        dtype: DType,
        generator: &Generator,
    ) -> Array {
        random_float!(
            "uniform",
            shape,
            dtype,
            |out| generator.uniform_f32(out, low, high),
            generator.uniform_f64(out, low, high)
        )
    }

    /// Values drawn from the normal distribution.
    ///
    /// # Panics
    /// If `dtype` is not a float.
    #[track_caller]
    pub fn normal(
        shape: impl Into<Shape>,
        mean: f64,
        std: f64,
        dtype: DType,
        generator: &Generator,
    ) -> Array {
        random_float!(
            "normal",
            shape,
            dtype,
            |out| generator.normal_f32(out, mean, std),
            generator.normal_f64(out, mean, std)
        )
    }

    /// Integers drawn evenly from `low..high`, as `i64`.
    ///
    /// # Panics
    /// If the range is empty.
    #[track_caller]
    pub fn randint(low: i64, high: i64, shape: impl Into<Shape>, generator: &Generator) -> Array {
        let shape = shape.into();
        shape.check_bytes("randint", DType::I64);
        let mut out = HostBuffer::scratch(DType::I64, shape.numel());
        generator.randint(out.as_mut_slice(), low, high);
        Array::from_host(out, shape)
    }

    /// The integers `0..n` in a random order, as `i64`.
    ///
    /// # Panics
    /// If they need more than `isize::MAX` bytes.
    #[track_caller]
    pub fn randperm(n: usize, generator: &Generator) -> Array {
        Shape::from(n).check_bytes("randperm", DType::I64);
        Array::from_vec(generator.randperm(n), n)
    }

    /// `true` with probability `p`.
    ///
    /// # Panics
    /// If `p` is not a probability.
    #[track_caller]
    pub fn bernoulli(shape: impl Into<Shape>, p: f64, generator: &Generator) -> Array {
        let shape = shape.into();
        shape.check_bytes("bernoulli", DType::Bool);
        let mut out = HostBuffer::scratch(DType::Bool, shape.numel());
        generator.bernoulli(out.as_mut_slice(), p);
        Array::from_host(out, shape)
    }
}

/// The same on a device. A [`ChaCha`](crate::random::ChaCha) generator leaves the drawing to it, for the same numbers; what
/// a [`TorchCompat`](crate::random::TorchCompat) generator draws on the CPU is moved there.
impl Array {
    /// [`Array::uniform`] on a device.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn uniform_on(
        shape: impl Into<Shape>,
        low: f64,
        high: f64,
        dtype: DType,
        generator: &Generator,
        device: &Device,
    ) -> Array {
        let shape = shape.into();
        check_float("uniform", dtype);
        shape.check_bytes("uniform", dtype.compute());
        match drawn_there(Draws::Uniform { low, high }, &shape, dtype.compute(), generator, device) {
            Some(drawn) => drawn.cast(dtype),
            None => Array::uniform(shape, low, high, dtype, generator).to_device(device),
        }
    }

    /// [`Array::normal`] on a device.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn normal_on(
        shape: impl Into<Shape>,
        mean: f64,
        std: f64,
        dtype: DType,
        generator: &Generator,
        device: &Device,
    ) -> Array {
        let shape = shape.into();
        check_float("normal", dtype);
        shape.check_bytes("normal", dtype.compute());
        match drawn_there(Draws::Normal { mean, std }, &shape, dtype.compute(), generator, device) {
            Some(drawn) => drawn.cast(dtype),
            None => Array::normal(shape, mean, std, dtype, generator).to_device(device),
        }
    }

    /// [`Array::randint`] on a device.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn randint_on(
        low: i64,
        high: i64,
        shape: impl Into<Shape>,
        generator: &Generator,
        device: &Device,
    ) -> Array {
        let shape = shape.into();
        shape.check_bytes("randint", DType::I64);
        match drawn_there(Draws::Integers { low, high }, &shape, DType::I64, generator, device) {
            Some(drawn) => drawn,
            None => Array::randint(low, high, shape, generator).to_device(device),
        }
    }

    /// [`Array::bernoulli`] on a device.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn bernoulli_on(shape: impl Into<Shape>, p: f64, generator: &Generator, device: &Device) -> Array {
        let shape = shape.into();
        shape.check_bytes("bernoulli", DType::Bool);
        match drawn_there(Draws::Bernoulli { p }, &shape, DType::Bool, generator, device) {
            Some(drawn) => drawn,
            None => Array::bernoulli(shape, p, generator).to_device(device),
        }
    }
}

#[track_caller]
fn check_float(op: &str, dtype: DType) {
    if !dtype.is_float() {
        fail!("{op}: values of {} cannot be drawn; use a float dtype, or randint", dtype.name());
    }
}

/// What a device draws by itself; `None` if the CPU is to draw.
#[track_caller]
fn drawn_there(
    draws: Draws,
    shape: &Shape,
    dtype: DType,
    generator: &Generator,
    device: &Device,
) -> Option<Array> {
    let Kernels::Other(backend) = device.kernels() else { return None };
    let count = shape.numel();
    let from = generator.claim(draws, dtype, count)?;
    let storage = Storage::new(backend.random(draws, from, dtype, count), dtype, count, device.clone());
    Some(Array::from_parts(Arc::new(storage), Layout::contiguous(shape)))
}

impl<T: Element> FromIterator<T> for Array {
    /// A one-dimensional array of the values.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let values: Vec<T> = values.into_iter().collect();
        let len = values.len();
        Array::from_vec(values, len)
    }
}
