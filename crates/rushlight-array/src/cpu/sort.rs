//! Sorting along an axis. Values become whole numbers with their places below (see [`order`](super::order)): short rows
//! are compared, long ones dealt out by digits.

use super::order::{Entry, Ordered, by_rows, entries, with_ordered};
use crate::array::Array;

/// Rows from this length on are sorted by digits.
const LONG: usize = 2048;

/// The bits of a digit: counters and the ends of piles stay in the first-level cache.
const DIGIT: u32 = 11;

/// The cost of an element in additions.
const COST: usize = 16;

/// Sorts entries; `spare` is memory for it.
pub(super) fn sort_entries<E: Entry>(list: &mut Vec<E>, spare: &mut Vec<E>) {
    if list.len() < LONG {
        list.sort_unstable();
        return;
    }
    // The places are in order already, and dealing out by a digit keeps the order: the keys suffice.
    const MASK: usize = (1 << DIGIT) - 1;
    let digits = E::BITS.div_ceil(DIGIT) as usize;
    let mut counts = vec![[0usize; 1 << DIGIT]; digits];
    for &e in list.iter() {
        for (d, counts) in counts.iter_mut().enumerate() {
            counts[e.digit(d as u32 * DIGIT, MASK)] += 1;
        }
    }
    spare.resize(list.len(), E::default());
    for (d, counts) in counts.iter_mut().enumerate() {
        let shift = d as u32 * DIGIT;
        if counts[list[0].digit(shift, MASK)] == list.len() {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &e in list.iter() {
            let end = &mut counts[e.digit(shift, MASK)];
            spare[*end] = e;
            *end += 1;
        }
        std::mem::swap(list, spare);
    }
}

/// The values of sorted entries and their places.
pub(super) fn write_out<T: Ordered>(row: &[T], list: &[T::Entry], values: &mut [T], index: &mut [i64]) {
    for ((value, index), e) in values.iter_mut().zip(index).zip(list) {
        let place = e.place();
        (*value, *index) = (row[place], place as i64);
    }
}

/// The elements in order along an axis, and their places.
pub(crate) fn sort(x: &Array, axis: usize, descending: bool) -> (Array, Array) {
    fn by<T: Ordered>(x: &Array, axis: usize, descending: bool) -> (Array, Array) {
        by_rows::<T>(x, axis, x.shape()[axis], COST, &|row, values, index, [list, spare]| {
            entries(row, descending, list);
            sort_entries(list, spare);
            write_out(row, list, values, index);
        })
    }
    with_ordered!(x, by(x, axis, descending))
}

/// The most frequent element along an axis, the smallest of several, and where it stands last.
pub(crate) fn mode(x: &Array, axis: usize) -> (Array, Array) {
    fn by<T: Ordered>(x: &Array, axis: usize) -> (Array, Array) {
        by_rows::<T>(x, axis, 1, COST, &|row, values, index, [list, spare]| {
            entries(row, false, list);
            sort_entries(list, spare);
            let (mut longest, mut last, mut length) = (0, list[0], 0);
            for (i, &e) in list.iter().enumerate() {
                length += 1;
                let goes_on = list.get(i + 1).is_some_and(|next| next.same_key(e));
                // NaN is equal to nothing, so each stands alone.
                if !goes_on || row[e.place()].is_nan() {
                    if length > longest {
                        (longest, last) = (length, e);
                    }
                    length = 0;
                }
            }
            write_out(row, &[last], values, index);
        })
    }
    with_ordered!(x, by(x, axis))
}
