//! Triangular systems of equations.

use super::cholesky::{regular, square};
use super::{check_matrix, check_square, t, triangle, with_equal_batches};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// `A^-1 B` for a triangle `A`; both have the same batch dims.
#[derive(Debug)]
struct SolveTriangular {
    upper: bool,
    unit: bool,
}

impl Op for SolveTriangular {
    fn name(&self) -> &'static str {
        "linalg_solve_triangular"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].solve_triangular(inputs[1], self.upper, self.unit)
    }
    fn saves(&self) -> Saves {
        Saves::first(1).and_output()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let transposed = SolveTriangular { upper: !self.upper, unit: self.unit };
        let to_b = Tensor::apply(transposed, &[&t(&saved.input(0)), grad]);
        give.to(0, || -triangle(&to_b.matmul(&t(&saved.output())), self.upper, self.unit));
        give.to(1, || to_b);
    }
}

/// The solution `X` of `A X = B` for upper or lower triangular `A`, of which the other triangle is not read. A zero on the
/// diagonal gives infinities or NaN, as in PyTorch.
///
/// Shape: `(*, n, n)`, `(*, n, k)` -> `(*, n, k)`; batch dims broadcast.
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn solve_triangular(a: &Tensor, b: &Tensor, upper: bool) -> Tensor {
    solve_triangular_with(a, b, upper, true, false)
}

/// [`solve_triangular`], or the solution of `X A = B` if not `left`; with `unitriangular` the diagonal counts as ones and
/// is not read.
///
/// # Panics
/// As [`solve_triangular`].
#[track_caller]
pub fn solve_triangular_with(a: &Tensor, b: &Tensor, upper: bool, left: bool, unitriangular: bool) -> Tensor {
    let n = check_square("linalg.solve_triangular", a);
    check_matrix("linalg.solve_triangular", b);
    let side = b.shape()[b.dim() - if left { 2 } else { 1 }];
    if side != n {
        fail!(
            "linalg.solve_triangular: shapes {:?} and {:?} do not fit: {n} and {side} {}; they must be equal",
            a.shape(),
            b.shape(),
            if left { "rows" } else { "columns" }
        );
    }
    let (a, b) = with_equal_batches("linalg.solve_triangular", a, b);
    let unit = unitriangular;
    match left {
        true => Tensor::apply(SolveTriangular { upper, unit }, &[&a, &b]),
        // The transposed system.
        false => t(&Tensor::apply(SolveTriangular { upper: !upper, unit }, &[&t(&a), &t(&b)])),
    }
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::op(
    "SolveTriangular",
    "linalg::solve_triangular",
    "torch.linalg.solve_triangular",
    |draw| {
        let shape = square(draw);
        let (upper, left, unit, wide) = (draw.coin(), draw.coin(), draw.coin(), draw.size());
        let n = shape[shape.len() - 1];
        let right = if left { [n, wide] } else { [wide, n] };
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&right, Domain::Any)];
        Sample::new(inputs, move |x| solve_triangular_with(&regular(&x[0], upper), &x[1], upper, left, unit))
    },
)
.rejects(|| {
    vec![
        Reject::new(
            "linalg.solve_triangular: shapes [3, 3] and [2, 1] do not fit: 3 and 2 rows; they must be equal",
            || {
                solve_triangular(&floats([3, 3]), &floats([2, 1]), true);
            },
        ),
        Reject::new("linalg.solve_triangular: the matrices of shape [3, 2] are not square", || {
            solve_triangular(&floats([3, 2]), &floats([3, 1]), true);
        }),
    ]
})];
