//! One element in order, or the first few, without sorting the others.

use super::order::{Entry, Ordered, by_rows, entries, with_ordered};
use super::sort::{sort_entries, write_out};
use crate::array::Array;
use crate::backend::Rank;

/// In rows from this length on, elements are counted by the upper bits of their keys first; then few are left to compare.
const LONG: usize = 1 << 15;

/// Those bits.
const UPPER: u32 = 16;

/// The cost of an element in additions.
const COST: usize = 4;

/// The first `k` entries of a row in order, as a set, or with `alone` the last of these with some others before it that
/// are not larger; returns its place in the list.
fn select<T: Ordered>(row: &[T], k: usize, flip: bool, alone: bool, list: &mut Vec<T::Entry>) -> usize {
    if row.len() < LONG {
        entries(row, flip, list);
        list.select_nth_unstable(k - 1);
        return k - 1;
    }
    let upper = |e: T::Entry| e.digit(<T::Entry as Entry>::BITS - UPPER, (1 << UPPER) - 1);
    let mut counts = vec![0usize; 1 << UPPER];
    for &v in row {
        counts[upper(v.entry(0, flip))] += 1;
    }
    let (mut pile, mut before) = (0, 0);
    while before + counts[pile] < k {
        before += counts[pile];
        pile += 1;
    }
    list.clear();
    for (place, &v) in row.iter().enumerate() {
        let e = v.entry(place, flip);
        let own = upper(e);
        if own == pile || (own < pile && !alone) {
            list.push(e);
        }
    }
    let at = if alone { k - 1 - before } else { k - 1 };
    list.select_nth_unstable(at);
    at
}

/// Up to this many elements are kept at hand while a row is read once.
const FEW: usize = 256;

/// The first `k` entries of a row, in order.
fn first_few<T: Ordered>(row: &[T], k: usize, flip: bool, list: &mut Vec<T::Entry>) {
    list.clear();
    let (head, rest) = row.split_at(k);
    list.extend(head.iter().enumerate().map(|(place, &v)| v.entry(place, flip)));
    let mut last = *list.iter().max().expect("k is 1 or more");
    let shrink = |list: &mut Vec<T::Entry>| {
        let last = *list.select_nth_unstable(k - 1).1;
        list.truncate(k);
        last
    };
    for (i, &v) in rest.iter().enumerate() {
        let e = v.entry(k + i, flip);
        if e < last {
            list.push(e);
            if list.len() == 4 * k {
                last = shrink(list);
            }
        }
    }
    shrink(list);
    list.sort_unstable();
}

/// The `k` largest or smallest elements along an axis in order, and their places.
pub(crate) fn topk(x: &Array, axis: usize, k: usize, largest: bool) -> (Array, Array) {
    fn by<T: Ordered>(x: &Array, axis: usize, k: usize, largest: bool) -> (Array, Array) {
        by_rows::<T>(x, axis, k, COST, &|row, values, index, [list, spare]| {
            if k > row.len() / 4 {
                entries(row, largest, list);
                sort_entries(list, spare);
            } else if k <= FEW {
                first_few(row, k, largest, list);
            } else {
                select(row, k, largest, false, list);
                list[..k].sort_unstable();
            }
            write_out(row, list, values, index);
        })
    }
    with_ordered!(x, by(x, axis, k, largest))
}

/// One element in order along an axis, and its place.
pub(crate) fn kth(rank: Rank, x: &Array, axis: usize) -> (Array, Array) {
    fn by<T: Ordered>(rank: Rank, x: &Array, axis: usize) -> (Array, Array) {
        by_rows::<T>(x, axis, 1, COST, &|row, values, index, [list, _]| {
            let first_nan = || row.iter().position(|v| v.is_nan());
            let numbers = || row.iter().filter(|v| !v.is_nan()).count();
            let k = match rank {
                Rank::At(k) => Ok(k),
                Rank::Median => first_nan().map_or(Ok((row.len() - 1) / 2), Err),
                Rank::NanMedian => numbers().checked_sub(1).map_or(Err(0), |last| Ok(last / 2)),
            };
            let place = match k {
                Ok(k) => {
                    let at = select(row, k + 1, false, true, list);
                    list[at].place()
                }
                Err(place) => place,
            };
            (values[0], index[0]) = (row[place], place as i64);
        })
    }
    with_ordered!(x, by(rank, x, axis))
}
