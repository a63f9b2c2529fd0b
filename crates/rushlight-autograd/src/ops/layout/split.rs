//! A tensor cut into pieces along a dim. All pieces are views.

use super::real_axis;
use super::region::Region;
use super::slice::clamped;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{DType, axis, fail};

/// How a tensor is cut: one number (the size of a piece, or the number of pieces) or several (their sizes, or where
/// they begin).
///
/// Nobody writes it out: numbers, lists and integer tensors turn into it by themselves.
#[derive(Clone, Debug)]
pub enum Sections {
    /// One number.
    One(isize),
    /// Several.
    Several(Vec<isize>),
    /// One or several, as an integer tensor with no dim or one.
    Of(Tensor),
}

macro_rules! sections {
    ($($int:ty),*) => {$(
        impl From<$int> for Sections {
            fn from(number: $int) -> Self {
                Sections::One(isize::try_from(number).unwrap_or(isize::MAX))
            }
        }
        impl From<&[$int]> for Sections {
            fn from(numbers: &[$int]) -> Self {
                let number = |&n: &$int| isize::try_from(n).unwrap_or(isize::MAX);
                Sections::Several(numbers.iter().map(number).collect())
            }
        }
        impl<const N: usize> From<[$int; N]> for Sections {
            fn from(numbers: [$int; N]) -> Self {
                Sections::from(numbers.as_slice())
            }
        }
        impl From<&Vec<$int>> for Sections {
            fn from(numbers: &Vec<$int>) -> Self {
                Sections::from(numbers.as_slice())
            }
        }
        impl From<Vec<$int>> for Sections {
            fn from(numbers: Vec<$int>) -> Self {
                Sections::from(numbers.as_slice())
            }
        }
    )*};
}
sections!(i32, isize, usize);

impl From<&Tensor> for Sections {
    fn from(numbers: &Tensor) -> Self {
        Sections::Of(numbers.clone())
    }
}

impl Sections {
    /// The numbers, and whether they are a list.
    #[track_caller]
    fn numbers(self, call: &str) -> (Vec<isize>, bool) {
        let tensor = match self {
            Sections::One(number) => return (vec![number], false),
            Sections::Several(numbers) => return (numbers, true),
            Sections::Of(tensor) => tensor,
        };
        if !tensor.dtype().is_int() || tensor.dim() > 1 {
            fail!(
                "{call}: numbers of shape {:?} and dtype {}; they must be integers in at most one dim",
                tensor.shape(),
                tensor.dtype().name()
            );
        }
        let numbers = tensor.array().cast(DType::I64).to_vec::<i64>();
        (numbers.iter().map(|&n| n as isize).collect(), tensor.dim() == 1)
    }
}

/// Pieces.
/// Pieces beyond a size are empty; a list of more than these is a slip, not a wish.
const MOST_EMPTY: usize = 1 << 16;

impl Tensor {
    /// Pieces of one size along `dim`, the last may be smaller; or pieces of the given sizes.
    ///
    /// ```
    /// use rushlight_autograd::arange;
    /// let x = arange(0, 5, 1);
    /// assert_eq!(x.split(2, 0)[2].to_vec::<i64>(), [4]);
    /// assert_eq!(x.split([1, 4], 0)[1].to_vec::<i64>(), [1, 2, 3, 4]);
    /// ```
    ///
    /// # Panics
    /// If the size is negative, or 0 while the dim is not; if sizes do not add up to that of the dim.
    #[track_caller]
    pub fn split(&self, sections: impl Into<Sections>, dim: isize) -> Vec<Tensor> {
        let (sizes, list) = sections.into().numbers("split");
        if list {
            return self.pieces("split", "split_with_sizes", &sizes, dim);
        }
        let size = sizes[0];
        let shape = self.shape();
        let total = shape[real_axis("split", dim, &shape)];
        if size < 0 || size == 0 && total > 0 {
            fail!("split: pieces of size {size} along dim {dim} of shape {shape:?}; use at least 1");
        }
        let size = size as usize;
        let count = if size == 0 { 1 } else { total.div_ceil(size).max(1) };
        let sizes: Vec<isize> = (0..count).map(|i| size.min(total - i * size) as isize).collect();
        self.pieces("split", "split", &sizes, dim)
    }

