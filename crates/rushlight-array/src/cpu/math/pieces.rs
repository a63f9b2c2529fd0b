//! `gelu` and its gradient by tables. Near zero the function is one of sixteen polynomials, whose coefficients one
//! instruction looks up for a whole register; the formulas stay for the rest. It takes half the time of the formulas, and
//! beside its products `gelu` is what costs most of a transformer's step.

use super::{gelu_far, gelu_slope_far};

/// `x Phi(x) = x (1 + erf(x / sqrt 2)) / 2` of each element; 5.5 ULP, also of the tail below zero. NaN at both infinities, as
/// PyTorch has it for f32 (for f64 only below).
pub(crate) fn gelu_row(out: &mut [f32], x: &[f32]) {
    row::<Gelu>(out, x, x);
}

/// The derivative of [`gelu_row`]'s function, `Phi(x) + x phi(x)`, times a gradient; 5.4 ULP and the rounding of the product.
/// NaN at the infinities.
pub(crate) fn gelu_grad_row(out: &mut [f32], grad: &[f32], x: &[f32]) {
    row::<GeluGrad>(out, grad, x);
}

/// From here on, and for NaN, the formulas.
const END: f32 = 3.875;

/// 1.5 * 2^21: adding it rounds a float of less than 2^20 to a multiple of 1/4, whose number is in the low bits.
const ROUND: f32 = 3_145_728.0;

/// So many elements at a time; a shorter rest is computed as so many.
const CHUNK: usize = 16;

/// A function of `a = |x|` up to [`END`] in pieces, 1/4 wide, each around a multiple of 1/4: polynomials of the distance from it.
/// A row has one coefficient of all.
#[repr(align(64))]
struct Pieces([[f32; 16]; 7]);

/// What is computed of a gradient and `x`.
trait Formula {
    const PIECES: &'static Pieces;

    /// For `a = |x|` below [`END`], by the value of its piece.
    ///
    /// # Safety
    /// The machine has the register's instructions.
    unsafe fn near<R: Register>(grad: R, x: R, a: R, piece: R) -> R;

    /// For any x.
    fn far(grad: f32, x: f32) -> f32;
}

struct Gelu;

