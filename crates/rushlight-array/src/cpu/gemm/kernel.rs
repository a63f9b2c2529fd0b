//! The loops that do the work, compiled once for each vector unit.
//!
//! A tile of the result stays in registers while the inner index `l` runs, so each element is one chain of
//! `mul_add` from the first `l` to the last. The chain does not know how large the tile is or how wide the
//! registers are: every tiling and every level gives the same bits.

#![allow(clippy::needless_range_loop, reason = "registers are numbered: i is the row, j the column")]

use super::lanes::{Number, Plain, Vector};
use crate::cpu::simd::prefetch;
#[cfg(target_arch = "x86_64")]
use crate::cpu::simd::{SimdLevel, simd_level};

/// A tile of `a b` and what is to be done with it.
pub(super) struct Tile<T> {
    /// The number of inner steps.
    pub(super) k: usize,
    pub(super) a: *const T,
    pub(super) a_row: isize,
    pub(super) a_step: isize,
    /// Rows of whole registers; without [`Kernels::masks`] the last one may reach past the operand's columns, so
    /// then it is a packed copy.
    pub(super) b: *const T,
    pub(super) b_step: isize,
    pub(super) out: *mut T,
    pub(super) out_row: usize,
    /// The number of columns in the last register, from 1 to all.
    pub(super) last: usize,
    /// Whether the sums go on from what `out` holds.
    pub(super) resume: bool,
    /// Added to every row at the end, if not null.
    pub(super) bias: *const T,
    /// Whether negative sums become zero at the end.
    pub(super) relu: bool,
    /// Whether the operand `b` is farther away than the first-level cache.
    pub(super) is_far: bool,
    /// What is asked for while the tile is computed.
    pub(super) soon: Option<Soon<T>>,
}

/// What will be needed soon: as many rows as the tile has, of two matrices. One row of each is asked for, then a share of the
/// tile is computed: the processor waits while it has more requests than it can keep.
pub(super) struct Soon<T> {
    /// The first elements, from one row to the next, and how many of each.
    pub(super) rows: [(*const T, isize, usize); 2],
}

impl<T> Soon<T> {
    #[inline(always)]
    fn ask(&self, row: usize) {
        for (first, step, len) in &self.rows {
            prefetch(first.wrapping_offset(row as isize * step), *len);
        }
    }
}

/// # Safety
/// Its instructions exist; the tile's pointers are good for the tile's extent, `out` for writing.
type TileFn<T> = unsafe fn(&Tile<T>);

/// A strided block to be copied into rows of `width` elements: `to[l * width + j] = from[l * step + j * column]`.
pub(super) struct Panel<T> {
    pub(super) from: *const T,
    pub(super) step: isize,
    pub(super) column: isize,
    pub(super) k: usize,
    pub(super) columns: usize,
    /// What lies behind the columns is filled with zeros.
    pub(super) width: usize,
    pub(super) to: *mut T,
}

/// The kernels for one type and level.
pub(in crate::cpu) struct Kernels<T: 'static> {
    pub(super) lanes: usize,
    /// The logarithm of the lanes.
    pub(super) lanes_log2: u32,
    /// Whether a tile reads only the columns that it has, see [`Tile::b`].
    pub(super) masks: bool,
    /// `tiles[r][v]` has r + 1 rows of v + 1 registers.
    pub(super) tiles: &'static [&'static [TileFn<T>]],
    /// # Safety
    /// As for tiles; `to` takes `k` rows.
    pub(super) pack: unsafe fn(&Panel<T>),
    /// # Safety
    /// As for tiles.
    pub(super) dots: unsafe fn(&Dots<T>),
}

impl<T> Kernels<T> {
    /// The number of rows of the largest tile.
    pub(super) fn rows(&self) -> usize {
        self.tiles.len()
    }

    /// The number of registers in a row of the largest tile.
    pub(super) fn registers(&self) -> usize {
        self.tiles[0].len()
    }

    /// The columns of the largest tile.
    pub(super) fn panel(&self) -> usize {
        self.registers() * self.lanes
    }
}

/// Types that have kernels.
pub(in crate::cpu) trait Product: Number {
    /// The kernels of the level in use.
    fn kernels() -> &'static Kernels<Self>;
}

/// The most sums of a tile. To ask for anything while they are computed is not worth its code for smaller tiles: of a large
/// product nearly all are whole.
const WHOLE: usize = 24;

