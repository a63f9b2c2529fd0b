//! Trajectories against PyTorch; `golden/optim.py` says how they were made.

use rushlight_array::{Array, DType};
use rushlight_autograd::{Tensor, no_grad, tensor, tensor_as};
use rushlight_optim::{Adam, LBFGS, LineSearch, Optimizer, SGD};
use serde_json::Value;

const SHAPES: [&[usize]; 3] = [&[3, 2], &[3], &[]];

fn floats(value: &Value) -> Option<Vec<f64>> {
    Some(value.as_array()?.iter().map(|v| v.as_f64().unwrap()).collect())
}

fn array(values: Vec<f64>, shape: &[usize], dtype: DType) -> Array {
    Array::from_vec(values, shape).cast(dtype)
}

fn optimizer(record: &Value, parameters: Vec<Tensor>) -> Box<dyn Optimizer> {
    let options = &record["options"];
    let number = |name: &str| options[name].as_f64().unwrap_or(0.0);
    let flag = |name: &str| options[name].as_bool().unwrap_or(false);
    match record["optimizer"].as_str().unwrap() {
        "SGD" => Box::new(
            SGD::new(parameters, number("lr"))
                .momentum(number("momentum"))
                .dampening(number("dampening"))
                .nesterov(flag("nesterov"))
                .weight_decay(number("weight_decay"))
                .maximize(flag("maximize")),
        ),
        "Adam" => {
            let betas = floats(&options["betas"]).unwrap();
            Box::new(
                Adam::new(parameters, number("lr"))
                    .betas(betas[0], betas[1])
                    .eps(number("eps"))
                    .weight_decay(number("weight_decay")),
            )
        }
        other => panic!("no optimiser {other}"),
    }
}

#[test]
fn trajectories_match_pytorch() {
    let records: Vec<Value> = serde_json::from_str(include_str!("golden/optim.json")).unwrap();
    assert_eq!(records.len(), 50);
    for record in &records {
        let (dtype, rtol) = match record["dtype"].as_str().unwrap() {
            "float64" => (DType::F64, 1e-12),
            _ => (DType::F32, 2e-6),
        };
        let parameters: Vec<Tensor> = SHAPES
            .iter()
            .zip(record["init"].as_array().unwrap())
            .map(|(shape, init)| Tensor::new_leaf(array(floats(init).unwrap(), shape, dtype), true))
            .collect();
        let mut optimizer = optimizer(record, parameters.clone());
        for (i, step) in record["steps"].as_array().unwrap().iter().enumerate() {
            for ((p, grad), shape) in parameters.iter().zip(step["grads"].as_array().unwrap()).zip(SHAPES) {
                p.set_grad(floats(grad).map(|g| array(g, shape, dtype).into()));
            }
            optimizer.step();
            for (p, after) in parameters.iter().zip(step["after"].as_array().unwrap()) {
                let want = array(floats(after).unwrap(), &p.shape(), dtype);
                assert!(
                    p.array().allclose(&want, rtol, rtol),
                    "step {i} of {}: {p} is not {want}",
                    record["options"]
                );
            }
        }
    }
}

#[test]
fn lbfgs_goes_down_rosenbrocks_valley_as_pytorch() {
    let records: Vec<Value> = serde_json::from_str(include_str!("golden/lbfgs.json")).unwrap();
    assert_eq!(records.len(), 5);
    for record in &records {
        let options = &record["options"];
        let leaf =
            |v: [f64; 2], shape: &[usize]| Tensor::new_leaf(array(v.to_vec(), shape, DType::F64), true);
        let (x, y) = (leaf([-1.2, 0.5], &[2]), leaf([1.0, 2.0], &[2, 1]));
        let mut optimizer = LBFGS::new([&x, &y], options["lr"].as_f64().unwrap());
        for (name, value) in options.as_object().unwrap() {
            let count = || value.as_u64().unwrap() as usize;
            optimizer = match name.as_str() {
                "lr" => optimizer,
                "history_size" => optimizer.history_size(count()),
                "max_iter" => optimizer.max_iter(count()),
                "max_eval" => optimizer.max_eval(count()),
                "tolerance_change" => optimizer.tolerance_change(value.as_f64().unwrap()),
                "tolerance_grad" => optimizer.tolerance_grad(value.as_f64().unwrap()),
                "line_search_fn" => optimizer.line_search_fn(LineSearch::StrongWolfe),
                "maximize" => optimizer.maximize(true),
                other => panic!("no option {other}"),
            };
        }
        let sign = if options["maximize"] == true { -1.0 } else { 1.0 };
        for (i, step) in record["steps"].as_array().unwrap().iter().enumerate() {
            let loss = optimizer.step_with(&mut || {
                [&x, &y].iter().for_each(|p| p.zero_grad());
                let valley = (y.reshape([2]) - &x * &x).square() * 100.0 + (1.0 - &x).square();
                let loss = valley.sum() * sign;
                loss.backward();
                loss
            });
            let close = |a: f64, b: f64| {
                assert!((a - b).abs() <= 1e-6 * b.abs() + 1e-9, "step {i} of {options}: {a} {b}")
            };
            close(loss.item(), step["loss"].as_f64().unwrap());
            for (p, after) in [&x, &y].into_iter().zip(step["after"].as_array().unwrap()) {
                p.detach()
                    .to_vec::<f64>()
                    .into_iter()
                    .zip(floats(after).unwrap())
                    .for_each(|(a, b)| close(a, b));
            }
            let evaluations = optimizer.state_dict().state[&0].scalars["func_evals"];
            assert_eq!(evaluations, step["evaluations"].as_f64().unwrap(), "step {i} of {options}");
        }
    }
}

