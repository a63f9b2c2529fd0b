use crate::model::*;
use proptest::prelude::*;
use rushlight_array::{Array, DType, Index};

/// Indices below `size` as a sample of an integer dtype.
fn indices(shape: &[usize], size: usize, dtype: DType, seed: usize) -> Sample {
    let numel: usize = shape.iter().product();
    let data: Vec<f64> = (0..numel).map(|i| ((i * 31 + seed * 7 + i * i) % size.max(1)) as f64).collect();
    let array = Array::from_vec(data.clone(), shape).cast(dtype);
    Sample { model: Model { shape: shape.to_vec(), data }, array }
}

fn index_dtype() -> impl Strategy<Value = DType> {
    prop::sample::select(vec![DType::I64, DType::I32, DType::U8])
}

/// A sample, an axis of it, and an index array: of the sample's rank, no larger in other axes.
fn indexed(dtype: impl Strategy<Value = DType>) -> impl Strategy<Value = (Sample, usize, Sample)> {
    (any_sample(dtype, 1..=4), 0..4usize, 0..6usize, 0..4usize, 0..50usize, index_dtype()).prop_map(
        |(s, p, len, smaller, seed, dtype)| {
            let axis = p % s.model.shape.len();
            let mut shape: Vec<usize> = s.model.shape.clone();
            shape[axis] = if s.model.shape[axis] == 0 { 0 } else { len };
            if smaller < shape.len() && smaller != axis {
                shape[smaller] = shape[smaller].saturating_sub(1);
            }
            let index = indices(&shape, s.model.shape[axis], dtype, seed);
            (s, axis, index)
        },
    )
}

/// One entry of an index list, before the shape is known.
type Entry = (u8, isize, isize, usize);

/// What the entries mean for a shape: library indices, and for each the reference's own reading.
enum Reading {
    At(usize),
    Places(Vec<usize>),
    New,
    Array(Model),
}

fn read(entries: &[Entry], shape: &[usize]) -> (Vec<Index>, Vec<Reading>) {
    let (mut list, mut readings, mut dim) = (Vec::new(), Vec::new(), 0);
    for &(kind, p, q, step) in entries {
        if kind == 0 {
            list.push(Index::NewAxis);
            readings.push(Reading::New);
            continue;
        }
        let Some(&size) = shape.get(dim) else { break };
        dim += 1;
        let n = size as isize;
        match kind {
            1 if size > 0 => {
                list.push(Index::At(p.rem_euclid(2 * n) - n));
                readings.push(Reading::At(p.rem_euclid(n) as usize));
            }
            2 if size > 0 => {
                // One or two dims of places, half of them counted from the back.
                let shape = if q % 2 == 0 { vec![3] } else { vec![2, 1] };
                let data: Vec<f64> =
                    (0..shape[0]).map(|i| ((p + i as isize * 5).rem_euclid(n)) as f64).collect();
                let signed: Vec<i64> =
                    data.iter().enumerate().map(|(i, &v)| v as i64 - (i % 2 * size) as i64).collect();
                list.push((&Array::from_vec(signed, shape.as_slice())).into());
                readings.push(Reading::Array(Model { shape, data }));
            }
            _ => {
                let (start, end) = (p, (q > -6).then_some(q));
                list.push(Index::Slice { start, end, step });
                // Python's rule: count from the back, then cut to the dim.
                let cut = |v: isize| if v < 0 { (v + n).max(0) } else { v.min(n) };
                let places = (cut(start)..end.map_or(n, cut)).step_by(step).map(|i| i as usize).collect();
                readings.push(Reading::Places(places));
            }
        }
    }
    (list, readings)
}

