use super::Array;
use super::elementwise::broadcast_shapes;
use crate::dtype::DType;
use crate::fail;
use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// One place in an index list: what Python writes between the commas of `x[1, 2:, ::3]`.
///
/// ```
/// use rushlight_array::{Array, Index};
/// let x = Array::new([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.get(1).to_vec::<i64>(), [4, 5, 6]);
/// assert_eq!(x.get((.., -1)).to_vec::<i64>(), [3, 6]);
/// assert_eq!(x.get((0, 1..)).to_vec::<i64>(), [2, 3]);
/// assert_eq!(x.get((.., Index::step(0, 3, 2))).to_vec::<i64>(), [1, 3, 4, 6]);
/// ```
#[derive(Clone, Debug)]
pub enum Index {
    /// One place; the dim disappears. Negative counts from the back.
    At(isize),
    /// Places `start..end`, `step` apart; ends are cut to the dim as in Python.
    Slice {
        /// The first place, negative from the back.
        start: isize,
        /// One behind the last place; `None` for the end of the dim.
        end: Option<isize>,
        /// The distance of places, at least 1.
        step: usize,
    },
    /// A new dim of size 1, as Python's `None`.
    NewAxis,
    /// The places that an `i64` array names, or those where a bool array is true.
    Array(Array),
}

impl Index {
    /// `start:end:step`.
    pub fn step(start: isize, end: isize, step: usize) -> Self {
        Index::Slice { start, end: Some(end), step }
    }

    /// The number of dims that this index stands for.
    fn dims(&self) -> usize {
        match self {
            Index::NewAxis => 0,
            Index::Array(mask) if mask.dtype() == DType::Bool => mask.rank(),
            _ => 1,
        }
    }

    fn range<I: Place>(range: &impl RangeBounds<I>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&s) => s.place(),
            Bound::Excluded(&s) => s.place() + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&e) if e.place() == -1 => None,
            Bound::Unbounded => None,
            Bound::Included(&e) => Some(e.place() + 1),
            Bound::Excluded(&e) => Some(e.place()),
        };
        Index::Slice { start, end, step: 1 }
    }
}

/// The integers that may stand in an index; a `usize` is never negative, so it never counts from the back.
trait Place: Copy {
    fn place(self) -> isize;
}

macro_rules! index_from_range {
    ($($range:ty),*) => {$(
        impl From<$range> for Index {
            fn from(range: $range) -> Self {
                Index::range(&range)
            }
        }
        impl From<$range> for Indices {
            fn from(range: $range) -> Self {
                Indices(vec![range.into()])
            }
        }
    )*};
}

macro_rules! index_from {
    ($($int:ty),*) => {$(
        impl Place for $int {
            fn place(self) -> isize {
                // Places beyond the largest isize lie in no dim; the bounds check names them.
                isize::try_from(self).unwrap_or(isize::MAX)
            }
        }
        index_from_range!(Range<$int>, RangeFrom<$int>, RangeTo<$int>, RangeInclusive<$int>, RangeToInclusive<$int>);
        impl From<$int> for Index {
            fn from(at: $int) -> Self {
                Index::At(at.place())
            }
        }
        impl From<$int> for Indices {
            fn from(at: $int) -> Self {
                Indices(vec![at.into()])
            }
        }
        impl<const N: usize> From<[$int; N]> for Indices {
            fn from(at: [$int; N]) -> Self {
                Indices(at.into_iter().map(Index::from).collect())
            }
        }
    )*};
}
index_from!(i32, isize, usize);

impl From<RangeFull> for Index {
    fn from(_: RangeFull) -> Self {
        Index::Slice { start: 0, end: None, step: 1 }
    }
}

impl From<RangeFull> for Indices {
    fn from(range: RangeFull) -> Self {
        Indices(vec![range.into()])
    }
}

impl From<&Array> for Index {
    fn from(index: &Array) -> Self {
        Index::Array(index.clone())
    }
}

/// A list of [`Index`]es, one a dim: made from a single one, an array, a tuple of up to four, or a `Vec`.
#[derive(Clone, Debug)]
pub struct Indices(pub(crate) Vec<Index>);

impl Indices {
    /// The single indices in order.
    pub fn as_slice(&self) -> &[Index] {
        &self.0
    }
}

