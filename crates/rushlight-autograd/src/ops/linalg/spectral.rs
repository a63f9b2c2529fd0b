//! Singular values and symmetric eigenvalues.

use super::{check_matrix, check_square, identity, pack, t, unpack};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// `U`, the singular values and `V^T` in one array.
#[derive(Debug)]
struct Svd {
    full: bool,
}

impl Op for Svd {
    fn name(&self) -> &'static str {
        "linalg_svd"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [u, s, v] = decompose("linalg.svd", inputs[0], self.full);
        pack(&s.shape()[..s.rank() - 1], &[&u, &s, &v])
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let shape = saved.shape(0);
        let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let k = m.min(n);
        if self.full && m != n {
            fail!(
                "linalg.svd: the gradient of full matrices U and V of [{m}, {n}] is not defined; use full_matrices = false"
            );
        }
        // Townsend, "Differentiating the singular value decomposition", 2016.
        give.to(0, || {
            let tails: [&[usize]; 3] = [&[m, k], &[k], &[k, n]];
            let [u, s, v] = unpack(&saved.output(), tails);
            let [gu, gs, gv] = unpack(grad, tails);
            let (rows, columns) = (s.unsqueeze(-1), s.unsqueeze(-2));
            let gaps = gaps(&(&s * &s));
            let skew = |x: Tensor| &x - t(&x);
            let left = skew(t(&u).matmul(&gu)) * &gaps * &columns;
            let right = &rows * (skew(v.matmul(&t(&gv))) * &gaps);
            let inner = left + right + identity(grad, k) * gs.unsqueeze(-1);
            let mut sum = u.matmul(&inner).matmul(&v);
            if m > k {
                let beside = &gu / &columns;
                sum = sum.add(&(&beside - u.matmul(&t(&u).matmul(&beside))).matmul(&v));
            }
            if n > k {
                let beside = &gv / &rows;
                sum = sum.add(&u.matmul(&(&beside - beside.matmul(&t(&v)).matmul(&v))));
            }
            sum
        });
    }
}

/// The singular values alone, whose gradient also exists where some are equal.
#[derive(Debug)]
struct SingularValues;

impl Op for SingularValues {
    fn name(&self) -> &'static str {
        "linalg_svdvals"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [_, s, _] = decompose("linalg.svdvals", inputs[0], false);
        s
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (u, _, v) = svd_with(&saved.input(0), false);
            (u * grad.unsqueeze(-2)).matmul(&v)
        });
    }
}

/// Eigenvalues and eigenvectors in one array.
#[derive(Debug)]
struct Eigh;

impl Op for Eigh {
    fn name(&self) -> &'static str {
        "linalg_eigh"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (values, vectors) = symmetric("linalg.eigh", inputs[0]);
        pack(&values.shape()[..values.rank() - 1], &[&values, &vectors])
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let shape = saved.shape(0);
        let n = shape[shape.len() - 1];
        give.to(0, || {
            let [values, vectors] = unpack(&saved.output(), [&[n], &[n, n]]);
            let [to_values, to_vectors] = unpack(grad, [&[n], &[n, n]]);
            let inner = t(&vectors).matmul(&to_vectors) * gaps(&values);
            let inner = inner + identity(grad, n) * to_values.unsqueeze(-1);
            vectors.matmul(&inner).matmul(&t(&vectors))
        });
    }
}

/// The eigenvalues alone, whose gradient also exists where some are equal.
#[derive(Debug)]
struct Eigenvalues;

impl Op for Eigenvalues {
    fn name(&self) -> &'static str {
        "linalg_eigvalsh"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        symmetric("linalg.eigvalsh", inputs[0]).0
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (_, vectors) = eigh(&saved.input(0));
            (&vectors * grad.unsqueeze(-2)).matmul(&t(&vectors))
        });
    }
}

/// `1 / (x_j - x_i)` at row i and column j, 0 where the two are equal: there a gradient exists only if what it meets is 0.
#[track_caller]
fn gaps(x: &Tensor) -> Tensor {
    let differences = x.unsqueeze(-2) - x.unsqueeze(-1);
    let equal = differences.eq(0.0);
    differences.masked_fill(&equal, 1.0).reciprocal().masked_fill(&equal, 0.0)
}

#[track_caller]
fn decompose(name: &str, x: &Array, full: bool) -> [Array; 3] {
    match x.svd(full) {
        Some((u, s, v)) => [u, s, v],
        None => fail!("{name}: the iteration does not converge; are all elements finite?"),
    }
}

#[track_caller]
fn symmetric(name: &str, x: &Array) -> (Array, Array) {
    match x.eigh() {
        Some(found) => found,
        None => fail!("{name}: the iteration does not converge; are all elements finite?"),
    }
}

/// `A = U diag(S) V^T` with square orthogonal `U` and `V`: `U`, the singular values, descending, and `V^T`.
///
/// Shape: `(*, m, n)` -> `(*, m, m)`, `(*, k)`, `(*, n, n)`, where k is the smaller size.
///
/// A gradient exists for square matrices with distinct singular values; see [`svd_with`] for others. Signs of vectors are
/// arbitrary, so what is computed from them must not depend on them.
///
/// # Panics
/// If there are not two dims at least, the dtype is not `f32` or `f64`, or elements are infinite or NaN.
#[track_caller]
pub fn svd(a: &Tensor) -> (Tensor, Tensor, Tensor) {
    svd_with(a, true)
}

