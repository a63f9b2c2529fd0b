//! The reference: a shape and one f64 for each element, addressed by multi-indices. It shares no code with
//! the library.

use half::{bf16, f16};
use proptest::prelude::*;
use rushlight_array::{Array, DType};

/// What an array should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

/// Every multi-index of a shape, row-major.
pub(crate) fn places(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all
            .into_iter()
            .flat_map(|at: Vec<usize>| (0..size).map(move |i| [&at[..], &[i]].concat()))
            .collect();
    }
    all
}

impl Model {
    pub(crate) fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Model {
        Model { shape: shape.to_vec(), data: places(shape).iter().map(|at| f(at)).collect() }
    }

    pub(crate) fn at(&self, at: &[usize]) -> f64 {
        assert_eq!(at.len(), self.shape.len());
        let mut flat = 0;
        for (&i, &size) in at.iter().zip(&self.shape) {
            assert!(i < size, "{at:?} in {:?}", self.shape);
            flat = flat * size + i;
        }
        self.data[flat]
    }

    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Model {
        Model { shape: self.shape.clone(), data: self.data.iter().map(|&v| f(v)).collect() }
    }

    /// The element that a broadcast result has at `at`.
    pub(crate) fn broadcast_at(&self, at: &[usize]) -> f64 {
        let own = &at[at.len() - self.shape.len()..];
        let own: Vec<usize> =
            own.iter().zip(&self.shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect();
        self.at(&own)
    }

    pub(crate) fn zip(&self, other: &Model, shape: &[usize], f: impl Fn(f64, f64) -> f64) -> Model {
        Model::from_fn(shape, |at| f(self.broadcast_at(at), other.broadcast_at(at)))
    }

    /// The elements along one axis through a place (whose entry for that axis does not matter).
    pub(crate) fn line(&self, axis: usize, at: &[usize]) -> Vec<f64> {
        let mut at = at.to_vec();
        (0..self.shape[axis])
            .map(|i| {
                at[axis] = i;
                self.at(&at)
            })
            .collect()
    }
}

/// The value that an element of `dtype` holds after `v` was stored in it.
pub(crate) fn store(dtype: DType, v: f64) -> f64 {
    match dtype {
        DType::F64 => v,
        DType::F32 => f64::from(v as f32),
        DType::F16 => f16::from_f32(v as f32).to_f64(),
        DType::BF16 => bf16::from_f32(v as f32).to_f64(),
        DType::I64 => v as i64 as f64,
        DType::I32 => f64::from(v as i64 as i32),
        DType::I16 => f64::from(v as i64 as i16),
        DType::I8 => f64::from(v as i64 as i8),
        DType::U8 => f64::from(v as i64 as u8),
        DType::Bool => f64::from(u8::from(v != 0.0)),
    }
}

/// How much a result in `dtype` may be off, relative to its size.
pub(crate) fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2e-3,
        DType::BF16 => 2e-2,
        DType::F32 => 1e-6,
        DType::F64 => 1e-14,
        _ => 0.0,
    }
}

/// Asserts shape, dtype and elements; `rtol` is relative to the larger of 1 and the expected value.
#[track_caller]
pub(crate) fn check(array: &Array, expected: &Model, dtype: DType, rtol: f64) {
    assert_eq!(array.shape().to_vec(), expected.shape, "shape");
    assert_eq!(array.dtype(), dtype, "dtype");
    let got = array.cast(DType::F64).to_vec::<f64>();
    for (i, (&g, &e)) in got.iter().zip(&expected.data).enumerate() {
        let close = g == e || (g.is_nan() && e.is_nan()) || (g - e).abs() <= rtol * e.abs().max(1.0);
        assert!(close, "element {i} of {:?}: got {g}, expected {e} ({dtype})", expected.shape);
    }
}

