//! Coordinates: grids, products and combinations of lists, places in triangles.

use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, Shape, fail};

/// Which list varies along the rows of [`meshgrid_with`]: PyTorch's `indexing`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Indexing {
    /// List `i` varies along dim `i`, as matrices are indexed: `"ij"`.
    #[default]
    Ij,
    /// The first list varies along dim 1 and the second along dim 0, as x and y are drawn: `"xy"`.
    Xy,
}

/// The coordinates of the points of a grid: tensor `i` of the result has the value of list `i` at each point. All are
/// views.
///
/// ```
/// use rushlight_autograd::{ops::meshgrid, tensor};
/// let grid = meshgrid(&[&tensor([1, 2]), &tensor([7, 8, 9])]);
/// assert_eq!(grid[0].to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
/// assert_eq!(grid[1].to_vec::<i64>(), [7, 8, 9, 7, 8, 9]);
/// ```
///
/// # Panics
/// If there is no list, one has more than one dim, dtypes differ, or the points cannot be counted.
#[track_caller]
pub fn meshgrid(tensors: &[&Tensor]) -> Vec<Tensor> {
    meshgrid_with(tensors, Indexing::Ij)
}

/// As [`meshgrid`], with a choice of which list varies along the rows.
///
/// # Panics
/// As [`meshgrid`].
#[track_caller]
pub fn meshgrid_with(tensors: &[&Tensor], indexing: Indexing) -> Vec<Tensor> {
    let Some(first) = tensors.first() else { fail!("meshgrid: an empty list of tensors") };
    let rank = tensors.len();
    let swapped = indexing == Indexing::Xy && rank > 1;
    let dim = |i: usize| if swapped && i < 2 { 1 - i } else { i };
    let mut shape = vec![1; rank];
    for (i, x) in tensors.iter().enumerate() {
        if x.dim() > 1 {
            fail!("meshgrid: tensor {i} has shape {:?}; at most 1 dim is allowed", x.shape());
        }
        if x.dtype() != first.dtype() {
            fail!(
                "meshgrid: tensor 0 is {}, tensor {i} is {}; all must have one dtype",
                first.dtype().name(),
                x.dtype().name()
            );
        }
        shape[dim(i)] = x.numel();
    }
    let mut grids = Vec::with_capacity(rank);
    for (i, x) in tensors.iter().enumerate() {
        let mut line = vec![1; rank];
        line[dim(i)] = x.numel();
        grids.push(x.reshape(line).expand(shape.as_slice()));
    }
    grids
}

/// All ways to take one value of each list: `[product of the lengths, number of lists]`. One list alone is given back
/// as it is.
///
/// ```
/// use rushlight_autograd::{ops::cartesian_prod, tensor};
/// let y = cartesian_prod(&[&tensor([1, 2]), &tensor([7, 8])]);
/// assert_eq!(y.to_vec::<i64>(), [1, 7, 1, 8, 2, 7, 2, 8]);
/// ```
///
/// # Panics
/// If there is no list, one has not exactly one dim, dtypes differ, or the ways cannot be counted.
#[track_caller]
pub fn cartesian_prod(tensors: &[&Tensor]) -> Tensor {
    for (i, x) in tensors.iter().enumerate() {
        if x.dim() != 1 {
            fail!("cartesian_prod: tensor {i} has shape {:?}; it must have 1 dim", x.shape());
        }
    }
    match tensors {
        [] => fail!("cartesian_prod: an empty list of tensors"),
        [one] => Tensor::clone(one),
        _ => {
            let mut columns = meshgrid(tensors);
            for column in &mut columns {
                *column = column.ravel();
            }
            Tensor::stack(&columns.iter().collect::<Vec<_>>(), 1)
        }
    }
}

