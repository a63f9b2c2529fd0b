//! Picking, placing, joining, masks and counting: the CPU against the GPU.
//!
//! What is only moved, integers, bools and comparisons are equal bit for bit. Sums and products of floats that go into one
//! place are joined in another order from 32 on: they differ by what adding one after the other may lose on the CPU, half an
//! ulp of the sum of the absolute values for each.

mod common;

use common::cuda;
use proptest::prelude::*;
use rushlight_array::backend::Scatter;
use rushlight_array::random::Generator;
use rushlight_array::{Array, Backend, DType, Device, Index};

/// The arrays of a case on one device.
struct Side {
    device: Device,
    x: Array,
    /// Of the rank of `x`, as `gather` and `scatter` want it, and values of its shape.
    index: Array,
    values: Array,
    /// Of one dim, and slices for its places.
    list: Array,
    slices: Array,
    mask: Array,
    axis: usize,
    dtype: DType,
}

impl Side {
    fn backend(&self) -> &dyn Backend {
        self.device.backend()
    }
}

/// Numbers that say which case it is.
#[derive(Clone, Debug)]
struct Case {
    shape: Vec<usize>,
    axis: usize,
    /// The size of the index along the axis.
    count: usize,
    dtype: DType,
    /// How the arrays lie in memory.
    views: [u8; 6],
    seed: u64,
    /// Whether an index may be out of range.
    wild: bool,
}

/// An array of this shape on the CPU and on the GPU, as the same view of the same elements.
fn both(shape: &[usize], view: u8, make: impl Fn(&[usize]) -> Array) -> [Array; 2] {
    let rank = shape.len();
    let mut base = shape.to_vec();
    match view {
        1 => base.reverse(),
        2 if rank > 0 => base[rank - 1] += 3,
        3 => base.iter_mut().for_each(|size| *size *= 2),
        4 if rank > 0 => base[0] = 1,
        5 if rank > 1 => base[rank - 1] = 1,
        _ => {}
    }
    let dense = make(&base);
    [dense.clone(), dense.to_device(&cuda())].map(|x| match view {
        1 => x.permute((0..rank as isize).rev().collect::<Vec<_>>().as_slice()),
        2 if rank > 0 => x.narrow(rank as isize - 1, 2, shape[rank - 1]),
        3 => {
            let every_second = vec![Index::step(1, isize::MAX, 2); rank];
            x.get(every_second)
        }
        4 | 5 if rank > 0 => x.expand(shape),
        6 => {
            let (storage, layout) = x.into_parts();
            Array::from_parts(storage, layout.flip(&(0..rank).collect::<Vec<_>>()))
        }
        _ => x,
    })
}

/// Values with ties, zeros of both signs and what is not finite.
fn values(shape: &[usize], dtype: DType, seed: u64) -> Array {
    let generator = Generator::new(seed);
    let whole = Array::randint(-3, 4, shape, &generator);
    if !dtype.is_float() {
        return whole.cast(dtype);
    }
    let mut x = whole.cast(DType::F64).to_vec::<f64>();
    let mut noise = vec![0.0; x.len()];
    generator.uniform_f64(&mut noise, 0.0, 1.0);
    for (x, noise) in x.iter_mut().zip(noise) {
        *x = match (noise * 64.0) as u32 {
            0 => -0.0,
            1 => f64::NAN,
            2 => f64::INFINITY,
            3..12 => *x,
            _ => *x + noise,
        };
    }
    Array::from_vec(x, shape).cast(dtype)
}

