//! Large products: both operands are copied, block by block, into the order in which tiles read them (K. Goto and R. van
//! de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34, 2008).
//!
//! A block of the right operand is packed by all threads and read by all; then each thread packs rows of the left one
//! and multiplies them. An element is the same chain of `mul_add` as in small products.

use super::block::{Panels, pieces, with_scratch};
use super::kernel::{Kernels, Panel, Product, Tile};
use super::product::{Epilogue, Matrix};
use crate::cpu::memory::HostBuffer;
use crate::cpu::threads::{SendPointer, for_each_chunk, num_threads};

/// The most inner steps of one pass. A packed panel of three registers of AVX-512 then takes 72 KiB.
const DEPTH: usize = 384;

/// The most rows of the left operand that a thread packs at a time: 288 KiB of f32, in its second-level cache.
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
            let block = Block { kernels, a, b, out, epilogue, j, l, steps, panels, packed, strip };
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
        let (steps, strip) = (self.steps, self.strip);
        with_scratch(m.next_multiple_of(strip) * steps, |rows: *mut T| {
            for s in (0..m).step_by(strip) {
                let (from, to) = (self.a.pointer(i + s, self.l), rows.wrapping_add(s * steps));
                let columns = strip.min(m - s);
                let (step, column) = (self.a.column_stride, self.a.row_stride);
                // SAFETY: `columns` rows of `steps` elements of a; the scratch block has room for whole strips.
                unsafe {
                    (self.kernels.pack)(&Panel { from, step, column, k: steps, columns, width: strip, to })
                };
            }
            for p in panels.clone() {
                // SAFETY: the caller's promise.
                unsafe { self.multiply_panel(i, m, p, rows) };
            }
        });
    }

    /// The packed rows times one panel.
    unsafe fn multiply_panel(&self, i: usize, m: usize, p: usize, rows: *const T) {
        let (from, width) = self.panel(p);
        let (start, n) = (self.panels.at(p).0 + self.j, self.panels.columns_of(p));
        let (stride, lanes, is_last) =
            (self.b.columns, self.kernels.lanes, self.l + self.steps == self.a.columns);
        let bias = self.epilogue.bias.filter(|_| is_last);
        let mut tile = Tile {
            k: self.steps,
            a: rows,
            a_row: 1,
            a_step: self.strip as isize,
            b: from,
            b_step: (width * lanes) as isize,
            out: self.out.at(i * stride + start),
            out_row: stride,
            last: n - (width - 1) * lanes,
            resume: self.l > 0,
            bias: bias.map_or(std::ptr::null(), |bias| bias[start..][..n].as_ptr()),
            relu: self.epilogue.relu && is_last,
            is_far: true,
        };
        for row in (0..m).step_by(self.strip) {
            // SAFETY: rows of a packed strip, and of the result's panel, which are the caller's.
            unsafe { self.kernels.tiles[self.strip.min(m - row) - 1][width - 1](&tile) };
            tile.a = tile.a.wrapping_add(self.strip * self.steps);
            tile.out = tile.out.wrapping_add(self.strip * stride);
        }
    }
}
