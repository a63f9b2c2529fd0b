use crate::model::*;
use proptest::prelude::*;
use rushlight_array::{Array, Index};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One view operation; the numbers are taken modulo what the shape allows.
type Step = (u8, usize, usize, usize);

fn slice(s: &Sample, axis: usize, start: usize, len: usize, step: usize) -> Model {
    let mut shape = s.model.shape.clone();
    shape[axis] = len;
    Model::from_fn(&shape, |at| {
        let mut at = at.to_vec();
        at[axis] = start + at[axis] * step;
        s.model.at(&at)
    })
}

/// Applies a view to the array and, its own way, to the model.
fn apply(s: &Sample, (kind, p, q, r): Step) -> Sample {
    let (shape, rank) = (s.model.shape.clone(), s.model.shape.len());
    let unchanged = || (s.model.clone(), s.array.clone());
    let (model, array) = match kind {
        0 => {
            let axis = p % (rank + 1);
            let new = [&shape[..axis], &[1], &shape[axis..]].concat();
            // From the back as well as from the front.
            let dim = if q.is_multiple_of(2) { axis as isize } else { axis as isize - rank as isize - 1 };
            (Model { shape: new, data: s.model.data.clone() }, s.array.unsqueeze(dim))
        }
        1 => {
            let new: Vec<usize> = shape.iter().copied().filter(|&s| s != 1).collect();
            (Model { shape: new, data: s.model.data.clone() }, s.array.squeeze())
        }
        2 => {
            // Ones become larger, and there may be a new dim in front.
            let mut new: Vec<usize> = shape.iter().map(|&s| if s == 1 { p % 4 } else { s }).collect();
            if q.is_multiple_of(2) {
                new.insert(0, r % 3);
            }
            let signed: Vec<isize> = new.iter().map(|&s| s as isize).collect();
            (Model::from_fn(&new, |at| s.model.broadcast_at(at)), s.array.expand(&signed[..]))
        }
        _ if rank == 0 => unchanged(),
        3 => {
            let (a, b) = (p % rank, q % rank);
            let mut new = shape.clone();
            new.swap(a, b);
            let swapped = |at: &[usize]| {
                let mut at = at.to_vec();
                at.swap(a, b);
                s.model.at(&at)
            };
            (Model::from_fn(&new, swapped), s.array.transpose(a as isize - rank as isize, b as isize))
        }
        4 => {
            let order: Vec<usize> = (0..rank).map(|i| (i * (1 + 2 * (q % 2)) + p) % rank).collect();
            let order = if (0..rank).all(|i| order.contains(&i)) { order } else { (0..rank).rev().collect() };
            let new: Vec<usize> = order.iter().map(|&d| shape[d]).collect();
            let permuted = |at: &[usize]| {
                let mut from = vec![0; rank];
                order.iter().zip(at).for_each(|(&d, &i)| from[d] = i);
                s.model.at(&from)
            };
            let dims: Vec<isize> = order.iter().map(|&d| d as isize).collect();
            (Model::from_fn(&new, permuted), s.array.permute(&dims))
        }
        5 => {
            let axis = p % rank;
            let start = q % (shape[axis] + 1);
            let len = r % (shape[axis] - start + 1);
            (slice(s, axis, start, len, 1), s.array.narrow(axis as isize, start, len))
        }
        6 => {
            let (axis, step) = (p % rank, 1 + r % 3);
            let start = q % (shape[axis] + 1);
            let len = (shape[axis] - start).div_ceil(step);
            let mut list: Vec<Index> = (0..axis).map(|_| (..).into()).collect();
            list.push(Index::Slice { start: start as isize, end: None, step });
            (slice(s, axis, start, len, step), s.array.get(list))
        }
        7 if shape[p % rank] > 0 => {
            let axis = p % rank;
            let index = q % shape[axis];
            let mut cut = slice(s, axis, index, 1, 1);
            cut.shape.remove(axis);
            (cut, s.array.select(axis as isize, index as isize - shape[axis] as isize))
        }
        8 => {
            let axis = p % rank;
            let (size, step) = (q % (shape[axis] + 1), 1 + r % 3);
            let mut new = shape.clone();
            new[axis] = (shape[axis] - size) / step + 1;
            new.push(size);
            let window = |at: &[usize]| {
                let mut from = at[..rank].to_vec();
                from[axis] = at[axis] * step + at[rank];
                s.model.at(&from)
            };
            (Model::from_fn(&new, window), s.array.unfold(axis as isize, size, step))
        }
        9 => {
            let (a, b) = ((p % rank).min(q % rank), (p % rank).max(q % rank));
            let merged = shape[a..=b].iter().product();
            let new = [&shape[..a], &[merged], &shape[b + 1..]].concat();
            (Model { shape: new, data: s.model.data.clone() }, s.array.flatten(a as isize, b as isize))
        }
        10 => {
            let axis = p % rank;
            let mut new = shape.clone();
            if new[axis] == 1 {
                new.remove(axis);
            }
            (Model { shape: new, data: s.model.data.clone() }, s.array.squeeze_dim(axis as isize))
        }
        11 if rank > 1 => {
            let (first, second) = (p % rank, (p % rank + 1 + q % (rank - 1)) % rank);
            let offset = r as isize % 7 - 3;
            let (below, right) = ((-offset).max(0) as usize, offset.max(0) as usize);
            let len = shape[first].saturating_sub(below).min(shape[second].saturating_sub(right));
            let mut new: Vec<usize> =
                (0..rank).filter(|&d| d != first && d != second).map(|d| shape[d]).collect();
            new.push(len);
            let diagonal = |at: &[usize]| {
                let mut rest = at.iter();
                let i = at[rank - 2];
                let from: Vec<usize> = (0..rank)
                    .map(|d| {
                        if d == first {
                            i + below
                        } else if d == second {
                            i + right
                        } else {
                            *rest.next().unwrap()
                        }
                    })
                    .collect();
                s.model.at(&from)
            };
            let array = s.array.diagonal(offset, first as isize, second as isize - rank as isize);
            (Model::from_fn(&new, diagonal), array)
        }
        12 => {
            let axes: Vec<usize> = (0..rank).filter(|d| (p >> d) % 2 == 1).collect();
            let flipped = |at: &[usize]| {
                let turn = |(d, &i): (usize, &usize)| if axes.contains(&d) { shape[d] - 1 - i } else { i };
                s.model.at(&at.iter().enumerate().map(turn).collect::<Vec<_>>())
            };
            let dims: Vec<isize> = axes.iter().map(|&d| d as isize - rank as isize).collect();
            (Model::from_fn(&shape, flipped), s.array.flip(dims))
        }
        13 => {
            let axes: Vec<usize> = (0..rank).filter(|d| (p >> d) % 2 == 1).collect();
            let new = (0..rank).filter(|d| shape[*d] != 1 || !axes.contains(d)).map(|d| shape[d]).collect();
            (Model { shape: new, data: s.model.data.clone() }, s.array.squeeze_dim(axes))
        }
        _ => unchanged(),
    };
    Sample { model, array }
}

