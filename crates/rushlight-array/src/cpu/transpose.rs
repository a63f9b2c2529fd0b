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

/// Elements of the output in a chunk where rows are copied one by one.
const ROW_CHUNK: usize = 1 << 15;

/// The array in row-major order, in a block of its own.
pub(crate) fn copy<T: Element>(x: &Array) -> Array {
    let walk = Walk::new([x.layout()]);
    let row = walk.row_len();
    if walk.inner() == [-1] {
        return reversed::<T>(x, &walk);
    }
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

/// A copy of rows that are read from their ends.
fn reversed<T: Element>(x: &Array, walk: &Walk<1>) -> Array {
    Array::build(x.shape(), |out: &mut [T]| {
        let data = x.host::<T>();
        for_each_slice(out, ROW_CHUNK, 1, &|start, out| {
            walk.rows(start, start + out.len(), &mut |row| {
                let from = &data[row.at[0] + 1 - row.len..=row.at[0]];
                let to = &mut out[row.start - start..][..row.len];
                to.iter_mut().zip(from.iter().rev()).for_each(|(to, &from)| *to = from);
            });
        });
    })
}

/// Fills `out`, rows of `tile.len` elements, from a tile of `x`.
pub(super) fn turn<T: Element>(out: &mut [T], x: &[T], tile: Tile<1>) {
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
    // Whatever the layout, nothing outside of the two slices is touched. In checked steps: a stride of 2^61 would wrap
    // around to a small number.
    let end = (len - 1).checked_mul(step).and_then(|last| last.checked_add(at)?.checked_add(rows));
    let inside = out.len() == rows * len && end.is_some_and(|end| end <= x.len());
    assert!(inside, "a copy would leave its array");
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

    /// Defines `out[r][c] = x[c][r]` for `rows x len` elements, rows of `x` `step` apart, by squares of so many.
    macro_rules! squares {
        ($name:ident, $t:ty, $side:literal, $mask:ty, $turn:ident, $zero:ident, $load:ident, $load_some:ident,
         $store:ident, $store_some:ident) => {
            /// # Safety
            /// The machine has AVX-512 F; `out` has `rows * len` elements and `x` has `(len - 1) * step + rows`.
            #[target_feature(enable = "avx512f")]
            pub(super) unsafe fn $name(out: *mut $t, x: *const $t, rows: usize, len: usize, step: usize) {
                const SIDE: usize = $side;
                let mask = |left: usize| if left >= SIDE { <$mask>::MAX } else { (1 << left) - 1 };
                for i in (0..rows).step_by(SIDE) {
                    let (height, in_rows) = ((rows - i).min(SIDE), mask(rows - i));
                    for j in (0..len).step_by(SIDE) {
                        let (width, in_columns) = ((len - j).min(SIDE), mask(len - j));
                        // Where the square begins on both sides; the two are in bounds, and so is what follows as far
                        // as there are rows and columns.
                        let (from, to) = (x.wrapping_add(j * step + i), out.wrapping_add(i * len + j));
                        let mut square = [$zero(); SIDE];
                        if height == SIDE && width == SIDE {
                            for c in 0..SIDE {
                                // SAFETY: a whole square lies inside x.
                                square[c] = unsafe { $load(from.add(c * step)) };
                            }
                            square = $turn(square);
                            for r in 0..SIDE {
                                // SAFETY: and inside out.
                                unsafe { $store(to.add(r * len), square[r]) };
                            }
                            continue;
                        }
                        for (c, lanes) in square.iter_mut().enumerate().take(width) {
                            // SAFETY: row j + c of x, elements i.. as far as there are rows.
                            *lanes = unsafe { $load_some(in_rows, from.add(c * step)) };
                        }
                        square = $turn(square);
                        for (r, lanes) in square.iter().enumerate().take(height) {
                            // SAFETY: row i + r of out, columns j.. as far as there are some.
                            unsafe { $store_some(to.add(r * len), in_columns, *lanes) };
                        }
                    }
                }
            }
        };
    }
    squares!(
        squares_of_16,
        f32,
        16,
        u16,
        turn_16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_maskz_loadu_ps,
        _mm512_storeu_ps,
        _mm512_mask_storeu_ps
    );
    squares!(
        squares_of_8,
        f64,
        8,
        u8,
        turn_8,
        _mm512_setzero_pd,
        _mm512_loadu_pd,
        _mm512_maskz_loadu_pd,
        _mm512_storeu_pd,
        _mm512_mask_storeu_pd
    );

    /// A square of 16 x 16: pairs, then fours within each quarter of a register, then the quarters.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn turn_16(r: [__m512; 16]) -> [__m512; 16] {
        let (mut pairs, mut fours, mut out) = (r, r, r);
        for i in 0..8 {
            pairs[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            pairs[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        // A loop: a closure for `map` would not be compiled for these registers.
        let mut halves = [_mm512_setzero_pd(); 16];
        for i in 0..16 {
            halves[i] = _mm512_castps_pd(pairs[i]);
        }
        for i in (0..16).step_by(4) {
            fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(halves[i], halves[i + 2]));
            fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(halves[i], halves[i + 2]));
            fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(halves[i + 1], halves[i + 3]));
            fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(halves[i + 1], halves[i + 3]));
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
    use crate::layout::Layout;

    #[test]
    #[should_panic(expected = "reaches outside of a storage")]
    fn a_stride_that_wraps_around_does_not_leave_the_block() {
        let layout = Layout::contiguous([9, 1 << 60]).slice("x", 1, 0, 16, 1).transpose(0, 1);
        let (block, _) = Array::ones(64, DType::F32).into_parts();
        Array::from_parts(block, layout).contiguous();
    }

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
