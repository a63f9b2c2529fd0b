//! Large products: both operands are copied, block by block, into the order in which tiles read them (K. Goto and R. van
//! de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34, 2008).
//!
//! A block of the right operand is packed by all threads and read by all; then each thread packs rows of the left one
//! and multiplies them. An element is the same chain of `mul_add` as in small products.

use super::block::{Panels, pieces, with_scratch};
use super::kernel::{Kernels, Panel, Product, Soon, Tile};
use super::product::{Epilogue, Matrix};
use crate::cpu::memory::HostBuffer;
use crate::cpu::simd::prefetch;
use crate::cpu::threads::{SendPointer, for_each_chunk, num_threads};

/// The most inner steps of one pass. A packed panel of three registers of AVX-512 then takes 96 KiB.
const DEPTH: usize = 512;

/// The least number of columns for which rows of the left operand are packed. Fewer do not pay for it.
const REREAD: usize = 256;

/// Elements between packed strips, so that their beginnings do not fall on each other in the cache.
const GAP: usize = 16;

/// So many steps before they are packed, rows are asked for.
const AHEAD: isize = 8;

/// The most rows of the left operand that a thread packs at a time: 384 KiB of f32, in its second-level cache.
const ROWS: usize = 192;

/// The most columns of the right operand that are packed at a time; a multiple of every level's panel.
const COLUMNS: usize = 1536;

/// A block of the product: columns from `j`, inner steps from `l`.
struct Block<'a, T: 'static> {
    kernels: &'static Kernels<T>,
    a: &'a Matrix<'a, T>,
    b: &'a Matrix<'a, T>,
    out: SendPointer<T>,
    epilogue: &'a Epilogue<'a, T>,
    j: usize,
    l: usize,
    steps: usize,
    panels: Panels,
    /// The block of the right operand, panel by panel.
    packed: SendPointer<T>,
    /// Rows of the left operand that are packed side by side: those of a tile.
    strip: usize,
    /// Whether they are. They are read where they lie if there are few columns, and rows do not fall on each other in the
    /// cache.
    packs_rows: bool,
}

/// Rows of the left operand, packed or where they lie.
struct Rows<T> {
    from: *const T,
    /// The strides from row to row, from step to step and from strip to strip.
    row: isize,
    step: isize,
    strip: isize,
    /// The panel with which they are read for the first time, if they lie where they were.
    first: Option<usize>,
}

/// `out = a b`, and the epilogue.
///
/// # Safety
/// The operands lie inside their storages and fit each other; `out` points to the rows of the result, one behind the
/// other, which are the caller's alone; the bias has an element for each column.
pub(super) unsafe fn multiply<T: Product>(
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    out: SendPointer<T>,
    epilogue: &Epilogue<'_, T>,
) {
    let kernels = T::kernels();
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let (depth, columns) = (pieces(k, DEPTH), pieces(n, COLUMNS).next_multiple_of(kernels.panel()));
    let strip = kernels.rows();
    let packs_rows = a.column_stride != 1
        || n >= REREAD
        || (a.row_stride.unsigned_abs() * size_of::<T>()).is_multiple_of(4096);
    let threads = num_threads();
    let blocks = m.div_ceil(ROWS).next_multiple_of(threads);
    let rows = m.div_ceil(blocks).next_multiple_of(strip);
    let blocks = m.div_ceil(rows);
    let mut room = HostBuffer::scratch(T::DTYPE, depth * columns.min(n.next_multiple_of(kernels.lanes)));
    let packed = SendPointer(room.as_mut_slice::<T>().as_mut_ptr());
    for j in (0..n).step_by(columns) {
        let panels = Panels::new(columns.min(n - j), kernels);
        // So many parts of the columns that each thread has some.
        let across = threads.div_ceil(blocks).min(panels.count);
        for l in (0..k).step_by(depth) {
            let steps = depth.min(k - l);
            let block =
                Block { kernels, a, b, out, epilogue, j, l, steps, panels, packed, strip, packs_rows };
            // SAFETY: every panel has its own place in the packed block; every task has its own rows and columns of the
            // result, and the block is whole before the first begins.
            unsafe {
                for_each_chunk(panels.count, &|p| block.pack(p));
                for_each_chunk(blocks * across, &|task| {
                    let (i, part) = (task / across * rows, task % across);
                    let panels = panels.count * part / across..panels.count * (part + 1) / across;
                    block.multiply_rows(i, rows.min(m - i), panels);
                });
            }
        }
    }
}