/// Keeps models small: unfold and expand multiply elements.
fn applied(s: Sample, steps: &[Step]) -> Sample {
    steps.iter().fold(s, |s, &step| {
        if s.model.data.len() > 3000 || s.model.shape.len() > 6 { s } else { apply(&s, step) }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..14u8, 0..12usize, 0..12usize, 0..12usize), 0..6)
}

/// Shapes with as many elements as the given one, some with a -1.
fn reshaped(numel: usize, p: usize, q: usize) -> (Vec<usize>, Vec<isize>) {
    if numel == 0 {
        return (vec![p % 3, 0], vec![(p % 3) as isize, 0]);
    }
    let divisors: Vec<usize> = (1..=numel).filter(|&d| numel.is_multiple_of(d)).collect();
    let first = divisors[p % divisors.len()];
    let rest: Vec<usize> = divisors.into_iter().filter(|&d| (numel / first).is_multiple_of(d)).collect();
    let second = rest[q % rest.len()];
    let shape = vec![first, second, numel / first / second];
    let mut asked: Vec<isize> = shape.iter().map(|&s| s as isize).collect();
    if p.is_multiple_of(2) {
        asked[q % 3] = -1;
    }
    (shape, asked)
}

/// Whether strides over this very storage can express the reading: found by looking at every place.
fn strides_suffice(array: &Array, shape: &[usize]) -> bool {
    let layout = array.layout();
    let old: Vec<isize> = places(layout.shape())
        .iter()
        .map(|at| at.iter().zip(layout.strides()).map(|(&i, &s)| i as isize * s).sum())
        .collect();
    let new = places(shape);
    let place = |wanted: &[usize]| new.iter().position(|at| at == wanted).map_or(0, |i| old[i]);
    let strides: Vec<isize> = (0..shape.len())
        .map(|d| {
            let mut one = vec![0; shape.len()];
            one[d] = 1;
            place(&one)
        })
        .collect();
    new.iter()
        .zip(&old)
        .all(|(at, &o)| at.iter().zip(&strides).map(|(&i, &s)| i as isize * s).sum::<isize>() == o)
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn chains_of_views_show_the_right_elements(s in any_sample(dtype(), 0..=4), steps in steps()) {
        let dtype = s.array.dtype();
        let t = applied(s, &steps);
        check(&t.array, &t.model, dtype, 0.0);
        check(&t.array.contiguous(), &t.model, dtype, 0.0);
        prop_assert!(t.array.contiguous().is_contiguous());
    }

    #[test]
    fn views_share_the_storage(s in any_sample(dtype(), 0..=4), step in (0..9u8, 0..12usize, 0..12usize, 0..12usize)) {
        prop_assert!(apply(&s, step).array.shares_storage(&s.array));
    }

    #[test]
    fn reshape_is_a_view_exactly_where_strides_suffice(
        s in any_sample(dtype(), 0..=4), steps in steps(), p in 0..30usize, q in 0..30usize,
    ) {
        let s = applied(s, &steps);
        prop_assume!(s.model.data.len() <= 400);
        let (shape, asked) = reshaped(s.model.data.len(), p, q);
        let out = s.array.reshape(&asked[..]);
        check(&out, &Model { shape: shape.clone(), data: s.model.data.clone() }, s.array.dtype(), 0.0);
        let possible = strides_suffice(&s.array, &shape);
        prop_assert_eq!(out.shares_storage(&s.array), possible);
        prop_assert_eq!(catch_unwind(AssertUnwindSafe(|| s.array.view(&asked[..]))).is_ok(), possible);
    }

    /// A view of an array of its own places says where the elements of a source belong.
    #[test]
    fn placing_replaces_the_places_of_a_view_and_no_others(
        s in any_sample(dtype(), 0..=4), steps in steps(), seed in 0..50usize, layout in 0..5usize, alone in any::<bool>(),
    ) {
        let (shape, dtype) = (s.model.shape.clone(), s.array.dtype());
        let numbers = Array::from_vec((0..s.model.data.len() as i64).collect(), &shape[..]);
        // Without what repeats places or copies.
        let steps: Vec<Step> = steps.into_iter().filter(|step| ![2, 8, 9, 12].contains(&step.0)).collect();
        let model = Model { shape: shape.clone(), data: (0..s.model.data.len()).map(|i| i as f64).collect() };
        let view = applied(Sample { model, array: numbers }, &steps);
        let source = sample(&view.model.shape, dtype, seed, layout);
        let mut expected = s.model.clone();
        for (&place, &value) in view.model.data.iter().zip(&source.model.data) {
            expected.data[place as usize] = value;
        }
        // Nobody else may hold the elements, or somebody who must not see the change.
        let (x, witness) = match alone {
            true => (s.array.copy(), s.array.clone()),
            false => (s.array.clone(), s.array.clone()),
        };
        let placed = x.place(view.array.layout(), &source.array);
        check(&placed, &expected.map(|v| store(dtype, v)), dtype, 0.0);
        check(&witness, &s.model, dtype, 0.0);
    }

    /// Any strides that stay inside, against the definition.
    #[test]
    fn strided_views_read_the_named_places(
        sizes in prop::collection::vec(0..4usize, 0..4), strides in prop::collection::vec(0..7usize, 4), offset in 0..9usize,
    ) {
        let x = Array::from_vec((0..80i64).collect(), [8, 10]).narrow(0, 1, 2);
        let strides = &strides[..sizes.len()];
        let view = x.as_strided(&sizes[..], strides, offset);
        let place = |at: &[usize]| (offset + at.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>()) as f64;
        check(&view, &Model::from_fn(&sizes, place), rushlight_array::DType::I64, 0.0);
        prop_assert_eq!(view.layout().places(), view.to_vec::<i64>());
    }

    #[test]
    fn copy_on_write_leaves_other_views_alone(s in any_sample(Just(rushlight_array::DType::F64), 0..=3), steps in steps()) {
        let s = applied(s, &steps);
        let mut copy = s.array.clone();
        copy.make_mut::<f64>().fill(99.0);
        check(&s.array, &s.model, s.array.dtype(), 0.0);
        check(&copy, &s.model.map(|_| 99.0), s.array.dtype(), 0.0);
    }
}
