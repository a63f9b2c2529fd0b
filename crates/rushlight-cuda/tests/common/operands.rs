//! Matrices of random numbers that lie in memory in many ways, and how far products of them may differ.

use rushlight_array::{Array, DType, Device, Layout};

/// Numbers between -1 and 1, or small integers; every seed has its own.
pub(crate) fn numbers(shape: &[usize], dtype: DType, seed: u64) -> Array {
    let count: usize = shape.iter().product();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
    };
    let values: Vec<f64> = (0..count).map(|_| next()).collect();
    let x = Array::from_vec(values, shape);
    if dtype == DType::I64 { x.mul(&Array::from_vec(vec![1e6], [1])).cast(dtype) } else { x.cast(dtype) }
}

/// A way in which an operand may lie in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    Dense,
    Transposed,
    /// One row, repeated.
    Broadcast,
    /// Every second column, from the second on.
    Gaps,
    /// Inside a larger matrix, at an odd place.
    Inside,
    /// Leading axes the other way round.
    Batch,
}
pub(crate) const LIES: [Lie; 6] =
    [Lie::Dense, Lie::Transposed, Lie::Broadcast, Lie::Gaps, Lie::Inside, Lie::Batch];

impl Lie {
    /// An array of this shape that lies so.
    pub(crate) fn array(self, shape: &[usize], dtype: DType, seed: u64) -> Array {
        let rank = shape.len();
        let (rows, columns) = (shape[rank - 2], shape[rank - 1]);
        let with = |r: usize, c: usize| {
            let mut shape = shape.to_vec();
            (shape[rank - 2], shape[rank - 1]) = (r, c);
            numbers(&shape, dtype, seed)
        };
        match self {
            Lie::Dense => with(rows, columns),
            Lie::Transposed => with(columns, rows).transpose(-1, -2),
            Lie::Broadcast => with(1, columns).expand(shape),
            Lie::Gaps => with(rows, 2 * columns + 1).step(-1, 1, columns, 2),
            Lie::Inside => with(rows + 2, columns + 3).narrow(-1, 1, columns).narrow(-2, 2, rows),
            Lie::Batch if rank == 4 => {
                numbers(&[shape[1], shape[0], rows, columns], dtype, seed).transpose(0, 1)
            }
            Lie::Batch => with(rows, columns),
        }
    }
}

/// The array on a device, with the strides that it has here.
pub(crate) fn sent(x: &Array, device: &Device) -> Array {
    let (storage, layout) = x.clone().into_parts();
    let len = storage.len();
    let whole = Array::from_parts(storage, Layout::contiguous(&[len][..])).to_device(device);
    Array::from_parts(whole.into_parts().0, layout)
}

/// How far a product may be from that of the CPU.
pub(crate) fn close(a: &Array, b: &Array, k: usize, what: &str) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    assert_eq!(a.dtype(), b.dtype(), "{what}");
    let (here, there) = (a.cast(DType::F64).to_vec::<f64>(), b.cast(DType::F64).to_vec::<f64>());
    let single = f64::from(f32::EPSILON);
    let (rounding, last) = match a.dtype() {
        DType::I64 => (0.0, 0.0),
        DType::F64 => (f64::EPSILON, 0.0),
        DType::F32 => (single, 0.0),
        // Sums in f32, which may fall on different sides of a middle.
        DType::F16 => (single, 1.0 / 1024.0),
        _ => (single, 1.0 / 128.0),
    };
    // Terms are at most 1, so that sums grow as the root of their number, and the roundings of a chain as the number.
    let bound = rounding * ((k as f64 + 2.0).sqrt() * 4.0 + k as f64 / 2.0);
    for (i, (x, y)) in here.iter().zip(&there).enumerate() {
        let same = x == y || x.is_nan() && y.is_nan();
        assert!(
            same || (x - y).abs() <= bound * x.abs().max(1.0) + last * x.abs().max(1e-4),
            "{what}, element {i}: {x} is not {y}"
        );
    }
}
