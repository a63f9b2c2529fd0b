//! The CPU backend's kernels by size. The bytes of a throughput are nominal: what is read and written once.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use rushlight_array::backend::{OptimizerStep, StepRule, rule};
use rushlight_array::profile::{Work, span};
use rushlight_array::random::Generator;
use rushlight_array::{Array, Backend, Cpu, DType};
use std::hint::black_box;
use std::time::Duration;

/// Overhead, level-2 cache, and memory.
const SIZES: [(&str, usize); 3] = [("1e3", 1_000), ("1e5", 100_000), ("1e7", 10_000_000)];

fn random(shape: &[usize]) -> Array {
    Array::normal(shape, 0.0, 1.0, DType::F32, &Generator::new(1))
}

/// One bench for each size: `call` on random values of `shape(size)`, at `bytes` for each element.
fn by_size(
    criterion: &mut Criterion,
    name: &str,
    bytes: usize,
    shape: fn(usize) -> Vec<usize>,
    call: fn(&Array) -> Array,
) {
    let mut group = criterion.benchmark_group(name);
    for (tag, size) in SIZES {
        let x = random(&shape(size));
        group.throughput(Throughput::Bytes((bytes * x.numel()) as u64));
        // The largest calls take up to a quarter of a second, and ten of them tell enough.
        group.sample_size(if size > 1_000_000 { 10 } else { 20 });
        group.bench_function(BenchmarkId::from_parameter(tag), |b| b.iter(|| call(black_box(&x))));
    }
    group.finish();
}

fn flat(size: usize) -> Vec<usize> {
    vec![size]
}

/// Rows of a thousand, as a classifier or a layer norm has them.
fn rows(size: usize) -> Vec<usize> {
    vec![size / 1000, 1000]
}

fn square(size: usize) -> Vec<usize> {
    let side = size.isqrt();
    vec![side, side]
}

fn elementwise(criterion: &mut Criterion) {
    by_size(criterion, "elementwise/add", 12, flat, |x| x.add(x));
    by_size(criterion, "elementwise/relu", 8, flat, Array::relu);
    by_size(criterion, "elementwise/exp", 8, flat, Array::exp);
}

fn reduce(criterion: &mut Criterion) {
    by_size(criterion, "reduce/sum", 4, flat, Array::sum);
    by_size(criterion, "reduce/sum_rows", 4, rows, |x| x.sum_dim(1, false));
    by_size(criterion, "reduce/sum_columns", 4, rows, |x| x.sum_dim(0, false));
}

fn softmax(criterion: &mut Criterion) {
    by_size(criterion, "softmax", 8, rows, |x| x.softmax(1));
}

fn transpose(criterion: &mut Criterion) {
    by_size(criterion, "transpose", 8, square, |x| x.t().contiguous());
}

/// Name, m, k, n, and which operand is a transposed view: as in a layer's forward pass, `b` is, and as in the
/// gradient of its weight, `a`.
const PRODUCTS: [(&str, usize, usize, usize, &str); 9] = [
    ("tiny_2x30x20_bt", 2, 30, 20, "b"),
    ("64", 64, 64, 64, ""),
    ("128", 128, 128, 128, ""),
    ("256", 256, 256, 256, ""),
    ("512", 512, 512, 512, ""),
    ("1024", 1024, 1024, 1024, ""),
    ("64x784x128_bt", 64, 784, 128, "b"),
    ("64x128x64_bt", 64, 128, 64, "b"),
    ("784x64x128_at", 784, 64, 128, "a"),
];

/// Here an element of the throughput is a floating-point operation: Gelem/s are GFLOP/s.
fn matmul(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    for (name, m, k, n, transposed) in PRODUCTS {
        let a = if transposed == "a" { random(&[k, m]).t() } else { random(&[m, k]) };
        let b = if transposed == "b" { random(&[n, k]).t() } else { random(&[k, n]) };
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        group.bench_function(name, |bench| bench.iter(|| black_box(&a).matmul(black_box(&b))));
    }
    group.finish();
}

/// A step of Adam, which reads four arrays and writes three in one pass.
fn adam(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("adam_step");
    let step = OptimizerStep::new(StepRule::Adam(rule::Adam {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        rate: 1e-3,
        root: 0.5,
    }));
    for (tag, size) in SIZES {
        let [mut w, mut m, g] = [(); 3].map(|()| random(&[size]));
        let mut v = g.abs();
        group.throughput(Throughput::Bytes((28 * size) as u64));
        group.sample_size(if size > 1_000_000 { 10 } else { 20 });
        group.bench_function(BenchmarkId::from_parameter(tag), |bench| {
            bench.iter(|| {
                Cpu.optimizer_step(&step, &mut w, black_box(&g), [Some(&mut m), Some(&mut v), None]);
            });
        });
    }
    group.finish();
}

/// What it costs that every kernel can be profiled: a loop of a thousand additions, without and with a span
/// around each.
fn spans(criterion: &mut Criterion) {
    let add = |sum: &mut u64, i: u64| *sum = black_box(*sum + i);
    let mut group = criterion.benchmark_group("span_off_x1000");
    group.bench_function("without", |b| {
        b.iter_batched_ref(|| 0, |sum| (0..1000).for_each(|i| add(sum, i)), BatchSize::SmallInput);
    });
    group.bench_function("with", |b| {
        let spanned = |sum: &mut u64, i: u64| {
            let _span = span("add", || Work { bytes: i, flops: 0 });
            add(sum, i);
        };
        b.iter_batched_ref(|| 0, |sum| (0..1000).for_each(|i| spanned(sum, i)), BatchSize::SmallInput);
    });
    group.finish();
}

fn main() {
    // Short, so that all benches of the workspace together stay below three minutes.
    let second = Duration::from_secs(1);
    let criterion = Criterion::default().warm_up_time(second / 4).measurement_time(second).sample_size(20);
    let mut criterion = criterion.configure_from_args();
    elementwise(&mut criterion);
    reduce(&mut criterion);
    softmax(&mut criterion);
    transpose(&mut criterion);
    matmul(&mut criterion);
    adam(&mut criterion);
    spans(&mut criterion);
    criterion.final_summary();
}
