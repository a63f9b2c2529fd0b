//! Convolutions, pools and columns: the numbers of the CPU for windows of every kind.
//!
//! Integers are equal, and so are pools and columns, whose sums are in the CPU's order; but for means over 32 places or more.
//! Those and convolutions add in another order: elements of f32 lie within 8 ULPs of the sum of the products' sizes, which
//! is `(terms + 8) * 2^-24` of it at most in theory; of f64 within 1e-12 of it.

mod common;

use common::cuda;
use proptest::prelude::*;
use rushlight_array::window::{Conv, Span, Spans, Window};
use rushlight_array::{Array, DType, Device};

/// Numbers from a list of choices, as many as are asked for.
struct Draw<'a> {
    choices: &'a [u32],
    next: usize,
}

impl Draw<'_> {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.choices[self.next % self.choices.len()]
            .wrapping_mul(2_654_435_761)
            .wrapping_add(self.next as u32 * 97)
            >> 8
    }

    fn below(&mut self, count: usize) -> usize {
        self.number() as usize % count
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// An array that is dense, or a view: of every second element, turned round, or of one element again and again.
    fn array(&mut self, shape: &[usize], dtype: DType, device: &Device) -> [Array; 2] {
        let len: usize = shape.iter().product();
        let seed = self.number();
        let value = |i: usize| {
            let bits = (i as u32 ^ seed).wrapping_mul(0x9E37_79B1) >> 7;
            let value = f64::from(bits % 2001) / 1000.0 - 1.0;
            if dtype == DType::I64 { (10.0 * value).round() } else { value }
        };
        let kind = self.below(5);
        let wide = if kind == 1 { 2 } else { 1 };
        let values: Vec<f64> = (0..len * wide).map(value).collect();
        let x = Array::from_vec(values, [len * wide]).cast(dtype);
        let last = shape.len() - 1;
        let view = |x: Array| match kind {
            1 => x.reshape([shape, &[2]].concat()).select(last as isize + 1, 1),
            2 => x.reshape(shape).flip([last as isize]),
            3 => x.reshape(shape).transpose(0, last as isize).contiguous().transpose(0, last as isize),
            _ => x.reshape(shape),
        };
        [view(x.clone()), view(x.to_device(device))]
    }

    /// Sizes of which the images' are not too large; few are windows without a place in the input.
    fn window(&mut self, rank: usize) -> Window {
        let mut window = Window {
            input: [1; 3],
            kernel: [1; 3],
            output: [1; 3],
            stride: [1; 3],
            padding: [0; 3],
            dilation: [1; 3],
        };
        for a in 3 - rank..3 {
            let sizes: &[usize] = [&[1, 2, 5, 31, 33, 70][..], &[1, 2, 3, 5, 8, 13], &[1, 2, 3, 5]][rank - 1];
            let kernel = self.of(&[1, 1, 2, 3, 3, 4, 5, 7][..8 - rank]);
            window.kernel[a] = kernel;
            window.dilation[a] = self.of(&[1, 1, 1, 2, 3]);
            window.stride[a] = self.of(&[1, 1, 2, 3, 6]);
            window.padding[a] = self.of(&[0, 0, 1, 2, 3]);
            let extent = (kernel - 1) * window.dilation[a] + 1;
            window.input[a] = (self.of(sizes)).max(extent.saturating_sub(2 * window.padding[a]));
            let room = window.input[a] + 2 * window.padding[a] - extent;
            window.output[a] = room / window.stride[a] + 1;
        }
        window
    }
}

