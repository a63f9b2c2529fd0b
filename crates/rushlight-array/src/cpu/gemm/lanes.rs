//! Numbers of one vector register, as the kernels of the product see them.
//!
//! Each type below is a register of some width, or an array that stands for one. The functions are inlined into
//! kernels that are compiled for the instructions they need (`kernel.rs`); called elsewhere they would be slow
//! and, on a machine without the instructions, wrong. Hence all of them are unsafe.

use crate::dtype::Element;

/// Types with a product.
pub(in crate::cpu) trait Number: Element {
    /// `x y + z`, rounded once for floats, wrapping for integers.
    fn mul_add(x: Self, y: Self, z: Self) -> Self;
    /// `x y`, wrapping for integers.
    fn mul(x: Self, y: Self) -> Self;
    /// `x + y`, wrapping for integers.
    fn add(x: Self, y: Self) -> Self;
    /// Zero for negative values; NaN and -0.0 stay.
    #[inline(always)]
    fn relu(self) -> Self {
        if self < Self::default() { Self::default() } else { self }
    }
}

macro_rules! float {
    ($t:ty) => {
        impl Number for $t {
            #[inline(always)]
            fn mul_add(x: $t, y: $t, z: $t) -> $t {
                x.mul_add(y, z)
            }
            #[inline(always)]
            fn mul(x: $t, y: $t) -> $t {
                x * y
            }
            #[inline(always)]
            fn add(x: $t, y: $t) -> $t {
                x + y
            }
        }
    };
}
float!(f32);
float!(f64);

impl Number for i64 {
    #[inline(always)]
    fn mul_add(x: i64, y: i64, z: i64) -> i64 {
        x.wrapping_mul(y).wrapping_add(z)
    }
    #[inline(always)]
    fn mul(x: i64, y: i64) -> i64 {
        x.wrapping_mul(y)
    }
    #[inline(always)]
    fn add(x: i64, y: i64) -> i64 {
        x.wrapping_add(y)
    }
}

/// A register of numbers.
///
/// # Safety
/// Of every function: the machine has the register's instructions, and pointers lead to as many elements as
/// are read or written.
pub(super) trait Vector: Copy {
    type Item: Number;
    /// The number of elements.
    const LANES: usize;
    /// Whether a part of a register is read and written at the cost of a whole one.
    const MASKS: bool;

    unsafe fn splat(x: Self::Item) -> Self;
    unsafe fn load(from: *const Self::Item) -> Self;
    /// The first `n` elements and zeros; nothing behind them is touched.
    unsafe fn load_part(from: *const Self::Item, n: usize) -> Self;
    unsafe fn store(self, to: *mut Self::Item);
    unsafe fn store_part(self, to: *mut Self::Item, n: usize);
    /// `self * y + z`.
    unsafe fn mul_add(self, y: Self, z: Self) -> Self;
    unsafe fn add(self, y: Self) -> Self;
    unsafe fn relu(self) -> Self;
    /// `self[0] y[0] self[1] y[1] ...`, in two registers.
    unsafe fn zip(self, y: Self) -> (Self, Self);
    /// The sum of all: halves are added until one is left.
    unsafe fn sum(self) -> Self::Item;
    /// Asks for a line of memory, if there is one.
    #[inline(always)]
    fn will_read(_: *const Self::Item) {}
}

/// Elements that LLVM keeps in whatever registers the target has; products are rounded before they are
/// added unless they are `FUSED`.
#[derive(Clone, Copy)]
pub(super) struct Plain<T, const N: usize, const FUSED: bool>([T; N]);