/// [`svd`], or, if not `full_matrices`, with `U` of `(*, m, k)` and `V^T` of `(*, k, n)`, which have a gradient for
/// distinct singular values.
///
/// # Panics
/// As [`svd`].
#[track_caller]
pub fn svd_with(a: &Tensor, full_matrices: bool) -> (Tensor, Tensor, Tensor) {
    check_matrix("linalg.svd", a);
    let shape = a.shape();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let k = m.min(n);
    let (rows, columns) = if full_matrices { (m, n) } else { (k, k) };
    let packed = Tensor::apply(Svd { full: full_matrices }, &[a]);
    let [u, s, v] = unpack(&packed, [&[m, rows], &[k], &[columns, n]]);
    (u, s, v)
}

/// The singular values, descending.
///
/// Shape: `(*, m, n)` -> `(*, k)`, where k is the smaller size.
///
/// # Panics
/// As [`svd`].
#[track_caller]
pub fn svdvals(a: &Tensor) -> Tensor {
    check_matrix("linalg.svdvals", a);
    Tensor::apply(SingularValues, &[a])
}

/// The eigenvalues of symmetric matrices, ascending, and their eigenvectors, the columns. Only the lower triangle is read.
///
/// Shape: `(*, n, n)` -> `(*, n)`, `(*, n, n)`.
///
/// The gradient exists for distinct eigenvalues. Signs of vectors are arbitrary, so what is computed from them must not
/// depend on them.
///
/// # Panics
/// If the matrices are not square, not of `f32` or `f64`, or elements are infinite or NaN.
#[track_caller]
pub fn eigh(a: &Tensor) -> (Tensor, Tensor) {
    eigh_with(a, false)
}

/// [`eigh`], from the upper triangle if `upper`: PyTorch's `UPLO`.
///
/// # Panics
/// As [`eigh`].
#[track_caller]
pub fn eigh_with(a: &Tensor, upper: bool) -> (Tensor, Tensor) {
    let n = check_square("linalg.eigh", a);
    let packed = if upper { Tensor::apply(Eigh, &[&t(a)]) } else { Tensor::apply(Eigh, &[a]) };
    let [values, vectors] = unpack(&packed, [&[n], &[n, n]]);
    (values, vectors)
}

/// The eigenvalues of symmetric matrices, ascending. Only the lower triangle is read.
///
/// # Panics
/// As [`eigh`].
#[track_caller]
pub fn eigvalsh(a: &Tensor) -> Tensor {
    eigvalsh_with(a, false)
}

/// [`eigvalsh`], from the upper triangle if `upper`: PyTorch's `UPLO`.
///
/// # Panics
/// As [`eigh`].
#[track_caller]
pub fn eigvalsh_with(a: &Tensor, upper: bool) -> Tensor {
    check_square("linalg.eigvalsh", a);
    if upper { Tensor::apply(Eigenvalues, &[&t(a)]) } else { Tensor::apply(Eigenvalues, &[a]) }
}

/// Matrices with distinct singular values, from any: the diagonal grows.
#[track_caller]
fn spread(x: &Tensor) -> Tensor {
    let (m, n) = (x.shape()[x.dim() - 2], x.shape()[x.dim() - 1]);
    let steps = Array::arange(1.0, n as f64 + 1.0, 1.0).cast(x.dtype()).to_device(&x.device());
    let diagonal = super::places(x, m, n, Array::eq) * Tensor::constant(steps);
    x * (0.2 / m.max(n).max(1) as f64) + diagonal
}

/// What does not depend on the signs of vectors.
#[track_caller]
fn squared(parts: [&Tensor; 3]) -> Tensor {
    let [u, s, v] = parts;
    Tensor::cat(&[&(u * u).flatten(-2, -1), s, &(v * v).flatten(-2, -1)], -1)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Svd", "linalg::svd", "torch.linalg.svd", |draw| {
        let shape: Vec<usize> = draw.shape(2, 3).to_vec();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            let (u, s, v) = svd_with(&spread(&x[0]), false);
            squared([&u, &s, &v])
        })
    })
    .differs("pairs of equal singular values add nothing to the gradient, where PyTorch gives infinities")
    .rejects(|| {
        vec![
            Reject::new("linalg.svd: the iteration does not converge; are all elements finite?", || {
                svd(&(floats([2, 2]) + f64::NAN));
            }),
            Reject::new("linalg.svd: shape [2] of float32; expected matrices of float32 or float64", || {
                svd(&floats([2]));
            }),
        ]
    }),
    OpInfo::op("SingularValues", "linalg::svdvals", "torch.linalg.svdvals", |draw| {
        let shape: Vec<usize> = draw.shape(2, 3).to_vec();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| svdvals(&spread(&x[0])))
    }),
    OpInfo::op("Eigh", "linalg::eigh", "torch.linalg.eigh", |draw| {
        let n = draw.size();
        let shape: Vec<usize> = draw.shape(0, 1).iter().copied().chain([n, n]).collect();
        let upper = draw.coin();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let a = spread(&x[0]);
            let (values, vectors) = eigh_with(&(&a + t(&a)), upper);
            squared([&vectors, &values, &vectors])
        })
    })
    .differs("pairs of equal eigenvalues add nothing to the gradient, where PyTorch gives infinities")
    .rejects(|| {
        vec![Reject::new("linalg.eigh: the matrices of shape [2, 3] are not square", || {
            eigh(&floats([2, 3]));
        })]
    }),
    OpInfo::op("Eigenvalues", "linalg::eigvalsh", "torch.linalg.eigvalsh", |draw| {
        let n = draw.size();
        let upper = draw.coin();
        Sample::new(vec![draw.leaf(&[n, n], Domain::Any)], move |x| {
            let a = spread(&x[0]);
            eigvalsh_with(&(&a + t(&a)), upper)
        })
    }),
];
