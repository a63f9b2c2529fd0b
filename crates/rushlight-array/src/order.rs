//! Sorting by one compiled copy of the algorithm: what the standard library's methods make for each type and each
//! comparison is some kilobytes of every build.

use std::cmp::Ordering;

/// The numbers below `count` in the order of what they stand for; equal ones keep their order.
///
/// ```
/// use rushlight_array::order::sorted_places;
/// let words = ["pear", "fig", "plum"];
/// assert_eq!(sorted_places(3, &|i, j| words[i].len().cmp(&words[j].len())), [1, 0, 2]);
/// ```
///
/// # Panics
/// If `compare` is no total order, it may.
#[inline(never)]
pub fn sorted_places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|&i, &j| compare(i, j));
    places
}

/// Sorts a list; equal items keep their order.
///
/// ```
/// use rushlight_array::order::sort_by;
/// let mut words = vec!["pear", "fig", "plum"];
/// sort_by(&mut words, |a, b| b.cmp(a));
/// assert_eq!(words, ["plum", "pear", "fig"]);
/// ```
///
/// # Panics
/// If `compare` is no total order, it may; the list is as it was then.
pub fn sort_by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let places = sorted_places(list.len(), &|i, j| compare(&list[i], &list[j]));
    arrange(places, &mut |i, j| list.swap(i, j));
}

/// Swaps until each place has the item that was at the place named there: along the cycles of the permutation.
#[inline(never)]
fn arrange(mut places: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..places.len() {
        let mut at = start;
        while places[at] != start {
            let from = std::mem::replace(&mut places[at], at);
            swap(at, from);
            at = from;
        }
        places[at] = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All orders of up to six items with equal keys among them, against the standard library's stable sort.
    #[test]
    fn lists_are_sorted_as_by_the_standard_library() {
        for len in 0..=6u32 {
            for code in 0..4usize.pow(len) {
                let key = |i: u32| code / 4usize.pow(i) % 4;
                let mut list: Vec<(usize, u32)> = (0..len).map(|i| (key(i), i)).collect();
                let mut expected = list.clone();
                expected.sort_by_key(|&(key, _)| key);
                sort_by(&mut list, |a, b| a.0.cmp(&b.0));
                assert_eq!(list, expected);
            }
        }
    }
}
