//! Reductions, softmax, norms, scans and channels: a table of operations, at drawn shapes and layouts, on CPU and GPU.
//!
//! Integers and bools are equal. Floats differ by 64 units in the last place, at most, of the largest number there is: of the
//! results, or of the arguments where these are larger. That is 8e-6 for f32, and for f64 1e-12 is taken.

mod common;

use common::cuda;
use proptest::prelude::*;
use rushlight_array::backend::{ArgReduce, Norm, Scan, Term};
use rushlight_array::{Array, DType, Device};

/// Numbers from a seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    /// Sizes around those where kernels change their ways.
    fn shape(&mut self, rank: usize) -> Vec<usize> {
        const SIZES: [usize; 17] = [1, 2, 3, 4, 5, 8, 16, 17, 31, 32, 33, 64, 65, 129, 255, 256, 257];
        const LONG: [usize; 6] = [1023, 1025, 2049, 4096, 4097, 9001];
        let mut shape: Vec<usize> = (0..rank).map(|_| self.of(&SIZES)).collect();
        if rank > 0 && self.below(4) == 0 {
            let axis = self.below(rank);
            shape[axis] = self.of(&LONG);
        }
        // The others give way, so that a run on the emulated device is short.
        while shape.iter().product::<usize>() > 2_500 {
            let Some(axis) = (0..rank).filter(|&a| shape[a] > 1 && shape[a] < 1000).max_by_key(|&a| shape[a])
            else {
                break;
            };
            shape[axis] /= 2;
        }
        shape
    }

    /// An array with these values, in some layout.
    fn array(&mut self, shape: &[usize], dtype: DType, special: bool) -> Array {
        const SPECIAL: [f64; 5] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.0];
        let rank = shape.len();
        let mut turns: Vec<usize> = (0..rank).collect();
        let way = self.below(6);
        if way >= 3 && rank > 1 {
            let (a, b) = (self.below(rank), self.below(rank));
            turns.swap(a, b);
        }
        let mut stored: Vec<usize> = turns.iter().map(|&axis| shape[axis]).collect();
        let axis = self.below(rank.max(1));
        // Every other element of more than there are; one that is repeated.
        match (way, rank) {
            (_, 0) => {}
            (1 | 4, _) => stored[axis] = 2 * stored[axis] + 1,
            (2, _) if self.below(2) == 0 => stored[axis] = 1,
            _ => {}
        }
        let count: usize = stored.iter().product();
        let rough = self.below(2) == 0;
        let values: Vec<f64> = (0..count)
            .map(|_| {
                if special && dtype.is_float() && self.below(40) == 0 {
                    return self.of(&SPECIAL);
                }
                let value = self.next() as f64 / u64::MAX as f64 * 6.0 - 3.0;
                if rough || !dtype.is_float() { value.round() } else { value }
            })
            .collect();
        let mut x = Array::from_vec(values, stored).cast(dtype);
        match (way, rank) {
            (_, 0) => {}
            (1 | 4, _) => x = x.step(axis as isize, 1, shape[turns[axis]], 2),
            (2, _) => {
                let turned: Vec<usize> = turns.iter().map(|&axis| shape[axis]).collect();
                x = x.expand(turned.as_slice());
            }
            (5, _) => x = x.flip([axis as isize]),
            _ => {}
        }
        // A swap is its own inverse.
        match rank {
            0 => x,
            _ => x.permute(turns.iter().map(|&axis| axis as isize).collect::<Vec<_>>()),
        }
    }
}

/// What an operation is given: arrays of one shape and dtype, an axis, several axes, and numbers to choose by.
struct Given {
    x: Vec<Array>,
    axis: isize,
    axes: Vec<isize>,
    choice: usize,
}

impl Given {
    fn to(&self, device: &Device) -> Given {
        let x = self.x.iter().map(|x| at(x, device)).collect();
        Given { x, axes: self.axes.clone(), ..*self }
    }

    fn device(&self) -> Device {
        self.x[0].device().clone()
    }
}

/// The array on a device, in the same layout.
fn at(x: &Array, device: &Device) -> Array {
    let (storage, layout) = x.clone().into_parts();
    let whole = [storage.len()];
    let all = Array::from_parts(storage, rushlight_array::Layout::contiguous(&whole[..])).to_device(device);
    Array::from_parts(all.into_parts().0, layout)
}

type Run = fn(&Given) -> Vec<Array>;