impl Formula for Gelu {
    /// `Phi(-a)`; 2^-24.4.
    #[rustfmt::skip]
    const PIECES: &'static Pieces = &Pieces([
        [
            0.5, 0.401_293_67, 0.308_537_54, 0.226_627_35, 0.158_655_26, 0.105_649_78,
            0.066_807_2, 0.040_059_157, 0.022_750_132, 0.012_224_473, 0.006_209_665_4, 0.002_979_763_3,
            0.001_349_898, 5.770_250_6e-4, 2.326_290_9e-4, 8.841_728_4e-5,
        ],
        [
            -0.398_942_3, -0.386_668_12, -0.352_065_32, -0.301_137_42, -0.241_970_73, -0.182_649_09,
            -0.129_517_6, -0.086_277_32, -0.053_990_968, -0.031_739_652, -0.017_528_301, -0.009_093_563,
            -0.004_431_848_4, -0.002_029_048, -8.726_827e-4, -3.525_956_7e-4,
        ],
        [
            1.273_178e-6, 0.048_343_58, 0.088_011_84, 0.112_929_16, 0.120_983_16, 0.114_152_41,
            0.097_136_39, 0.075_492_82, 0.053_991_15, 0.035_706_69, 0.021_910_261, 0.012_503_57,
            0.006_647_749_3, 0.003_297_187_9, 0.001_527_188_7, 6.611_175_5e-4,
        ],
        [
            0.066_443_79, 0.060_414_754, 0.044_008_49, 0.021_952_128, 3.880_040_4e-6, -0.017_119_491,
            -0.026_980_178, -0.029_657_232, -0.026_995_301, -0.021_489_907, -0.015_336_982, -0.009_945_843,
            -0.005_909_108, -0.003_233_779_7, -0.001_636_262_4, -7.676_310_5e-4,
        ],
        [
            7.461_921e-4, -0.013_502_505, -0.019_425_651, -0.023_344_498, -0.019_820_87, -0.013_160_188,
            -0.005_790_780_8, 3.647_948_6e-4, 0.004_468_831_7, 0.006_200_814, 0.005_950_596_6, 0.004_765_126,
            0.003_327_287_7, 0.002_080_208_2, 0.001_178_096_3, 6.094_029_5e-4,
        ],
        [
            -0.015_422_92, -0.008_237_203, -0.004_646_772, 5.238_008e-4, 0.003_754_225_8, 0.005_678_610_4,
            0.005_663_709_2, 0.004_277_000_7, 0.002_245_924_2, 4.239_675e-4, -6.815_696e-4, -0.001_135_775_5,
            -0.001_108_905, -8.669_271e-4, -5.801_768e-4, -3.423_827_3e-4,
        ],
        [
            0.015_003_038, 0.071_425_915, -0.027_873_306, 0.018_963_715, -0.011_513_692, -0.019_839_112,
            -0.011_654_233, -1.000_531_7e-4, -9.305_427e-5, -0.003_439_773_3, -0.001_126_619_3, -5.254_291e-4,
            -1.608_574_2e-5, 1.054_074_2e-4, 1.476_799_7e-4, 1.340_845e-4,
        ],
    ]);

    #[inline(always)]
    unsafe fn near<R: Register>(_: R, x: R, a: R, piece: R) -> R {
        // relu(x) - a Phi(-a), as in the formula. The sign of zero would be lost.
        // SAFETY: the caller's promise.
        unsafe { a.minus_product(piece, x.relu()).or_sign(x) }
    }

    #[inline(always)]
    fn far(_: f32, x: f32) -> f32 {
        gelu_far(x)
    }
}

struct GeluGrad;

impl Formula for GeluGrad {
    /// The slope at -a over `root - a`; 2^-24.4.
    #[rustfmt::skip]
    const PIECES: &'static Pieces = &Pieces([
        [
            0.665_078, 0.607_078_1, 0.526_248_34, 0.432_189_55, 0.335_667_3, 0.246_205_33,
            0.170_365_87, 0.111_125_24, 0.068_283_305, 0.039_507_013, 0.021_514_073, 0.011_023_642,
            0.005_313_407, 0.002_408_678_6, 0.001_026_763_6, 4.115_179_2e-4,
        ],
        [
            -0.176_647_34, -0.283_168_14, -0.356_906_24, -0.388_218_67, -0.377_491_47, -0.333_788_7,
            -0.270_974_3, -0.203_158_86, -0.141_214_58, -0.091_248_78, -0.054_918_706, -0.030_830_909,
            -0.016_162_356, -0.007_918_636, -0.003_628_458_8, -0.001_555_830_2,
        ],
        [
            -0.235_539_7, -0.185_020_04, -0.106_596_24, -0.018_811_172, 0.058_556_054, 0.111_470_11,
            0.134_971_99, 0.132_618_32, 0.113_135_12, 0.086_229_816, 0.059_614_29, 0.037_721_187,
            0.021_973_683, 0.011_830_994, 0.005_904_863_6, 0.002_737_745_9,
        ],
        [
            0.060_269_32, 0.089_249_92, 0.115_470_774, 0.114_111_71, 0.089_022_47, 0.050_980_855,
            0.012_549_441, -0.016_769_215, -0.032_965_887, -0.037_046_76, -0.032_952_1, -0.025_137_83,
            -0.017_001_897, -0.010_370_694, -0.005_764_005, -0.002_938_159_7,
        ],
        [
            -0.237_272_56, 0.034_413_546, 0.009_258_082, -0.014_847_012, -0.032_850_77, -0.040_560_227,
            -0.036_041_513, -0.022_360_044, -0.009_837_475, 5.021_637e-4, 0.006_541_569_7, 0.008_437_652,
            0.007_548_082, 0.005_636_438_7, 0.003_640_976, 0.002_101_385,
        ],
        [
            2.059_596_5, -0.017_442_52, -0.022_303_453, -0.019_322_453, -0.010_624_488, 5.635_811_6e-5,
            0.008_013_199, 0.010_524_147, 0.010_014_092, 0.006_728_718, 0.002_985_559_6, 1.393_643_8e-4,
            -0.001_282_268_2, -0.001_685_888_6, -0.001_440_910_5, -0.001_011_145_8,
        ],
        [
            -5.494_539_7, 0.182_370_3, 0.138_244_63, 0.014_769_257, -0.027_924_063, 0.020_771_097,
            0.044_030_733, -0.023_119_427, 0.006_136_127_3, 0.008_167_12, 0.001_613_806_2, -0.002_415_043_5,
            1.681_275_2e-5, -4.874_794e-4, 2.212_396_5e-4, 3.194_721_6e-4,
        ],
    ]);

    #[inline(always)]
    unsafe fn near<R: Register>(grad: R, x: R, a: R, piece: R) -> R {
        /// The root of the slope in two parts.
        const ROOT: [f32; 2] = [0.751_791_54, -1.211_445e-8];
        // SAFETY: the caller's promise.
        unsafe {
            let low = piece.mul(R::splat(ROOT[1]));
            let below = R::splat(ROOT[0]).sub(a).mul_add(piece, low);
            below.or_one_minus(x).mul(grad)
        }
    }

    #[inline(always)]
    fn far(grad: f32, x: f32) -> f32 {
        grad * gelu_slope_far(x)
    }
}

