//! Diagonals: read, embedded in zeros, replaced.

use super::layout::real_axis;
use super::layout::region::Region;
use crate::create::{Halves, check_fits};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, Layout, Scalar, Shape, fail};

/// The optional arguments of [`Tensor::diagonal_with`] and [`Tensor::diagonal_scatter_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiagonalOptions {
    /// By how much the index along `dim2` is larger than that along `dim1`: above 0 the diagonal lies above the main one.
    pub offset: isize,
    /// The rows.
    pub dim1: isize,
    /// The columns.
    pub dim2: isize,
}

impl Default for DiagonalOptions {
    fn default() -> Self {
        DiagonalOptions { offset: 0, dim1: 0, dim2: 1 }
    }
}

/// The optional arguments of [`Tensor::diag_embed_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiagEmbedOptions {
    /// By how much the index along `dim2` is larger than that along `dim1`: above 0 the diagonal lies above the main one.
    pub offset: isize,
    /// The rows of the result.
    pub dim1: isize,
    /// The columns of the result.
    pub dim2: isize,
}

impl Default for DiagEmbedOptions {
    fn default() -> Self {
        DiagEmbedOptions { offset: 0, dim1: -2, dim2: -1 }
    }
}

/// The places of a diagonal in tensors of a shape.
#[track_caller]
fn region(call: &str, shape: &[usize], offset: isize, dim1: isize, dim2: isize) -> Region {
    let (first, second) = (real_axis(call, dim1, shape), real_axis(call, dim2, shape));
    if first == second {
        fail!("{call}: dims {dim1} and {dim2} of shape {shape:?} are the same; a diagonal needs two");
    }
    Region::Diagonal { offset, first, second }
}

/// Diagonals.
impl Tensor {
    /// The main diagonal of the first two dims, as a new last dim: a view.
    ///
    /// # Panics
    /// If there are fewer than two dims.
    #[track_caller]
    pub fn diagonal(&self) -> Tensor {
        self.diagonal_with(&DiagonalOptions::default())
    }

    /// A diagonal of two dims, as a new last dim: a view.
    ///
    /// ```
    /// use rushlight_autograd::{ops::DiagonalOptions, tensor};
    /// let above = DiagonalOptions { offset: 1, ..Default::default() };
    /// assert_eq!(tensor([[1, 2, 3], [4, 5, 6]]).diagonal_with(&above).to_vec::<i64>(), [2, 6]);
    /// ```
    ///
    /// # Panics
    /// If a dim is out of range or both are the same.
    #[track_caller]
    pub fn diagonal_with(&self, options: &DiagonalOptions) -> Tensor {
        let DiagonalOptions { offset, dim1, dim2 } = *options;
        region("diagonal", &self.shape(), offset, dim1, dim2).pick("diagonal", self)
    }

    /// This tensor with `source` on the main diagonal of the first two dims.
    ///
    /// # Panics
    /// If there are fewer than two dims, or the source has another shape than [`Tensor::diagonal`] gives.
    #[track_caller]
    pub fn diagonal_scatter(&self, source: &Tensor) -> Tensor {
        self.diagonal_scatter_with(source, &DiagonalOptions::default())
    }

    /// This tensor with `source` on a diagonal of two dims.
    ///
    /// # Panics
    /// If a dim is out of range, both are the same, or the source has another shape than [`Tensor::diagonal_with`] gives.
    #[track_caller]
    pub fn diagonal_scatter_with(&self, source: &Tensor, options: &DiagonalOptions) -> Tensor {
        let DiagonalOptions { offset, dim1, dim2 } = *options;
        let region = region("diagonal_scatter", &self.shape(), offset, dim1, dim2);
        region.replace("diagonal_scatter", self, source)
    }

    /// Square matrices with the rows of this tensor, its last dim, on their diagonals and zeros elsewhere:
    /// `[.., N]` becomes `[.., N, N]`.
    ///
    /// # Panics
    /// If the tensor is a scalar, or the elements cannot be counted.
    #[track_caller]
    pub fn diag_embed(&self) -> Tensor {
        self.diag_embed_with(&DiagEmbedOptions::default())
    }

