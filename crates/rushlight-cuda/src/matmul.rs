//! Products of matrices: `kernels/matmul.cu`, [tensor cores](crate::gemm) for f16, bf16 and, if allowed, f32, and
//! [cuBLAS](crate::cublas) for large ones where it is installed.
//!
//! Operands are read as they lie: transposed, broadcast, or with gaps. How a product is cut into tiles and parts follows
//! from its shape alone, and an element of the result is one chain of multiply-adds over the inner axis, or the sum of a few
//! such chains in order: the bits are the same on every GPU that computes with these kernels.

use crate::backend::{Cuda, address};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid, View};
use crate::memory::Address;
use rushlight_array::{Array, DType};
use std::borrow::Cow;

/// As in `kernels/matmul.cu`.
pub(crate) const A_ALONG: i64 = 1;
pub(crate) const B_ALONG: i64 = 2;
const A_VECTORS: i64 = 4;
const B_VECTORS: i64 = 8;
const Y_VECTORS: i64 = 16;
const RELU: i64 = 32;

/// So many tiles keep a GPU busy; with fewer, a long inner axis is cut into parts. Not the number of multiprocessors: the
/// sums would depend on the GPU.
pub(crate) const BUSY: usize = 128;
/// The shortest part of an inner axis.
pub(crate) const PART: usize = 256;
/// Parts and the slices of all kernels fit each other.
const UNIT: usize = 32;

/// So many rows at most are multiplied by a warp for each column, as in `kernels/matmul.cu`, and inner axes of at least so
/// many elements: below, most lanes have nothing to do.
const MOST_ROWS: usize = 4;
const LONG: usize = 128;

/// A product that is to be computed.
pub(crate) struct Product<'a> {
    a: Cow<'a, Array>,
    b: Cow<'a, Array>,
    pub(crate) bias: Option<&'a Array>,
    pub(crate) relu: bool,
    y: &'a Array,
    pub(crate) batch: usize,
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) a_strides: [i64; 2],
    pub(crate) b_strides: [i64; 2],
    pub(crate) y_row: i64,
    /// The leading axes.
    pub(crate) view: View<3>,
}

/// The strides of the last two axes.
fn inner(x: &Array) -> [i64; 2] {
    let strides = x.layout().strides();
    [strides[x.rank() - 2] as i64, strides[x.rank() - 1] as i64]
}

/// Whether the elements of an operand, or of a result, can be read in vectors of `width` along an axis of this size
/// without gaps, if the other axis has this size and stride.
fn in_vectors(
    width: usize,
    along: (usize, i64),
    other: (usize, i64),
    outer: &[i64],
    address: u64,
    size: usize,
) -> bool {
    let fits = |stride: i64| stride % width as i64 == 0;
    along.1 == 1
        && along.0.is_multiple_of(width)
        && (other.0 == 1 || fits(other.1))
        && outer.iter().all(|&stride| fits(stride))
        && address.is_multiple_of((width * size) as u64)
}

/// How the inner axis is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cut {
    pub(crate) part: usize,
    pub(crate) parts: usize,
}

/// Few tiles with a long inner axis are computed in parts.
pub(crate) fn cut(tiles: usize, k: usize) -> Cut {
    let wanted = (BUSY / tiles.max(1)).min(k / PART);
    if wanted < 2 {
        return Cut { part: k.next_multiple_of(UNIT).max(UNIT), parts: 1 };
    }
    let part = k.div_ceil(wanted).next_multiple_of(UNIT);
    Cut { part, parts: k.div_ceil(part) }
}

/// The tiles of a product.
pub(crate) fn tiles(m: usize, n: usize, batch: usize, size: usize) -> usize {
    m.div_ceil(size).saturating_mul(n.div_ceil(size)).saturating_mul(batch)
}

impl<'a> Product<'a> {
    /// `y = a b`, plus a bias for each column; all with equal leading sizes, and the elements of `y` in rows without gaps.
    #[track_caller]
    pub(crate) fn new(
        cuda: &Cuda,
        [a, b]: [&'a Array; 2],
        bias: Option<&'a Array>,
        relu: bool,
        y: &'a Array,
    ) -> Product<'a> {
        let rank = a.rank();
        let leading = &a.shape()[..rank - 2];
        let outer = |x: &'a Array| &x.layout().strides()[..rank - 2];
        let (a, b, view) = match View::of(leading, [outer(a), outer(b), outer(y)]) {
            Some(view) => (Cow::Borrowed(a), Cow::Borrowed(b), view),
            None => {
                let (a, b) = (cuda.dense(a), cuda.dense(b));
                let strides = [&a, &b, y].map(|x| &x.layout().strides()[..rank - 2]);
                let view = View::of(leading, strides).expect("leading axes of dense arrays are one");
                (Cow::Owned(a), Cow::Owned(b), view)
            }
        };
        let (m, k, n) = (a.shape()[rank - 2], a.shape()[rank - 1], b.shape()[rank - 1]);
        let batch = leading.iter().product();
        let (a_strides, b_strides, y_row) = (inner(&a), inner(&b), inner(y)[0]);
        Product { a, b, bias, relu, y, batch, m, n, k, a_strides, b_strides, y_row, view }
    }