/// Whether the numbers are those expected, within `tolerance` of `size`, which has the same shape.
fn compare(what: &str, expected: &Array, found: &Array, size: Option<&Array>) {
    assert_eq!(expected.shape(), found.shape(), "{what}");
    assert_eq!(expected.dtype(), found.dtype(), "{what}");
    let [expected, found] = [expected, found].map(|x| x.to_device(&Device::cpu()));
    if expected.dtype() == DType::I64 {
        assert_eq!(expected.to_vec::<i64>(), found.to_vec::<i64>(), "{what}");
        return;
    }
    let unit = if expected.dtype() == DType::F32 { 8.0 / f64::from(1 << 23) } else { 1e-12 };
    let [expected, found] = [&expected, &found].map(|x| x.cast(DType::F64).to_vec::<f64>());
    let sizes = size.map(|size| size.cast(DType::F64).to_vec::<f64>());
    for (i, (&a, &b)) in expected.iter().zip(&found).enumerate() {
        let room = sizes.as_ref().map_or(0.0, |sizes| sizes[i].abs() * unit);
        assert!(
            (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= room,
            "{what}: {b} is not {a} at {i}"
        );
    }
}

fn abs(x: &Array) -> Array {
    x.abs().cast(DType::F64)
}

fn conv(draw: &mut Draw<'_>) -> Conv {
    let rank = draw.of(&[1, 2, 2, 2, 3]);
    let window = draw.window(rank);
    let groups = draw.of(&[1, 1, 1, 2, 3, 5]);
    let (inputs, outputs) = (draw.of(&[1, 1, 2, 3, 5, 9]), draw.of(&[1, 2, 3, 4, 5, 17, 33, 65]));
    let outputs = if groups > 1 { outputs.min(5) } else { outputs };
    Conv { window, batch: draw.of(&[1, 2, 3, 7]), groups, inputs, outputs }
}

fn convolutions(draw: &mut Draw<'_>, device: &Device) {
    let conv = conv(draw);
    let dtype = draw.of(&[DType::F32, DType::F32, DType::F64, DType::I64]);
    let what = format!("{dtype} {conv:?}");
    let [x, x2] = draw.array(&conv.input_shape(), dtype, device);
    let [w, w2] = draw.array(&conv.weight_shape(), dtype, device);
    let [b, b2] = draw.array(&[conv.groups * conv.outputs], dtype, device);
    let [g, g2] = draw.array(&conv.output_shape(), dtype, device);
    let has = draw.below(2) == 0;
    let [bias, bias2] = [&b, &b2].map(|b| has.then_some(b));
    let size = abs(&x).conv(&conv, &abs(&w), has.then_some(abs(&b)).as_ref());
    compare(&what, &x.conv(&conv, &w, bias), &x2.conv(&conv, &w2, bias2), Some(&size));
    let relu = [(&x, &w, bias), (&x2, &w2, bias2)].map(|(x, w, b)| x.conv_relu(&conv, w, b, None, false).0);
    compare(&what, &relu[0], &relu[1], Some(&size));
    let size = abs(&g).conv_grad_input(&conv, &abs(&w));
    compare(&what, &g.conv_grad_input(&conv, &w), &g2.conv_grad_input(&conv, &w2), Some(&size));
    let size = abs(&g).conv_grad_weight(&conv, &abs(&x));
    compare(&what, &g.conv_grad_weight(&conv, &x), &g2.conv_grad_weight(&conv, &x2), Some(&size));
}

/// Of integers in any dtype, so that the largest are the same here and there.
fn convolutions_with_pools(draw: &mut Draw<'_>, device: &Device) {
    let mut conv = conv(draw);
    let dtype = draw.of(&[DType::F32, DType::F64, DType::I64]);
    if draw.below(4) > 0 {
        // Windows of two by two.
        (conv.window.input[0], conv.window.kernel[0], conv.window.output[0]) = (1, 1, 1);
        (conv.window.stride[0], conv.window.padding[0]) = (1, 0);
    }
    let output = conv.window.output;
    let mut pool = Window {
        input: output,
        kernel: output.map(|size| size.min(2)),
        output: [0; 3],
        stride: [1, 2, 2],
        padding: [0; 3],
        dilation: [1; 3],
    };
    if draw.below(3) == 0 {
        pool.stride = [1, 1, 3];
    }
    pool.output = std::array::from_fn(|a| (output[a] - pool.kernel[a]) / pool.stride[a] + 1);
    let spans = Spans::regular(&pool, false);
    let mut integers = |shape: &[usize]| {
        let [x, _] = draw.array(shape, DType::I64, &Device::cpu());
        [x.cast(dtype), x.to_device(device).cast(dtype)]
    };
    let [x, x2] = integers(&conv.input_shape());
    let [w, w2] = integers(&conv.weight_shape());
    let [b, b2] = integers(&[conv.groups * conv.outputs]);
    for places in [false, true] {
        let (y, index) = x.conv_relu(&conv, &w, Some(&b), Some(&spans), places);
        let (y2, index2) = x2.conv_relu(&conv, &w2, Some(&b2), Some(&spans), places);
        let what = format!("{dtype} {conv:?} {pool:?}");
        compare(&what, &y, &y2, None);
        assert_eq!((index.is_some(), index2.is_some()), (places, places));
        if let (Some(index), Some(index2)) = (index, index2) {
            compare(&what, &index, &index2, None);
        }
    }
}

/// Windows of every kind, none of them empty.
fn spans(draw: &mut Draw<'_>) -> Spans {
    let rank = draw.of(&[1, 2, 2, 3]);
    let mut window = draw.window(rank);
    match draw.below(5) {
        0 => {
            let output = window.input.map(|size| 1 + draw.below(size + 2));
            Spans::adaptive(window.input, output)
        }
        1 => {
            window.kernel = [1, window.input[1].min(2), window.input[2].min(2)];
            (window.stride, window.padding, window.dilation) = (window.kernel, [0; 3], [1; 3]);
            window.output = std::array::from_fn(|a| window.input[a] / window.kernel[a]);
            Spans::regular(&window, true)
        }
        2 => {
            // Any at all.
            let axes = window.input.map(|size| {
                let count = 1 + draw.below(4);
                (0..count)
                    .map(|_| {
                        let start = draw.below(size);
                        Span { start, end: start + 1 + draw.below(size - start), count: 1 + draw.below(5) }
                    })
                    .collect()
            });
            Spans { input: window.input, axes, step: window.dilation, divisor: None }
        }
        _ => {
            for a in 0..3 {
                window.padding[a] = window.padding[a].min(window.kernel[a] / 2);
                let behind = (window.kernel[a] - 1) * window.dilation[a] + 1;
                window.input[a] = window.input[a].max(behind);
                // Perhaps one more than fits.
                let most = (window.input[a] + window.padding[a] - 1) / window.stride[a] + 1;
                let fit = (window.input[a] + 2 * window.padding[a] - behind) / window.stride[a] + 1;
                window.output[a] = (fit + draw.below(2)).min(most);
            }
            Spans::regular(&window, draw.below(2) == 0)
        }
    }
}

fn pools(draw: &mut Draw<'_>, device: &Device) {
    let mut spans = spans(draw);
    if spans.axes.iter().flatten().any(|span| span.start >= span.end || span.count == 0) {
        return;
    }
    spans.divisor = draw.of(&[None, None, Some(3), Some(-1)]);
    let dtype = draw.of(&[DType::F32, DType::F32, DType::F64, DType::I64]);
    let planes = draw.of(&[1, 2, 5]);
    let [d, h, w] = spans.input;
    let [mut x, mut x2] = draw.array(&[planes, d, h, w], dtype, device);
    if dtype != DType::I64 && draw.below(3) == 0 {
        // Ties, infinities and NaN.
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, 1.0];
        let values: Vec<f64> = (0..x.numel()).map(|_| special[draw.below(7)]).collect();
        x = Array::from_vec(values, x.shape()).cast(dtype);
        x2 = x.to_device(device);
    }
    let what = format!("{dtype} {spans:?}");
    let (values, index) = x.max_pool(&spans);
    let (values2, index2) = x2.max_pool(&spans);
    compare(&what, &index, &index2, None);
    compare(&what, &values, &values2, None);
    let [g, g2] = draw.array(values.shape(), dtype, device);
    compare(&what, &g.max_pool_grad(&spans, &index), &g2.max_pool_grad(&spans, &index2), None);
    let size = abs(&x).avg_pool(&spans);
    compare(&what, &x.avg_pool(&spans), &x2.avg_pool(&spans), Some(&size));
    compare(&what, &g.avg_pool_grad(&spans), &g2.avg_pool_grad(&spans), None);
}