/// A formula of all elements.
fn row<F: Formula>(out: &mut [f32], grad: &[f32], x: &[f32]) {
    #[cfg(all(target_arch = "x86_64", not(rushlight_portable)))]
    {
        use crate::cpu::simd::{SimdLevel, simd_level};
        match simd_level() {
            // SAFETY: the level is at most the machine's best, so it has these instructions.
            SimdLevel::Avx512 => return unsafe { x86::avx512::<F>(out, grad, x) },
            // SAFETY: as above.
            SimdLevel::Avx2 => return unsafe { x86::avx2::<F>(out, grad, x) },
            SimdLevel::Portable => {}
        }
    }
    // SAFETY: every machine has this register.
    unsafe { chunks::<F, f32>(out, grad, x) };
}

/// # Safety
/// The machine has the register's instructions.
#[inline(always)]
unsafe fn chunks<F: Formula, R: Register>(out: &mut [f32], grad: &[f32], x: &[f32]) {
    let (grads, grad) = grad.as_chunks::<CHUNK>();
    let (xs, x) = x.as_chunks::<CHUNK>();
    let (outs, out) = out.as_chunks_mut::<CHUNK>();
    for ((out, grad), x) in outs.iter_mut().zip(grads).zip(xs) {
        // SAFETY: the caller's promise.
        unsafe { chunk::<F, R>(out, grad, x) };
    }
    if !x.is_empty() {
        let [mut last, mut last_grad, mut last_x] = [[0.0; CHUNK]; 3];
        last_grad[..x.len()].copy_from_slice(grad);
        last_x[..x.len()].copy_from_slice(x);
        // SAFETY: the caller's promise.
        unsafe { chunk::<F, R>(&mut last, &last_grad, &last_x) };
        out.copy_from_slice(&last[..x.len()]);
    }
}

