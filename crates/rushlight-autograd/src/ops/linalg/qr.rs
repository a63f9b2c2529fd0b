//! QR factors.

use super::{check_matrix, pack, places, solve_triangular, t, unpack};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// What [`qr_with`] computes: PyTorch's `mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum QrMode {
    /// `Q` of `[m, k]` and `R` of `[k, n]`, where k is the smaller size.
    #[default]
    Reduced,
    /// `Q` of `[m, m]` and `R` of `[m, n]`.
    Complete,
    /// `R` of `[k, n]` only, without a gradient; `Q` is empty.
    R,
}

/// `Q` and `R` in one array.
#[derive(Debug)]
struct Qr {
    complete: bool,
}

impl Op for Qr {
    fn name(&self) -> &'static str {
        "linalg_qr"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (q, r) = inputs[0].qr(self.complete);
        pack(&q.shape()[..q.rank() - 2], &[&q, &r])
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let shape = saved.shape(0);
        let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        if m < n || (self.complete && m > n) {
            fail!("linalg.qr: the gradient of complete factors of [{m}, {n}] is not defined");
        }
        // Walter & Lehmann, "Algorithmic differentiation of linear algebra functions", 2012.
        give.to(0, || {
            let [q, r] = unpack(&saved.output(), [&[m, n], &[n, n]]);
            let [gq, gr] = unpack(grad, [&[m, n], &[n, n]]);
            let inner = gr.matmul(&t(&r)) - t(&q).matmul(&gq);
            let upper = &inner * places(grad, n, n, Array::le);
            let above = &inner * places(grad, n, n, Array::lt);
            let sum = gq + q.matmul(&(upper + t(&above)));
            t(&solve_triangular(&r, &t(&sum), true))
        });
    }
}

/// `A = Q R` with orthonormal columns of `Q` and an upper triangle `R`; the signs are those of LAPACK.
///
/// The gradient exists where the first columns (the smaller size of them) are independent.
///
/// Shape: `(*, m, n)` -> `(*, m, k)`, `(*, k, n)`, where k is the smaller size.
///
/// # Panics
/// If there are not two dims at least, or the dtype is not `f32` or `f64`.
#[track_caller]
pub fn qr(a: &Tensor) -> (Tensor, Tensor) {
    qr_with(a, QrMode::Reduced)
}

/// [`qr`] in another mode. `Complete` factors of matrices with more rows than columns have no gradient.
///
/// # Panics
/// As [`qr`].
#[track_caller]
pub fn qr_with(a: &Tensor, mode: QrMode) -> (Tensor, Tensor) {
    check_matrix("linalg.qr", a);
    let shape = a.shape();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    match mode {
        QrMode::R => {
            let (_, r) = a.array().qr(false);
            (Array::full(0, 0.0, a.dtype(), &a.device()).into(), r.into())
        }
        _ if m < n => {
            // The first columns decide; the others are only turned.
            let (q, r) = qr(&a.narrow(-1, 0, m));
            let rest = t(&q).matmul(&a.narrow(-1, m, n - m));
            let r = Tensor::cat(&[&r, &rest], -1);
            (q, r)
        }
        _ => {
            let complete = mode == QrMode::Complete;
            let k = if complete { m } else { n };
            let packed = Tensor::apply(Qr { complete }, &[a]);
            let [q, r] = unpack(&packed, [&[m, k], &[k, n]]);
            (q, r)
        }
    }
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::op("Qr", "linalg::qr", "torch.linalg.qr", |draw| {
    let (m, n) = (draw.size(), draw.size());
    let batch = draw.shape(0, 1).to_vec();
    let shape: Vec<usize> = batch.into_iter().chain([m, n]).collect();
    Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
        // Independent columns.
        let a = &x[0] * (1.0 / m.max(n).max(1) as f64) + places(&x[0], m, n, Array::eq) * 2.0;
        let (q, r) = qr(&a);
        Tensor::cat(&[&q.flatten(-2, -1), &r.flatten(-2, -1)], -1)
    })
})
.rejects(|| {
    vec![Reject::new("linalg.qr: shape [3] of float32; expected matrices of float32 or float64", || {
        qr(&floats([3]));
    })]
})];