fn sides(case: &Case) -> [Side; 2] {
    let &Case { ref shape, axis, count, dtype, views, seed, wild } = case;
    let size = shape[axis] as i64;
    let places = |shape: &[usize], seed: u64| {
        let places = Array::randint(0, size.max(1), shape, &Generator::new(seed));
        let bad = wild && (size == 0 || seed.is_multiple_of(3));
        if !bad || places.numel() == 0 {
            return places;
        }
        let mut list = places.to_vec::<i64>();
        let at = seed as usize % list.len();
        list[at] = if seed.is_multiple_of(2) { -1 - (seed % 7) as i64 } else { size };
        Array::from_vec(list, shape)
    };
    let mut index_shape = shape.clone();
    index_shape[axis] = count;
    let mut smaller = index_shape.clone();
    for (d, n) in smaller.iter_mut().enumerate() {
        if d != axis && *n > 1 && (seed >> d).is_multiple_of(2) {
            *n -= 1;
        }
    }
    let mut x = both(shape, views[0], |shape| values(shape, dtype, seed)).into_iter();
    let mut index = both(&smaller, views[1], |shape| places(shape, seed + 1)).into_iter();
    let mut of_index = both(&smaller, views[2], |shape| values(shape, dtype, seed + 2)).into_iter();
    let mut list = both(&[count], views[3], |shape| places(shape, seed + 3)).into_iter();
    let mut slices = both(&index_shape, views[4], |shape| values(shape, dtype, seed + 4)).into_iter();
    let mut mask =
        both(shape, views[5], |shape| Array::bernoulli(shape, 0.4, &Generator::new(seed + 5))).into_iter();
    [Device::cpu(), cuda()].map(|device| Side {
        device,
        x: x.next().unwrap(),
        index: index.next().unwrap(),
        values: of_index.next().unwrap(),
        list: list.next().unwrap(),
        slices: slices.next().unwrap(),
        mask: mask.next().unwrap(),
        axis,
        dtype,
    })
}

type Outcome = Result<Vec<Array>, String>;

type Op = fn(&Side) -> Outcome;

fn one<E: std::fmt::Debug>(result: Result<Array, E>) -> Outcome {
    result.map(|x| vec![x]).map_err(|error| format!("{error:?}"))
}

const OPS: [Scatter; 5] = [Scatter::Set, Scatter::Add, Scatter::Mul, Scatter::Max, Scatter::Min];

fn is_compute(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64 | DType::I64 | DType::Bool)
}