/// The inner steps of a tile; if `FAR`, the right operand is asked for a little before it is read.
#[inline(always)]
unsafe fn chains<V: Vector, const M: usize, const N: usize, const FAR: bool>(
    t: &Tile<V::Item>,
    sums: &mut [[V; N]; M],
) {
    // SAFETY: as for `tile`.
    unsafe {
        let (mut a, mut b) = (t.a, t.b);
        // One register for each row: LLVM would go from row to row by additions that wait for each other, which
        // takes longer than the arithmetic of a narrow tile.
        let rows: [isize; M] = std::array::from_fn(|i| opaque(i as isize * t.a_row));
        let mut each = t.k;
        if let Some(soon) = &t.soon {
            if M * N == WHOLE {
                each = t.k.div_ceil(M);
            } else {
                (0..M).for_each(|row| soon.ask(row));
            }
        }
        let (mut row, mut left) = (0, t.k);
        while left > 0 {
            if M * N == WHOLE
                && let Some(soon) = &t.soon
            {
                soon.ask(row);
                row += 1;
            }
            let share = each.min(left);
            for _ in 0..share {
                let mut y = [V::splat(<V::Item>::default()); N];
                for j in 0..N {
                    let from = b.wrapping_add(j * V::LANES);
                    if FAR {
                        V::will_read(from.wrapping_offset(AHEAD * t.b_step));
                    }
                    y[j] = if V::MASKS && j == N - 1 { V::load_part(from, t.last) } else { V::load(from) };
                }
                for i in 0..M {
                    let x = V::splat(*a.wrapping_offset(rows[i]));
                    for j in 0..N {
                        sums[i][j] = x.mul_add(y[j], sums[i][j]);
                    }
                }
                a = a.wrapping_offset(t.a_step);
                b = b.wrapping_offset(t.b_step);
            }
            left -= share;
        }
        // Few steps are shared out before all rows are asked for.
        if M * N == WHOLE
            && let Some(soon) = &t.soon
        {
            (row..M).for_each(|row| soon.ask(row));
        }
    }
}

#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(t: &Tile<V::Item>) {
    // SAFETY: all pointers stay inside what the caller lends: M rows of N registers, the last one cut to
    // `last` columns where it is not padded, and k steps of the operands.
    unsafe {
        let row = t.out_row;
        let zero = V::splat(<V::Item>::default());
        let mut sums = [[zero; N]; M];
        if t.resume {
            for i in 0..M {
                for j in 0..N {
                    let from = t.out.wrapping_add(i * row + j * V::LANES);
                    let part = j == N - 1 && t.last < V::LANES;
                    sums[i][j] = if part { V::load_part(from, t.last) } else { V::load(from) };
                }
            }
        }
        if M * N == WHOLE && t.is_far {
            chains::<V, M, N, true>(t, &mut sums);
        } else {
            chains::<V, M, N, false>(t, &mut sums);
        }
        if !t.bias.is_null() {
            for j in 0..N {
                let from = t.bias.wrapping_add(j * V::LANES);
                let part = j == N - 1 && t.last < V::LANES;
                let bias = if part { V::load_part(from, t.last) } else { V::load(from) };
                for i in 0..M {
                    sums[i][j] = sums[i][j].add(bias);
                }
            }
        }
        if t.relu {
            for sum in sums.as_flattened_mut() {
                *sum = sum.relu();
            }
        }
        for i in 0..M {
            for j in 0..N {
                let to = t.out.wrapping_add(i * row + j * V::LANES);
                if j == N - 1 && (V::MASKS || t.last < V::LANES) {
                    sums[i][j].store_part(to, t.last);
                } else {
                    sums[i][j].store(to);
                }
            }
        }
    }
}

/// So many steps before it is read, the right operand is asked for: a packed panel lies in the second-level cache.
const AHEAD: isize = 8;

/// The number itself, but LLVM cannot see where it comes from.
#[inline(always)]
fn opaque(x: isize) -> isize {
    #[cfg(target_arch = "x86_64")]
    let mut x = x;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: there is no instruction.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) x, options(pure, nomem, nostack, preserves_flags));
    }
    x
}

#[inline(always)]
unsafe fn pack<V: Vector, const LANES: usize>(p: &Panel<V::Item>) {
    // SAFETY: reads k rows of `columns` elements and writes k rows of `width`, which the caller lends.
    unsafe {
        if p.column == 1 {
            return pack_rows::<V>(p);
        }
        for start in (0..p.width).step_by(LANES) {
            let from = p.from.wrapping_offset(start as isize * p.column);
            let (to, columns) = (p.to.wrapping_add(start), p.columns.saturating_sub(start).min(LANES));
            let (part, room) = (Panel { from, to, columns, ..*p }, (p.width - start).min(LANES));
            if p.step == 1 {
                pack_columns::<V, LANES>(&part, room);
            } else {
                pack_elements(&part, room);
            }
        }
    }
}

/// The register, or as much of it as there is room for.
#[inline(always)]
unsafe fn store_up_to<V: Vector>(x: V, to: *mut V::Item, room: usize) {
    // SAFETY: the caller's promise.
    unsafe { if room < V::LANES { x.store_part(to, room) } else { x.store(to) } };
}

