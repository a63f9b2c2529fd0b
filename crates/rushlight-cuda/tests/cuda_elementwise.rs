//! Elementwise functions, casts and losses: the GPU's numbers are the CPU's, for operands in any layout.
//!
//! Integers, bools, and what rounds once (sums, products, quotients, roots) have the same bits. Other functions of f32
//! differ by at most 16 units of the last place, those of f64 by at most 1e-12 of the result; those that add terms of
//! different signs by as much of the greatest term, since a GPU rounds a product and a sum once.

mod common;

use common::cases::{Near, Numbers, Values, difference, pair, shape};
use common::cuda;
use proptest::prelude::*;
use rushlight_array::backend::{Activation, Binary, Compare, Gelu, PairLoss, Ternary, Unary};
use rushlight_array::{Array, DType, Device, Scalar};
use std::fmt::Debug;

use Near::{Close, Same, Sum};
use Values::{All, Moderate, NotZero, Share};

const FLOATS: &[DType] = &[DType::F32, DType::F64];
const NUMBERS: &[DType] = &[DType::F32, DType::F64, DType::I64];
const COMPUTE: &[DType] = &[DType::F32, DType::F64, DType::I64, DType::Bool];
const WHOLE: &[DType] = &[DType::I64];
const LOGICAL: &[DType] = &[DType::I64, DType::Bool];