/// The operations, and whether results are sums or products of floats.
const TABLE: &[(&str, bool, Op)] = &[
    ("index_select", false, |s| one(s.backend().index_select(&s.x, s.axis, &s.list))),
    ("gather", false, |s| one(s.backend().gather(&s.x, s.axis, &s.index))),
    ("scatter", true, |s| {
        let ops = &OPS[..if is_compute(s.dtype) { 5 } else { 1 }];
        ops.iter()
            .map(|&op| s.backend().scatter(op, &s.x, s.axis, &s.index, &s.values))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{error:?}"))
    }),
    ("index_scatter", true, |s| {
        let ops = &OPS[..if is_compute(s.dtype) { 5 } else { 1 }];
        ops.iter()
            .map(|&op| s.backend().index_scatter(op, s.x.clone(), s.axis, &s.list, &s.slices))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{error:?}"))
    }),
    ("index_scatter of an array of nobody else", true, |s| {
        let op = if is_compute(s.dtype) { Scatter::Add } else { Scatter::Set };
        one(s.backend().index_scatter(op, s.backend().copy(&s.x), s.axis, &s.list, &s.slices))
    }),
    ("cat", false, |s| {
        Ok(vec![
            s.backend().cat(&[&s.x, &s.slices, &s.x], s.axis),
            s.backend().cat(&[&s.slices, &s.x], s.axis),
        ])
    }),
    ("place", false, |s| {
        let shape = s.slices.shape();
        let wide: Vec<usize> = shape.iter().map(|n| n * 2 + 1).collect();
        let base = Array::full(wide.as_slice(), 1, s.dtype, &s.device);
        let mut region = base.layout().clone();
        for (d, &n) in shape.iter().enumerate() {
            region = region.slice("place", d, usize::from(d.is_multiple_of(2)), n, 1 + d % 2);
        }
        let flipped = region.flip(&[0]);
        let mut all = vec![s.backend().place(base.clone(), &region, &s.slices)];
        all.push(s.backend().place(s.backend().copy(&base), &flipped, &s.slices));
        if shape[0] > 0 {
            // Places meet, but with equal values.
            let overlapping = region.select(0, 0).unsqueeze(0).expand("place", shape);
            let same = s.slices.narrow(0, 0, 1).expand(shape.clone());
            all.push(s.backend().place(base, &overlapping, &same));
        }
        Ok(all)
    }),
    ("ravel_index", false, |s| {
        let size = s.x.shape()[s.axis];
        let shifted = s.index.add(&s.index);
        let mut all = vec![];
        for (indices, sizes) in [
            (vec![&s.index], vec![size]),
            (vec![&s.index, &shifted, &s.index], vec![size, 2 * size, size + 1]),
        ] {
            all.push(s.backend().ravel_index(&indices, &sizes).map_err(|error| format!("{error:?}"))?);
        }
        Ok(all)
    }),
    ("nonzero", false, |s| Ok(vec![s.backend().nonzero(&s.mask)])),
    ("masked_select", false, |s| Ok(vec![s.backend().masked_select(&s.x, &s.mask)])),
    ("masked_scatter", false, |s| one(s.backend().masked_scatter(&s.x, &s.mask, &s.slices))),
    ("bincount", true, |s| {
        if *s.list.shape() != [s.list.numel()] || s.backend().index_select(&s.x, s.axis, &s.list).is_err() {
            return Ok(vec![]);
        }
        let size = s.x.shape()[s.axis].max(1);
        let weights = |dtype| s.list.cast(dtype).scale(0.3);
        Ok(vec![
            s.backend().bincount(&s.list, None, size),
            s.backend().bincount(&s.list, None, size + 5000),
            s.backend().bincount(&s.list, Some(&weights(DType::F32)), size),
            s.backend().bincount(&s.list, Some(&weights(DType::F64)), size),
        ])
    }),
    ("histc", false, |s| {
        if !matches!(s.dtype, DType::F32 | DType::F64) {
            return Ok(vec![]);
        }
        Ok([(1, -1.0, 1.0), (7, -2.5, 3.1), (5000, 0.0, 2.0)]
            .map(|(n, low, high)| s.backend().histc(&s.x, n, low, high))
            .into())
    }),
];

/// The bits of an array's elements, with all NaN the same.
fn bits(x: &Array) -> Vec<i64> {
    match x.dtype() {
        DType::F32 => x
            .to_vec::<f32>()
            .into_iter()
            .map(|v| if v.is_nan() { -1 } else { i64::from(v.to_bits()) })
            .collect(),
        DType::F64 => {
            x.to_vec::<f64>().into_iter().map(|v| if v.is_nan() { -1 } else { v.to_bits() as i64 }).collect()
        }
        DType::F16 | DType::BF16 => bits(&x.cast(DType::F32)),
        _ => x.cast(DType::I64).to_vec(),
    }
}

/// Of so many numbers that may go into one place.
fn near(here: &Array, there: &Array, count: usize) -> bool {
    let tolerance = if here.dtype() == DType::F32 { 6e-8 } else { 1e-16 } * count.max(32) as f64;
    let [a, b] = [here, there].map(|x| x.cast(DType::F64).to_vec::<f64>());
    // Numbers are about 2, and sums may cancel; products grow.
    let scale = |a: f64| a.abs().max(2.0 * count as f64);
    a.iter()
        .zip(&b)
        .all(|(&a, &b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale(a))
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let [here, there] = sides(case);
    for (name, sums, call) in TABLE {
        if std::env::var_os("TRACE").is_some() {
            eprintln!("{name} {case:?}");
        }
        let (a, b) = (call(&here), call(&there));
        match (a, b) {
            (Ok(a), Ok(b)) => {
                prop_assert_eq!(a.len(), b.len(), "{}", name);
                for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                    prop_assert!(b.device() == &there.device, "{} {}", name, i);
                    prop_assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "{} {}", name, i);
                    let b = b.to_device(a.device());
                    let fine =
                        bits(a) == bits(&b) || (*sums && a.dtype().is_float() && near(a, &b, case.count));
                    prop_assert!(fine, "{} {} of {:?}\n{:?}\n{:?}", name, i, case, a, b);
                }
            }
            (a, b) => prop_assert_eq!(a.err(), b.err(), "{} of {:?}", name, case),
        }
    }
    Ok(())
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..6, 2 => Just(1), 1 => Just(0), 2 => 6usize..20, 1 => prop::sample::select(vec![31, 32, 33])]
}

