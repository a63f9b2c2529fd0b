//! The loops around the kernels, on one thread: panels of the right operand, tiles of the result.

use super::kernel::{Dots, Kernels, Panel, Product, Soon, Tile};
use super::product::{Epilogue, Matrix, Part};
use std::cell::RefCell;
use std::ops::Range;

/// The most inner steps of one pass; more are cut into equal passes. A packed panel of three registers of AVX-512 then
/// takes 48 KiB. Between 128 and 384 the squares up to 512 changed by less than the noise.
pub(super) const DEPTH: usize = 256;

/// With more rows than this a large right operand is read so often that packing it pays, if its rows begin so many bytes apart
/// or less. The farther apart, the fewer of its lines find a place in the first-level cache.
const REREAD: [(usize, usize); 3] = [(1 << 10, usize::MAX), (2 << 10, 128), (usize::MAX, 24)];

/// Right operands up to this size stay in the first-level cache as they are: 64 x 64 of f32 is 5 % faster in
/// place, 128 x 128 as fast.
const CACHED: usize = 32 << 10;

/// The most bytes of the left operand that one panel after the other reads: half of a second-level cache.
const RESIDENT: usize = 1 << 20;

/// If the left operand and the result have more bytes than this, all are asked for a little before they are needed. Less lies in
/// the second-level cache as it is.
const FAR: usize = 512 << 10;

/// With fewer inner steps a tile is too little work to ask for anything beside it.
const STEPS: usize = 32;

/// As many columns as a panel has at most: three registers of AVX-512 with f32.
pub(super) const PANEL: usize = 48;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

thread_local! {
    /// Packed panels, kept from call to call.
    static SCRATCH: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Lends `f` a block of at least `len` elements with arbitrary values, aligned to cache lines.
pub(super) fn with_scratch<T: Product>(len: usize, f: impl FnOnce(*mut T)) {
    SCRATCH.with_borrow_mut(|lines| {
        let wanted = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        if lines.len() < wanted {
            lines.resize(wanted, Line([0; 64]));
        }
        f(lines.as_mut_ptr().cast());
    });
}

/// Cuts `total` into the fewest equal pieces of at most `most`: the largest piece.
pub(super) fn pieces(total: usize, most: usize) -> usize {
    if total <= most { total } else { total.div_ceil(total.div_ceil(most)) }
}

/// How columns are cut into panels, as equal as whole registers allow, so that none is too narrow to keep the units busy.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) count: usize,
    columns: usize,
    lanes: usize,
    /// The registers of each, and how many of the first have one more.
    least: usize,
    more: usize,
}

impl Panels {
    pub(super) fn new<T>(columns: usize, kernels: &Kernels<T>) -> Self {
        let lanes = kernels.lanes;
        let registers = (columns + lanes - 1) >> kernels.lanes_log2;
        // Divisions are a good part of the time of a tiny product.
        if registers <= kernels.registers() {
            return Panels { count: 1, columns, lanes, least: registers, more: 0 };
        }
        let count = registers.div_ceil(kernels.registers());
        Panels { count, columns, lanes, least: registers / count, more: registers % count }
    }

    /// The first column of a panel, and its registers.
    pub(super) fn at(&self, p: usize) -> (usize, usize) {
        ((p * self.least + p.min(self.more)) * self.lanes, self.least + usize::from(p < self.more))
    }

    /// The columns of a panel.
    pub(super) fn columns_of(&self, p: usize) -> usize {
        let (start, width) = self.at(p);
        (width * self.lanes).min(self.columns - start)
    }
}

/// Whether `m` rows of a product read the right operand from packed panels.
pub(super) fn packs<T: Product>(b: &Matrix<'_, T>, m: usize) -> bool {
    let apart = b.row_stride.unsigned_abs().saturating_mul(size_of::<T>());
    let rereads = REREAD.iter().find(|&&(most, _)| apart <= most).map_or(0, |&(_, rows)| rows);
    b.column_stride != 1 || (m > rereads && b.rows * b.columns * size_of::<T>() > CACHED)
}

/// A part of `a b`, tile by tile.
///
/// # Safety
/// The operands lie inside their storages and fit each other and the part, which is the caller's alone; the bias has
/// an element for every column of the result.
pub(super) unsafe fn block<T: Product>(
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    part: &Part<T>,
    epilogue: &Epilogue<'_, T>,
) {
    let bytes = part.m * a.columns * size_of::<T>();
    if bytes <= RESIDENT {
        // SAFETY: the caller's promise.
        return unsafe { run_rows(a, b, part, epilogue) };
    }
    let most = pieces(part.m, (part.m / (bytes / RESIDENT + 1)).max(PANEL));
    for start in (0..part.m).step_by(most) {
        let rows = Part { i: part.i + start, m: most.min(part.m - start), ..*part };
        // SAFETY: a piece of the part.
        unsafe { run_rows(a, b, &rows, epilogue) };
    }
}