    /// Pieces of the given sizes along `dim`; [`Tensor::split`] does the same.
    ///
    /// # Panics
    /// If the sizes do not add up to that of the dim.
    #[track_caller]
    pub fn split_with_sizes(&self, sizes: impl Into<Sections>, dim: isize) -> Vec<Tensor> {
        let (sizes, _) = sizes.into().numbers("split_with_sizes");
        self.pieces("split_with_sizes", "split_with_sizes", &sizes, dim)
    }

    #[track_caller]
    fn pieces(&self, call: &str, name: &'static str, sizes: &[isize], dim: isize) -> Vec<Tensor> {
        let shape = self.shape();
        let axis = real_axis(call, dim, &shape);
        let total = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(usize::try_from(size).ok()?));
        if total != Some(shape[axis]) {
            fail!(
                "{call}: sizes {sizes:?} do not cut dim {dim} of shape {shape:?}; they must add up to {} and none may be negative",
                shape[axis]
            );
        }
        let (mut pieces, mut start) = (Vec::with_capacity(sizes.len()), 0);
        for &size in sizes {
            let len = size as usize;
            pieces.push(Region::Slice { axis, start, len, step: 1 }.pick(name, self));
            start += len;
        }
        pieces
    }

    /// At most `chunks` pieces of one size along `dim`; the last may be smaller, and there may be fewer.
    ///
    /// ```
    /// use rushlight_autograd::arange;
    /// let pieces = arange(0, 5, 1).chunk(4, 0);
    /// assert_eq!(pieces.iter().map(|piece| piece.numel()).collect::<Vec<_>>(), [2, 2, 1]);
    /// ```
    ///
    /// # Panics
    /// If `chunks` is 0.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, dim: isize) -> Vec<Tensor> {
        let shape = self.shape();
        let total = shape[real_axis("chunk", dim, &shape)];
        if chunks == 0 {
            fail!("chunk: 0 pieces along dim {dim} of shape {shape:?}; use at least 1");
        }
        if total == 0 && chunks > MOST_EMPTY {
            fail!(
                "chunk: {chunks} pieces along dim {dim} of shape {shape:?}; at most {MOST_EMPTY} can be made"
            );
        }
        match total.div_ceil(chunks) {
            // As in PyTorch: of nothing there are as many pieces as were asked for.
            0 => self.pieces("chunk", "split_with_sizes", &vec![0; chunks], dim),
            size => self.split(size, dim),
        }
    }

    /// A number of pieces along `dim`, the first ones by 1 larger if need be; or pieces that begin at 0 and at the given
    /// places, which count from the back if negative and may lie outside.
    ///
    /// ```
    /// use rushlight_autograd::arange;
    /// let lengths = |pieces: Vec<rushlight_autograd::Tensor>| -> Vec<usize> {
    ///     pieces.iter().map(|piece| piece.numel()).collect()
    /// };
    /// assert_eq!(lengths(arange(0, 5, 1).tensor_split(3, 0)), [2, 2, 1]);
    /// assert_eq!(lengths(arange(0, 5, 1).tensor_split([1, -1], 0)), [1, 3, 1]);
    /// ```
    ///
    /// # Panics
    /// If the number of pieces is not positive.
    #[track_caller]
    pub fn tensor_split(&self, sections: impl Into<Sections>, dim: isize) -> Vec<Tensor> {
        let (numbers, list) = sections.into().numbers("tensor_split");
        self.cut("tensor_split", &numbers, list, dim)
    }

    #[track_caller]
    fn cut(&self, call: &str, numbers: &[isize], list: bool, dim: isize) -> Vec<Tensor> {
        let shape = self.shape();
        let axis = real_axis(call, dim, &shape);
        let total = shape[axis];
        let ends: Vec<usize> = match (list, numbers) {
            (false, &[count]) if count as usize > total.max(MOST_EMPTY) && count > 0 => fail!(
                "{call}: {count} pieces along dim {dim} of shape {shape:?}; at most {} can be made",
                total.max(MOST_EMPTY)
            ),
            (false, &[count]) if count > 0 => {
                let count = count as usize;
                (1..count).map(|i| i * (total / count) + i.min(total % count)).collect()
            }
            (false, _) => {
                fail!("{call}: {} pieces along dim {dim} of shape {shape:?}; use at least 1", numbers[0])
            }
            (true, places) => places.iter().map(|&place| clamped(place, total)).collect(),
        };
        let (mut pieces, mut start) = (Vec::with_capacity(ends.len() + 1), 0);
        for end in ends.into_iter().chain([total]) {
            let region = Region::Slice { axis, start, len: end.saturating_sub(start), step: 1 };
            pieces.push(region.pick("slice", self));
            start = end;
        }
        pieces
    }

    /// [`Tensor::tensor_split`] into columns: along dim 1, or dim 0 of one-dimensional tensors.
    ///
    /// # Panics
    /// If a number of pieces does not divide the size.
    #[track_caller]
    pub fn hsplit(&self, sections: impl Into<Sections>) -> Vec<Tensor> {
        self.stacked_split("hsplit", sections.into(), 1, if self.dim() == 1 { 0 } else { 1 })
    }

    /// [`Tensor::tensor_split`] along dim 0.
    ///
    /// # Panics
    /// If there are fewer than two dims, or a number of pieces does not divide the size.
    #[track_caller]
    pub fn vsplit(&self, sections: impl Into<Sections>) -> Vec<Tensor> {
        self.stacked_split("vsplit", sections.into(), 2, 0)
    }

    /// [`Tensor::tensor_split`] along dim 2.
    ///
    /// # Panics
    /// If there are fewer than three dims, or a number of pieces does not divide the size.
    #[track_caller]
    pub fn dsplit(&self, sections: impl Into<Sections>) -> Vec<Tensor> {
        self.stacked_split("dsplit", sections.into(), 3, 2)
    }

    #[track_caller]
    fn stacked_split(&self, call: &str, sections: Sections, rank: usize, dim: isize) -> Vec<Tensor> {
        let shape = self.shape();
        if shape.len() < rank {
            fail!("{call}: shape {shape:?} has {} dims; at least {rank} are needed", shape.len());
        }
        let (numbers, list) = sections.numbers(call);
        if let (false, &[count]) = (list, numbers.as_slice())
            && (count <= 0 || !shape[dim as usize].is_multiple_of(count as usize))
        {
            fail!("{call}: {count} pieces do not divide dim {dim} of shape {shape:?}");
        }
        self.cut(call, &numbers, list, dim)
    }

    /// All places along `dim`, each without that dim.
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn unbind(&self, dim: isize) -> Vec<Tensor> {
        let shape = self.shape();
        let axis = real_axis("unbind", dim, &shape);
        let mut places = Vec::with_capacity(shape[axis]);
        for index in 0..shape[axis] {
            places.push(Region::Select { axis, index }.pick("unbind", self));
        }
        places
    }
}