#[test]
#[should_panic(expected = "LBFGS: step() without a closure")]
fn lbfgs_needs_a_closure() {
    LBFGS::new([&tensor([1.0]).requires_grad_()], 1.0).step();
}

#[test]
fn a_step_leaves_alone_what_a_graph_has_saved() {
    let w = tensor([3.0]).requires_grad_();
    let square = &w * &w;
    let mut optimizer = SGD::new([&w], 1.0);
    w.set_grad(Some(tensor([1.0])));
    optimizer.step();
    assert_eq!(w.to_vec::<f32>(), [2.0]);
    optimizer.zero_grad();
    square.sum().backward();
    // d(w^2)/dw at the w of the forward pass: 2 * 3.
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [6.0]);
}

#[test]
fn a_step_works_in_place_when_nobody_else_holds_the_values() {
    let w = tensor(vec![1.0; 1000]).requires_grad_();
    let place = || w.array().as_slice::<f32>().unwrap().as_ptr();
    let before = place();
    let mut optimizer = SGD::new([&w], 0.1).momentum(0.9);
    for _ in 0..3 {
        w.set_grad(Some(w.detach() * 0.5));
        optimizer.step();
    }
    assert_eq!(place(), before);
    let held = w.array();
    optimizer.step();
    assert_ne!(place(), before, "values that somebody holds must not change");
    assert_eq!(held.shape(), &w.shape());
}

#[test]
fn half_precision_parameters_are_stepped_in_f32() {
    let w = no_grad(|| tensor([1.0, 2.0]).to(DType::BF16)).requires_grad_();
    w.set_grad(Some(tensor([1.0, 1.0]).to(DType::BF16)));
    SGD::new([&w], 0.5).momentum(0.9).step();
    assert_eq!(w.to(DType::F32).detach().to_vec::<f32>(), [0.5, 1.5]);
}

#[test]
#[should_panic(
    expected = "SGD: nesterov with momentum 0 and dampening 0; it needs a momentum and no dampening"
)]
fn nesterov_needs_a_momentum() {
    let w = tensor([1.0]).requires_grad_();
    SGD::new([&w], 0.1).nesterov(true).step();
}

#[test]
fn state_follows_a_parameter_that_is_cast() {
    for adam in [false, true] {
        let w = tensor([1.0, 2.0]).requires_grad_();
        let mut optimizer: Box<dyn Optimizer> =
            if adam { Box::new(Adam::new([&w], 0.1)) } else { Box::new(SGD::new([&w], 0.1).momentum(0.9)) };
        w.set_grad(Some(tensor([1.0, 1.0])));
        optimizer.step();
        w.zero_grad();
        no_grad(|| w.set(w.detach().to(DType::F64)));
        w.set_grad(Some(tensor_as([1.0, 1.0], DType::F64)));
        optimizer.step();
        assert_eq!(w.dtype(), DType::F64);
        // SGD: 0.1 (1 + 1.9) below the start; Adam: about 0.1 a step.
        let moved = 1.0 - w.to_vec::<f64>()[0];
        assert!((moved - if adam { 0.2 } else { 0.29 }).abs() < 1e-6, "{moved}");
    }
}

#[test]
#[should_panic(expected = "SGD: parameters 0 and 1 are the same tensor; give each once")]
fn a_parameter_given_twice_would_step_twice() {
    let w = tensor([1.0]).requires_grad_();
    SGD::new([&w, &w], 0.1);
}

#[test]
#[should_panic(
    expected = "Adam: parameter 1 of shape [1] (float32) is not a leaf of floats, so it cannot be optimised"
)]
fn only_leaves_can_be_optimised() {
    let w = tensor([1.0]).requires_grad_();
    Adam::new([&w, &(&w * 2.0)], 0.1);
}
