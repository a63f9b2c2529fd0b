//! Operands of every shape and layout, on the CPU and on the GPU, and the comparison of results.

use rushlight_array::{Array, DType, Device};

/// Numbers that follow from a seed.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next 64 bits (SplitMix64, by S. Vigna).
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

const SHAPES: &[&[usize]] = &[
    &[],
    &[0],
    &[1],
    &[5],
    &[31],
    &[32],
    &[33],
    &[257],
    &[1030],
    &[3, 0, 2],
    &[4, 8],
    &[13, 11],
    &[1, 12, 1],
    &[2, 16, 4],
    &[3, 5, 7],
    &[2, 3, 4, 8],
    &[2, 2, 1, 2, 2, 2, 2, 2, 2, 2],
];

pub(crate) fn shape(numbers: &mut Numbers) -> &'static [usize] {
    numbers.of(SHAPES)
}

/// What values are drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Values {
    /// Of all kinds: infinities, NaN, zeros of both signs, the ends of ranges.
    All,
    /// From -8 to 8.
    Moderate,
    /// From 0 to 1.
    Share,
    /// [`Values::All`] without zero, for integers to divide by.
    NotZero,
}

const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.5,
    -2.5,
    1.5,
    20.5,
    -20.5,
    89.0,
    -104.0,
    100.0,
    -90.0,
    3.0,
    -3.0,
    1e5,
    -1e5,
    1e-5,
    -1e-5,
    1e-30,
    3.4e38,
    -3.4e38,
    1e-44,
    1.2e-38,
    6.0,
    0.7517915,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    9.3e18,
    -9.3e18,
    2147483648.0,
    65504.0,
    65520.0,
    255.0,
    256.0,
    -129.0,
];
const INTEGERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    -2,
    3,
    63,
    64,
    65,
    -64,
    127,
    128,
    255,
    256,
    -129,
    32767,
    32768,
    2147483647,
    2147483648,
    -2147483649,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
    16777217,
    9007199254740993,
];

/// A dense array of the host.
pub(crate) fn values(numbers: &mut Numbers, kind: Values, shape: &[usize], dtype: DType) -> Array {
    let count: usize = shape.iter().product();
    let share = |bits: u64| (bits >> 11) as f64 / (1u64 << 53) as f64;
    let any = matches!(kind, Values::All | Values::NotZero);
    let dense = if dtype.is_float() {
        let value = |_| match kind {
            Values::Share => share(numbers.bits()),
            _ if any && numbers.below(3) == 0 => numbers.of(FLOATS),
            _ if any && numbers.below(4) == 0 => f64::from(f32::from_bits(numbers.bits() as u32)),
            _ => 16.0 * share(numbers.bits()) - 8.0,
        };
        Array::from_vec((0..count).map(value).collect::<Vec<f64>>(), shape)
    } else {
        let value = |_| {
            let value = match numbers.below(3) {
                0 if any => numbers.of(INTEGERS),
                1 if any => numbers.bits() as i64,
                _ => numbers.below(40) as i64 - 20,
            };
            if kind == Values::NotZero && value == 0 { 7 } else { value }
        };
        Array::from_vec((0..count).map(value).collect::<Vec<i64>>(), shape)
    };
    dense.cast(dtype)
}

/// An array on both devices, in one of many layouts.
pub(crate) fn pair(
    numbers: &mut Numbers,
    kind: Values,
    shape: &[usize],
    dtype: DType,
    device: &Device,
) -> [Array; 2] {
    let rank = shape.len();
    let last = rank.wrapping_sub(1);
    let mut base = shape.to_vec();
    let layout = if rank == 0 { 0 } else { numbers.below(9) };
    let axis = if rank == 0 { 0 } else { numbers.below(rank) };
    match layout {
        1 => base.reverse(),
        3 => base[last] *= 2,
        4 => base[last] += 1,
        5 => base[axis] = 1,
        6 => base.fill(1),
        7 => base[0] += 4,
        _ => {}
    }
    let host = values(numbers, kind, &base, dtype);
    [host.clone(), host.to_device(device)].map(|x| match layout {
        1 => x.permute((0..rank as isize).rev().collect::<Vec<_>>()),
        2 => x.flip((0..rank as isize).collect::<Vec<_>>()),
        3 => x.step(-1, 0, shape[last], 2),
        4 => x.narrow(-1, 1, shape[last]),
        5 | 6 => x.expand(shape.iter().map(|&size| size as isize).collect::<Vec<_>>()),
        7 => x.narrow(0, 4, shape[0]),
        _ => x,
    })
}

/// How near results must be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Near {
    /// The same bits, but that one NaN is as good as another.
    Same,
    /// Floats: 16 units of the last place of f32, and 1e-12 of f64.
    Close,
    /// As `Close`, of the greatest term of a sum, which is up to some 500.
    Sum,
}

/// What differs, if anything does.
pub(crate) fn difference(near: Near, host: &Array, device: &Array) -> Option<String> {
    if (host.shape(), host.dtype()) != (device.shape(), device.dtype()) {
        return Some(format!(
            "{:?} {} and {:?} {}",
            host.shape(),
            host.dtype(),
            device.shape(),
            device.dtype()
        ));
    }
    let dtype = host.dtype();
    if !dtype.is_float() {
        let [a, b] = [host, device].map(|x| x.to_device(&Device::cpu()).cast(DType::I64).to_vec::<i64>());
        return a.iter().zip(&b).position(|(a, b)| a != b).map(|i| format!("{i}: {} and {}", a[i], b[i]));
    }
    let [a, b] = [host, device].map(|x| x.to_device(&Device::cpu()).cast(DType::F64).to_vec::<f64>());
    let unit = match dtype {
        DType::F64 => 1e-12,
        DType::F32 => 16.0 * 2f64.powi(-23),
        DType::F16 => 2f64.powi(-10),
        _ => 2f64.powi(-7),
    };
    // Subnormal numbers have fewer digits.
    let least = if dtype == DType::F64 { 1e-320 } else { 1e-44 };
    let fits = |a: f64, b: f64| {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let slack = match near {
            Near::Same => return same,
            Near::Close => unit * a.abs() + least,
            Near::Sum => unit * a.abs().max(64.0),
        };
        same || (a - b).abs() <= slack
    };
    let at = a.iter().zip(&b).position(|(&a, &b)| !fits(a, b));
    at.map(|i| format!("{i}: {:e} and {:e}", a[i], b[i]))
}