/// The pieces with another factor each, in one tensor.
fn weighted(pieces: &[Tensor]) -> Tensor {
    let zero = crate::create::tensor_as(0.0, DType::F64).to(pieces[0].device());
    let sums = pieces.iter().enumerate().map(|(i, piece)| (piece * (i as f64 + 1.0)).exp().sum());
    sums.fold(zero, |total, sum| total + sum)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("split", "torch.split", |draw| {
        let shape = draw.full_shape(1, 2);
        let dim = draw.dim(&shape);
        let size = draw.full_size();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| weighted(&x[0].split(size, dim)))
    })
    .rejects(|| {
        vec![
            Reject::new("split: pieces of size 0 along dim 0 of shape [2, 3]; use at least 1", || {
                floats([2, 3]).split(0, 0);
            }),
            Reject::new("split: pieces of size -1 along dim 0 of shape [2, 3]; use at least 1", || {
                floats([2, 3]).split(-1, 0);
            }),
            Reject::new(
                "split: sizes [1, 1] do not cut dim 1 of shape [2, 3]; they must add up to 3",
                || {
                    floats([2, 3]).split([1, 1], 1);
                },
            ),
            Reject::new("split: sizes [4, -1] do not cut dim 1 of shape [2, 3]", || {
                floats([2, 3]).split([4, -1], 1);
            }),
            Reject::new("split: a scalar has no dim 0", || {
                floats([]).split(1, 0);
            }),
            Reject::new("split: numbers of shape [2] and dtype float32; they must be integers", || {
                floats([2, 3]).split(&floats([2]), 0);
            }),
        ]
    }),
    OpInfo::composed("split_with_sizes", "torch.split_with_sizes", |draw| {
        let shape = draw.full_shape(1, 2);
        let dim = draw.dim(&shape);
        let size = shape[axis("split", dim, &shape)];
        let first = draw.below(size + 1);
        let sizes = [first, size - first];
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            weighted(&x[0].split_with_sizes(sizes, dim))
        })
    })
    .rejects(|| {
        vec![Reject::new("split_with_sizes: sizes [1, 1] do not cut dim 1 of shape [2, 3]", || {
            floats([2, 3]).split_with_sizes([1, 1], 1);
        })]
    }),
    OpInfo::composed("chunk", "torch.chunk", |draw| {
        let shape = draw.full_shape(1, 2);
        let (dim, count) = (draw.dim(&shape), draw.full_size());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| weighted(&x[0].chunk(count, dim)))
    })
    .rejects(|| {
        vec![Reject::new("chunk: 0 pieces along dim 0 of shape [2, 3]; use at least 1", || {
            floats([2, 3]).chunk(0, 0);
        })]
    }),
    OpInfo::composed("tensor_split", "torch.tensor_split", |draw| {
        let shape = draw.full_shape(1, 2);
        let (dim, count) = (draw.dim(&shape), draw.full_size());
        let place = draw.below(8) as isize - 4;
        let leaf = draw.leaf(&shape, Domain::Any);
        if draw.coin() {
            return Sample::new(vec![leaf], move |x| weighted(&x[0].tensor_split([place, 2], dim)));
        }
        Sample::new(vec![leaf], move |x| weighted(&x[0].tensor_split(count, dim)))
    })
    .rejects(|| {
        vec![Reject::new("tensor_split: 0 pieces along dim 1 of shape [2, 3]; use at least 1", || {
            floats([2, 3]).tensor_split(0, 1);
        })]
    }),
    OpInfo::composed("hsplit", "torch.hsplit", |draw| {
        let shape = draw.full_shape(1, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| weighted(&x[0].hsplit([1, 2])))
    })
    .rejects(|| {
        vec![Reject::new("hsplit: 2 pieces do not divide dim 1 of shape [2, 3]", || {
            floats([2, 3]).hsplit(2);
        })]
    }),
    OpInfo::composed("vsplit", "torch.vsplit", |draw| {
        let shape = draw.full_shape(2, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| weighted(&x[0].vsplit([1])))
    })
    .rejects(|| {
        vec![Reject::new("vsplit: shape [2] has 1 dims; at least 2 are needed", || {
            floats([2]).vsplit(1);
        })]
    }),
    OpInfo::composed("dsplit", "torch.dsplit", |draw| {
        let shape = draw.full_shape(3, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| weighted(&x[0].dsplit([1, -1])))
    })
    .rejects(|| {
        vec![Reject::new("dsplit: 0 pieces do not divide dim 2 of shape [2, 2, 2]", || {
            floats([2, 2, 2]).dsplit(0);
        })]
    }),
    OpInfo::composed("unbind", "torch.unbind", |draw| {
        let shape = draw.full_shape(1, 2);
        let dim = draw.dim(&shape);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| weighted(&x[0].unbind(dim)))
    })
    .rejects(|| {
        vec![Reject::new("unbind: a scalar has no dim 0", || {
            floats([]).unbind(0);
        })]
    }),
];
