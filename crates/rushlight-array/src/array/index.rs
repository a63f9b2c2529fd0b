use super::Array;
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
/// assert_eq!(x.get((Index::Ellipsis, 0)).to_vec::<i64>(), [1, 4]);
/// assert_eq!(x.get((.., vec![0, -1])).to_vec::<i64>(), [1, 3, 4, 6]);
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
    /// As many whole dims as are left over, as Python's `...`.
    Ellipsis,
    /// A new dim of size 1 if true, of size 0 if not, as Python's `x[True]`.
    Bool(bool),
    /// The places that an integer array names, or those where a bool (or `u8`) array is not zero.
    Array(Array),
}

impl Index {
    /// `start:end:step`.
    pub fn step(start: isize, end: isize, step: usize) -> Self {
        Index::Slice { start, end: Some(end), step }
    }

    fn range<I: Place>(range: &impl RangeBounds<I>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&s) => s.place(),
            Bound::Excluded(&s) => s.place().saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&e) if e.place() == -1 => None,
            Bound::Unbounded => None,
            Bound::Included(&e) => Some(e.place().saturating_add(1)),
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

impl From<Vec<i64>> for Index {
    fn from(places: Vec<i64>) -> Self {
        let count = places.len();
        Index::Array(Array::from_vec(places, count))
    }
}

impl From<Vec<bool>> for Index {
    fn from(mask: Vec<bool>) -> Self {
        let count = mask.len();
        Index::Array(Array::from_vec(mask, count))
    }
}

impl From<bool> for Index {
    fn from(flag: bool) -> Self {
        Index::Bool(flag)
    }
}

/// A list of [`Index`]es, one a dim: made from a single one, an array, a list of places or flags (`vec![0, 2]`), a tuple
/// of up to six, or a `Vec` of [`Index`].
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

impl From<Vec<i64>> for Indices {
    fn from(places: Vec<i64>) -> Self {
        Indices(vec![places.into()])
    }
}

impl From<Vec<bool>> for Indices {
    fn from(mask: Vec<bool>) -> Self {
        Indices(vec![mask.into()])
    }
}

impl From<bool> for Indices {
    fn from(flag: bool) -> Self {
        Indices(vec![flag.into()])
    }
}

impl From<()> for Indices {
    fn from((): ()) -> Self {
        Indices(Vec::new())
    }
}

impl From<&Indices> for Indices {
    fn from(indices: &Indices) -> Self {
        indices.clone()
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
indices_from_tuple!(A B C D E);
indices_from_tuple!(A B C D E F);