impl<T: Number, const N: usize, const FUSED: bool> Vector for Plain<T, N, FUSED> {
    type Item = T;
    const LANES: usize = N;
    const MASKS: bool = false;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Plain([x; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's pointer leads to N elements.
        Plain(unsafe { from.cast::<[T; N]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_part(from: *const T, n: usize) -> Self {
        // SAFETY: the caller's pointer leads to n elements.
        Plain(std::array::from_fn(|i| if i < n { unsafe { *from.add(i) } } else { T::default() }))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller's pointer leads to N elements.
        unsafe { to.cast::<[T; N]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut T, n: usize) {
        for (i, &x) in self.0.iter().enumerate().take(n) {
            // SAFETY: the caller's pointer leads to n elements.
            unsafe { *to.add(i) = x };
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        Plain(std::array::from_fn(|i| {
            if FUSED {
                T::mul_add(self.0[i], y.0[i], z.0[i])
            } else {
                T::add(T::mul(self.0[i], y.0[i]), z.0[i])
            }
        }))
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        Plain(std::array::from_fn(|i| T::add(self.0[i], y.0[i])))
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Plain(self.0.map(T::relu))
    }
    #[inline(always)]
    unsafe fn zip(self, y: Self) -> (Self, Self) {
        let half = |start: usize| {
            std::array::from_fn(|i| if i % 2 == 0 { self.0[start + i / 2] } else { y.0[start + i / 2] })
        };
        (Plain(half(0)), Plain(half(N / 2)))
    }
    #[inline(always)]
    unsafe fn sum(self) -> T {
        let mut lanes = self.0;
        let mut half = N / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] = T::add(lanes[i], lanes[i + half]);
            }
            half /= 2;
        }
        lanes[0]
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    /// What all four types have in common; `load_part`, `store_part` and `zip` differ.
    macro_rules! vector {
        (
            $name:ident, $register:ty, $t:ty, $lanes:literal, $masks:literal,
            $splat:ident, $zero:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $max:ident,
            |$from:ident, $n:ident| $load_part:expr,
            |$to:ident, $count:ident, $part:ident| $store_part:expr,
            |$x:ident, $y:ident| $zip:expr,
            |$all:ident| $sum:expr
        ) => {
            #[derive(Clone, Copy)]
            pub(in super::super) struct $name($register);

            // The functions are as safe as the trait says: instructions and pointers are the caller's duty.
            #[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, above")]
            impl Vector for $name {
                type Item = $t;
                const LANES: usize = $lanes;
                const MASKS: bool = $masks;

                #[inline(always)]
                fn will_read(at: *const $t) {
                    // SAFETY: a hint, good for any address.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
                }
                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    // SAFETY: see above.
                    $name(unsafe { $splat(x) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $t) -> Self {
                    // SAFETY: see above.
                    $name(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn load_part($from: *const $t, $n: usize) -> Self {
                    // SAFETY: see above.
                    $name(unsafe { $load_part })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $t) {
                    // SAFETY: see above.
                    unsafe { $store(to, self.0) };
                }
                #[inline(always)]
                unsafe fn store_part(self, $to: *mut $t, $count: usize) {
                    let $part = self.0;
                    // SAFETY: see above.
                    unsafe { $store_part };
                }
                #[inline(always)]
                unsafe fn mul_add(self, y: Self, z: Self) -> Self {
                    // SAFETY: see above.
                    $name(unsafe { $fma(self.0, y.0, z.0) })
                }
                #[inline(always)]
                unsafe fn add(self, y: Self) -> Self {
                    // SAFETY: see above.
                    $name(unsafe { $add(self.0, y.0) })
                }
                #[inline(always)]
                unsafe fn relu(self) -> Self {
                    // The instruction gives its second operand if one is NaN or both are zeros.
                    // SAFETY: see above.
                    $name(unsafe { $max($zero(), self.0) })
                }
                #[inline(always)]
                unsafe fn zip(self, other: Self) -> (Self, Self) {
                    let ($x, $y) = (self.0, other.0);
                    // SAFETY: see above.
                    let (low, high) = unsafe { $zip };
                    ($name(low), $name(high))
                }
                #[inline(always)]
                unsafe fn sum(self) -> $t {
                    let $all = self.0;
                    // SAFETY: see above.
                    unsafe { $sum }
                }
            }
        };
    }

    #[rustfmt::skip]
    vector!(
        F32x16, __m512, f32, 16, true, _mm512_set1_ps, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps,
        _mm512_fmadd_ps, _mm512_add_ps, _mm512_max_ps,
        |from, n| _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, from),
        |to, n, x| _mm512_mask_storeu_ps(to, ((1u32 << n) - 1) as u16, x),
        |x, y| {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (_mm512_permutex2var_ps(x, low, y), _mm512_permutex2var_ps(x, high, y))
        },
        |x| sum_8(_mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1)))
    );
    #[rustfmt::skip]
    vector!(
        F64x8, __m512d, f64, 8, true, _mm512_set1_pd, _mm512_setzero_pd, _mm512_loadu_pd, _mm512_storeu_pd,
        _mm512_fmadd_pd, _mm512_add_pd, _mm512_max_pd,
        |from, n| _mm512_maskz_loadu_pd(((1u32 << n) - 1) as u8, from),
        |to, n, x| _mm512_mask_storeu_pd(to, ((1u32 << n) - 1) as u8, x),
        |x, y| {
            let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
            (_mm512_permutex2var_pd(x, low, y), _mm512_permutex2var_pd(x, high, y))
        },
        |x| sum_4(_mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd(x, 1)))
    );
    #[rustfmt::skip]
    vector!(
        F32x8, __m256, f32, 8, false, _mm256_set1_ps, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps,
        _mm256_fmadd_ps, _mm256_add_ps, _mm256_max_ps,
        |from, n| _mm256_maskload_ps(from, first_32(n)),
        |to, n, x| _mm256_maskstore_ps(to, first_32(n), x),
        |x, y| {
            let (low, high) = (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
            (_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31))
        },
        |x| sum_8(x)
    );
    #[rustfmt::skip]
    vector!(
        F64x4, __m256d, f64, 4, false, _mm256_set1_pd, _mm256_setzero_pd, _mm256_loadu_pd, _mm256_storeu_pd,
        _mm256_fmadd_pd, _mm256_add_pd, _mm256_max_pd,
        |from, n| _mm256_maskload_pd(from, first_64(n)),
        |to, n, x| _mm256_maskstore_pd(to, first_64(n), x),
        |x, y| {
            let (low, high) = (_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y));
            (_mm256_permute2f128_pd(low, high, 0x20), _mm256_permute2f128_pd(low, high, 0x31))
        },
        |x| sum_4(x)
    );

    #[inline(always)]
    unsafe fn sum_8(x: __m256) -> f32 {
        // SAFETY: the caller's machine has AVX2.
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    unsafe fn sum_4(x: __m256d) -> f64 {
        // SAFETY: the caller's machine has AVX2.
        unsafe {
            let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
            _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
        }
    }

    /// All bits set in the first `n` of eight numbers.
    #[inline(always)]
    unsafe fn first_32(n: usize) -> __m256i {
        // SAFETY: the caller's machine has AVX2.
        unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
    }

    /// All bits set in the first `n` of four numbers.
    #[inline(always)]
    unsafe fn first_64(n: usize) -> __m256i {
        // SAFETY: the caller's machine has AVX2.
        unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
    }
}
