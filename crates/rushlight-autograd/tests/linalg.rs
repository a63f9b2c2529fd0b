//! What `ops::linalg` has beyond the op table's own checks: results and gradients of PyTorch, in golden/linalg.json, which
//! golden/make_linalg.py wrote.

use rushlight_autograd::array::DType;
use rushlight_autograd::ops::linalg::{self, NormOptions, NormOrder, QrMode};
use rushlight_autograd::{GradOptions, Tensor, grad_with};
use serde_json::Value;

fn read(value: &Value) -> Tensor {
    let shape: Vec<usize> =
        value["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect();
    let data: Vec<f64> = value["data"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    Tensor::from_vec(data, shape)
}

fn joined(parts: &[&Tensor]) -> Tensor {
    let flat: Vec<Tensor> = parts.iter().map(|part| part.reshape([-1])).collect();
    Tensor::cat(&flat.iter().collect::<Vec<_>>(), 0)
}

fn squared(parts: &[&Tensor]) -> Tensor {
    let all = joined(parts);
    &all * &all
}

fn norm(x: &Tensor, ord: NormOrder, dim: &[isize], keepdim: bool) -> Tensor {
    let dim = if dim.is_empty() { None } else { Some(dim.to_vec()) };
    linalg::norm_with(x, &NormOptions { ord: Some(ord), dim, keepdim, dtype: None })
}

fn call(name: &str, x: &[Tensor]) -> Tensor {
    let symmetric = |x: &Tensor| x + x.transpose(-1, -2);
    let a = &x[0];
    match name {
        "qr" => {
            let (q, r) = linalg::qr(a);
            joined(&[&q, &r])
        }
        "qr complete" => {
            let (q, r) = linalg::qr_with(&a.detach(), QrMode::Complete);
            joined(&[&q, &r])
        }
        "svd" => {
            let (u, s, v) = linalg::svd_with(a, false);
            squared(&[&u, &s, &v])
        }
        "svdvals" => linalg::svdvals(a),
        "eigh" => {
            let (values, vectors) = linalg::eigh(&symmetric(a));
            squared(&[&values, &vectors])
        }
        "eigvalsh" => linalg::eigvalsh(&symmetric(a)),
        "lstsq" => linalg::lstsq(a, &x[1]).solution,
        "lstsq residuals" => linalg::lstsq(&a.detach(), &x[1].detach()).residuals,
        "pinv" => linalg::pinv(a),
        "lu" => {
            let (p, l, u) = linalg::lu(a);
            joined(&[&p, &l, &u])
        }
        "lu_factor" => linalg::lu_factor(&a.detach()).1.to(DType::F64),
        "matrix_rank" => linalg::matrix_rank(a).to(DType::F64),
        "cond" => linalg::cond(a, 2.0),
        "cond fro" => linalg::cond(&a.detach(), NormOrder::Fro),
        "norm fro" => norm(a, NormOrder::Fro, &[], false),
        "norm nuc" => norm(a, NormOrder::Nuc, &[0, 2], true),
        "norm 2" => norm(a, NormOrder::P(2.0), &[], false),
        "norm -2" => norm(a, NormOrder::P(-2.0), &[], false),
        "norm 1" => norm(a, NormOrder::P(1.0), &[0, 1], false),
        "norm -inf" => norm(a, NormOrder::P(f64::NEG_INFINITY), &[], false),
        "norm vector 0.5" => norm(a, NormOrder::P(0.5), &[-1], false),
        "norm vector -1" => norm(a, NormOrder::P(-1.0), &[-1], false),
        "norm vector 3" => norm(a, NormOrder::P(3.0), &[-1], false),
        "det" => linalg::det(a),
        other => panic!("{other} is not in the match"),
    }
}

fn assert_close(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    assert!(found.allclose(expected, 1e-8, 1e-9), "{what}: {found} is not {expected}");
}

#[test]
fn results_and_gradients_are_those_of_torch() {
    let text = include_str!("golden/linalg.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() > 30);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let inputs: Vec<Tensor> =
            case["inputs"].as_array().unwrap().iter().map(|x| read(x).requires_grad_()).collect();
        let y = call(name, &inputs);
        assert_close(name, &y.detach(), &read(&case["result"]));
        let Some(grads) = case["grads"].as_array() else { continue };
        let count = y.numel();
        let step = if count > 1 { 1.0 / (count - 1) as f64 } else { 0.0 };
        let weights: Vec<f64> = (0..count).map(|i| 0.5 + step * i as f64).collect();
        let options = GradOptions {
            allow_unused: true,
            grad_outputs: vec![Tensor::from_vec(weights, y.shape())],
            ..GradOptions::default()
        };
        let found = grad_with(&[&y], &inputs.iter().collect::<Vec<_>>(), &options);
        for (found, expected) in found.iter().zip(grads) {
            assert_close(&format!("{name}, a gradient"), found, &read(expected));
        }
    }
}

#[test]
fn integer_products_stay_integers_with_fractional_factors() {
    // As PyTorch does, 0.6 and 1.9 are cut to 0 and 1.
    let x = Tensor::from_vec(vec![1i64, 2, 3, 4], [2, 2]);
    let y = x.addmm_with(&x, &x, 0.6, 1.9);
    assert_eq!((y.dtype(), y.to_vec::<i64>()), (DType::I64, vec![7, 10, 15, 22]));
}

#[test]
fn beta_of_zero_forgets_even_nan() {
    let nan = Tensor::from_vec(vec![f32::NAN; 2], [2]);
    let x = Tensor::from_vec(vec![1.0f32, 2.0], [2]);
    assert_eq!(nan.addr_with(&x, &x, 0, 1).to_vec::<f32>(), [1.0, 2.0, 2.0, 4.0]);
}

#[test]
fn the_gradient_of_a_zero_determinant_is_the_cofactors() {
    // d(ad - bc) is (d, -c, -b, a), also where ad = bc.
    let a = Tensor::from_vec(vec![1.0f64, 2.0, 2.0, 4.0], [2, 2]).requires_grad_();
    linalg::det(&a).backward();
    assert_close("det", &a.grad().unwrap(), &Tensor::from_vec(vec![4.0f64, -2.0, -2.0, 1.0], [2, 2]));
}