/// Contiguous rows, each whole before the next: what lies behind each other is fetched together.
#[inline(always)]
unsafe fn pack_rows<V: Vector>(p: &Panel<V::Item>) {
    let whole = p.columns / V::LANES * V::LANES;
    for l in 0..p.k {
        let (from, to) = (p.from.wrapping_offset(l as isize * p.step), p.to.wrapping_add(l * p.width));
        // SAFETY: as in `pack`.
        unsafe {
            for j in (0..whole).step_by(V::LANES) {
                V::load(from.wrapping_add(j)).store(to.wrapping_add(j));
            }
            for j in (whole..p.width).step_by(V::LANES) {
                let row = V::load_part(from.wrapping_add(j), p.columns.saturating_sub(j));
                store_up_to(row, to.wrapping_add(j), p.width - j);
            }
        }
    }
}

/// One register's width of contiguous columns: squares are transposed in registers.
///
/// Zipping row i with row i + LANES / 2 of a square moves the top bit of each element's position, counted row-major,
/// to the bottom. After as many rounds as a row number has bits, rows and columns have changed places.
#[inline(always)]
unsafe fn pack_columns<V: Vector, const LANES: usize>(p: &Panel<V::Item>, room: usize) {
    for l in (0..p.k).step_by(LANES) {
        let steps = (p.k - l).min(LANES);
        // SAFETY: as in `pack`.
        unsafe {
            let mut square = [V::splat(<V::Item>::default()); LANES];
            for j in 0..LANES {
                let from = p.from.wrapping_offset(l as isize + j as isize * p.column);
                if j < p.columns {
                    square[j] = if steps < LANES { V::load_part(from, steps) } else { V::load(from) };
                }
            }
            for _ in 0..LANES.trailing_zeros() {
                let before = square;
                for i in 0..LANES / 2 {
                    (square[2 * i], square[2 * i + 1]) = before[i].zip(before[i + LANES / 2]);
                }
            }
            for i in 0..LANES {
                if i < steps {
                    store_up_to(square[i], p.to.wrapping_add((l + i) * p.width), room);
                }
            }
        }
    }
}

/// One register's width of anything.
#[inline(always)]
unsafe fn pack_elements<T: Number>(p: &Panel<T>, room: usize) {
    for l in 0..p.k {
        for j in 0..room {
            let from = p.from.wrapping_offset(l as isize * p.step + j as isize * p.column);
            // SAFETY: as in `pack`.
            unsafe {
                *p.to.wrapping_add(l * p.width + j) = if j < p.columns { *from } else { T::default() };
            }
        }
    }
}

/// Scalar products of `rows` rows of a matrix with one vector: `out[i] = x[i] y`.
pub(super) struct Dots<T> {
    pub(super) k: usize,
    pub(super) rows: usize,
    pub(super) x: *const T,
    pub(super) x_row: isize,
    pub(super) y: *const T,
    pub(super) out: *mut T,
}

/// The number of partial sums of a scalar product of f32; half as many for the wider types. Two registers of
/// AVX-512. Every level has as many, so that all give the same bits.
const SUMS: usize = 128 / 4;

