//! Scaled dot-product attention: `kernels/attention.cu`.
//!
//! Where nobody asks for a gradient, one kernel computes it and keeps no scores, for heads of up to 128 features (64 in f64).
//! Otherwise the weights are computed by a product and a kernel over their rows, and kept, and the gradients are products
//! with them.

use crate::backend::{Cuda, address};
use crate::launch::{Args, Grid, View};
use crate::matmul::blocks;
use rushlight_array::backend::Attention;
use rushlight_array::{Array, DType};

/// The kernel for heads of this size, its queries in a block, and its bytes of shared memory.
fn kernel(dtype: DType, features: usize) -> Option<(&'static str, usize, usize)> {
    let (variant, queries, most) = match (dtype, features) {
        (DType::F32, 0..=64) => ("f32_64", 64, 64),
        (DType::F32, 65..=128) => ("f32_128", 32, 128),
        (DType::F64, 0..=64) => ("f64_64", 32, 64),
        _ => return None,
    };
    let (keys, room) = (32, 16 / dtype.size());
    let others = (most * (keys + room)).max(keys * (most + room));
    Some((variant, queries, ((most + keys) * (queries + room) + others) * dtype.size()))
}

fn name(dtype: DType) -> &'static str {
    if dtype == DType::F32 { "f32" } else { "f64" }
}

/// An array `(.., rows, columns)` like that of a query. Of four axes the heads lie inside, `(N, rows, heads, columns)`, as
/// the layers around attention want them: nothing is copied there.
#[track_caller]
fn array_of_heads(cuda: &Cuda, like: &Array, rows: usize, columns: usize) -> Array {
    let mut shape = like.shape().to_vec();
    let rank = shape.len();
    (shape[rank - 2], shape[rank - 1]) = (rows, columns);
    if let &[count, heads, ..] = &shape[..]
        && rank == 4
    {
        return cuda.empty(&[count, rows, heads, columns], like.dtype()).0.transpose(1, 2);
    }
    cuda.empty(&shape, like.dtype()).0
}

/// The sizes of the last two axes.
fn sizes(x: &Array) -> [usize; 2] {
    [x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]]
}

impl Cuda {
    /// `softmax(q k^T scale) v`, and the softmax if it is to be kept.
    #[track_caller]
    pub(crate) fn attend(
        &self,
        what: &Attention,
        [q, k, v]: [&Array; 3],
        keep: bool,
    ) -> (Array, Option<Array>) {
        let ([queries, _], [keys, values]) = (sizes(q), sizes(v));
        let y = array_of_heads(self, q, queries, values);
        if !keep && self.attend_at_once(what, [q, k, v], &y) {
            return (y, None);
        }
        let mut shape = q.shape().to_vec();
        *shape.last_mut().expect("queries have two axes") = keys;
        let (weights, at) = self.empty(&shape, q.dtype());
        self.multiply([q, &k.transpose(-1, -2)], None, false, &weights);
        let rows = weights.numel() / keys;
        let args = Args::new().pointer(at).count(rows).count(queries).count(keys);
        let args = args.put(what.scale).put(i64::from(what.causal));
        self.gpu.launch(("attention", "weigh", name(q.dtype())), Grid::over(self.gpu, rows * 32), args);
        self.multiply([&weights, v], None, false, &y);
        (y, keep.then_some(weights))
    }

    /// Without weights in memory, if there is a kernel for such heads. Whether there was.
    #[track_caller]
    fn attend_at_once(&self, what: &Attention, operands: [&Array; 3], y: &Array) -> bool {
        let [q, k, v] = operands;
        let ([queries, features], [keys, values]) = (sizes(q), sizes(v));
        let Some((variant, tile, shared)) = kernel(q.dtype(), features.max(values)) else { return false };
        let rank = q.rank();
        let leading = &q.shape()[..rank - 2];
        let outer = |x: &'_ Array| x.layout().strides()[..rank - 2].to_vec();
        let strides = [q, k, v, y].map(outer);
        let Some(view) = View::of(leading, strides.each_ref().map(Vec::as_slice)) else { return false };
        let heads: usize = leading.iter().product();
        let stride = |x: &Array, axis: usize| x.layout().strides()[axis] as i64;
        let mut args = Args::new();
        for x in [q, k, v, y] {
            args = args.pointer(address(x));
        }
        args = args.count(queries).count(keys).count(features).count(values);
        for x in [q, k, v, y] {
            args = args.put(stride(x, rank - 2));
        }
        for x in [q, k, v] {
            args = args.put(stride(x, rank - 1));
        }
        args = args.count(heads).put(what.scale).put(i64::from(what.causal)).put(view);
        let grid = Grid::of(blocks(heads * queries.div_ceil(tile)), 128).with_shared(shared);
        self.gpu.launch(("attention", "attend", variant), grid, args);
        true
    }

    /// The gradients of query, key and value from that of the result, and the weights that were kept.
    #[track_caller]
    pub(crate) fn attend_grad(
        &self,
        what: &Attention,
        grad: &Array,
        [q, k, v]: [&Array; 3],
        weights: &Array,
    ) -> [Array; 3] {
        let ([queries, features], [keys, values]) = (sizes(q), sizes(v));
        let mut shape = q.shape().to_vec();
        *shape.last_mut().expect("queries have two axes") = keys;
        let weights = self.dense(weights).reshape(shape.as_slice());
        let (scores, at) = self.empty(&shape, q.dtype());
        self.multiply([grad, &v.transpose(-1, -2)], None, false, &scores);
        let rows = scores.numel() / keys;
        let args = Args::new().pointer(at).pointer(address(&weights)).count(rows).count(queries).count(keys);
        let args = args.put(what.scale).put(i64::from(what.causal));
        self.gpu.launch(("attention", "weigh_grad", name(q.dtype())), Grid::over(self.gpu, rows * 32), args);
        let dq = array_of_heads(self, q, queries, features);
        self.multiply([&scores, k], None, false, &dq);
        let dk = array_of_heads(self, q, keys, features);
        self.multiply([&scores.transpose(-1, -2), q], None, false, &dk);
        let dv = array_of_heads(self, q, keys, values);
        self.multiply([&weights.transpose(-1, -2), grad], None, false, &dv);
        [dq, dk, dv]
    }
}