impl From<Index> for Indices {
    fn from(index: Index) -> Self {
        Indices(vec![index])
    }
}

impl From<&Array> for Indices {
    fn from(index: &Array) -> Self {
        Indices(vec![index.into()])
    }
}

impl From<Vec<Index>> for Indices {
    fn from(indices: Vec<Index>) -> Self {
        Indices(indices)
    }
}

macro_rules! indices_from_tuple {
    ($($t:ident)*) => {
        impl<$($t: Into<Index>),*> From<($($t,)*)> for Indices {
            #[allow(non_snake_case, reason = "the type parameters name the tuple's places")]
            fn from(($($t,)*): ($($t,)*)) -> Self {
                Indices(vec![$($t.into()),*])
            }
        }
    };
}
indices_from_tuple!(A);
indices_from_tuple!(A B);
indices_from_tuple!(A B C);
indices_from_tuple!(A B C D);

/// What one index of a list asks for, with places checked and negative ones resolved.
#[derive(Clone, Debug)]
pub enum Step {
    /// `select(axis, index)`.
    Select(usize, usize),
    /// `slice(axis, start, len, step)`.
    Slice(usize, usize, usize, usize),
    /// `unsqueeze(axis)`.
    Unsqueeze(usize),
    /// `permute(dims)`.
    Permute(Vec<isize>),
    /// `flatten(first axis, last axis)`.
    Flatten(usize, usize),
    /// `index_select(axis, index)`; the index array has any shape, its dims take the axis's place.
    Take(usize, Array),
}

/// Turns an index list into steps, to be applied in order, for an array of this shape.
///
/// # Panics
/// If there are more indices than dims, a place is out of range, or a mask has the wrong length.
#[track_caller]
pub fn index_steps(indices: &[Index], shape: &[usize]) -> Vec<Step> {
    let asked: usize = indices.iter().map(Index::dims).sum();
    if asked > shape.len() {
        fail!("index: {asked} indices for shape {shape:?}; it has only {} dims", shape.len());
    }
    let (mut axis, mut dim, mut steps) = (0, 0, Vec::with_capacity(indices.len()));
    let mut taken: Vec<Taken> = Vec::new();
    for index in indices {
        match index {
            Index::At(at) => steps.push(Step::Select(axis, place(*at, dim, shape))),
            Index::Slice { start, end, step } => {
                let size = shape[dim] as isize;
                let cut = |p: isize| (if p < 0 { p + size } else { p }).clamp(0, size) as usize;
                let (start, end) = (cut(*start), end.map_or(size as usize, cut));
                if *step == 0 {
                    fail!("index: step 0 in dim {dim}; use at least 1");
                }
                steps.push(Step::Slice(axis, start, end.saturating_sub(start).div_ceil(*step), *step));
                axis += 1;
            }
            Index::NewAxis => {
                steps.push(Step::Unsqueeze(axis));
                axis += 1;
                continue;
            }
            Index::Array(mask) if mask.dtype() == DType::Bool => {
                if mask.rank() == 0 {
                    steps.push(Step::Unsqueeze(axis));
                    steps.push(Step::Slice(axis, 0, usize::from(mask.item::<bool>()), 1));
                    axis += 1;
                    continue;
                }
                take_true(mask, (axis, dim), shape, &mut taken);
                (axis, dim) = (axis + mask.rank(), dim + mask.rank());
                continue;
            }
            Index::Array(index) => {
                taken.push(Taken { axis, dim, index: index.wrap_index("index", shape[dim]) });
                axis += 1;
            }
        }
        dim += 1;
    }
    let rank = axis + shape.len() - dim;
    take_together(&taken, rank, shape, &mut steps);
    steps
}

/// An index array in a list: the axis it stands at when the other steps are done, and its dim.
struct Taken {
    axis: usize,
    dim: usize,
    index: Array,
}

/// A mask stands for the positions of its true elements: one index array for each of its dims.
#[track_caller]
fn take_true(mask: &Array, (axis, dim): (usize, usize), shape: &[usize], taken: &mut Vec<Taken>) {
    if shape.get(dim..dim + mask.rank()) != Some(&**mask.shape()) {
        fail!(
            "index: a mask of shape {:?} at dim {dim} of shape {shape:?}; it must have the sizes of the dims it stands for",
            mask.shape()
        );
    }
    let positions = mask.nonzero();
    for i in 0..mask.rank() {
        taken.push(Taken { axis: axis + i, dim: dim + i, index: positions.select(1, i as isize) });
    }
}