fn case() -> impl Strategy<Value = Case> {
    let dtypes = vec![DType::F32, DType::F64, DType::I64, DType::Bool, DType::F16, DType::U8];
    let counts = prop_oneof![6 => 0usize..40, 1 => prop::sample::select(vec![64, 65, 100, 255, 257])];
    (
        prop::collection::vec(size(), 1..4),
        0usize..4,
        counts,
        prop::sample::select(dtypes),
        any::<[u8; 6]>(),
        0u64..1 << 32,
        any::<bool>(),
    )
        .prop_map(|(shape, axis, count, dtype, views, seed, wild)| {
            let (axis, views) = (axis % shape.len(), views.map(|view| view % 7));
            Case { axis, count, dtype, views, seed, wild, shape }
        })
}

proptest! {
    #![proptest_config(common::config(128))]

    #[test]
    fn indexing_gives_the_numbers_of_the_cpu(case in case()) {
        check(&case)?;
    }
}

#[test]
fn long_indices_give_the_numbers_of_the_cpu() {
    let plain = |shape: &[usize], axis, count, dtype| Case {
        shape: shape.to_vec(),
        axis,
        count,
        dtype,
        views: [0; 6],
        seed: 12,
        wild: false,
    };
    let cases = [
        // One place that takes all; places that reach over many chunks; more keys than a block sorts; many tiles.
        plain(&[1, 2], 0, 3000, DType::F32),
        plain(&[3], 0, 5000, DType::F64),
        plain(&[70_001], 0, 9000, DType::I64),
        plain(&[300, 5], 0, 2049, DType::F32),
        plain(&[2, 2100, 3], 1, 2048, DType::F64),
        plain(&[4097, 3], 0, 60, DType::Bool),
    ];
    for case in common::some(cases) {
        check(&case).unwrap();
    }
}

#[test]
fn nine_axes_that_do_not_join_are_indexed() {
    let case = |axis, count| Case {
        shape: vec![2; 9],
        axis,
        count,
        dtype: DType::F32,
        views: [1, 3, 1, 0, 3, 1],
        seed: 5,
        wild: false,
    };
    check(&case(0, 3)).unwrap();
    check(&case(4, 40)).unwrap();
}

#[test]
fn a_slice_is_added_in_place_where_nobody_else_holds_the_array() {
    let device = cuda();
    let (index, ones) =
        (Array::new([1, 1, 3]).to_device(&device), Array::ones([3, 64], DType::F32).to_device(&device));
    let x = Array::full([4, 64], 0.0, DType::F32, &device);
    let kept = x.clone();
    let y = device.backend().index_scatter(Scatter::Add, x, 0, &index, &ones).unwrap();
    assert!(kept.to_vec::<f32>().iter().all(|&v| v == 0.0), "another holder sees the old values");
    assert_eq!(y.narrow(1, 5, 1).to_vec::<f32>(), [0.0, 2.0, 0.0, 1.0]);
    drop(kept);
    let z = device.backend().index_scatter(Scatter::Add, y, 0, &index, &ones).unwrap();
    assert_eq!(z.narrow(1, 63, 1).to_vec::<f32>(), [0.0, 4.0, 0.0, 2.0]);
}
