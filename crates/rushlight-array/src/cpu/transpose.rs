//! Copies that turn columns into rows: by squares that fit the vector registers, so that whole cache lines are read
//! and written. LLVM does not find these shuffles by itself.

use super::elementwise;
use super::simd::{SimdLevel, simd_level};
use super::threads::for_each_slice;
use super::walk::{Tile, Walk};
use crate::array::Array;
use crate::dtype::Element;

/// Rows of the output in a chunk: several squares high, so that parts of cache lines at their borders are met again
/// before they are forgotten.
const ROWS: usize = 64;

/// The array in row-major order, in a block of its own.
pub(crate) fn copy<T: Element>(x: &Array) -> Array {
    let walk = Walk::new([x.layout()]);
    let row = walk.row_len();
    if walk.is_one_row() || walk.inner() == [1] || !matches!(size_of::<T>(), 4 | 8) {
        return elementwise::copy::<T>(x);
    }
    Array::build(x.shape(), |out: &mut [T]| {
        let data = x.host::<T>();
        for_each_slice(out, ROWS * row, 4, &|start, out| {
            let mut done = 0;
            walk.tiles(start, start + out.len(), &mut |tile| {
                let count = tile.rows * tile.len;
                turn(&mut out[done..done + count], data, tile);
                done += count;
            });
        });
    })
}

/// Fills `out`, rows of `tile.len` elements, from a tile of `x`.
fn turn<T: Element>(out: &mut [T], x: &[T], tile: Tile<1>) {
    let ([step], [rows, len], [at]) = (tile.inner, [tile.rows, tile.len], tile.at);
    if tile.outer != [1] || step <= 0 {
        for (i, out) in out.chunks_exact_mut(len).enumerate() {
            let at = at as isize + i as isize * tile.outer[0];
            for (j, o) in out.iter_mut().enumerate() {
                *o = x[(at + j as isize * step) as usize];
            }
        }
        return;
    }
    let step = step as usize;
    // Whatever the layout, nothing outside of the two slices is touched.
    assert!(
        out.len() == rows * len && at + (len - 1) * step + rows <= x.len(),
        "a copy would leave its array"
    );
    let x = &x[at..];
    match (simd_level(), size_of::<T>()) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has AVX-512, T has 4 bytes, and the bounds were asserted.
        (SimdLevel::Avx512, 4) => unsafe {
            x86::squares_of_16(out.as_mut_ptr().cast(), x.as_ptr().cast(), rows, len, step);
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above, with 8 bytes.
        (SimdLevel::Avx512, 8) => unsafe {
            x86::squares_of_8(out.as_mut_ptr().cast(), x.as_ptr().cast(), rows, len, step);
        },
        _ => squares(out, x, rows, len, step),
    }
}