/// An operation, the dtypes that it is defined on, values that it is asked for, and how near the results are.
type Row<Op> = (Op, &'static [DType], Values, Near);

fn activations() -> Vec<Activation> {
    vec![
        Activation::LeakyRelu(0.1),
        Activation::Silu,
        Activation::Mish,
        Activation::Softplus { beta: 1.5, threshold: 10.0 },
        Activation::Elu { alpha: 1.3, scale: 0.7, rate: 0.9 },
        Activation::LogSigmoid,
        Activation::Hardsigmoid,
        Activation::Hardswish,
        Activation::Hardtanh { low: -1.5, high: 2.0 },
        Activation::Threshold { threshold: 1.0, value: -3.0 },
        Activation::Hardshrink(0.5),
        Activation::Softshrink(0.5),
    ]
}

fn unary_rows() -> Vec<Row<Unary>> {
    use Unary::*;
    let mut rows = vec![
        (Neg, NUMBERS, All, Same),
        (Abs, NUMBERS, All, Same),
        (Sign, NUMBERS, All, Same),
        (Relu, NUMBERS, All, Same),
        (Floor, NUMBERS, All, Same),
        (Ceil, NUMBERS, All, Same),
        (Trunc, NUMBERS, All, Same),
        (Frac, FLOATS, All, Same),
        (Round(0), NUMBERS, All, Same),
        (Round(2), FLOATS, Moderate, Same),
        (Round(-1), FLOATS, All, Same),
        (Sqrt, FLOATS, All, Same),
        (Rsqrt, FLOATS, All, Same),
        (Reciprocal, FLOATS, All, Same),
        (Angle, FLOATS, All, Same),
        (NanToNum([1.0, 2.0, -3.0]), FLOATS, All, Same),
        (Signbit, NUMBERS, All, Same),
        (Not, COMPUTE, All, Same),
        (Scale(0.3), FLOATS, All, Same),
        (Offset(-1.7), FLOATS, All, Same),
        (Clamp(-1.5, 2.25), NUMBERS, All, Same),
        (Clamp(f64::NEG_INFINITY, 3e18), NUMBERS, All, Same),
        (Clamp(f64::NAN, 2.25), FLOATS, All, Same),
        (Power(2.0), FLOATS, All, Same),
        (Power(3.0), FLOATS, All, Same),
        (Power(0.5), FLOATS, All, Same),
        (Activation(crate::Activation::Hardtanh { low: -1.5, high: 3.0 }), WHOLE, All, Same),
        (Activation(crate::Activation::Threshold { threshold: 2.0, value: 7.0 }), WHOLE, All, Same),
        (Logit(None), FLOATS, Share, Sum),
        (Logit(Some(0.1)), FLOATS, All, Close),
        (Erfinv, FLOATS, Share, Close),
        // Zeros of these lie where sums cancel.
        (Lgamma, FLOATS, Moderate, Sum),
        (Digamma, FLOATS, Moderate, Sum),
        (Polygamma(2), FLOATS, Share, Close),
        (Sinc, FLOATS, Moderate, Close),
        (Tan, FLOATS, Moderate, Close),
    ];
    let close = [
        Exp,
        Expm1,
        Log,
        Log1p,
        Sin,
        Cos,
        Tanh,
        Sigmoid,
        Erf,
        Gelu(crate::Gelu::Exact),
        Gelu(crate::Gelu::Tanh),
        Exp2,
        Log2,
        Log10,
        Asin,
        Acos,
        Atan,
        Sinh,
        Cosh,
        Asinh,
        Acosh,
        Atanh,
        Erfc,
        I0,
        I1,
        Power(-2.0),
        Power(7.0),
        Power(1.7),
        Power(-0.3),
    ];
    rows.extend(close.map(|op| (op, FLOATS, All, Close)));
    rows.extend(activations().into_iter().map(|kind| (Activation(kind), FLOATS, All, Close)));
    rows
}

fn binary_rows() -> Vec<Row<Binary>> {
    use Binary::*;
    let mut rows = vec![
        (Add, COMPUTE, All, Same),
        (Sub, NUMBERS, All, Same),
        (Mul, COMPUTE, All, Same),
        (Div, FLOATS, All, Same),
        (TruncDivide, NUMBERS, NotZero, Same),
        (FloorDivide, NUMBERS, NotZero, Same),
        (Fmod, NUMBERS, NotZero, Same),
        (Remainder, NUMBERS, NotZero, Same),
        (Pow, FLOATS, All, Close),
        (Pow, LOGICAL, All, Same),
        (Maximum, COMPUTE, All, Same),
        (Minimum, COMPUTE, All, Same),
        (Fmax, FLOATS, All, Same),
        (Fmin, FLOATS, All, Same),
        (Atan2, FLOATS, All, Close),
        (Hypot, FLOATS, All, Close),
        (Copysign, FLOATS, All, Same),
        (Xlogy, FLOATS, All, Close),
        (Logaddexp, FLOATS, Moderate, Sum),
        (Logaddexp2, FLOATS, Moderate, Sum),
        (Heaviside, COMPUTE, All, Same),
        (Igamma, FLOATS, Share, Close),
        (Gcd, WHOLE, All, Same),
        (Lcm, WHOLE, All, Same),
        (ShiftLeft, WHOLE, All, Same),
        (ShiftRight, WHOLE, All, Same),
        (And, LOGICAL, All, Same),
        (Or, LOGICAL, All, Same),
        (Xor, LOGICAL, All, Same),
        (ReluGrad, FLOATS, All, Same),
        (SigmoidGrad, FLOATS, Moderate, Sum),
        (TanhGrad, FLOATS, Moderate, Sum),
        (GeluGrad(Gelu::Exact), FLOATS, All, Close),
        (GeluGrad(Gelu::Tanh), FLOATS, Moderate, Sum),
    ];
    rows.extend(activations().into_iter().map(|kind| (ActivationGrad(kind), FLOATS, Moderate, Sum)));
    rows
}

/// Both devices' results of one call.
fn check(
    op: &dyn Debug,
    near: Near,
    operands: &[[Array; 2]],
    call: impl Fn(&Device, &[&Array]) -> Array,
) -> Result<(), TestCaseError> {
    let [host, device] = [0, 1].map(|side| {
        let operands: Vec<&Array> = operands.iter().map(|pair| &pair[side]).collect();
        call(operands[0].device(), &operands)
    });
    prop_assert!(device.device() == operands[0][1].device());
    if let Some(difference) = difference(near, &host, &device) {
        let layouts: Vec<_> = operands.iter().map(|pair| pair[0].layout()).collect();
        prop_assert!(false, "{op:?} of {} {layouts:?}: at {difference}", operands[0][0].dtype());
    }
    Ok(())
}

fn unary(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let (device, shape) = (cuda(), shape(numbers));
    for (op, dtypes, kind, near) in unary_rows() {
        for &dtype in dtypes {
            let x = pair(numbers, kind, shape, dtype, &device);
            check(&op, near, &[x], |device, x| device.backend().unary(op, x[0]))?;
        }
    }
    Ok(())
}

fn binary(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let (device, shape) = (cuda(), shape(numbers));
    for (op, dtypes, kind, near) in binary_rows() {
        for &dtype in dtypes {
            let operands = [(); 2].map(|()| pair(numbers, kind, shape, dtype, &device));
            check(&op, near, &operands, |device, x| device.backend().binary(op, x[0], x[1]))?;
            // In place where nobody else holds the elements; who does keeps them.
            check(&op, near, &operands, |device, x| {
                let (mut alone, mut held) = (x[0].copy(), x[0].clone());
                device.backend().binary_assign(op, &mut alone, x[1]);
                device.backend().binary_assign(op, &mut held, x[1]);
                assert_eq!(difference(Same, &held, &alone), None, "{op:?} in place");
                alone
            })?;
        }
    }
    use Compare::{Eq, Ge, Gt, Le, Lt, Ne};
    for op in [Eq, Ne, Lt, Le, Gt, Ge] {
        for &dtype in COMPUTE {
            let operands = [(); 2].map(|()| pair(numbers, All, shape, dtype, &device));
            check(&op, Same, &operands, |device, x| device.backend().compare(op, x[0], x[1]))?;
        }
    }
    Ok(())
}

fn three(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let (device, shape) = (cuda(), shape(numbers));
    for dtype in DType::ALL {
        let condition = pair(numbers, All, shape, DType::Bool, &device);
        let operands = [(); 2].map(|()| pair(numbers, All, shape, dtype, &device));
        let [a, b] = operands;
        check(&"select", Same, &[condition, a, b], |device, x| device.backend().select(x[0], x[1], x[2]))?;
    }
    let rows: [Row<Ternary>; 6] = [
        (Ternary::Addcmul(Scalar::Float(0.7)), FLOATS, Moderate, Sum),
        (Ternary::Addcmul(Scalar::Int(i64::MAX - 5)), WHOLE, All, Same),
        (Ternary::Addcdiv(1.3), FLOATS, Share, Sum),
        (Ternary::Lerp, FLOATS, Moderate, Sum),
        (Ternary::Clamp, NUMBERS, All, Same),
        (Ternary::Clamp, NUMBERS, Moderate, Same),
    ];
    for (op, dtypes, kind, near) in rows {
        for &dtype in dtypes {
            let operands = [(); 3].map(|()| pair(numbers, kind, shape, dtype, &device));
            // A quotient by what is nearly zero is large, and cancels nothing.
            let near = if matches!(op, Ternary::Addcdiv(_)) { Close } else { near };
            check(&op, near, &operands, |device, x| device.backend().ternary(op, x[0], x[1], x[2]))?;
        }
    }
    Ok(())
}

fn losses(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let (device, shape) = (cuda(), shape(numbers));
    let kinds = [
        (PairLoss::Square, Moderate),
        (PairLoss::Absolute, All),
        (PairLoss::Huber(0.8), Moderate),
        (PairLoss::SmoothL1(1.2), Moderate),
        (PairLoss::Probability, Share),
        (PairLoss::Logit, Moderate),
    ];
    for (kind, values) in kinds {
        for &dtype in FLOATS {
            let [x, y] = [(); 2].map(|()| pair(numbers, values, shape, dtype, &device));
            check(&kind, Sum, &[x.clone(), y.clone()], |device, x| {
                device.backend().pair_loss(kind, x[0], x[1])
            })?;
            for of in [shape, &[]] {
                let grad = pair(numbers, Moderate, of, dtype, &device);
                let near = if kind == PairLoss::Probability { Close } else { Sum };
                check(&kind, near, &[x.clone(), y.clone(), grad], |device, x| {
                    device.backend().pair_loss_grad(kind, x[2], x[0], x[1])
                })?;
            }
        }
    }
    for &dtype in FLOATS {
        let x = pair(numbers, All, shape, dtype, &device);
        let [host, there] = x.each_ref().map(|x| x.device().backend().frexp(x));
        prop_assert_eq!(difference(Same, &host.0, &there.0), None, "mantissas");
        prop_assert_eq!(difference(Same, &host.1, &there.1), None, "exponents");
        let x = pair(numbers, Share, shape, dtype, &device);
        for (low, high) in [(0.0, 1.0), (0.001, 1.0), (0.0, 0.999)] {
            let [host, there] = x.each_ref().map(|x| x.device().backend().within(x, low, high));
            prop_assert_eq!(host, there, "within {}..={}", low, high);
        }
    }
    Ok(())
}

fn casts(numbers: &mut Numbers) -> Result<(), TestCaseError> {
    let (device, shape) = (cuda(), shape(numbers));
    for from in DType::ALL {
        let x = pair(numbers, All, shape, from, &device);
        for to in DType::ALL {
            check(&to, Same, std::slice::from_ref(&x), |device, x| device.backend().cast(x[0], to))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::config(40))]

    #[test]
    fn functions_of_one_array(seed: u64) {
        unary(&mut Numbers(seed))?;
    }

    #[test]
    fn functions_of_two_arrays(seed: u64) {
        binary(&mut Numbers(seed))?;
    }

    #[test]
    fn functions_of_three_arrays(seed: u64) {
        three(&mut Numbers(seed))?;
    }

    #[test]
    fn losses_and_their_slopes(seed: u64) {
        losses(&mut Numbers(seed))?;
    }

    #[test]
    fn casts_between_all_types(seed: u64) {
        casts(&mut Numbers(seed))?;
    }
}

#[test]
fn every_half_becomes_the_float_that_it_is_and_comes_back() {
    let device = cuda();
    for (dtype, name) in [(DType::F16, "f16"), (DType::BF16, "bf16")] {
        // Made of 16-bit integers by way of the wider float's bits: each pattern of a half comes from the CPU's own cast.
        let all: Vec<f32> = (0..=u16::MAX)
            .map(|bits| match dtype {
                DType::F16 => half_to_float(bits),
                _ => f32::from_bits(u32::from(bits) << 16),
            })
            .collect();
        let wide = Array::from_vec(all, [1 << 16]);
        let half = wide.cast(dtype);
        let there = half.to_device(&device);
        assert_eq!(difference(Same, &half.cast(DType::F32), &there.cast(DType::F32)), None, "{name}");
        assert_eq!(difference(Same, &half, &there.cast(DType::F32).cast(dtype)), None, "{name}");
        // Halfway between two neighbours, and a little to each side of it.
        for step in [-1i32, 0, 1] {
            let bits = |v: &f32| f32::from_bits((v.to_bits() | 0x1000).wrapping_add_signed(step));
            let near = Array::from_vec(wide.to_vec::<f32>().iter().map(bits).collect::<Vec<_>>(), [1 << 16]);
            let there = near.to_device(&device).cast(dtype);
            assert_eq!(difference(Same, &near.cast(dtype), &there), None, "{name} {step}");
        }
    }
}

/// IEEE 754: a sign, 5 bits of exponent, 10 of mantissa.
fn half_to_float(bits: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        0 => mantissa * 2f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1024.0 + mantissa) * 2f32.powi(e - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}