/// Rows of a part whose left operand fits into a cache, panel by panel.
unsafe fn run_rows<T: Product>(
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    part: &Part<T>,
    epilogue: &Epilogue<'_, T>,
) {
    let kernels = T::kernels();
    let lanes = kernels.lanes;
    let packs = packs(b, part.m);
    // Without masks the last register of a row would be read past the end.
    let packs_last = packs || (!kernels.masks && part.n & (lanes - 1) != 0);
    let is_far = a.columns >= STEPS && part.m * (a.columns + part.n) * size_of::<T>() > FAR;
    let run = |scratch: *mut T| {
        let panels = Panels::new(part.n, kernels);
        for p in 0..panels.count {
            let ((j, width), n) = (panels.at(p), panels.columns_of(p));
            let packs = if p + 1 == panels.count { packs_last } else { packs };
            let panel = Part { j: part.j + j, n, ..*part };
            let ahead = is_far.then(|| {
                let next = if p + 1 < panels.count { panels.columns_of(p + 1) } else { 0 };
                Ahead { rows: p == 0, columns: panel.j + n..panel.j + n + next }
            });
            let setting = Setting { width, scratch: packs.then_some(scratch), ahead };
            // SAFETY: the panel is a piece of the part, and the scratch block takes one if it is needed.
            unsafe { run_panel(kernels, a, b, &panel, &setting, epilogue) };
        }
    };
    if packs_last {
        with_scratch(pieces(a.columns, DEPTH) * kernels.registers() * lanes, run);
    } else {
        run(std::ptr::null_mut());
    }
}

/// How a panel is computed.
struct Setting<T> {
    /// Its registers.
    width: usize,
    /// Where the right operand is packed, if it is.
    scratch: Option<*mut T>,
    ahead: Option<Ahead>,
}

/// What the processor is asked for while a panel is computed.
struct Ahead {
    /// Whether the rows of the left operand are read for the first time.
    rows: bool,
    /// The columns of the next panel.
    columns: Range<usize>,
}

impl Ahead {
    /// While some rows of a part are computed: the next as many, and their results.
    fn soon<T: Product>(
        &self,
        a: &Matrix<'_, T>,
        part: &Part<T>,
        rows: Range<usize>,
        steps: Range<usize>,
    ) -> Option<Soon<T>> {
        let next = rows.end;
        (next < part.m).then(|| {
            let len = if self.rows && a.column_stride == 1 { steps.len() } else { 0 };
            let read = (a.pointer(part.i + next, steps.start), a.row_stride, len);
            let write = (part.pointer(next, 0).cast_const(), part.stride as isize, part.n);
            Soon { rows: [read, write] }
        })
    }

    /// While some rows of a part are computed: a share of the next panel.
    fn prefetch<T: Product>(
        &self,
        b: &Matrix<'_, T>,
        part: &Part<T>,
        rows: Range<usize>,
        steps: Range<usize>,
    ) {
        if self.columns.is_empty() {
            return;
        }
        let share = |of: &Range<usize>, at: usize| of.start + of.len() * at / part.m;
        if b.column_stride == 1 {
            b.prefetch(share(&steps, rows.start)..share(&steps, rows.end), self.columns.clone());
        } else {
            let columns = share(&self.columns, rows.start)..share(&self.columns, rows.end);
            b.prefetch(steps, columns);
        }
    }
}