    pub(crate) fn addresses(&self) -> [u64; 3] {
        [address(&self.a), address(&self.b), address(self.y)]
    }

    pub(crate) fn result(&self) -> &Array {
        self.y
    }

    pub(crate) fn dtype(&self) -> DType {
        self.a.dtype()
    }

    /// The strides of the leading axes of an operand, 0 to 2.
    fn outer(&self, which: usize) -> &[i64] {
        &self.view.strides[which][..self.view.rank as usize]
    }

    /// How the operands lie and how they can be read, for elements that are read 16 bytes at a time and written `width`
    /// at a time.
    pub(crate) fn flags(&self, width: usize) -> i64 {
        let size = self.dtype().size();
        let vector = 16 / size;
        let [a, b, y] = self.addresses();
        let ([a_row, a_column], [b_row, b_column]) = (self.a_strides, self.b_strides);
        let (m, n, k) = (self.m, self.n, self.k);
        let mut flags = 0;
        // What has gaps along both axes is read element by element, along the inner axis.
        let a_along = a_row != 1 || a_column == 1 && k > 1;
        let b_along = b_column != 1 || b_row == 1 && k > 1;
        let a_sides = if a_along { [(k, a_column), (m, a_row)] } else { [(m, a_row), (k, a_column)] };
        let b_sides = if b_along { [(k, b_row), (n, b_column)] } else { [(n, b_column), (k, b_row)] };
        for (is, flag) in [
            (a_along, A_ALONG),
            (b_along, B_ALONG),
            (in_vectors(vector, a_sides[0], a_sides[1], self.outer(0), a, size), A_VECTORS),
            (in_vectors(vector, b_sides[0], b_sides[1], self.outer(1), b, size), B_VECTORS),
            (in_vectors(width, (n, 1), (m, self.y_row), self.outer(2), y, size), Y_VECTORS),
            (self.relu, RELU),
        ] {
            if is {
                flags |= flag;
            }
        }
        flags
    }

    /// The arguments that all kernels of products have.
    pub(crate) fn arguments(&self, bias: u64, y: (u64, i64), cut: Cut, flags: i64) -> Args {
        let [a, b, _] = self.addresses();
        Args::new()
            .pointer(a)
            .pointer(b)
            .pointer(bias)
            .pointer(y.0)
            .count(self.m)
            .count(self.n)
            .count(self.k)
            .put(self.a_strides[0])
            .put(self.a_strides[1])
            .put(self.b_strides[0])
            .put(self.b_strides[1])
            .put(y.1)
            .count(cut.part)
            .count(cut.parts)
            .count(self.batch)
            .put(flags)
            .put(self.view)
    }
}

/// Blocks for so many tasks: each goes on with further ones if a grid cannot have as many.
pub(crate) fn blocks(tasks: usize) -> [u32; 3] {
    [tasks.min(i32::MAX as usize) as u32, 1, 1]
}

/// The tile of `kernels/matmul.cu` for a product: operation, side, threads, and how deep its slices are.
fn choose(p: &Product<'_>) -> (&'static str, usize, u32, usize) {
    let (m, n) = (p.m, p.n);
    let enough = |side: usize| {
        let parts = (p.k / PART).clamp(1, 4);
        tiles(m, n, p.batch, side).saturating_mul(parts) >= BUSY * 3 / 4
    };
    if p.dtype() == DType::F32 && m > 64 && n > 64 && enough(128) {
        return ("product_large", 128, 256, 8);
    }
    if m > 32 && n > 32 && enough(64) {
        return ("product_medium", 64, 256, 16);
    }
    ("product_small", 32, 128, 16)
}

impl Cuda {
    /// Products of matrices with equal leading sizes.
    #[track_caller]
    pub(crate) fn products(&self, a: &Array, b: &Array) -> Array {
        let rank = a.rank();
        let mut shape = a.shape().to_vec();
        shape[rank - 1] = b.shape()[rank - 1];
        let (y, _) = self.empty(&shape, a.dtype());
        self.multiply([a, b], None, false, &y);
        y
    }

    /// `x W^T + b`, and a relu behind it if wanted.
    #[track_caller]
    pub(crate) fn linear_layer(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let (y, _) = self.empty(&[x.shape()[0], weight.shape()[0]], x.dtype());
        let bias = bias.map(|bias| self.dense(bias));
        self.multiply([x, &weight.t()], bias.as_ref(), relu, &y);
        y
    }

