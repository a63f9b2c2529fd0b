//! Floats cut to integers.
//!
//! The results are those of `as`: what is too large becomes the nearest integer and NaN becomes 0. But the compiler takes
//! `as` one number at a time; this becomes vector code.

macro_rules! truncate {
    ($name:ident, $t:ident, $int:ident) => {
        #[inline(always)]
        pub(crate) fn $name(v: $t) -> $int {
            const LIMIT: $t = -($int::MIN as $t);
            let fits = (-LIMIT..LIMIT).contains(&v);
            let inside = if fits { v } else { 0.0 };
            // SAFETY: it is at least -LIMIT and below LIMIT, and not NaN.
            let cut = unsafe { inside.to_int_unchecked::<$int>() };
            let beyond = if v > 0.0 { $int::MAX } else { $int::MIN };
            let beyond = if v.is_nan() { 0 } else { beyond };
            if fits { cut } else { beyond }
        }
    };
}
truncate!(f32_to_i32, f32, i32);
truncate!(f32_to_i64, f32, i64);
truncate!(f64_to_i32, f64, i32);
truncate!(f64_to_i64, f64, i64);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(v: f32, w: f64) -> Result<(), TestCaseError> {
        prop_assert_eq!(f32_to_i32(v), v as i32);
        prop_assert_eq!(f32_to_i64(v), v as i64);
        prop_assert_eq!(f64_to_i32(w), w as i32);
        prop_assert_eq!(f64_to_i64(w), w as i64);
        Ok(())
    }

    proptest! {
        #[test]
        fn any_float_is_cut_as_by_the_language(v in prop::num::f32::ANY, w in prop::num::f64::ANY) {
            check(v, w)?;
        }

        #[test]
        fn floats_near_the_ends_of_the_integers_too(i in 0u64..8, negative: bool) {
            for end in [2f64.powi(31), 2f64.powi(63)] {
                let sign = if negative { -1.0 } else { 1.0 };
                let v = f32::from_bits((end as f32).to_bits() - 4 + i as u32);
                check(sign * v, f64::from(sign) * f64::from_bits(end.to_bits() - 4 + i))?;
                check(sign * v, f64::from(sign) * (end - 4.0 + i as f64))?;
            }
        }
    }
}