/// Python's `x[...]`: index arrays broadcast together, and their dims stand where they stood if they are
/// neighbours, else in front.
fn reference(model: &Model, mut readings: Vec<Reading>) -> Model {
    let used = readings.iter().filter(|r| !matches!(r, Reading::New)).count();
    readings.extend(model.shape[used..].iter().map(|&size| Reading::Places((0..size).collect())));
    let mut common: Vec<usize> = vec![];
    let arrays: Vec<usize> =
        (0..readings.len()).filter(|&i| matches!(readings[i], Reading::Array(_))).collect();
    for &i in &arrays {
        let Reading::Array(index) = &readings[i] else { unreachable!() };
        let rank = common.len().max(index.shape.len());
        let size = |s: &[usize], d: usize| (d + s.len()).checked_sub(rank).map_or(1, |d| s[d]);
        common = (0..rank).map(|d| size(&common, d).max(size(&index.shape, d))).collect();
    }
    let (first, last) = (arrays.first().copied().unwrap_or(0), arrays.last().copied().unwrap_or(0));
    let neighbours = (first..last).all(|i| matches!(readings[i], Reading::Array(_) | Reading::At(_)));
    let place = if neighbours { first } else { 0 };
    // The result's dims: those of each reading in order, the common ones at their place.
    let mut shape = Vec::new();
    let mut common_at = 0;
    for (i, reading) in readings.iter().enumerate() {
        if i == place {
            common_at = shape.len();
            shape.extend(&common);
        }
        match reading {
            Reading::Places(places) => shape.push(places.len()),
            Reading::New => shape.push(1),
            _ => {}
        }
    }
    Model::from_fn(&shape, |at| {
        let shared = &at[common_at..common_at + common.len()];
        let mut own = at[..common_at].iter().chain(&at[common_at + common.len()..]);
        let mut from = Vec::new();
        for reading in &readings {
            match reading {
                Reading::At(i) => from.push(*i),
                Reading::Places(places) => from.push(places[*own.next().expect("a dim")]),
                Reading::New => assert_eq!(own.next(), Some(&0)),
                Reading::Array(index) => from.push(index.broadcast_at(shared) as usize),
            }
        }
        model.at(&from)
    })
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn index_select_matches_one_by_one(s in any_sample(dtype(), 1..=4), p in 0..4usize, len in 0..6usize, seed in 0..50usize, d in index_dtype()) {
        let axis = p % s.array.rank();
        let size = s.model.shape[axis];
        let index = indices(&[if size == 0 { 0 } else { len }], size, d, seed);
        let mut shape = s.model.shape.clone();
        shape[axis] = index.model.data.len();
        let expected = Model::from_fn(&shape, |at| {
            let mut at = at.to_vec();
            at[axis] = index.model.data[at[axis]] as usize;
            s.model.at(&at)
        });
        check(&s.array.index_select(axis as isize, &index.array), &expected, s.array.dtype(), 0.0);
    }

    #[test]
    fn gather_matches_one_by_one((s, axis, index) in indexed(dtype())) {
        let expected = Model::from_fn(&index.model.shape, |at| {
            let mut from = at.to_vec();
            from[axis] = index.model.at(at) as usize;
            s.model.at(&from)
        });
        check(&s.array.gather(axis as isize, &index.array), &expected, s.array.dtype(), 0.0);
    }

    #[test]
    fn scatter_matches_one_by_one((s, axis, index) in indexed(dtype()), layout in 0..5usize, seed in 0..50usize) {
        let dtype = s.array.dtype();
        let source = sample(&index.model.shape, dtype, seed, layout);
        let (mut set, mut added) = (s.model.clone(), s.model.clone());
        for at in places(&index.model.shape) {
            let mut to = at.clone();
            to[axis] = index.model.at(&at) as usize;
            let flat = to.iter().zip(&s.model.shape).fold(0, |flat, (&i, &size)| flat * size + i);
            set.data[flat] = source.model.at(&at);
            added.data[flat] += source.model.at(&at);
        }
        check(&s.array.scatter(axis as isize, &index.array, &source.array), &set, dtype, 0.0);
        let added = added.map(|v| store(dtype, v));
        check(&s.array.scatter_add(axis as isize, &index.array, &source.array), &added, dtype, 0.0);
        check(&s.array, &s.model, dtype, 0.0);
    }

    #[test]
    fn index_add_matches_one_by_one(s in any_sample(dtype(), 1..=4), p in 0..4usize, len in 0..6usize, seed in 0..50usize, layout in 0..5usize) {
        let (axis, dtype) = (p % s.array.rank(), s.array.dtype());
        let size = s.model.shape[axis];
        let index = indices(&[if size == 0 { 0 } else { len }], size, DType::I64, seed);
        let mut shape = s.model.shape.clone();
        shape[axis] = index.model.data.len();
        let source = sample(&shape, dtype, seed, layout);
        let mut expected = s.model.clone();
        for at in places(&shape) {
            let mut to = at.clone();
            to[axis] = index.model.data[at[axis]] as usize;
            let flat = to.iter().zip(&s.model.shape).fold(0, |flat, (&i, &size)| flat * size + i);
            expected.data[flat] += source.model.at(&at);
        }
        let out = s.array.index_add(axis as isize, &index.array, &source.array);
        check(&out, &expected.map(|v| store(dtype, v)), dtype, 0.0);
    }

    #[test]
    fn masks_pick_in_row_major_order((a, m, shape) in broadcasting(), d in dtype(), seed in 0..50usize, layout in 0..5usize) {
        let (s, mask) = (sample(&a, d, seed, layout), sample(&m, DType::Bool, seed + 1, layout / 2));
        let chosen: Vec<Vec<usize>> = places(&shape).into_iter().filter(|at| mask.model.broadcast_at(at) != 0.0).collect();
        let data: Vec<f64> = chosen.iter().map(|at| s.model.broadcast_at(at)).collect();
        check(&s.array.masked_select(&mask.array), &Model { shape: vec![data.len()], data }, d, 0.0);
        let true_at: Vec<Vec<usize>> = places(&m).into_iter().filter(|at| mask.model.at(at) != 0.0).collect();
        let flat: Vec<f64> = true_at.iter().flatten().map(|&i| i as f64).collect();
        check(&mask.array.nonzero(), &Model { shape: vec![true_at.len(), m.len()], data: flat }, DType::I64, 0.0);
    }

    #[test]
    fn a_mask_of_the_first_dims_picks_rows(s in any_sample(dtype(), 0..=4), cut in 0..=4usize, seed in 0..50usize, layout in 0..5usize) {
        let cut = cut.min(s.array.rank());
        let mask = sample(&s.model.shape[..cut], DType::Bool, seed, layout);
        let rows: Vec<Vec<usize>> = places(&mask.model.shape).into_iter().filter(|at| mask.model.at(at) != 0.0).collect();
        let shape = [&[rows.len()], &s.model.shape[cut..]].concat();
        let expected = Model::from_fn(&shape, |at| s.model.at(&[&rows[at[0]][..], &at[1..]].concat()));
        check(&s.array.get(&mask.array), &expected, s.array.dtype(), 0.0);
    }

    #[test]
    fn index_lists_read_as_in_python(
        s in any_sample(dtype(), 0..=4), entries in prop::collection::vec((0..6u8, -9..9isize, -9..9isize, 1..4usize), 0..6),
    ) {
        let (list, readings) = read(&entries, &s.model.shape);
        check(&s.array.get(list), &reference(&s.model, readings), s.array.dtype(), 0.0);
    }

    #[test]
    fn cat_stack_and_split_match_one_by_one(
        shape in shape(1..=4), p in 0..4usize, sizes in prop::collection::vec(0..4usize, 1..4), dtypes in (dtype(), dtype()), seed in 0..50usize,
    ) {
        let axis = p % shape.len();
        let of_size = |(i, &size): (usize, &usize)| {
            let mut shape = shape.clone();
            shape[axis] = size;
            sample(&shape, if i == 0 { dtypes.0 } else { dtypes.1 }, seed + i, i + seed)
        };
        let parts: Vec<Sample> = sizes.iter().enumerate().map(of_size).collect();
        let arrays: Vec<&Array> = parts.iter().map(|s| &s.array).collect();
        let mut full = shape.clone();
        full[axis] = sizes.iter().sum();
        let expected = Model::from_fn(&full, |at| {
            let (mut at, mut part) = (at.to_vec(), 0);
            while at[axis] >= sizes[part] {
                at[axis] -= sizes[part];
                part += 1;
            }
            parts[part].model.at(&at)
        });
        let dtype = if sizes.len() > 1 { dtypes.0.promote(dtypes.1) } else { dtypes.0 };
        let whole = Array::cat(&arrays, axis as isize - shape.len() as isize);
        check(&whole, &expected.map(|v| store(dtype, v)), dtype, 0.0);
        // Splitting and joining again changes nothing.
        let pieces = whole.split(1 + seed % 3, axis as isize);
        check(&Array::cat(&pieces.iter().collect::<Vec<_>>(), axis as isize), &expected.map(|v| store(dtype, v)), dtype, 0.0);
        let stacked = Array::stack(&[&whole, &whole], axis as isize);
        let twice = [&full[..axis], &[2], &full[axis..]].concat();
        let twice = Model::from_fn(&twice, |at| store(dtype, expected.at(&[&at[..axis], &at[axis + 1..]].concat())));
        check(&stacked, &twice, dtype, 0.0);
    }
}

#[test]
fn index_arrays_side_by_side_name_single_elements() {
    // d2l's cross-entropy: y_hat[[0, 1], y] with y = [0, 2] is y_hat[0, 0] and y_hat[1, 2].
    let y_hat = Array::new([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]);
    let picked = y_hat.get((&Array::new([0, 1]), &Array::new([0, 2])));
    assert_eq!(picked.to_vec::<f32>(), [0.1, 0.5]);
}

#[test]
fn a_mask_inside_a_list_stands_for_its_own_dims() {
    // x[i, j, k] = 12 i + 4 j + k; the mask names (0, 1) and (2, 3), that is 1 and 11, for each i.
    let x = Array::from_vec((0..24i64).collect(), [2, 3, 4]);
    let mask = Array::from_vec((0..12).map(|i| i == 1 || i == 11).collect::<Vec<bool>>(), [3, 4]);
    let picked = x.get((.., &mask));
    assert_eq!((picked.shape().to_vec(), picked.to_vec::<i64>()), (vec![2, 2], vec![1, 11, 13, 23]));
}