/// Name, rank (`None` for any), number of arrays, only floats, and what is done.
type Row = (&'static str, Option<usize>, usize, bool, Run);

fn number(x: &Array, places: usize) -> Array {
    // A number for each of so many places, positive, from the values of an array.
    let row = x.flatten(0, -1).cast(x.dtype());
    let all = row.numel();
    let index: Vec<i64> = (0..places).map(|i| (i * 7 % all) as i64).collect();
    let index = Array::from_vec(index, [places]).to_device(x.device());
    row.index_select(0, &index)
}

fn targets(x: &Array) -> Array {
    let [n, c] = [x.shape()[0], x.shape()[1]];
    let target: Vec<i64> = (0..n).map(|i| (i * 13 % c) as i64).collect();
    Array::from_vec(target, [n]).to_device(x.device())
}

fn pair((a, b): (Array, Array)) -> Vec<Array> {
    vec![a, b]
}

const TABLE: &[Row] = &[
    ("sum", None, 1, false, |g| vec![g.x[0].sum_dim(g.axes.clone(), false)]),
    ("sum all", None, 1, false, |g| vec![g.x[0].sum()]),
    ("prod", None, 1, false, |g| {
        let x = &g.x[0];
        let x = if x.dtype().is_float() {
            x.mul(&x.scalar_operand(1.0 / 64.0)).add(&x.scalar_operand(1.0))
        } else {
            x.clone()
        };
        vec![x.prod_dim(g.axes.clone(), true)]
    }),
    ("amax", None, 1, false, |g| vec![g.x[0].amax(g.axes.clone(), true)]),
    ("amin", None, 1, false, |g| vec![g.x[0].amin(g.axes.clone(), false)]),
    ("all any", None, 1, false, |g| {
        vec![g.x[0].all_dim(g.axes.clone(), false), g.x[0].any_dim(g.axes.clone(), true)]
    }),
    ("argmax", None, 1, false, |g| vec![g.x[0].argmax(g.axis, g.choice % 2 == 0)]),
    ("argmin", None, 1, false, |g| vec![g.x[0].argmin(g.axis, false)]),
    ("count_nonzero", None, 1, false, |g| vec![g.x[0].count_nonzero("", g.axes.clone(), true)]),
    ("reduce_term", None, 1, true, |g| {
        let x = &g.x[0];
        let term = if g.choice % 2 == 0 { Term::Abs } else { Term::Square };
        let centre = x.amin(g.axes.clone(), true);
        let centre = (g.choice % 3 > 0).then_some(&centre);
        vec![x.reduce_term("", term, centre, g.axes.clone())]
    }),
    ("softmax", None, 1, true, |g| vec![g.x[0].softmax(g.axis), g.x[0].log_softmax(g.axis)]),
    ("softmax_grad", None, 2, true, |g| {
        if g.x[0].rank() == 0 {
            return vec![];
        }
        vec![g.x[0].softmax_grad(&g.x[1], g.axis), g.x[0].log_softmax_grad(&g.x[1], g.axis)]
    }),
    ("cross_entropy", Some(2), 1, true, |g| {
        let x = &g.x[0];
        let (losses, stats) = x.cross_entropy(&targets(x));
        let grads = number(x, x.shape()[0]);
        let one = number(x, 1).expand([x.shape()[0]].as_slice());
        let slopes = [grads, one].map(|grad| x.cross_entropy_grad(&stats, &targets(x), &grad));
        [vec![losses, stats], slopes.to_vec()].concat()
    }),
    ("norm", Some(2), 2, true, |g| {
        let x = &g.x[0];
        let kind = if g.choice % 2 == 0 { Norm::Layer } else { Norm::Rms };
        let [weight, bias] = [0, 1].map(|i| number(&g.x[i], x.shape()[1]));
        let weight = (g.choice % 3 > 0).then_some(&weight);
        let (y, stats) = x.norm(kind, weight, (g.choice % 5 > 1).then_some(&bias), 0.1);
        // The mean of rows of one dtype is exact where the deviation is 0.
        let grads = x.norm_grad(kind, &stats, weight, &g.x[1]);
        [vec![y, stats], grads.to_vec()].concat()
    }),
    ("channels", Some(3), 2, true, |g| {
        let (x, grad) = (&g.x[0], &g.x[1]);
        let stats = x.channel_stats();
        let channels = x.shape()[1];
        let mean = number(grad, channels);
        let sums = grad.channel_grad_sums(x, &mean);
        let three = number(x, 3 * channels).reshape([channels, 3]);
        let four = number(x, 4 * channels).reshape([channels, 4]);
        vec![stats, sums, x.channel_scale(&three), grad.channel_mix(x, &four)]
    }),
    ("cumsum", None, 1, false, |g| vec![g.x[0].scan("", Scan::Sum, g.axis, g.choice % 2 == 0)]),
    ("cumprod", None, 1, false, |g| {
        let x = &g.x[0];
        let x = if x.dtype().is_float() {
            x.mul(&x.scalar_operand(1.0 / 64.0)).add(&x.scalar_operand(1.0))
        } else {
            x.clone()
        };
        vec![x.scan("", Scan::Prod, g.axis, g.choice % 2 == 0)]
    }),
    ("logcumsumexp", None, 1, true, |g| vec![g.x[0].scan("", Scan::LogSumExp, g.axis, g.choice % 2 == 0)]),
    ("cummax", None, 1, false, |g| pair(g.x[0].scan_extreme("", ArgReduce::Max, g.axis))),
    ("cummin", None, 1, false, |g| pair(g.x[0].scan_extreme("", ArgReduce::Min, g.axis))),
    ("recurrence", None, 2, true, |g| {
        let third = g.x[0].scalar_operand(0.3);
        vec![g.x[0].mul(&third).recurrence(&g.x[1], g.axis, g.choice % 2 == 0)]
    }),
];

fn numbers(x: &Array) -> Vec<f64> {
    x.to_device(&Device::cpu()).cast(DType::F64).contiguous().to_vec::<f64>()
}

fn largest(xs: &[f64]) -> f64 {
    xs.iter().filter(|v| v.is_finite()).fold(0.0, |a, v| a.max(v.abs()))
}

fn compare(what: &str, here: &Array, there: &Array, arguments: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(here.shape(), there.shape(), "{}", what);
    prop_assert_eq!(here.dtype(), there.dtype(), "{}", what);
    let (a, b) = (numbers(here), numbers(there));
    let unit = match here.dtype() {
        DType::F32 => 64.0 * f64::from(f32::EPSILON),
        DType::F64 => 1e-12,
        _ => 0.0,
    };
    let most = unit * largest(&a).max(arguments);
    for (i, (&a, &b)) in a.iter().zip(&b).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= most;
        prop_assert!(same, "{}: at {} of {:?}: {} here, {} there", what, i, here.shape(), a, b);
    }
    Ok(())
}