/// Halves from -4 to 4 for floats, integers from -8 to 8 for integers: sums and products of a few
/// hundred are exact in f32.
pub(crate) fn value(dtype: DType, seed: usize, i: usize) -> f64 {
    let n = ((i * 7919 + seed * 104_729 + i * i * 31) % 17) as f64 - 8.0;
    match dtype {
        DType::U8 => n.abs(),
        DType::Bool => f64::from(u8::from(n > 0.0)),
        d if d.is_float() => n / 2.0,
        _ => n,
    }
}

/// A model and the same as an array.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) model: Model,
    pub(crate) array: Array,
}

/// A sample of any dtype and layout: row-major, column-major, expanded, every second place of a larger
/// block, or the middle of one.
pub(crate) fn sample(shape: &[usize], dtype: DType, seed: usize, layout: usize) -> Sample {
    let fresh = |shape: &[usize]| {
        let numel: usize = shape.iter().product();
        let data: Vec<f64> = (0..numel).map(|i| value(dtype, seed, i)).collect();
        let array = Array::from_vec(data.clone(), shape).cast(dtype);
        (Model { shape: shape.to_vec(), data }, array)
    };
    let (model, array) = match layout % 5 {
        0 => fresh(shape),
        1 => {
            let backwards: Vec<usize> = shape.iter().rev().copied().collect();
            let (model, array) = fresh(&backwards);
            let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
            let flip = |at: &[usize]| model.at(&at.iter().rev().copied().collect::<Vec<_>>());
            (Model::from_fn(shape, flip), array.permute(&order))
        }
        2 => {
            // The last axis stands still.
            let mut narrow = shape.to_vec();
            if let Some(last) = narrow.last_mut() {
                *last = 1;
            }
            let (model, array) = fresh(&narrow);
            (Model::from_fn(shape, |at| model.broadcast_at(at)), array.expand(shape))
        }
        kind => {
            let (step, start) = if kind == 3 { (2, 0) } else { (1, 1) };
            let larger: Vec<usize> = shape.iter().map(|s| s * step + 2 * start).collect();
            let (model, mut array) = fresh(&larger);
            for (axis, &size) in shape.iter().enumerate() {
                let mut list: Vec<rushlight_array::Index> = (0..axis).map(|_| (..).into()).collect();
                list.push(rushlight_array::Index::step(start as isize, (start + size * step) as isize, step));
                array = array.get(list);
            }
            let move_in = |at: &[usize]| model.at(&at.iter().map(|i| start + i * step).collect::<Vec<_>>());
            (Model::from_fn(shape, move_in), array)
        }
    };
    assert_eq!(array.shape().to_vec(), shape);
    Sample { model, array }
}

pub(crate) fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0usize), 3 => Just(1usize), 10 => 2..=4usize]
}

pub(crate) fn shape(rank: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(size(), rank)
}

pub(crate) fn dtype() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.to_vec())
}

pub(crate) fn float() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.into_iter().filter(|d| d.is_float()).collect::<Vec<_>>())
}

/// A sample of one of the dtypes, with a rank from the range.
pub(crate) fn any_sample(
    dtype: impl Strategy<Value = DType>,
    rank: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = Sample> {
    (shape(rank), dtype, 0..50usize, 0..5usize)
        .prop_map(|(shape, d, seed, layout)| sample(&shape, d, seed, layout))
}

/// Two shapes that broadcast, and the shape they broadcast to. Size 0 meets 1, too.
pub(crate) fn broadcasting() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, Vec<usize>)> {
    (shape(0..=4), prop::collection::vec(0..4u8, 4), 0..=4usize, any::<bool>()).prop_map(
        |(full, ones, cut, swap)| {
            let one = |k: u8| {
                full.iter().zip(&ones).map(|(&s, &o)| if o == k { 1 } else { s }).collect::<Vec<usize>>()
            };
            let (a, b) = (one(1), one(2));
            let b = b[cut.min(b.len())..].to_vec();
            let shape = full.clone();
            // Axes cut from b are as large as a's.
            let shape =
                (0..shape.len()).map(|i| if i < cut.min(shape.len()) { a[i] } else { shape[i] }).collect();
            if swap { (b, a, shape) } else { (a, b, shape) }
        },
    )
}

pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