/// The portable form: small squares, so that a line of the input is used while it is near.
fn squares<T: Element>(out: &mut [T], x: &[T], rows: usize, len: usize, step: usize) {
    const SIDE: usize = 16;
    for i in (0..rows).step_by(SIDE) {
        for j in (0..len).step_by(SIDE) {
            for r in i..rows.min(i + SIDE) {
                for c in j..len.min(j + SIDE) {
                    out[r * len + c] = x[c * step + r];
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// `out[r][c] = x[c][r]` for `rows x len` elements of 4 bytes; rows of `x` are `step` apart.
    ///
    /// # Safety
    /// The machine has AVX-512 F; `out` has `rows * len` elements and `x` has `(len - 1) * step + rows`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn squares_of_16(out: *mut f32, x: *const f32, rows: usize, len: usize, step: usize) {
        let mask = |left: usize| if left >= 16 { !0u16 } else { (1 << left) - 1 };
        for i in (0..rows).step_by(16) {
            let (height, in_rows) = ((rows - i).min(16), mask(rows - i));
            for j in (0..len).step_by(16) {
                let (width, in_columns) = ((len - j).min(16), mask(len - j));
                let mut square = [_mm512_setzero_ps(); 16];
                for (c, lane) in square.iter_mut().enumerate() {
                    if c < width {
                        // SAFETY: row j + c of x, elements i.. as far as there are rows: inside x.
                        *lane = unsafe { _mm512_maskz_loadu_ps(in_rows, x.add((j + c) * step + i)) };
                    }
                }
                let square = turn_16(square);
                for (r, lane) in square.iter().enumerate() {
                    if r < height {
                        // SAFETY: row i + r of out, columns j.. as far as there are some: inside out.
                        unsafe { _mm512_mask_storeu_ps(out.add((i + r) * len + j), in_columns, *lane) };
                    }
                }
            }
        }
    }

    /// A square of 16 x 16: pairs, then fours within each quarter of a register, then the quarters.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn turn_16(r: [__m512; 16]) -> [__m512; 16] {
        let (mut pairs, mut fours, mut out) = (r, r, r);
        for i in 0..8 {
            pairs[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            pairs[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let pairs = pairs.map(|v| _mm512_castps_pd(v));
        for i in (0..16).step_by(4) {
            fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(pairs[i], pairs[i + 2]));
            fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(pairs[i], pairs[i + 2]));
            fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(pairs[i + 1], pairs[i + 3]));
            fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(pairs[i + 1], pairs[i + 3]));
        }
        for j in 0..4 {
            // Quarter q of fours[4 i + j] holds column 4 q + j of rows 4 i .. 4 i + 4.
            let even = _mm512_shuffle_f32x4::<0x88>(fours[j], fours[4 + j]);
            let odd = _mm512_shuffle_f32x4::<0xdd>(fours[j], fours[4 + j]);
            let even_below = _mm512_shuffle_f32x4::<0x88>(fours[8 + j], fours[12 + j]);
            let odd_below = _mm512_shuffle_f32x4::<0xdd>(fours[8 + j], fours[12 + j]);
            out[j] = _mm512_shuffle_f32x4::<0x88>(even, even_below);
            out[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even, even_below);
            out[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd, odd_below);
            out[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_below);
        }
        out
    }

    /// As [`squares_of_16`], for elements of 8 bytes.
    ///
    /// # Safety
    /// As there.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn squares_of_8(out: *mut f64, x: *const f64, rows: usize, len: usize, step: usize) {
        let mask = |left: usize| if left >= 8 { !0u8 } else { (1 << left) - 1 };
        for i in (0..rows).step_by(8) {
            let (height, in_rows) = ((rows - i).min(8), mask(rows - i));
            for j in (0..len).step_by(8) {
                let (width, in_columns) = ((len - j).min(8), mask(len - j));
                let mut square = [_mm512_setzero_pd(); 8];
                for (c, lane) in square.iter_mut().enumerate() {
                    if c < width {
                        // SAFETY: row j + c of x, elements i.. as far as there are rows: inside x.
                        *lane = unsafe { _mm512_maskz_loadu_pd(in_rows, x.add((j + c) * step + i)) };
                    }
                }
                let square = turn_8(square);
                for (r, lane) in square.iter().enumerate() {
                    if r < height {
                        // SAFETY: row i + r of out, columns j.. as far as there are some: inside out.
                        unsafe { _mm512_mask_storeu_pd(out.add((i + r) * len + j), in_columns, *lane) };
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn turn_8(r: [__m512d; 8]) -> [__m512d; 8] {
        let (mut pairs, mut out) = (r, r);
        for i in (0..8).step_by(2) {
            pairs[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
            pairs[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
        }
        for j in 0..2 {
            // Quarter q of pairs[2 i + j] holds column 2 q + j of rows 2 i and 2 i + 1.
            let even = _mm512_shuffle_f64x2::<0x88>(pairs[j], pairs[2 + j]);
            let odd = _mm512_shuffle_f64x2::<0xdd>(pairs[j], pairs[2 + j]);
            let even_below = _mm512_shuffle_f64x2::<0x88>(pairs[4 + j], pairs[6 + j]);
            let odd_below = _mm512_shuffle_f64x2::<0xdd>(pairs[4 + j], pairs[6 + j]);
            out[j] = _mm512_shuffle_f64x2::<0x88>(even, even_below);
            out[4 + j] = _mm512_shuffle_f64x2::<0xdd>(even, even_below);
            out[2 + j] = _mm512_shuffle_f64x2::<0x88>(odd, odd_below);
            out[6 + j] = _mm512_shuffle_f64x2::<0xdd>(odd, odd_below);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::set_simd_level;
    use crate::dtype::DType;

    #[test]
    fn turned_copies_are_right_at_every_size_and_level() {
        let before = simd_level();
        for level in [SimdLevel::Portable, SimdLevel::Avx2, SimdLevel::Avx512] {
            set_simd_level(level);
            for (rows, columns) in (1..36).flat_map(|r| [1, 7, 8, 15, 16, 17, 33].map(|c| (r, c))) {
                let x = Array::arange(0, (3 * rows * columns) as i64, 1).reshape([3, rows, columns]);
                for dtype in [DType::I64, DType::F32, DType::I16] {
                    let turned = x.cast(dtype).narrow(1, 0, rows).transpose(1, 2).contiguous();
                    let value = |i: usize| {
                        let (block, place) = (i / (rows * columns), i % (rows * columns));
                        (block * rows * columns + place % rows * columns + place / rows) as i64
                    };
                    let expected: Vec<i64> = (0..x.numel()).map(value).collect();
                    assert_eq!(turned.cast(DType::I64).to_vec::<i64>(), expected, "{rows} x {columns}");
                }
            }
        }
        set_simd_level(before);
    }
}