/// Runs an operation here and there.
fn check(name: &str, run: Run, given: &Given) -> Result<(), TestCaseError> {
    let device = cuda();
    let arguments = given.x.iter().map(|x| largest(&numbers(x))).fold(0.0, f64::max);
    let (here, there) = (run(given), run(&given.to(&device)));
    prop_assert_eq!(given.device(), Device::cpu());
    for (i, (a, b)) in here.iter().zip(&there).enumerate() {
        prop_assert_eq!(b.device(), &device, "{}", name);
        let x = &given.x[0];
        let layouts: Vec<_> = given.x.iter().map(|x| x.layout().strides().to_vec()).collect();
        let what = format!(
            "{name} {i}, {}, {:?} {layouts:?}, axis {}, axes {:?}, choice {}",
            x.dtype().name(),
            x.shape(),
            given.axis,
            given.axes,
            given.choice
        );
        compare(&what, a, b, arguments)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::config(8))]

    #[test]
    fn every_operation_gives_the_numbers_of_the_cpu(seed in any::<u64>()) {
        let mut draw = Draw(seed);
        for &(name, rank, arrays, floats, run) in TABLE {
            let rank = rank.unwrap_or_else(|| draw.below(5));
            let shape = draw.shape(rank);
            let dtype = match floats {
                true => draw.of(&[DType::F32, DType::F32, DType::F64]),
                false => draw.of(&[DType::F32, DType::F32, DType::F64, DType::I64, DType::Bool]),
            };
            let special = draw.below(4) == 0;
            let x: Vec<Array> = (0..arrays).map(|_| draw.array(&shape, dtype, special)).collect();
            let axes = (0..rank).filter(|_| draw.below(2) == 0).map(|axis| axis as isize).collect();
            let axis = draw.below(rank.max(1)) as isize - if draw.below(2) == 0 { rank.max(1) as isize } else { 0 };
            let given = Given { x, axis, axes, choice: draw.below(30) };
            check(name, run, &given)?;
        }
    }
}

/// A block of 512 threads with 32 elements each, or 16 of f64, reads again what is beyond them.
#[test]
fn rows_beyond_the_registers_give_the_numbers_of_the_cpu() {
    let mut draw = Draw(1);
    for &(name, _, arrays, _, run) in TABLE {
        if !["softmax", "softmax_grad", "cross_entropy", "norm"].contains(&name) {
            continue;
        }
        for (dtype, size) in [(DType::F32, 20_001), (DType::F64, 12_001)] {
            let x = (0..arrays).map(|_| draw.array(&[2, size], dtype, false)).collect();
            check(name, run, &Given { x, axis: 1, axes: vec![1], choice: draw.below(30) }).unwrap();
        }
    }
}
