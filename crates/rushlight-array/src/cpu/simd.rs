//! The choice of instructions: one page that knows which vector units the machine has.
//!
//! Kernels are plain loops over slices. [`vectorized`] and [`vectorized_wide`] compile the loop once for each level and
//! call the version for this machine; LLVM turns it into vector code of that level's width. What the loop calls must be
//! inlined into it (`#[inline(always)]`, also on closures), or it stays code of the baseline.
//!
//! All levels give the same bits: the loops fix the order of every sum, and `mul_add` rounds once everywhere
//! (without an FMA unit by a slow call; such machines are old, and there matrix products round twice).

use crate::dtype::{DType, Element};
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of vector instructions that kernels are compiled for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum SimdLevel {
    /// What every processor of the target has: SSE2 on x86-64, NEON on aarch64.
    Portable = 1,
    /// 256-bit vectors with FMA.
    Avx2 = 2,
    /// 512-bit vectors: AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
}

static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The level that kernels use: the best of this machine, or what `RUSHLIGHT_SIMD` (`portable`, `avx2`, `avx512`) or
/// [`set_simd_level`] named, if the machine has it. It never changes a result.
///
/// ```
/// use rushlight_array::{SimdLevel, simd_level};
/// assert!(simd_level() >= SimdLevel::Portable);
/// ```
#[inline]
pub fn simd_level() -> SimdLevel {
    match LEVEL.load(Ordering::Relaxed) {
        1 => SimdLevel::Portable,
        2 => SimdLevel::Avx2,
        3 => SimdLevel::Avx512,
        _ => {
            // What another thread may have set meanwhile stays.
            let first = level_of(std::env::var("RUSHLIGHT_SIMD").ok().as_deref()).min(best());
            let _ = LEVEL.compare_exchange(0, first as u8, Ordering::Relaxed, Ordering::Relaxed);
            simd_level()
        }
    }
}

/// The level that the variable names; all, if it is not set.
fn level_of(text: Option<&str>) -> SimdLevel {
    match text {
        Some("portable") => SimdLevel::Portable,
        Some("avx2") => SimdLevel::Avx2,
        Some("avx512") | None => SimdLevel::Avx512,
        Some(other) => {
            eprintln!("rushlight: RUSHLIGHT_SIMD is '{other}', which is none of portable, avx2 and avx512");
            SimdLevel::Avx512
        }
    }
}

/// Asks for a level, to compare or to debug; the machine's best if it has not got it. Returns the level in use.
pub fn set_simd_level(level: SimdLevel) -> SimdLevel {
    let level = level.min(best());
    LEVEL.store(level as u8, Ordering::Relaxed);
    level
}

#[cfg(target_arch = "x86_64")]
fn best() -> SimdLevel {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => SimdLevel::Avx512,
        (true, false) => SimdLevel::Avx2,
        _ => SimdLevel::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> SimdLevel {
    SimdLevel::Portable
}

/// Calls `kernel`, compiled for vectors of 256 bits where the machine has them. Write it as
/// `vectorized(#[inline(always)] || ..)`.
#[inline(always)]
pub(crate) fn vectorized<R>(kernel: impl FnOnce() -> R) -> R {
    #[cfg(all(target_arch = "x86_64", not(rushlight_portable)))]
    if simd_level() >= SimdLevel::Avx2 {
        // SAFETY: the level is at most the machine's best, so it has these instructions.
        return unsafe { avx2(kernel) };
    }
    kernel()
}

/// As [`vectorized`], if `T` is f32; else the kernel is compiled once. Each copy is time of every build, and vectors of two
/// elements instead of four gain little where memory, calls or divisions bound the loop.
#[inline(always)]
pub(crate) fn vectorized_f32<T: Element, R>(kernel: impl FnOnce() -> R) -> R {
    if const { matches!(T::DTYPE, DType::F32) } { vectorized(kernel) } else { kernel() }
}

/// As [`vectorized_f32`], and for f32 for 512 bits, too: for what is bound by arithmetic.
#[inline(always)]
pub(crate) fn vectorized_wide<T: Element, R>(kernel: impl FnOnce() -> R) -> R {
    #[cfg(all(target_arch = "x86_64", not(rushlight_portable)))]
    if const { matches!(T::DTYPE, DType::F32) } && simd_level() == SimdLevel::Avx512 {
        // SAFETY: the level is at most the machine's best, so it has these instructions.
        return unsafe { avx512(kernel) };
    }
    vectorized_f32::<T, R>(kernel)
}

/// As [`vectorized_wide`], but as [`vectorized`] for f64, too: for what calls `mul_add`, which is slow without FMA.
#[inline(always)]
pub(crate) fn vectorized_fused<T: Element, R>(kernel: impl FnOnce() -> R) -> R {
    if const { matches!(T::DTYPE, DType::F32) } {
        vectorized_wide::<T, R>(kernel)
    } else {
        vectorized(kernel)
    }
}

/// Asks the processor to bring so many elements into its second-level cache, where they will soon be read or written. A hint:
/// any address is good, and no result hangs on it.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the instruction reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, len);
}

#[cfg(all(target_arch = "x86_64", not(rushlight_portable)))]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}

#[cfg(all(target_arch = "x86_64", not(rushlight_portable)))]
#[target_feature(enable = "avx2,fma")]
fn avx2<R>(kernel: impl FnOnce() -> R) -> R {
    kernel()
}