/// Rows four at a time as long as there are four.
#[inline(always)]
unsafe fn dots<V: Vector>(d: &Dots<V::Item>) {
    let mut i = 0;
    while i < d.rows {
        let x = d.x.wrapping_offset(i as isize * d.x_row);
        let out = d.out.wrapping_add(i);
        let part = Dots { x, out, ..*d };
        // SAFETY: as the caller's, for the rows from i.
        unsafe {
            if V::MASKS && d.rows - i >= 4 {
                dot::<V, 4>(&part);
                i += 4;
            } else {
                dot::<V, 1>(&part);
                i += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn dot<V: Vector, const R: usize>(d: &Dots<V::Item>) {
    let count = SUMS * 4 / size_of::<V::Item>() / V::LANES;
    // SAFETY: R rows and the vector have k elements, as the caller says; `lanes` takes `count` registers.
    unsafe {
        let mut sums = [[V::splat(<V::Item>::default()); SUMS / 4]; R];
        let whole = d.k / (count * V::LANES) * (count * V::LANES);
        for l in (0..whole).step_by(count * V::LANES) {
            for c in 0..count {
                let at = l + c * V::LANES;
                let y = V::load(d.y.wrapping_add(at));
                for i in 0..R {
                    let x = V::load(d.x.wrapping_offset(i as isize * d.x_row).wrapping_add(at));
                    sums[i][c] = x.mul_add(y, sums[i][c]);
                }
            }
        }
        for c in 0..count {
            let at = whole + c * V::LANES;
            let part = d.k.saturating_sub(at).min(V::LANES);
            if part > 0 {
                let y = V::load_part(d.y.wrapping_add(at), part);
                for i in 0..R {
                    let x = V::load_part(d.x.wrapping_offset(i as isize * d.x_row).wrapping_add(at), part);
                    sums[i][c] = x.mul_add(y, sums[i][c]);
                }
            }
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            let mut half = count / 2;
            while half > 0 {
                for c in 0..half {
                    sums[c] = sums[c].add(sums[c + half]);
                }
                half /= 2;
            }
            *d.out.wrapping_add(i) = sums[0].sum();
        }
    }
}

/// A module of the kernels for one register type.
macro_rules! level {
    ($name:ident, $vector:ty, $t:ty, ($($m:literal)*) x $registers:tt $(, $feature:literal)?) => {
        pub(in crate::cpu::gemm) mod $name {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn tile<const M: usize, const N: usize>(t: &Tile<$t>) {
                // SAFETY: the caller keeps the kernel's contract.
                unsafe { super::tile::<$vector, M, N>(t) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn pack(p: &Panel<$t>) {
                // SAFETY: as above.
                unsafe { super::pack::<$vector, { <$vector as Vector>::LANES }>(p) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn dots(d: &Dots<$t>) {
                // SAFETY: as above.
                unsafe { super::dots::<$vector>(d) }
            }

            pub(in crate::cpu::gemm) static KERNELS: Kernels<$t> = Kernels {
                lanes: <$vector as Vector>::LANES,
                lanes_log2: <$vector as Vector>::LANES.trailing_zeros(),
                masks: <$vector as Vector>::MASKS,
                tiles: &[$(level!(row $m, $registers)),*],
                pack,
                dots,
            };
        }
    };
    (row $m:literal, ($($n:literal)*)) => { &[$(tile::<$m, $n>),*] };
}

// On x86-64 the fused operation is a call here, beside which the shape of a tile is nothing.
#[cfg(target_arch = "x86_64")]
level!(f32_plain, Plain<f32, 4, true>, f32, (1 2) x (1));
#[cfg(target_arch = "x86_64")]
level!(f64_plain, Plain<f64, 2, true>, f64, (1 2) x (1));
#[cfg(not(target_arch = "x86_64"))]
level!(f32_plain, Plain<f32, 4, true>, f32, (1 2 3 4 5 6) x (1 2));
#[cfg(not(target_arch = "x86_64"))]
level!(f64_plain, Plain<f64, 2, true>, f64, (1 2 3 4 5 6) x (1 2));
level!(i64_plain, Plain<i64, 4, true>, i64, (1 2 3) x (1));
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::lanes::x86::{F32x8, F32x16, F64x4, F64x8};
    use super::*;

    // Without FMA the fused operation is a call of some hundred instructions; such machines round twice.
    level!(f32_sse2, Plain<f32, 4, false>, f32, (1 2 3 4) x (1 2));
    level!(f64_sse2, Plain<f64, 2, false>, f64, (1 2 3 4) x (1 2));
    // 12 sums, 2 registers of the right operand and one of the left: 15 of 16.
    level!(f32_avx2, F32x8, f32, (1 2 3 4 5 6) x (1 2), "avx2,fma");
    level!(f64_avx2, F64x4, f64, (1 2 3 4 5 6) x (1 2), "avx2,fma");
    // 28 of 32. 6 x 4 was as fast on whole tiles, and leaves more waste where columns end.
    level!(f32_avx512, F32x16, f32, (1 2 3 4 5 6 7 8) x (1 2 3), "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
    level!(f64_avx512, F64x8, f64, (1 2 3 4 5 6 7 8) x (1 2 3), "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
}

macro_rules! product {
    ($t:ty, $plain:ident, $sse2:ident, $avx2:ident, $avx512:ident) => {
        impl Product for $t {
            #[inline]
            fn kernels() -> &'static Kernels<$t> {
                #[cfg(target_arch = "x86_64")]
                match simd_level() {
                    SimdLevel::Avx512 => return &x86::$avx512::KERNELS,
                    SimdLevel::Avx2 => return &x86::$avx2::KERNELS,
                    SimdLevel::Portable if !is_x86_feature_detected!("fma") => return &x86::$sse2::KERNELS,
                    SimdLevel::Portable => {}
                }
                &$plain::KERNELS
            }
        }
    };
}
product!(f32, f32_plain, f32_sse2, f32_avx2, f32_avx512);
product!(f64, f64_plain, f64_sse2, f64_avx2, f64_avx512);

impl Product for i64 {
    #[inline]
    fn kernels() -> &'static Kernels<i64> {
        &i64_plain::KERNELS
    }
}