/// # Safety
/// The machine has the register's instructions.
#[inline(always)]
unsafe fn chunk<F: Formula, R: Register>(out: &mut [f32; CHUNK], grad: &[f32; CHUNK], x: &[f32; CHUNK]) {
    let mut any_far = false;
    for at in (0..CHUNK).step_by(R::LANES) {
        // SAFETY: the caller's promise; so many elements lie behind `at`.
        unsafe {
            let (grad, x) = (R::load(grad.as_ptr().add(at)), R::load(x.as_ptr().add(at)));
            let a = x.abs();
            any_far |= !a.is_below(R::splat(END));
            let which = a.add(R::splat(ROUND));
            let distance = a.sub(which.sub(R::splat(ROUND)));
            let [first, .., last] = &F::PIECES.0;
            let mut piece = R::pick(last, which);
            for coefficients in F::PIECES.0[1..6].iter().rev() {
                piece = piece.mul_add(distance, R::pick(coefficients, which));
            }
            piece = piece.mul_add(distance, R::pick(first, which));
            F::near(grad, x, a, piece).store(out.as_mut_ptr().add(at));
        }
    }
    if any_far {
        for ((out, &grad), &x) in out.iter_mut().zip(grad).zip(x) {
            let far = F::far(grad, x);
            *out = if x.abs() < END { *out } else { far };
        }
    }
}

/// Some numbers that are computed together.
///
/// # Safety
/// Of every function: the machine has the register's instructions, and pointers lead to as many elements as are read or written.
trait Register: Copy {
    const LANES: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, y: Self) -> Self;
    unsafe fn sub(self, y: Self) -> Self;
    unsafe fn mul(self, y: Self) -> Self;
    /// `self y + z`, rounded once.
    unsafe fn mul_add(self, y: Self, z: Self) -> Self;
    /// `z - self y`, rounded once.
    unsafe fn minus_product(self, y: Self, z: Self) -> Self;
    unsafe fn abs(self) -> Self;
    unsafe fn relu(self) -> Self;
    /// With the sign of `x` beside its own.
    unsafe fn or_sign(self, x: Self) -> Self;
    /// Itself where `x` is negative, else `1 - self`.
    unsafe fn or_one_minus(self, x: Self) -> Self;
    /// Whether all are less than `end`.
    unsafe fn is_below(self, end: Self) -> bool;
    /// Of sixteen numbers those that the lowest four bits of `which` name.
    unsafe fn pick(from: &[f32; 16], which: Self) -> Self;
}

/// The functions of a register: those without `self`, then those with it.
macro_rules! register {
    (
        $register:ty, $lanes:literal;
        $($make:ident($($from:ident: $type:ty),*) $(-> $made:ty)? = $new:expr;)*
        [$x:ident]
        $($name:ident($($y:ident: $operand:ty),*) $(-> $result:ty)? = $value:expr;)*
    ) => {
        #[allow(unused_unsafe, reason = "not of all registers")]
        impl Register for $register {
            const LANES: usize = $lanes;
            $(
                #[inline(always)]
                unsafe fn $make($($from: $type),*) $(-> $made)? {
                    // SAFETY: instructions and pointers are the caller's duty, as the trait says.
                    unsafe { $new }
                }
            )*
            $(
                #[inline(always)]
                unsafe fn $name(self, $($y: $operand),*) $(-> $result)? {
                    let $x = self;
                    // SAFETY: instructions and pointers are the caller's duty, as the trait says.
                    unsafe { $value }
                }
            )*
        }
    };
}

register! {
    f32, 1;
    splat(x: f32) -> f32 = x;
    load(from: *const f32) -> f32 = *from;
    pick(from: &[f32; 16], which: f32) -> f32 = from[which.to_bits() as usize & 15];
    [x]
    store(to: *mut f32) = *to = x;
    add(y: f32) -> f32 = x + y;
    sub(y: f32) -> f32 = x - y;
    mul(y: f32) -> f32 = x * y;
    mul_add(y: f32, z: f32) -> f32 = f32::mul_add(x, y, z);
    minus_product(y: f32, z: f32) -> f32 = f32::mul_add(-x, y, z);
    abs() -> f32 = f32::abs(x);
    relu() -> f32 = if x > 0.0 { x } else { 0.0 };
    or_sign(other: f32) -> f32 = f32::from_bits(x.to_bits() | other.to_bits() & 1 << 31);
    or_one_minus(other: f32) -> f32 = if other < 0.0 { x } else { 1.0 - x };
    is_below(end: f32) -> bool = x < end;
}