    /// `y = a b + bias`: `y` is an array of this program's own, whose rows have no gaps.
    #[track_caller]
    pub(crate) fn multiply(&self, operands: [&Array; 2], bias: Option<&Array>, relu: bool, y: &Array) {
        if y.numel() == 0 {
            return;
        }
        let p = Product::new(self, operands, bias, relu, y);
        if self.multiply_by_cublas(&p) || self.multiply_rows(&p) || self.multiply_on_tensor_cores(&p) {
            return;
        }
        let (operation, side, threads, depth) = choose(&p);
        let (dtype, width, layout) = match p.dtype() {
            DType::F32 => ("f32", 4, ["nn", "nt", "tn", "tt"]),
            DType::F64 => ("f64", 2, ["f64"; 4]),
            DType::I64 => ("i64", 2, ["i64"; 4]),
            dtype => unreachable!("a product of {dtype}; arrays cast before they ask for it"),
        };
        let count = tiles(p.m, p.n, p.batch, side);
        let cut = cut(count, p.k);
        // The small tile's threads write two columns each, in any type.
        let flags = p.flags(if side == 32 { 2 } else { width });
        let variant = match side {
            128 => layout[usize::from(flags & A_ALONG == 0) * 2 + usize::from(flags & B_ALONG != 0)],
            _ => dtype,
        };
        // Two slices of each operand, with room between the rows.
        let shared = 2 * depth * 2 * (side + width) * p.dtype().size();
        let grid = Grid::of(blocks(count.saturating_mul(cut.parts)), threads).with_shared(shared);
        self.in_parts(&p, cut, flags, ("matmul", "add_parts", dtype), p.dtype(), |args| {
            self.gpu.launch(("matmul", operation, variant), grid, args);
        });
    }

    /// A few rows times a matrix whose columns have no gaps, as a layer with few samples: bound by reading the matrix. Whether
    /// it is one.
    #[track_caller]
    fn multiply_rows(&self, p: &Product<'_>) -> bool {
        let (file, dtype) = match p.dtype() {
            DType::F32 => ("matmul", "f32"),
            DType::F64 => ("matmul", "f64"),
            DType::F16 if self.has_tensor_cores() => ("gemm_80", "f16"),
            DType::BF16 if self.has_tensor_cores() => ("gemm_80", "bf16"),
            _ => return false,
        };
        let flags = p.flags(1);
        let all = A_ALONG | B_ALONG | A_VECTORS | B_VECTORS;
        if p.m > MOST_ROWS || p.batch != 1 || p.k < LONG || flags & all != all {
            return false;
        }
        let [a, b, y] = p.addresses();
        let args = Args::new().pointer(a).pointer(b).pointer(p.bias.map_or(0, address)).pointer(y);
        let args = args.count(p.m).count(p.n).count(p.k).put(p.a_strides[0]).put(p.b_strides[1]);
        let grid = Grid::of(blocks(p.n.div_ceil(4)), 128);
        self.gpu.launch((file, "rows", dtype), grid, args.put(p.y_row).put(flags));
        true
    }

    /// Runs a kernel that writes to the result, or to parts of it of type `parts`, which the other kernel adds up then.
    #[track_caller]
    pub(crate) fn in_parts(
        &self,
        p: &Product<'_>,
        cut: Cut,
        flags: i64,
        adds: KernelName,
        parts: DType,
        run: impl FnOnce(Args),
    ) {
        if cut.parts == 1 {
            return run(p.arguments(p.bias.map_or(0, address), (address(p.y), p.y_row), cut, flags));
        }
        let scratch = self.gpu.block(cut.parts * p.batch * p.m * p.n * parts.size());
        // Parts lie in rows of n elements, each m x n behind the other, at an address that fits all vectors.
        let vectors = if p.n.is_multiple_of(4) { Y_VECTORS } else { 0 };
        let partly = flags & !(RELU | Y_VECTORS) | vectors;
        run(p.arguments(0, (scratch.address, p.n as i64), cut, partly));
        self.add_parts(p, scratch.address, cut.parts, adds, flags);
    }

    /// Adds the bias to sums, and applies relu: for those who only multiply. The sums, which may be those of the result
    /// itself, lie without gaps, as the result does.
    #[track_caller]
    pub(crate) fn finish(&self, p: &Product<'_>, sums: Address, kernel: KernelName) {
        if p.bias.is_none() && !p.relu {
            return;
        }
        // They are the one part.
        self.add_parts(p, sums, 1, kernel, if p.relu { RELU } else { 0 });
    }

    #[track_caller]
    fn add_parts(&self, p: &Product<'_>, sums: Address, parts: usize, kernel: KernelName, flags: i64) {
        let args = Args::new()
            .pointer(sums)
            .pointer(p.bias.map_or(0, address))
            .pointer(address(p.y))
            .count(p.m)
            .count(p.n)
            .put(p.y_row)
            .count(parts)
            .count(p.batch)
            .put(flags)
            .put(p.view);
        self.gpu.launch(kernel, Grid::over(self.gpu, p.batch * p.m * p.n), args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_inner_axis_and_none_is_empty() {
        for tiles in [1, 2, 3, 7, 50, 64, 65, 127, 128, 1000] {
            for k in (0..300).chain([511, 512, 513, 1000, 1024, 5000, 50_000, 1 << 20]) {
                let Cut { part, parts } = cut(tiles, k);
                assert!(part % UNIT == 0 && part * parts >= k, "{tiles} {k}: {part} x {parts}");
                assert!(parts == 1 || part * (parts - 1) < k, "{tiles} {k}: {part} x {parts}");
                assert!(parts * tiles <= BUSY.max(tiles), "{tiles} {k}: {parts} parts");
            }
        }
    }
}
