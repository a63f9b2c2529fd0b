//! Attention as one kernel is attention by its parts: a mask that says the same as `is_causal` takes the other way.

use rushlight_array::random::Generator;
use rushlight_array::{Array, DType, set_num_threads};
use rushlight_autograd::ops::{AttentionOptions, scaled_dot_product_attention_with};
use rushlight_autograd::{Tensor, no_grad, ones};

/// Results and gradients with a weight for each of the results.
fn run(inputs: &[Tensor; 3], weight: &Tensor, causal: bool, masked: bool) -> [Tensor; 4] {
    let [q, k, v] = inputs.each_ref().map(|x| x.detach().requires_grad_());
    let (l, s) = (q.shape()[q.dim() - 2], k.shape()[k.dim() - 2]);
    let seen = ones([l, s]).to(DType::Bool);
    let seen = if causal { seen.tril() } else { seen };
    let options = AttentionOptions { is_causal: causal && !masked, scale: Some(0.4), ..Default::default() };
    let forward = || scaled_dot_product_attention_with(&q, &k, &v, masked.then_some(&seen), &options);
    let y = forward();
    assert_eq!(no_grad(forward).to(DType::F64).to_vec::<f64>(), y.to(DType::F64).to_vec::<f64>());
    (&y * weight).sum().backward();
    let grads = [&q, &k, &v].map(|x| x.grad().expect("it was used"));
    let [dq, dk, dv] = grads;
    [y.detach(), dq, dk, dv]
}

fn bits(x: &Tensor) -> Vec<u64> {
    x.to(DType::F64).to_vec::<f64>().iter().map(|x| x.to_bits()).collect()
}

#[test]
fn one_kernel_is_what_its_parts_are() {
    let generator = Generator::new(1);
    // Leading dims; queries, keys, features, values.
    let cases: [(&[usize], [usize; 4]); 10] = [
        (&[], [3, 3, 2, 2]),
        (&[5], [1, 7, 4, 3]),
        (&[2, 3], [33, 33, 8, 8]),
        (&[2, 3], [70, 20, 5, 9]),
        (&[2, 3], [20, 70, 16, 17]),
        (&[9, 2], [64, 64, 32, 32]),
        (&[8, 1], [65, 31, 7, 5]),
        (&[2, 2, 2], [40, 100, 3, 1]),
        (&[2], [70, 300, 5, 4]),
        (&[8, 2], [290, 257, 4, 6]),
    ];
    for (leading, [l, s, e, ev]) in cases {
        for dtype in [DType::F32, DType::F64] {
            let draw = |rows: usize, columns: usize| {
                // Rows and leading dims the other way round, as heads lie in a network.
                let mut shape = leading.to_vec();
                shape.extend([rows, columns]);
                let rank = shape.len();
                if rank > 2 {
                    shape.swap(rank - 3, rank - 2);
                }
                let x = Tensor::from(Array::normal(shape.as_slice(), 0.0, 1.0, dtype, &generator));
                if rank > 2 { x.transpose(-3, -2) } else { x }
            };
            let inputs = [draw(l, e), draw(s, e), draw(s, ev)];
            let weight = draw(l, ev);
            for causal in [false, true] {
                let one = run(&inputs, &weight, causal, false);
                let parts = run(&inputs, &weight, causal, true);
                let tolerance = if dtype == DType::F32 { 2e-5 } else { 1e-13 };
                for (i, (a, b)) in one.iter().zip(&parts).enumerate() {
                    assert_eq!(a.shape(), b.shape());
                    let far = (a - b).abs().max().to(DType::F64).item_as::<f64>();
                    assert!(far < tolerance, "{leading:?} {l} {s} {e} {ev} {dtype:?} {causal} {i}: {far}");
                }
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let generator = Generator::new(2);
    for batch in [2, 12] {
        let draw = || Tensor::from(Array::normal([batch, 4, 64, 32], 0.0, 1.0, DType::F32, &generator));
        let (inputs, weight) = ([draw(), draw(), draw()], draw());
        set_num_threads(1);
        let first = run(&inputs, &weight, true, false).map(|x| bits(&x));
        set_num_threads(2);
        let second = run(&inputs, &weight, true, false);
        assert!(second[0].transpose(1, 2).is_contiguous());
        assert!(first == second.map(|x| bits(&x)));
    }
}

/// The largest score of a row passes over a NaN, the row must not.
#[test]
fn a_key_that_is_nan_spoils_the_rows_that_see_it() {
    let generator = Generator::new(3);
    for spoilt in [0, 15, 16, 20, 39] {
        let draw = || Array::normal([1, 40, 8], 0.0, 1.0, DType::F32, &generator);
        let (q, v) = (Tensor::from(draw()), Tensor::from(draw()));
        let mut k = draw().to_vec::<f32>();
        k[spoilt * 8 + 3] = f32::NAN;
        let k = Tensor::from(Array::from_vec(k, [1, 40, 8]));
        for causal in [false, true] {
            let options = AttentionOptions { is_causal: causal, ..Default::default() };
            let y = scaled_dot_product_attention_with(&q, &k, &v, None, &options).to_vec::<f32>();
            for (row, y) in y.chunks(8).enumerate() {
                let sees = !causal || row >= spoilt;
                assert!(
                    y.iter().all(|y| y.is_nan() == sees),
                    "key {spoilt}, row {row}, causal {causal}: {y:?}"
                );
            }
        }
    }
}

/// A layer that computes queries, keys and values at once gets their gradients in one array.
#[test]
fn gradients_of_parts_of_one_array_are_those_of_three() {
    let generator = Generator::new(5);
    for (samples, rows, heads, width) in [(8, 33, 2, 5), (9, 64, 4, 16), (8, 20, 1, 3)] {
        let draw = |columns: usize| {
            Tensor::from(Array::normal([samples, rows, columns], 0.0, 1.0, DType::F32, &generator))
        };
        let (all, weight) = (draw(3 * heads * width), draw(heads * width));
        let of_heads = |x: &Tensor| {
            x.view([samples as isize, rows as isize, heads as isize, width as isize]).transpose(1, 2)
        };
        for causal in [false, true] {
            let backward = |parts: &[Tensor]| {
                let options = AttentionOptions { is_causal: causal, ..Default::default() };
                let [q, k, v] = [0, 1, 2].map(|i| of_heads(&parts[i]));
                let y = scaled_dot_product_attention_with(&q, &k, &v, None, &options);
                (y * of_heads(&weight)).sum().backward();
            };
            let one = all.detach().requires_grad_();
            backward(&one.chunk(3, 2));
            let three: Vec<Tensor> =
                all.chunk(3, 2).iter().map(|part| part.contiguous().detach().requires_grad_()).collect();
            backward(&three);
            for (found, expected) in one.grad().expect("it was used").chunk(3, 2).iter().zip(&three) {
                assert!(bits(found) == bits(&expected.grad().expect("it was used")), "causal: {causal}");
            }
            // In another order they are three.
            let other = all.detach().requires_grad_();
            let [q, k, v] = <[Tensor; 3]>::try_from(other.chunk(3, 2)).expect("three parts");
            backward(&[k.clone(), q.clone(), v.clone()]);
            let swapped = all.detach().requires_grad_();
            let parts: Vec<Tensor> = swapped.chunk(3, 2).iter().map(Tensor::contiguous).collect();
            backward(&[parts[1].clone(), parts[0].clone(), parts[2].clone()]);
            assert!(bits(&other.grad().expect("it was used")) == bits(&swapped.grad().expect("it was used")));
        }
    }
}