/// All pairs of the values of a list, the earlier first: `[number of pairs, 2]`.
///
/// ```
/// use rushlight_autograd::{ops::combinations, tensor};
/// assert_eq!(combinations(&tensor([7, 8, 9])).to_vec::<i64>(), [7, 8, 7, 9, 8, 9]);
/// ```
///
/// # Panics
/// If the tensor has not exactly one dim.
#[track_caller]
pub fn combinations(x: &Tensor) -> Tensor {
    combinations_with(x, 2, false)
}

/// All ways to take `r` of the values of a list in its order, each value once or, with replacement, as often as one
/// likes: `[number of ways, r]`, and `[0]` where `r` is 0.
///
/// # Panics
/// If the tensor has not exactly one dim, or the ways cannot be counted or listed.
#[track_caller]
pub fn combinations_with(x: &Tensor, r: usize, with_replacement: bool) -> Tensor {
    if x.dim() != 1 {
        fail!("combinations: shape {:?}; it must have 1 dim", x.shape());
    }
    let n = x.numel();
    if r == 0 {
        return x.narrow(0, 0, 0);
    }
    let numbers = ways(n, r, with_replacement).and_then(|ways| ways.checked_mul(r));
    let Some(numbers) = numbers.filter(|&numbers| numbers <= isize::MAX as usize / 8) else {
        fail!("combinations: {r} of {n} values can be taken in more ways than can be counted")
    };
    let mut index = room("combinations", numbers);
    room("combinations", r);
    if numbers > 0 {
        list_ways(n, r, with_replacement, &mut index);
    }
    let index = Array::from_vec(index, numbers).to_device(&x.device());
    x.index_select(0, &index.into()).reshape([numbers / r, r])
}

/// How many ways there are, if they can be counted.
fn ways(n: usize, r: usize, with_replacement: bool) -> Option<usize> {
    let n = match with_replacement {
        true if n == 0 => 0,
        true => n.checked_add(r - 1)?,
        false => n,
    };
    if r > n {
        return Some(0);
    }
    // n over r, from the side with fewer factors; each step divides without a remainder.
    (0..r.min(n - r)).try_fold(1usize, |ways, i| Some(ways.checked_mul(n - i)? / (i + 1)))
}

/// All ways in the order of their first places, of which there is at least one.
fn list_ways(n: usize, r: usize, with_replacement: bool, out: &mut Vec<i64>) {
    let step = usize::from(!with_replacement);
    let mut places: Vec<usize> = (0..r).map(|i| i * step).collect();
    loop {
        out.extend(places.iter().map(|&place| place as i64));
        // The last place that can still move on; those behind it follow as near as they may.
        let last = |i: usize| n - 1 - (r - 1 - i) * step;
        let Some(i) = (0..r).rev().find(|&i| places[i] < last(i)) else { return };
        places[i] += 1;
        for j in i + 1..r {
            places[j] = places[j - 1] + step;
        }
    }
}

/// The rows and columns of the places of a lower triangle, up to the main diagonal: `[2, number of places]`, `i64`,
/// on the CPU; another integer dtype is made by `to`.
///
/// ```
/// use rushlight_autograd::ops::tril_indices;
/// assert_eq!(tril_indices(2, 3).to_vec::<i64>(), [0, 1, 1, 0, 0, 1]);
/// ```
///
/// # Panics
/// If the places cannot be counted or listed.
#[track_caller]
pub fn tril_indices(row: usize, col: usize) -> Tensor {
    tril_indices_with(row, col, 0)
}

/// As [`tril_indices`], up to the diagonal so many places above the main one, or below it if negative.
///
/// # Panics
/// If the places cannot be counted or listed.
#[track_caller]
pub fn tril_indices_with(row: usize, col: usize, offset: isize) -> Tensor {
    triangle("tril_indices", row, col, offset as i128 + 1, true)
}

/// The rows and columns of the places of an upper triangle, from the main diagonal: `[2, number of places]`, `i64`, on
/// the CPU; another integer dtype is made by `to`.
///
/// # Panics
/// If the places cannot be counted or listed.
#[track_caller]
pub fn triu_indices(row: usize, col: usize) -> Tensor {
    triu_indices_with(row, col, 0)
}