    /// As [`Tensor::diag_embed`], on another diagonal or along other dims.
    ///
    /// ```
    /// use rushlight_autograd::{ops::DiagEmbedOptions, tensor};
    /// let below = DiagEmbedOptions { offset: -1, ..Default::default() };
    /// assert_eq!(tensor([7]).diag_embed_with(&below).to_vec::<i64>(), [0, 0, 7, 0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is a scalar, a dim is out of range or both are the same, or the elements cannot be counted.
    #[track_caller]
    pub fn diag_embed_with(&self, options: &DiagEmbedOptions) -> Tensor {
        let DiagEmbedOptions { offset, dim1, dim2 } = *options;
        let own = self.shape();
        let Some((&len, rest)) = own.split_last() else {
            fail!("diag_embed: a scalar is no diagonal; reshape it to [1] first")
        };
        let Some(side) = len.checked_add(offset.unsigned_abs()) else {
            fail!("diag_embed: offset {offset} of shape {own:?} gives more elements than can be counted")
        };
        // Dims are those of the result; the sizes of all others stay in their order.
        let blank = vec![side; own.len() + 1];
        let region = region("diag_embed", &blank, offset, dim1, dim2);
        let (first, second) = (real_axis("diag_embed", dim1, &blank), real_axis("diag_embed", dim2, &blank));
        let mut others = rest.iter().copied();
        let size = |axis| if axis == first || axis == second { side } else { others.next().unwrap_or(side) };
        let shape: Shape = (0..blank.len()).map(size).collect();
        region.embed("diag_embed", self, &shape, 0.0)
    }

    /// The diagonal of a matrix, or a matrix with the elements of a one-dimensional tensor on its diagonal.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1, 2], [3, 4]]).diag().to_vec::<i64>(), [1, 4]);
    /// assert_eq!(tensor([1, 4]).diag().to_vec::<i64>(), [1, 0, 0, 4]);
    /// ```
    ///
    /// # Panics
    /// If there are not one or two dims.
    #[track_caller]
    pub fn diag(&self) -> Tensor {
        self.diag_with(0)
    }

    /// As [`Tensor::diag`], of the diagonal so many places above the main one, or below it if negative.
    ///
    /// # Panics
    /// If there are not one or two dims.
    #[track_caller]
    pub fn diag_with(&self, diagonal: isize) -> Tensor {
        match self.dim() {
            1 => self.diag_embed_with(&DiagEmbedOptions { offset: diagonal, ..Default::default() }),
            2 => self.diagonal_with(&DiagonalOptions { offset: diagonal, ..Default::default() }),
            rank => fail!("diag: shape {:?} has {rank} dims; 1 or 2 are needed", self.shape()),
        }
    }

    /// A matrix with all elements, in row-major order, on its diagonal.
    #[track_caller]
    pub fn diagflat(&self) -> Tensor {
        self.diagflat_with(0)
    }

    /// As [`Tensor::diagflat`], on the diagonal so many places above the main one, or below it if negative.
    ///
    /// # Panics
    /// If the elements cannot be counted.
    #[track_caller]
    pub fn diagflat_with(&self, offset: isize) -> Tensor {
        self.ravel().diag_with(offset)
    }
}

/// A shape with options for a diagonal of it.
fn drawn(draw: &mut Draw<'_>) -> (Shape, DiagonalOptions) {
    let shape = draw.shape(2, 3);
    let (dim1, turned) = (draw.dim(&shape), 1 + draw.below(shape.len() - 1) as isize);
    let rank = shape.len() as isize;
    let dim2 = (dim1 + rank + turned) % rank;
    (shape, DiagonalOptions { offset: draw.below(7) as isize - 3, dim1, dim2 })
}