fn columns(draw: &mut Draw<'_>, device: &Device) {
    let rank = draw.of(&[1, 2, 2, 3]);
    let window = draw.window(rank);
    let ([d, h, w], n, c) = (window.input, draw.of(&[1, 2]), draw.of(&[1, 3]));
    let dtype = draw.of(&[DType::F32, DType::F64, DType::I64]);
    let [x, x2] = draw.array(&[n, c, d, h, w], dtype, device);
    for stored in [dtype, DType::Bool, DType::I16] {
        let [y, y2] = [&x, &x2].map(|x| x.cast(stored).unfold_windows(&window).cast(DType::I64));
        compare(&format!("{stored} {window:?}"), &y, &y2, None);
    }
    let [g, g2] = draw.array(&[n, c * window.kernel_len(), window.output_len()], dtype, device);
    compare(&format!("{window:?}"), &g.fold_windows(&window), &g2.fold_windows(&window), None);
}

const OPERATIONS: &[fn(&mut Draw<'_>, &Device)] =
    &[convolutions, convolutions, convolutions, convolutions_with_pools, pools, pools, pools, columns];

proptest! {
    #![proptest_config(common::config(64))]

    #[test]
    fn windows_give_the_numbers_of_the_cpu(choices in prop::collection::vec(0u32..1 << 20, 1..24)) {
        let device = cuda();
        let mut draw = Draw { choices: &choices, next: 0 };
        for operation in OPERATIONS {
            operation(&mut draw, &device);
        }
    }
}

/// A convolution of images of one size.
fn square(size: usize, kernel: usize, padding: usize, [batch, inputs, outputs]: [usize; 3]) -> Conv {
    let output = size + 2 * padding - kernel + 1;
    let window = Window {
        input: [1, size, size],
        kernel: [1, kernel, kernel],
        output: [1, output, output],
        stride: [1; 3],
        padding: [0, padding, padding],
        dilation: [1; 3],
    };
    Conv { window, batch, groups: 1, inputs, outputs }
}

#[test]
fn networks_of_images_give_the_numbers_of_the_cpu() {
    let device = cuda();
    let mut draw = Draw { choices: &[3, 1, 4], next: 0 };
    // Many columns, many terms, and more taps than the kernels' table of them holds.
    for conv in [square(28, 5, 0, [4, 1, 10]), square(12, 5, 0, [8, 10, 20]), square(7, 3, 1, [2, 70, 70])] {
        let [x, x2] = draw.array(&conv.input_shape(), DType::F32, &device);
        let [w, w2] = draw.array(&conv.weight_shape(), DType::F32, &device);
        let [g, g2] = draw.array(&conv.output_shape(), DType::F32, &device);
        let what = format!("{conv:?}");
        let size = abs(&x).conv(&conv, &abs(&w), None);
        compare(&what, &x.conv(&conv, &w, None), &x2.conv(&conv, &w2, None), Some(&size));
        let size = abs(&g).conv_grad_input(&conv, &abs(&w));
        compare(&what, &g.conv_grad_input(&conv, &w), &g2.conv_grad_input(&conv, &w2), Some(&size));
        let size = abs(&g).conv_grad_weight(&conv, &abs(&x));
        compare(&what, &g.conv_grad_weight(&conv, &x), &g2.conv_grad_weight(&conv, &x2), Some(&size));
    }
}

#[test]
fn a_batch_of_none_gives_results_without_elements() {
    let device = cuda();
    let conv = square(5, 3, 1, [0, 2, 3]);
    let zeros = |shape: &[usize]| Array::full(shape, 0.0, DType::F32, &device);
    let (x, w, g) = (zeros(&conv.input_shape()), zeros(&conv.weight_shape()), zeros(&conv.output_shape()));
    assert_eq!(x.conv(&conv, &w, None).shape()[..], conv.output_shape());
    assert_eq!(g.conv_grad_input(&conv, &w).shape()[..], conv.input_shape());
    assert_eq!(g.conv_grad_weight(&conv, &x).to_vec::<f32>(), vec![0.0; 54]);
    let spans = Spans::adaptive([1, 5, 5], [1, 2, 2]);
    let planes = zeros(&[0, 1, 5, 5]);
    let (values, index) = planes.max_pool(&spans);
    assert_eq!((&values.shape()[..], &index.shape()[..]), (&[0, 1, 2, 2][..], &[0, 1, 2, 2][..]));
    assert_eq!(values.max_pool_grad(&spans, &index).shape()[..], [0, 1, 5, 5]);
    assert_eq!(planes.avg_pool(&spans).shape()[..], [0, 1, 2, 2]);
}

/// One window of three places by three at an edge, of which it sees two by two, is not one of two by two.
#[test]
fn padding_that_counts_is_no_pair() {
    let device = cuda();
    let window = Window {
        input: [1, 2, 2],
        kernel: [1, 3, 3],
        output: [1, 1, 1],
        stride: [1, 2, 2],
        padding: [0, 1, 1],
        dilation: [1; 3],
    };
    let x = Array::arange(0, 4, 1).cast(DType::F32).reshape([1, 1, 2, 2]);
    for (counts, mean) in [(true, 6.0 / 9.0), (false, 6.0 / 4.0)] {
        let spans = Spans::regular(&window, counts);
        let y = x.to_device(&device).avg_pool(&spans);
        assert_eq!(y.to_vec::<f32>(), [mean as f32]);
        let back = y.ones_like().avg_pool_grad(&spans);
        assert_eq!(back.to_vec::<f32>(), [(mean / 6.0) as f32; 4]);
    }
}
