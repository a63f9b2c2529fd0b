//! The lower and the upper triangle of matrices.

use super::inplace::in_place;
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// The elements on one side of a diagonal, and zeros on the other.
#[derive(Clone, Copy, Debug)]
struct Triangle {
    upper: bool,
    diagonal: isize,
}

impl Op for Triangle {
    fn name(&self) -> &'static str {
        if self.upper { "triu" } else { "tril" }
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        let [.., rows, columns] = **x.shape() else {
            fail!("{}: shape {:?} is no matrix; at least 2 dims are needed", self.name(), x.shape())
        };
        let kept = Array::build([rows, columns], |kept: &mut [bool]| {
            for (i, row) in kept.chunks_exact_mut(columns.max(1)).enumerate() {
                row.iter_mut().enumerate().for_each(|(j, kept)| *kept = self.holds(i, j));
            }
        });
        let zero = Array::full((), 0.0, x.dtype(), x.device());
        kept.to_device(x.device()).where_(x, &zero)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || Tensor::apply(*self, &[grad]));
    }
}

impl Triangle {
    fn holds(self, row: usize, column: usize) -> bool {
        let right = column as isize - row as isize;
        if self.upper { right >= self.diagonal } else { right <= self.diagonal }
    }
}

/// Triangles.
impl Tensor {
    /// The lower triangle of matrices `[.., M, N]` with the main diagonal; zeros above it.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).tril().to_vec::<i64>(), [1, 0, 3, 4]);
    /// assert_eq!(tensor([[1, 2], [3, 4]]).tril_with(-1).to_vec::<i64>(), [0, 0, 3, 0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two dims.
    #[track_caller]
    pub fn tril(&self) -> Tensor {
        self.tril_with(0)
    }

    /// As [`Tensor::tril`], up to the diagonal so many places above the main one, or below it if negative.
    ///
    /// # Panics
    /// If there are fewer than two dims.
    #[track_caller]
    pub fn tril_with(&self, diagonal: isize) -> Tensor {
        Tensor::apply(Triangle { upper: false, diagonal }, &[self])
    }

    /// The upper triangle of matrices `[.., M, N]` with the main diagonal; zeros below it.
    ///
    /// # Panics
    /// If there are fewer than two dims.
    #[track_caller]
    pub fn triu(&self) -> Tensor {
        self.triu_with(0)
    }

    /// As [`Tensor::triu`], from the diagonal so many places above the main one, or below it if negative.
    ///
    /// # Panics
    /// If there are fewer than two dims.
    #[track_caller]
    pub fn triu_with(&self, diagonal: isize) -> Tensor {
        Tensor::apply(Triangle { upper: true, diagonal }, &[self])
    }
}

in_place! {
    tril_ = tril();
    tril_with_ = tril_with(diagonal: isize);
    triu_ = triu();
    triu_with_ = triu_with(diagonal: isize);
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Triangle", "tril", "torch.tril", |draw| {
        let shape = draw.shape(2, 3);
        let diagonal = draw.below(7) as isize - 3;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].tril_with(diagonal).exp())
    })
    .rejects(|| {
        vec![Reject::new("tril: shape [4] is no matrix; at least 2 dims are needed", || {
            floats([4]).tril();
        })]
    }),
    OpInfo::composed("triu", "torch.triu", |draw| {
        let shape = draw.shape(2, 3);
        let diagonal = draw.below(7) as isize - 3;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].triu_with(diagonal).exp())
    })
    .rejects(|| {
        vec![Reject::new("triu: shape [] is no matrix; at least 2 dims are needed", || {
            floats([]).triu();
        })]
    }),
];