/// As [`triu_indices`], from the diagonal so many places above the main one, or below it if negative.
///
/// # Panics
/// If the places cannot be counted or listed.
#[track_caller]
pub fn triu_indices_with(row: usize, col: usize, offset: isize) -> Tensor {
    triangle("triu_indices", row, col, offset as i128, false)
}

/// The places left of a border, or from it on: in row `i` it stands before column `i + border`.
#[track_caller]
fn triangle(call: &str, rows: usize, columns: usize, border: i128, left: bool) -> Tensor {
    // Indices are i64; and of sizes below 2^63 no product here reaches 2^127.
    let uncountable =
        || -> ! { fail!("{call}: the places of {rows} rows and {columns} columns cannot be counted") };
    if rows.max(columns) > isize::MAX as usize {
        uncountable()
    }
    let (all_rows, all) = (rows as i128, columns as i128);
    // The rows whose border is inside; those above have nothing left of it, those below all.
    let first = (-border).clamp(0, all_rows);
    let last = (all - border).clamp(first, all_rows);
    let inside = (last - first) * (first + last - 1 + 2 * border) / 2;
    let before = inside + (all_rows - last) * all;
    let count = if left { before } else { all_rows * all - before };
    let Some(count) = usize::try_from(count).ok().filter(|&count| count <= isize::MAX as usize / 16) else {
        uncountable()
    };
    let mut values = room(call, 2 * count);
    let mut second = room(call, count);
    let some = if left { first..all_rows } else { 0..last };
    for i in if count == 0 { 0..0 } else { some } {
        let at = (i + border).clamp(0, all) as i64;
        let columns = if left { 0..at } else { at..all as i64 };
        values.extend(columns.clone().map(|_| i as i64));
        second.extend(columns);
    }
    values.append(&mut second);
    Array::from_vec(values, Shape::from([2, count])).into()
}

/// An empty list with room for so many indices.
#[track_caller]
fn room(call: &str, count: usize) -> Vec<i64> {
    let mut list = Vec::new();
    if list.try_reserve_exact(count).is_err() {
        fail!("{call}: {count} indices do not fit into memory");
    }
    list
}

/// Lists of numbers.
fn lists(draw: &mut Draw<'_>, least: usize) -> Vec<Tensor> {
    (0..least + draw.below(3))
        .map(|_| {
            let size = draw.size();
            draw.leaf(&[size], Domain::Any)
        })
        .collect()
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("meshgrid", "torch.meshgrid", |draw| {
        let indexing = if draw.coin() { Indexing::Ij } else { Indexing::Xy };
        Sample::new(lists(draw, 1), move |x| {
            let grids = meshgrid_with(&x.iter().collect::<Vec<_>>(), indexing);
            grids.iter().skip(1).fold(grids[0].exp(), |product, grid| product * grid)
        })
    })
    .rejects(|| {
        vec![
            Reject::new("meshgrid: an empty list of tensors", || {
                meshgrid(&[]);
            }),
            Reject::new("meshgrid: tensor 1 has shape [2, 3]; at most 1 dim is allowed", || {
                meshgrid(&[&floats([2]), &floats([2, 3])]);
            }),
            Reject::new("meshgrid: tensor 0 is float32, tensor 1 is int64; all must have one dtype", || {
                meshgrid(&[&floats([2]), &crate::tensor([1])]);
            }),
            Reject::new("holds more elements than can be counted", || {
                let many = floats([1]).expand([1usize << 40]);
                meshgrid(&[&many, &many]);
            }),
        ]
    }),
    OpInfo::composed("cartesian_prod", "torch.cartesian_prod", |draw| {
        Sample::new(lists(draw, 1), |x| cartesian_prod(&x.iter().collect::<Vec<_>>()).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("cartesian_prod: an empty list of tensors", || {
                cartesian_prod(&[]);
            }),
            Reject::new("cartesian_prod: tensor 0 has shape [2, 3]; it must have 1 dim", || {
                cartesian_prod(&[&floats([2, 3])]);
            }),
        ]
    }),
    OpInfo::composed("combinations", "torch.combinations", |draw| {
        let (size, r, again) = (draw.size(), draw.below(4), draw.coin());
        Sample::new(vec![draw.leaf(&[size], Domain::Any)], move |x| combinations_with(&x[0], r, again).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("combinations: shape [2, 3]; it must have 1 dim", || {
                combinations(&floats([2, 3]));
            }),
            Reject::new("combinations: 500 of 1000 values can be taken in more ways", || {
                combinations_with(&floats([1000]), 500, false);
            }),
        ]
    }),
    OpInfo::composed("tril_indices", "torch.tril_indices", |draw| {
        let (rows, columns, offset) = (draw.size(), draw.size(), draw.below(7) as isize - 3);
        triangle_sample(draw, [rows, columns], move || tril_indices_with(rows, columns, offset))
    })
    .never()
    .rejects(|| {
        vec![Reject::new("tril_indices: the places of 18446744073709551615 rows and 2 columns", || {
            tril_indices(usize::MAX, 2);
        })]
    }),
    OpInfo::composed("triu_indices", "torch.triu_indices", |draw| {
        let (rows, columns, offset) = (draw.size(), draw.size(), draw.below(7) as isize - 3);
        triangle_sample(draw, [rows, columns], move || triu_indices_with(rows, columns, offset))
    })
    .never(),
];

