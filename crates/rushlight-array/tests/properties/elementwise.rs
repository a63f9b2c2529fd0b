use crate::model::*;
use proptest::prelude::*;
use rushlight_array::{Array, DType, Scalar};

/// A name, the library's function and the reference.
type One = (&'static str, fn(&Array) -> Array, fn(f64) -> f64);
type Two<T> = (&'static str, fn(&Array, &Array) -> Array, fn(f64, f64) -> T);

/// f64 functions and what the library calls them; integers and bools give f32.
const FLOAT: [One; 26] = [
    ("exp", Array::exp, f64::exp),
    ("log", Array::log, f64::ln),
    ("sqrt", Array::sqrt, f64::sqrt),
    ("sin", Array::sin, f64::sin),
    ("cos", Array::cos, f64::cos),
    ("tanh", Array::tanh, f64::tanh),
    ("sigmoid", Array::sigmoid, |v| 1.0 / (1.0 + (-v).exp())),
    ("reciprocal", Array::reciprocal, |v| 1.0 / v),
    ("scale", |a| a.scale(-1.5), |v| v * -1.5),
    ("offset", |a| a.offset(0.25), |v| v + 0.25),
    ("square", |a| a.powf(2.0), |v| v * v),
    ("cube", |a| a.powf(3.0), |v| v * v * v),
    ("powf", |a| a.powf(-1.5), |v| v.powf(-1.5)),
    ("exp2", Array::exp2, f64::exp2),
    ("log2", Array::log2, f64::log2),
    ("log10", Array::log10, f64::log10),
    ("rsqrt", Array::rsqrt, |v| 1.0 / v.sqrt()),
    ("tan", Array::tan, f64::tan),
    ("asin", Array::asin, f64::asin),
    ("acos", Array::acos, f64::acos),
    ("atan", Array::atan, f64::atan),
    ("sinh", Array::sinh, f64::sinh),
    ("cosh", Array::cosh, f64::cosh),
    ("asinh", Array::asinh, f64::asinh),
    ("acosh", Array::acosh, f64::acosh),
    ("atanh", Array::atanh, f64::atanh),
];

/// Functions that keep the dtype.
const NUMBER: [One; 9] = [
    ("neg", Array::neg, |v| -v),
    ("abs", Array::abs, f64::abs),
    ("sign", Array::sign, |v| if v == 0.0 { 0.0 } else { v.signum() }),
    ("relu", Array::relu, |v| v.max(0.0)),
    ("floor", Array::floor, f64::floor),
    ("ceil", Array::ceil, f64::ceil),
    ("trunc", Array::trunc, f64::trunc),
    ("round", |a| a.round(0), f64::round_ties_even),
    ("clamp", |a| a.clamp(-2.0, f64::INFINITY), |v| v.max(-2.0)),
];

const BINARY: [Two<f64>; 4] = [
    ("add", Array::add, |a, b| a + b),
    ("mul", Array::mul, |a, b| a * b),
    ("maximum", Array::maximum, f64::max),
    ("minimum", Array::minimum, f64::min),
];

const COMPARE: [Two<bool>; 9] = [
    ("eq", Array::eq, |a, b| a == b),
    ("ne", Array::ne, |a, b| a != b),
    ("lt", Array::lt, |a, b| a < b),
    ("le", Array::le, |a, b| a <= b),
    ("gt", Array::gt, |a, b| a > b),
    ("ge", Array::ge, |a, b| a >= b),
    ("logical_and", Array::logical_and, |a, b| a != 0.0 && b != 0.0),
    ("logical_or", Array::logical_or, |a, b| a != 0.0 || b != 0.0),
    ("logical_xor", Array::logical_xor, |a, b| (a != 0.0) != (b != 0.0)),
];

fn pair() -> impl Strategy<Value = (Sample, Sample, Vec<usize>)> {
    (broadcasting(), dtype(), dtype(), 0..50usize, 0..5usize, 0..5usize).prop_map(
        |((a, b, shape), p, q, seed, l, m)| (sample(&a, p, seed, l), sample(&b, q, seed + 1, m), shape),
    )
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn float_functions_match_one_by_one(s in any_sample(dtype(), 0..=4)) {
        let dtype = if s.array.dtype().is_float() { s.array.dtype() } else { DType::F32 };
        for (name, f, reference) in FLOAT {
            eprintln!("{name}");
            check(&f(&s.array), &s.model.map(reference), dtype, 3.0 * tolerance(dtype));
        }
    }

    #[test]
    fn number_functions_match_one_by_one(s in any_sample(dtype(), 0..=4)) {
        let dtype = s.array.dtype();
        if dtype != DType::Bool {
            for (name, f, reference) in NUMBER {
                eprintln!("{name}");
                check(&f(&s.array), &s.model.map(|v| store(dtype, reference(v))), dtype, 0.0);
            }
        }
        check(&s.array.logical_not(), &s.model.map(|v| f64::from(u8::from(v == 0.0))), DType::Bool, 0.0);
    }

    #[test]
    fn functions_of_two_broadcast_and_promote((a, b, shape) in pair()) {
        let dtype = Array::result_dtype(&[&a.array, &b.array]);
        // First in the common dtype: -4 without dims beside `u8` is 252, as in PyTorch.
        let (p, q) = (a.model.map(|v| store(dtype, v)), b.model.map(|v| store(dtype, v)));
        for (name, f, reference) in BINARY {
            eprintln!("{name}");
            let expected = p.zip(&q, &shape, |x, y| store(dtype, reference(x, y)));
            check(&f(&a.array, &b.array), &expected, dtype, 0.0);
        }
        if a.array.dtype() != DType::Bool && b.array.dtype() != DType::Bool {
            check(&a.array.sub(&b.array), &p.zip(&q, &shape, |x, y| store(dtype, x - y)), dtype, 0.0);
        }
        for (name, f, reference) in COMPARE {
            eprintln!("{name}");
            let expected = p.zip(&q, &shape, |x, y| f64::from(u8::from(reference(x, y))));
            check(&f(&a.array, &b.array), &expected, DType::Bool, 0.0);
        }
    }

    #[test]
    fn division_is_true_division((a, b, shape) in pair()) {
        let dtype = Array::result_dtype(&[&a.array, &b.array]);
        let dtype = if dtype.is_float() { dtype } else { DType::F32 };
        let expected = a.model.zip(&b.model, &shape, |x, y| store(dtype, x / y));
        check(&a.array.div(&b.array), &expected, dtype, tolerance(dtype));
    }

    #[test]
    fn powers_match_one_by_one((a, b, shape) in pair()) {
        let dtype = Array::result_dtype(&[&a.array, &b.array]);
        // Negative numbers without dims beside `u8` are large powers, which f64 cannot check.
        prop_assume!(dtype.is_float() || dtype == a.array.dtype().promote(b.array.dtype()));
        let (p, q) = (a.model.map(|v| store(dtype, v)), b.model.map(|v| store(dtype, v)));
        let expected = p.zip(&q, &shape, |x, y| match dtype {
            d if d.is_float() => store(d, x.powf(y)),
            DType::Bool => f64::from(u8::from(x != 0.0 || y == 0.0)),
            // Up to 8^8 in magnitude, which an i64 holds; 0 to a negative power is 0, as in torch.
            d => store(d, if x == 0.0 && y < 0.0 { 0.0 } else { x.powf(y).trunc() }),
        });
        check(&a.array.pow(&b.array), &expected, dtype, 3.0 * tolerance(dtype));
    }

    #[test]
    fn where_picks_and_broadcasts(
        (a, b, shape) in pair(), seed in 0..50usize, layout in 0..5usize, ones in prop::collection::vec(any::<bool>(), 4),
    ) {
        let mask: Vec<usize> = shape.iter().zip(&ones).map(|(&s, &one)| if one { 1 } else { s }).collect();
        let c = sample(&mask, DType::Bool, seed, layout);
        let expected = Model::from_fn(&shape, |at| {
            if c.model.broadcast_at(at) != 0.0 { a.model.broadcast_at(at) } else { b.model.broadcast_at(at) }
        });
        let dtype = Array::result_dtype(&[&a.array, &b.array]);
        check(&c.array.where_(&a.array, &b.array), &expected.map(|v| store(dtype, v)), dtype, 0.0);
    }

    #[test]
    fn casts_match_one_by_one(
        values in prop::collection::vec(prop_oneof![any::<f64>(), -300.0..300.0, -1e10..1e10f64], 0..20), from in dtype(),
    ) {
        // A float becomes a narrow integer by way of i32; saturation there and at the ends of i64 is that of `as`.
        let cast = |from: DType, to: DType, v: f64| match from.is_float() && to.is_int() && to != DType::I64 {
            true => store(to, f64::from(v as i32)),
            false => store(to, v),
        };
        let stored: Vec<f64> = values.iter().map(|&v| cast(DType::F64, from, v)).collect();
        let model = Model { shape: vec![values.len()], data: stored };
        let array = Array::from_vec(values, model.shape.as_slice()).cast(from);
        check(&array, &model, from, 0.0);
        for to in DType::ALL {
            check(&array.cast(to), &model.map(|v| cast(from, to, v)), to, 0.0);
        }
    }

    #[test]
    fn equal_finds_one_difference_wherever_it_is(len in 0..9000usize, place in 0..9000usize, layout in 0..2usize) {
        let a = Array::from_vec((0..len as i64).collect(), len);
        let mut other: Vec<i64> = (0..len as i64).collect();
        other.iter_mut().skip(place).take(1).for_each(|v| *v += 1);
        let b = Array::from_vec(other, len);
        let turn = |x: &Array| if layout == 1 { x.flip([0]) } else { x.clone() };
        prop_assert!(turn(&a).equal(&turn(&a)));
        prop_assert_eq!(turn(&a).equal(&turn(&b)), place >= len);
    }

    #[test]
    fn casts_of_large_integers_round_once_to_f32(values in prop::collection::vec(any::<i64>(), 0..20)) {
        let array = Array::from_vec(values.clone(), values.len());
        let f32s: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        prop_assert_eq!(array.cast(DType::F32).to_vec::<f32>(), f32s.clone());
        let halves: Vec<_> = f32s.iter().map(|&v| half::bf16::from_f32(v)).collect();
        prop_assert_eq!(array.cast(DType::BF16).to_vec::<half::bf16>(), halves);
        prop_assert_eq!(array.cast(DType::U8).to_vec::<u8>(), values.iter().map(|&v| v as u8).collect::<Vec<_>>());
        prop_assert_eq!(array.cast(DType::I32).to_vec::<i32>(), values.iter().map(|&v| v as i32).collect::<Vec<_>>());
    }

    #[test]
    fn fill_keeps_the_value(shape in shape(0..=3), dtype in dtype(), value in prop_oneof![Just(-0.0), Just(f64::NAN), -9.0..9.0]) {
        let array = Array::full(shape.as_slice(), Scalar::Float(value), dtype, &rushlight_array::Device::cpu());
        let expected = Model::from_fn(&shape, |_| store(dtype, value));
        check(&array, &expected, dtype, 0.0);
        let signs = array.cast(DType::F64).to_vec::<f64>();
        prop_assert!(signs.iter().zip(&expected.data).all(|(a, b)| a.is_nan() || a.is_sign_negative() == b.is_sign_negative()));
    }
}