impl Tensor {
    /// Fills the places whose indices are all equal with a number; see [`Tensor::add_`]. PyTorch's `wrap`, by which the diagonal
    /// of a tall matrix begins anew below a row without it, is `false` by default.
    ///
    /// ```
    /// use rushlight_autograd::zeros;
    /// let mut x = zeros([5, 2]);
    /// x.fill_diagonal_(1.0, true);
    /// assert_eq!(x.to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two dims, or more of different sizes; if the dtype has no place for the value; if this is a
    /// leaf that requires a gradient and recording is on.
    #[track_caller]
    pub fn fill_diagonal_(&mut self, fill_value: impl Into<Scalar>, wrap: bool) -> &mut Tensor {
        let (shape, value) = (self.shape(), fill_value.into());
        if shape.len() < 2 || (shape.len() > 2 && shape.iter().any(|&size| size != shape[0])) {
            fail!("fill_diagonal_: the shape is {shape:?}; there must be two dims, or more of one size");
        }
        self.check_replaceable("fill_diagonal_");
        check_fits("fill_diagonal_", value, self.dtype(), Halves::Overflow);
        // From one place of the diagonal to the next in row-major order.
        let step: usize = (1..=shape.len()).map(|axis| shape[axis..].iter().product::<usize>()).sum();
        let last = shape[shape.len() - 1];
        // A tall matrix: behind a square the diagonal would begin anew.
        let end = if wrap || shape.len() > 2 { usize::MAX } else { last.saturating_mul(last) };
        let mut mask = vec![false; self.numel()];
        mask.iter_mut().take(end).step_by(step).for_each(|place| *place = true);
        let mask = Tensor::constant(Array::from_vec(mask, &shape).to_device(&self.device()));
        let value = Tensor::constant(Array::full((), value, self.dtype(), &self.device()));
        let filled = self.masked_fill(&mask, &value);
        self.replace("fill_diagonal_", filled)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("diagonal", "torch.diagonal", |draw| {
        let (shape, options) = drawn(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].diagonal_with(&options).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("diagonal: dims 1 and -1 of shape [2, 3] are the same; a diagonal needs two", || {
                floats([2, 3]).diagonal_with(&DiagonalOptions { dim1: 1, dim2: -1, ..Default::default() });
            }),
            Reject::new("diagonal: dim 1 is out of range for shape [3]", || {
                floats([3]).diagonal();
            }),
        ]
    }),
    OpInfo::composed("diagonal_scatter", "torch.diagonal_scatter", |draw| {
        let (shape, options) = drawn(draw);
        let places = region("", &shape, options.offset, options.dim1, options.dim2);
        let part = places.of("", &Layout::contiguous(&shape)).shape().clone();
        let leaves = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&part, Domain::Any)];
        Sample::new(leaves, move |x| x[0].diagonal_scatter_with(&x[1], &options).exp())
    })
    .rejects(|| {
        vec![Reject::new(
            "diagonal_scatter: the source has shape [1], but its places in shape [2, 3] have shape [2]",
            || {
                floats([2, 3]).diagonal_scatter(&floats([1]));
            },
        )]
    }),
    OpInfo::composed("diag_embed", "torch.diag_embed", |draw| {
        let shape = draw.shape(1, 2);
        let rank = shape.len() as isize + 1;
        let (dim1, turned) = (draw.below(rank as usize) as isize, 1 + draw.below(rank as usize - 1) as isize);
        let offset = draw.below(5) as isize - 2;
        let options = DiagEmbedOptions { offset, dim1: dim1 - rank, dim2: (dim1 + turned) % rank };
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].diag_embed_with(&options).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("diag_embed: a scalar is no diagonal", || {
                floats([]).diag_embed();
            }),
            Reject::new("diag_embed: dims 1 and 1 of shape", || {
                floats([2, 3]).diag_embed_with(&DiagEmbedOptions { dim1: 1, dim2: 1, ..Default::default() });
            }),
            Reject::new("holds more elements than can be counted", || {
                floats([2, 3])
                    .diag_embed_with(&DiagEmbedOptions { offset: isize::MIN, ..Default::default() });
            }),
        ]
    }),
    OpInfo::composed("diag", "torch.diag", |draw| {
        let shape = draw.shape(1, 2);
        let offset = draw.below(7) as isize - 3;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].diag_with(offset).exp())
    })
    .rejects(|| {
        vec![Reject::new("diag: shape [1, 2, 3] has 3 dims; 1 or 2 are needed", || {
            floats([1, 2, 3]).diag();
        })]
    }),
    OpInfo::composed("diagflat", "torch.diagflat", |draw| {
        let shape: Vec<usize> = (0..draw.below(3)).map(|_| draw.below(4)).collect();
        let offset = draw.below(5) as isize - 2;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].diagflat_with(offset).exp())
    }),
    OpInfo::composed("fill_diagonal_", "torch.Tensor.fill_diagonal_", |draw| {
        let (shape, wrap) = ([draw.full_size() + 2, draw.full_size()], draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let mut y = &x[0] * 2.0;
            y.fill_diagonal_(1.5, wrap);
            y.exp()
        })
    })
    .rejects(|| {
        vec![Reject::new("fill_diagonal_: the shape is [2]; there must be two dims", || {
            floats([2]).fill_diagonal_(1.0, false);
        })]
    }),
];