/// The steps for the index arrays of a list. Several belong together, as in PyTorch: they broadcast, and
/// place by place they name one element. Their dims stand where the arrays stood if these are neighbours,
/// else in front.
#[track_caller]
fn take_together(taken: &[Taken], rank: usize, shape: &[usize], steps: &mut Vec<Step>) {
    let [first, rest @ ..] = taken else { return };
    if rest.is_empty() {
        steps.push(Step::Take(first.axis, first.index.clone()));
        return;
    }
    let mut flat = Array::new(0);
    for Taken { dim, index, .. } in taken {
        broadcast_shapes("index", flat.shape(), index.shape());
        let size = shape[*dim];
        let inside = |i: i64| (0..size as i64).contains(&i);
        if let Some(bad) = index.to_vec::<i64>().into_iter().find(|&i| !inside(i)) {
            fail!(
                "index: {bad} is out of range for dim {dim} of shape {shape:?}; expected -{size} to {}",
                size as i64 - 1
            );
        }
        let size = Array::new(size as i64).to_device(index.device());
        flat = flat.to_device(index.device()).mul(&size).add(index);
    }
    let axes: Vec<usize> = taken.iter().map(|t| t.axis).collect();
    let neighbours = axes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let to = if neighbours { first.axis } else { 0 };
    if !neighbours {
        let others = (0..rank).filter(|a| !axes.contains(a));
        steps.push(Step::Permute(axes.iter().copied().chain(others).map(|a| a as isize).collect()));
    }
    steps.push(Step::Flatten(to, to + taken.len() - 1));
    steps.push(Step::Take(to, flat));
}

#[track_caller]
fn place(at: isize, dim: usize, shape: &[usize]) -> usize {
    let size = shape[dim] as isize;
    if at < -size || at >= size {
        fail!(
            "index: {at} is out of range for dim {dim} of shape {shape:?}; expected {} to {}",
            -size,
            size - 1
        );
    }
    (if at < 0 { at + size } else { at }) as usize
}

impl Array {
    /// Indexing: places, ranges, new axes, index arrays and masks, one a dim; see [`Index`].
    ///
    /// # Panics
    /// If an index does not fit its dim.
    #[track_caller]
    pub fn get(&self, indices: impl Into<Indices>) -> Array {
        let indices = indices.into();
        let mut out = self.clone();
        for step in index_steps(indices.as_slice(), self.shape()) {
            out = match step {
                Step::Select(axis, index) => out.select(axis as isize, index as isize),
                Step::Slice(axis, start, len, step) => out.slice("index", axis as isize, start, len, step),
                Step::Unsqueeze(axis) => out.unsqueeze(axis as isize),
                Step::Permute(dims) => out.permute(&dims),
                Step::Flatten(start, end) => out.flatten(start as isize, end as isize),
                Step::Take(axis, index) => out.take_along(axis, &index),
            };
        }
        out
    }

    /// `index_select` by an index array of any shape, whose dims take the axis's place.
    #[track_caller]
    fn take_along(&self, axis: usize, index: &Array) -> Array {
        let flat = self.pick("index", axis as isize, &index.reshape([-1]));
        let mut shape: Vec<usize> = self.shape()[..axis].to_vec();
        shape.extend(&**index.shape());
        shape.extend(&self.shape()[axis + 1..]);
        flat.reshape(shape.as_slice())
    }

    /// An index array with negative places resolved, as `i64`; those out of range stay as they are.
    #[track_caller]
    pub fn wrap_index(&self, op: &str, size: usize) -> Array {
        if !self.dtype().is_int() {
            fail!("{op}: indices are {}, not integers; cast with .to(DType::I64)", self.dtype().name());
        }
        let index = self.cast(DType::I64);
        let (zero, wrapped) = (index.scalar_like(0), index.add(&index.scalar_like(size as i64)));
        index.lt(&zero).logical_and(&wrapped.ge(&zero)).where_(&wrapped, &index)
    }
}