impl<T: Product> Block<'_, T> {
    /// The place of a panel in the packed block, and its registers.
    fn panel(&self, p: usize) -> (*mut T, usize) {
        let (start, width) = self.panels.at(p);
        (self.packed.at(start * self.steps), width)
    }

    /// # Safety
    /// The panel is the caller's alone.
    unsafe fn pack(&self, p: usize) {
        let ((to, width), (start, _)) = (self.panel(p), self.panels.at(p));
        let panel = Panel {
            from: self.b.pointer(self.l, self.j + start),
            step: self.b.row_stride,
            column: self.b.column_stride,
            k: self.steps,
            columns: self.panels.columns_of(p),
            width: width * self.kernels.lanes,
            to,
        };
        // SAFETY: steps x columns elements of b; the packed block has room for the panel.
        unsafe { (self.kernels.pack)(&panel) };
    }

    /// `m` rows from `i` on of some panels.
    ///
    /// # Safety
    /// All panels are packed; the rows of their columns are the caller's alone.
    unsafe fn multiply_rows(&self, i: usize, m: usize, panels: std::ops::Range<usize>) {
        let (step, row) = (self.a.column_stride, self.a.row_stride);
        if !self.packs_rows {
            let (from, first) = (self.a.pointer(i, self.l), Some(panels.start));
            let rows = Rows { from, row, step, strip: row * self.strip as isize, first };
            // SAFETY: the caller's promise.
            return panels.for_each(|p| unsafe { self.multiply_panel(i, m, p, &rows) });
        }
        let (steps, strip) = (self.steps, self.strip);
        let each = strip * steps + GAP;
        with_scratch(m.div_ceil(strip) * each, |to: *mut T| {
            // SAFETY: m rows of `steps` elements of a; the scratch block has room for all strips.
            unsafe {
                match (row, strip) {
                    (1, 8) => self.pack_across::<8>(i, m, to, each),
                    (1, 6) => self.pack_across::<6>(i, m, to, each),
                    _ => {
                        for (s, i) in (i..i + m).step_by(strip).enumerate() {
                            let (from, to) = (self.a.pointer(i, self.l), to.wrapping_add(s * each));
                            let columns = strip.min(m - s * strip);
                            let panel =
                                Panel { from, step, column: row, k: steps, columns, width: strip, to };
                            (self.kernels.pack)(&panel);
                        }
                    }
                }
            }
            let rows = Rows { from: to, row: 1, step: strip as isize, strip: each as isize, first: None };
            for p in panels.clone() {
                // SAFETY: the caller's promise.
                unsafe { self.multiply_panel(i, m, p, &rows) };
            }
        });
    }

    /// Packs `m` rows from `i` on whose elements of one step lie side by side: step by step, as they are fetched.
    ///
    /// # Safety
    /// There is room for strips of `STRIP` rows, `each` elements apart.
    unsafe fn pack_across<const STRIP: usize>(&self, i: usize, m: usize, to: *mut T, each: usize) {
        for l in 0..self.steps {
            let from = self.a.pointer(i, self.l + l);
            prefetch(from.wrapping_offset(AHEAD * self.a.column_stride), m);
            for s in 0..m / STRIP {
                let to = to.wrapping_add(s * each + l * STRIP);
                // SAFETY: a step of a whole strip.
                unsafe { to.copy_from_nonoverlapping(from.wrapping_add(s * STRIP), STRIP) };
            }
            let (s, rest) = (m / STRIP, m % STRIP);
            if rest > 0 {
                let to = to.wrapping_add(s * each + l * STRIP);
                // SAFETY: a step of the last strip; what lies behind its rows is not read.
                unsafe { to.copy_from_nonoverlapping(from.wrapping_add(s * STRIP), rest) };
            }
        }
    }

    /// The rows times one panel.
    unsafe fn multiply_panel(&self, i: usize, m: usize, p: usize, rows: &Rows<T>) {
        let (from, width) = self.panel(p);
        let (start, n) = (self.panels.at(p).0 + self.j, self.panels.columns_of(p));
        let (stride, lanes, is_last) =
            (self.b.columns, self.kernels.lanes, self.l + self.steps == self.a.columns);
        let bias = self.epilogue.bias.filter(|_| is_last);
        let mut tile = Tile {
            k: self.steps,
            a: rows.from,
            a_row: rows.row,
            a_step: rows.step,
            b: from,
            b_step: (width * lanes) as isize,
            out: self.out.at(i * stride + start),
            out_row: stride,
            last: n - (width - 1) * lanes,
            resume: self.l > 0,
            bias: bias.map_or(std::ptr::null(), |bias| bias[start..][..n].as_ptr()),
            relu: self.epilogue.relu && is_last,
            is_far: true,
            soon: None,
        };
        for row in (0..m).step_by(self.strip) {
            let next = row + self.strip;
            tile.soon = (next < m).then(|| {
                let len = if rows.first == Some(p) && self.a.column_stride == 1 { self.steps } else { 0 };
                let read = (self.a.pointer(i + next, self.l), self.a.row_stride, len);
                let write = (tile.out.wrapping_add(self.strip * stride).cast_const(), stride as isize, n);
                Soon { rows: [read, write] }
            });
            // SAFETY: rows of a packed strip, and of the result's panel, which are the caller's.
            unsafe { self.kernels.tiles[self.strip.min(m - row) - 1][width - 1](&tile) };
            tile.a = tile.a.wrapping_offset(rows.strip);
            tile.out = tile.out.wrapping_add(self.strip * stride);
        }
    }
}