/// The columns of one panel over all passes and rows.
///
/// # Safety
/// As [`block`]; all panels of a part are computed by the same kernels, whatever becomes of the level meanwhile.
unsafe fn run_panel<T: Product>(
    kernels: &Kernels<T>,
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    part: &Part<T>,
    Setting { width, scratch, ahead }: &Setting<T>,
    epilogue: &Epilogue<'_, T>,
) {
    let width = *width;
    let (k, most) = (a.columns, pieces(part.m, kernels.rows()));
    let depth = pieces(k, DEPTH);
    let mut l = 0;
    loop {
        let steps = (k - l).min(depth);
        let is_last = l + steps == k;
        let (mut from, mut step) = (b.pointer(l, part.j), b.row_stride);
        if let &Some(to) = scratch {
            let width = width * kernels.lanes;
            let column = b.column_stride;
            // SAFETY: steps x n elements of b, and the scratch block takes steps x width.
            unsafe { (kernels.pack)(&Panel { from, step, column, k: steps, columns: part.n, width, to }) };
            (from, step) = (to, width as isize);
        }
        let bias = epilogue.bias.filter(|_| is_last);
        let mut tile = Tile {
            k: steps,
            a: a.pointer(part.i, l),
            a_row: a.row_stride,
            a_step: a.column_stride,
            b: from,
            b_step: step,
            out: part.pointer(0, 0),
            out_row: part.stride,
            last: part.n - (width - 1) * kernels.lanes,
            resume: l > 0 || epilogue.adds,
            bias: bias.map_or(std::ptr::null(), |bias| bias[part.j..][..part.n].as_ptr()),
            relu: epilogue.relu && is_last,
            is_far: false,
            soon: None,
        };
        let mut rows = part.m;
        while rows > 0 {
            let count = rows.min(most);
            if let Some(ahead) = ahead {
                let these = part.m - rows..part.m - rows + count;
                tile.soon = ahead.soon(a, part, these.clone(), l..l + steps);
                ahead.prefetch(b, part, these, l..l + steps);
            }
            // SAFETY: `count` rows of the panel; the operands' extents are the caller's promise.
            unsafe { kernels.tiles[count - 1][width - 1](&tile) };
            tile.a = tile.a.wrapping_offset(count as isize * a.row_stride);
            tile.out = tile.out.wrapping_add(count * part.stride);
            rows -= count;
        }
        l += steps;
        if is_last {
            return;
        }
    }
}

/// A part with few columns: panels of the transposed result in a small buffer, so that registers are full of
/// rows and not half empty.
///
/// # Safety
/// As [`block`]; the part has at most as many columns as the largest tile has rows.
pub(super) unsafe fn columns_of_few<T: Product>(
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    part: &Part<T>,
    epilogue: &Epilogue<'_, T>,
) {
    let (x, y) = (b.t(), a.t());
    let mut panel = [T::default(); 8 * PANEL];
    for start in (0..part.m).step_by(PANEL) {
        let rows = PANEL.min(part.m - start);
        // The buffer stands for the rows of x from part.j on and the columns of y from part.i + start on.
        let piece = Part {
            i: part.j,
            j: part.i + start,
            m: part.n,
            n: rows,
            out: panel.as_mut_ptr().wrapping_sub(part.j * PANEL + part.i + start),
            stride: PANEL,
        };
        // SAFETY: the transposed product of a piece of the part; the buffer has the rows of it.
        unsafe { block(&x, &y, &piece, &Epilogue::NONE) };
        for i in 0..rows {
            for j in 0..part.n {
                let mut sum = panel[j * PANEL + i];
                if let Some(bias) = epilogue.bias {
                    sum = T::add(sum, bias[part.j + j]);
                }
                // SAFETY: an element of the part.
                unsafe { *part.pointer(start + i, j) = if epilogue.relu { sum.relu() } else { sum } };
            }
        }
    }
}

/// A part of one or two columns, each by scalar products of rows of `x` with it. The part is of the transposed
/// result if `transposed`: then its rows are few, and `x` and `y` are the operands the other way round.
///
/// # Safety
/// As [`block`]; rows of `x` and columns of `y` are contiguous.
pub(super) unsafe fn dots<T: Product>(
    x: Matrix<'_, T>,
    y: Matrix<'_, T>,
    part: &Part<T>,
    transposed: bool,
    epilogue: &Epilogue<'_, T>,
) {
    let (i, j, m, n) =
        if transposed { (part.j, part.i, part.n, part.m) } else { (part.i, part.j, part.m, part.n) };
    // So many rows at once, that the results need no block of their own.
    let mut sums = [T::default(); 64];
    for c in 0..n {
        for start in (0..m).step_by(sums.len()) {
            let rows = sums.len().min(m - start);
            let dots = Dots {
                k: x.columns,
                rows,
                x: x.pointer(i + start, 0),
                x_row: x.row_stride,
                y: y.pointer(0, j + c),
                out: sums.as_mut_ptr(),
            };
            // SAFETY: rows of x and a column of y, both contiguous; there is room for `rows` results.
            unsafe { (T::kernels().dots)(&dots) };
            let sums = &mut sums[..rows];
            let place = |r: usize| match transposed {
                true => part.pointer(c, start + r),
                false => part.pointer(start + r, c),
            };
            match epilogue.bias {
                Some(bias) if transposed => {
                    sums.iter_mut().zip(&bias[part.j + start..]).for_each(|(x, &y)| *x = T::add(*x, y));
                }
                Some(bias) => sums.iter_mut().for_each(|x| *x = T::add(*x, bias[part.j + c])),
                None => {}
            }
            if epilogue.relu {
                sums.iter_mut().for_each(|x| *x = x.relu());
            }
            for (r, &sum) in sums.iter().enumerate() {
                // SAFETY: an element of the part.
                unsafe { *place(r) = sum };
            }
        }
    }
}