#[cfg(all(target_arch = "x86_64", not(rushlight_portable)))]
mod x86 {
    use super::{Formula, Register, chunks};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    pub(super) fn avx512<F: Formula>(out: &mut [f32], grad: &[f32], x: &[f32]) {
        // SAFETY: this function is compiled for the register.
        unsafe { chunks::<F, __m512>(out, grad, x) };
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2<F: Formula>(out: &mut [f32], grad: &[f32], x: &[f32]) {
        // SAFETY: this function is compiled for the register.
        unsafe { chunks::<F, __m256>(out, grad, x) };
    }

    register! {
        __m512, 16;
        splat(x: f32) -> Self = _mm512_set1_ps(x);
        load(from: *const f32) -> Self = _mm512_loadu_ps(from);
        pick(from: &[f32; 16], which: Self) -> Self =
            _mm512_permutexvar_ps(_mm512_castps_si512(which), _mm512_loadu_ps(from.as_ptr()));
        [x]
        store(to: *mut f32) = _mm512_storeu_ps(to, x);
        add(y: Self) -> Self = _mm512_add_ps(x, y);
        sub(y: Self) -> Self = _mm512_sub_ps(x, y);
        mul(y: Self) -> Self = _mm512_mul_ps(x, y);
        mul_add(y: Self, z: Self) -> Self = _mm512_fmadd_ps(x, y, z);
        minus_product(y: Self, z: Self) -> Self = _mm512_fnmadd_ps(x, y, z);
        abs() -> Self = _mm512_abs_ps(x);
        relu() -> Self = _mm512_max_ps(x, _mm512_setzero_ps());
        or_sign(other: Self) -> Self = _mm512_or_ps(x, _mm512_and_ps(other, _mm512_set1_ps(-0.0)));
        or_one_minus(other: Self) -> Self = {
            let not_negative = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(other, _mm512_setzero_ps());
            _mm512_mask_sub_ps(x, not_negative, _mm512_set1_ps(1.0), x)
        };
        is_below(end: Self) -> bool = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, end) == 0;
    }

    register! {
        __m256, 8;
        splat(x: f32) -> Self = _mm256_set1_ps(x);
        load(from: *const f32) -> Self = _mm256_loadu_ps(from);
        pick(from: &[f32; 16], which: Self) -> Self = {
            let which = _mm256_castps_si256(which);
            let low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from.as_ptr()), which);
            let high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(from.as_ptr().add(8)), which);
            // The fourth bit chooses, moved to where the instruction looks.
            _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(which)))
        };
        [x]
        store(to: *mut f32) = _mm256_storeu_ps(to, x);
        add(y: Self) -> Self = _mm256_add_ps(x, y);
        sub(y: Self) -> Self = _mm256_sub_ps(x, y);
        mul(y: Self) -> Self = _mm256_mul_ps(x, y);
        mul_add(y: Self, z: Self) -> Self = _mm256_fmadd_ps(x, y, z);
        minus_product(y: Self, z: Self) -> Self = _mm256_fnmadd_ps(x, y, z);
        abs() -> Self = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
        relu() -> Self = _mm256_max_ps(x, _mm256_setzero_ps());
        or_sign(other: Self) -> Self = _mm256_or_ps(x, _mm256_and_ps(other, _mm256_set1_ps(-0.0)));
        or_one_minus(other: Self) -> Self = {
            let negative = _mm256_cmp_ps::<_CMP_LT_OQ>(other, _mm256_setzero_ps());
            _mm256_blendv_ps(_mm256_sub_ps(_mm256_set1_ps(1.0), x), x, negative)
        };
        is_below(end: Self) -> bool = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(x, end)) == 0;
    }
}
