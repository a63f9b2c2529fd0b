//! The floats that kernels compute in, under one trait, so that a kernel is written once for both.

use super::math;
use crate::dtype::Element;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// f32 or f64 with the functions that kernels need. Those of f32 become vector code inside of
/// [`vectorized`](super::simd::vectorized) loops; those of f64 are the standard library's.
pub(crate) trait Float:
    Element
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    const NEG_INFINITY: Self;
    /// x y + z, rounded once.
    fn mul_add(self, y: Self, z: Self) -> Self;
    fn sqrt(self) -> Self;
    fn abs(self) -> Self;
    fn floor(self) -> Self;
    /// To the nearest integer, an even one where two are equally near.
    fn round_ties_even(self) -> Self;
    fn is_nan(self) -> bool;
    fn powi(self, exponent: i32) -> Self;
    fn powf(self, exponent: Self) -> Self;
    fn exp(self) -> Self;
    fn exp_m1(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sigmoid(self) -> Self;
    fn gelu_tanh(self) -> Self;
    fn gelu_tanh_slope(self) -> Self;
}

impl Float for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn mul_add(self, y: f32, z: f32) -> f32 {
        f32::mul_add(self, y, z)
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> f32 {
        f32::abs(self)
    }
    #[inline(always)]
    fn floor(self) -> f32 {
        f32::floor(self)
    }
    #[inline(always)]
    fn round_ties_even(self) -> f32 {
        f32::round_ties_even(self)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    fn powi(self, exponent: i32) -> f32 {
        f32::powi(self, exponent)
    }
    fn powf(self, exponent: f32) -> f32 {
        f32::powf(self, exponent)
    }
    #[inline(always)]
    fn exp(self) -> f32 {
        math::exp(self)
    }
    #[inline(always)]
    fn exp_m1(self) -> f32 {
        math::exp_m1(self)
    }
    #[inline(always)]
    fn ln(self) -> f32 {
        math::ln(self)
    }
    #[inline(always)]
    fn ln_1p(self) -> f32 {
        math::ln_1p(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> f32 {
        math::sigmoid(self)
    }
    #[inline(always)]
    fn gelu_tanh(self) -> f32 {
        math::gelu_tanh(self)
    }
    #[inline(always)]
    fn gelu_tanh_slope(self) -> f32 {
        math::gelu_tanh_slope(self)
    }
}

/// sqrt(2 / pi) and the cubic factor of gelu's approximation by tanh (Hendrycks & Gimpel, 2016).
const TANH_FORM: (f64, f64) = (0.797_884_560_802_865_4, 0.044715);

impl Float for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const NEG_INFINITY: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn mul_add(self, y: f64, z: f64) -> f64 {
        f64::mul_add(self, y, z)
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> f64 {
        f64::abs(self)
    }
    #[inline(always)]
    fn floor(self) -> f64 {
        f64::floor(self)
    }
    #[inline(always)]
    fn round_ties_even(self) -> f64 {
        f64::round_ties_even(self)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
    fn powi(self, exponent: i32) -> f64 {
        f64::powi(self, exponent)
    }
    fn powf(self, exponent: f64) -> f64 {
        f64::powf(self, exponent)
    }
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    fn exp_m1(self) -> f64 {
        f64::exp_m1(self)
    }
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    fn ln_1p(self) -> f64 {
        f64::ln_1p(self)
    }
    fn sigmoid(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }
    fn gelu_tanh(self) -> f64 {
        let (x, (scale, cubic)) = (self, TANH_FORM);
        0.5 * x * (1.0 + (scale * (x + cubic * x * x * x)).tanh())
    }
    fn gelu_tanh_slope(self) -> f64 {
        let (x, (scale, cubic)) = (self, TANH_FORM);
        let t = (scale * (x + cubic * x * x * x)).tanh();
        0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * scale * (1.0 + 3.0 * cubic * x * x)
    }
}

pub(crate) fn gelu(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

pub(crate) fn gelu_slope(x: f64) -> f64 {
    let rate = 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) + rate * x * (-0.5 * x * x).exp()
}