/// The numbers of a matrix whose places are named, as a constant: places have no gradient.
fn triangle_sample(draw: &mut Draw<'_>, shape: [usize; 2], indices: impl Fn() -> Tensor + 'static) -> Sample {
    let leaf = draw.leaf(&shape, Domain::Any);
    Sample::new(vec![leaf], move |x| {
        let index = indices().to(x[0].device());
        let (rows, columns) = (index.select(0, 0), index.select(0, 1));
        x[0].detach().ravel().index_select(0, &(rows * shape[1] as i64 + columns))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangles_have_the_places_that_their_rule_says() {
        let listed = |row: usize, col: usize, rule: &dyn Fn(i64) -> bool| {
            let all = (0..row * col).map(|k| ((k / col) as i64, (k % col) as i64));
            let (mut rows, columns): (Vec<i64>, Vec<i64>) = all.filter(|(i, j)| rule(j - i)).unzip();
            rows.extend(columns);
            rows
        };
        for (row, col, offset) in
            (0..5).flat_map(|r| (0..5).flat_map(move |c| (-6..7).map(move |o| (r, c, o))))
        {
            let lower = tril_indices_with(row, col, offset).to_vec::<i64>();
            assert_eq!(lower, listed(row, col, &|d| d <= offset as i64), "{row} {col} {offset}");
            let upper = triu_indices_with(row, col, offset).to_vec::<i64>();
            assert_eq!(upper, listed(row, col, &|d| d >= offset as i64), "{row} {col} {offset}");
        }
    }

    #[test]
    fn triangles_at_the_ends_of_numbers_are_empty_or_refused() {
        let most = isize::MAX as usize;
        for sizes in [[most, most], [most, 1], [1, most], [usize::MAX, 2], [2, usize::MAX]] {
            for offset in [isize::MIN, -1, 0, 1, isize::MAX] {
                for call in [tril_indices_with, triu_indices_with] {
                    let result = std::panic::catch_unwind(|| call(sizes[0], sizes[1], offset));
                    match result {
                        Ok(places) => assert!(places.numel() <= 4, "{sizes:?} {offset}"),
                        Err(why) => {
                            let said = why.downcast_ref::<String>().expect("a message");
                            assert!(said.contains("_indices: "), "{sizes:?} {offset}: {said}");
                        }
                    }
                }
            }
        }
    }
}
