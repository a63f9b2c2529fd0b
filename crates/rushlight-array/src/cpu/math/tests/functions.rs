//! The functions of the submodules.

use super::super::{bessel, exponential, inverse, probability, tan_row};
use super::{Case, assert_all, assert_sample, vectorized};
use crate::cpu::special;

pub(super) const EXP2: Case = case!(exponential::exp2, f64::exp2, 1.1);
pub(super) const LOG2: Case = case!(exponential::log2, f64::log2, 1.6);
pub(super) const LOG10: Case = case!(exponential::log10, f64::log10, 1.6);
pub(super) const SINH: Case = case!(exponential::sinh, f64::sinh, 1.8);
pub(super) const COSH: Case = case!(exponential::cosh, f64::cosh, 1.5);
pub(super) const TAN: Case = Case { row: tan_row, exact: f64::tan, ulp: 2.6, root: f64::NAN };
pub(super) const SINC: Case = case!(super::super::sinc, special::sinc, 3.0);
pub(super) const ASIN: Case = case!(inverse::asin, f64::asin, 2.4);
pub(super) const ACOS: Case = case!(inverse::acos, f64::acos, 1.5);
pub(super) const ATAN: Case = case!(inverse::atan, f64::atan, 2.0);
pub(super) const ASINH: Case = case!(inverse::asinh, libm::asinh, 1.8);
pub(super) const ACOSH: Case = case!(inverse::acosh, special::acosh, 2.5);
pub(super) const ATANH: Case = case!(inverse::atanh, libm::atanh, 2.2);
pub(super) const ERFC: Case = case!(probability::erfc, libm::erfc, 5.0);
pub(super) const ERFINV: Case = case!(probability::erfinv, special::erfinv, 4.0);
pub(super) const I0: Case = case!(bessel::i0_f32, exact_i0, 5.0);
pub(super) const I1: Case = case!(bessel::i1_f32, exact_i1, 5.0);

/// Infinite where e^x is, as f32 has it.
fn exact_i0(x: f64) -> f64 {
    if (x.abs() as f32).exp().is_infinite() { x.abs() - x.abs() + f64::INFINITY } else { bessel::i0(x) }
}

fn exact_i1(x: f64) -> f64 {
    if (x.abs() as f32).exp().is_infinite() {
        (x.abs() - x.abs() + f64::INFINITY).copysign(x)
    } else {
        bessel::i1(x)
    }
}

against_f64! {
    EXP2, exp2_is_near_f64, all_inputs_exp2;
    LOG2, log2_is_near_f64, all_inputs_log2;
    LOG10, log10_is_near_f64, all_inputs_log10;
    SINH, sinh_is_near_f64, all_inputs_sinh;
    COSH, cosh_is_near_f64, all_inputs_cosh;
    TAN, tan_is_near_f64, all_inputs_tan;
    SINC, sinc_is_near_f64, all_inputs_sinc;
    ASIN, asin_is_near_f64, all_inputs_asin;
    ACOS, acos_is_near_f64, all_inputs_acos;
    ATAN, atan_is_near_f64, all_inputs_atan;
    ASINH, asinh_is_near_f64, all_inputs_asinh;
    ACOSH, acosh_is_near_f64, all_inputs_acosh;
    ATANH, atanh_is_near_f64, all_inputs_atanh;
    ERFC, erfc_is_near_f64, all_inputs_erfc;
    ERFINV, erfinv_is_near_f64, all_inputs_erfinv;
    I0, i0_is_near_f64, all_inputs_i0;
    I1, i1_is_near_f64, all_inputs_i1;
}

#[test]
fn logarithms_of_powers_are_whole() {
    for n in -149..128 {
        assert_eq!(exponential::log2(2f64.powi(n) as f32), n as f32);
        assert_eq!(exponential::exp2(n as f32), 2f64.powi(n) as f32);
    }
    for n in 0..11 {
        assert_eq!(exponential::log10(10f64.powi(n) as f32), n as f32);
    }
}
