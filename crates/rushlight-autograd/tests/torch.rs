//! Values, first and second gradients at hard places (kinks, bounds, ties, infinities, ignored rows) against
//! PyTorch's, in golden/torch.json, which golden/make_torch.py wrote.

use rushlight_autograd::array::{Array, DType, Index};
use rushlight_autograd::ops::*;
use rushlight_autograd::{GradOptions, Tensor, grad_with};
use serde_json::Value;

/// One call by name; `x` are the inputs in the generator's order.
fn call(name: &str, x: &[Tensor]) -> Tensor {
    let words: Vec<&str> = name.split(' ').collect();
    let reduction = match words.last() {
        Some(&"sum") => Reduction::Sum,
        Some(&"none") => Reduction::None,
        _ => Reduction::Mean,
    };
    let constant = |i: usize| x.get(i).map(Tensor::detach);
    let entropy = CrossEntropyOptions { reduction, ..CrossEntropyOptions::default() };
    let weighted = CrossEntropyOptions { weight: constant(2), ..entropy.clone() };
    match words[0] {
        "cross_entropy" | "cross_entropy_soft" => cross_entropy_with(&x[0], &x[1], &entropy),
        "cross_entropy_weight" => cross_entropy_with(&x[0], &x[1], &weighted),
        "cross_entropy_smooth" => {
            cross_entropy_with(&x[0], &x[1], &CrossEntropyOptions { label_smoothing: 0.2, ..weighted })
        }
        "cross_entropy_soft_weight" => {
            cross_entropy_with(&x[0], &x[1], &CrossEntropyOptions { label_smoothing: 0.1, ..weighted })
        }
        "cross_entropy_ignore_1" => {
            cross_entropy_with(&x[0], &x[1], &CrossEntropyOptions { ignore_index: 1, ..entropy })
        }
        "nll_loss" => nll_loss(&x[0], &x[1]),
        "nll_loss_weight" => {
            let options = NllLossOptions { weight: constant(2), reduction, ..NllLossOptions::default() };
            nll_loss_with(&x[0], &x[1], &options)
        }
        "bce" | "bce_weight" => {
            let target = if name == "bce none" { x[1].detach() } else { x[1].clone() };
            let target = if x[0].numel() == 4 { target } else { x[1].clone() };
            binary_cross_entropy_with(&x[0], &target, constant(2).as_ref(), reduction)
        }
        "bce_logits" | "bce_logits_pos" => {
            let options = BceWithLogitsOptions { weight: constant(2), pos_weight: constant(3), reduction };
            binary_cross_entropy_with_logits_with(&x[0], &x[1], &options)
        }
        "mse" => mse_loss_with(&x[0], &x[1], reduction, None),
        other => elementwise(other, x)
            .or_else(|| reduced(other, x))
            .or_else(|| indexed(other, x))
            .unwrap_or_else(|| panic!("{other} is not in the match")),
    }
}

fn elementwise(name: &str, x: &[Tensor]) -> Option<Tensor> {
    let (zero, infinity) = (0.0, f64::INFINITY);
    Some(match name {
        "abs" => x[0].abs(),
        "sign" => x[0].sign(),
        "relu" => x[0].relu(),
        "floor" => x[0].floor(),
        "leaky_relu" => x[0].leaky_relu_with(0.1),
        "clamp" => x[0].clamp(-1.0, 1.0),
        "clamp_min" => x[0].clamp(zero, infinity),
        "square" => x[0].square(),
        "exp" => x[0].exp(),
        "sin" => x[0].sin(),
        "cos" => x[0].cos(),
        "neg" => -&x[0],
        "sigmoid" => x[0].sigmoid(),
        "tanh" => x[0].tanh(),
        "sqrt" => x[0].sqrt(),
        "log" => x[0].log(),
        "reciprocal" => x[0].reciprocal(),
        "log_relu" => x[0].relu().log(),
        "sqrt_clamp" => x[0].clamp(zero, infinity).sqrt(),
        "sqrt_floor" => x[0].floor().sqrt(),
        "pow" => x[0].pow(&x[1]),
        "maximum" => x[0].maximum(&x[1]),
        "minimum" => x[0].minimum(&x[1]),
        "div" => &x[0] / &x[1],
        "where" => where_(&x[0].gt(0.0), &x[0], &x[1]),
        "matmul" => x[0].matmul(&x[1]),
        "linear" => linear(&x[0], &x[1], Some(&x[2])),
        power => x[0].pow(power.strip_prefix("powf")?.parse::<f64>().ok()?),
    })
}

fn reduced(name: &str, x: &[Tensor]) -> Option<Tensor> {
    Some(match name {
        "max" => x[0].max(),
        "min" => x[0].min(),
        "amax1" => x[0].amax(1, false),
        "amin0" => x[0].amin(0, true),
        "amax01" => x[0].amax([0, 1], false),
        "max_dim" => x[0].max_dim(1, false).0,
        "min_dim" => x[0].min_dim(0, false).0,
        "prod" => x[0].prod(),
        "var" => x[0].var(),
        "std" => x[0].std(),
        "sum_dim" => x[0].sum_dim([0, 2], false),
        "mean_dim" => x[0].mean_dim(-1, true),
        "mean" => x[0].mean(),
        "softmax" => x[0].softmax(-1),
        "log_softmax" => x[0].log_softmax(-1),
        "logsumexp" => x[0].logsumexp(-1, false),
        "logsumexp0" => x[0].logsumexp(0, true),
        _ => return None,
    })
}

fn indexed(name: &str, x: &[Tensor]) -> Option<Tensor> {
    Some(match name {
        "index_select" => x[0].index_select(1, &x[1]),
        "gather" => x[0].gather(1, &x[1]),
        "scatter" => x[0].scatter(1, &x[2], &x[1]),
        "scatter_add" => x[0].scatter_add(1, &x[2], &x[1]),
        "index_add" => x[0].index_add(0, &x[2], &x[1]),
        "masked_fill" => x[0].masked_fill(&x[0].gt(2.0), f64::NEG_INFINITY),
        "masked_select" => x[0].masked_select(&x[0].gt(0.0)),
        "get_row" => x[0].get(-1),
        "get_ranges" => x[0].get((.., 1.., 0)),
        "get_step" => x[0].get((.., Index::step(0, 3, 2))),
        "get_index" => x[0].get(&x[1]),
        "get_two" | "get_broadcast" => x[0].get((&x[1], &x[2])),
        "get_split" => x[0].get((&x[1], .., &x[2])),
        "get_middle" => x[0].get((.., &x[1])),
        "get_mask" => x[0].get(&x[0].gt(4.0)),
        "get_new" => x[0].get((Index::NewAxis, 1, .., ..)).unsqueeze(-1),
        "cat" => cat(&[&x[0], &x[1], &x[0]], 0),
        "stack" => stack(&[&x[0], &x[1]], -1),
        "unfold" => x[0].unfold(1, 2, 1),
        "split" => x[0].split(2, 1)[1].clone(),
        _ => return None,
    })
}

fn array(packed: &Value) -> Array {
    let shape: Vec<usize> = sizes(packed);
    let numbers = packed["data"].as_array().expect("a list").iter();
    if packed["dtype"] == "int64" {
        return Array::from_vec(numbers.map(|v| v.as_i64().expect("an integer")).collect(), shape);
    }
    let float = |v: &Value| match v {
        Value::String(text) => text.parse::<f64>().expect("nan, inf or -inf"),
        other => other.as_f64().expect("a number"),
    };
    let dtype = if packed["dtype"] == "float32" { DType::F32 } else { DType::F64 };
    Array::from_vec(numbers.map(float).collect::<Vec<f64>>(), shape).cast(dtype)
}

fn sizes(packed: &Value) -> Vec<usize> {
    packed["shape"].as_array().expect("a list").iter().map(|s| s.as_u64().expect("a size") as usize).collect()
}

/// 1, 1.25, 1.5, ...
fn cotangent(like: &Tensor) -> Tensor {
    let values: Vec<f64> = (0..like.numel()).map(|i| 1.0 + 0.25 * i as f64).collect();
    Tensor::from_vec(values, like.shape()).to(like.dtype())
}

/// The complaint, if two tensors differ.
fn difference(what: &str, ours: &Tensor, torch: &Array) -> Option<String> {
    if ours.shape() != *torch.shape() || ours.dtype() != torch.dtype() {
        return Some(format!("{what}: {:?} {:?}, PyTorch {:?}", ours.shape(), ours.dtype(), torch.shape()));
    }
    // In f32 gradients cancel to the rounding of terms near 1; values do not.
    let (rtol, atol) = match (ours.dtype() == DType::F32, what) {
        (true, "value") => (3e-6, 1e-12),
        (true, _) => (3e-6, 1e-7),
        _ => (1e-12, 1e-13),
    };
    let [a, b] = [&ours.array(), torch].map(|x| x.cast(DType::F64).to_vec::<f64>());
    let same = |x: f64, y: f64| x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= atol + rtol * y.abs();
    let wrong = a.iter().zip(&b).any(|(&x, &y)| !same(x, y));
    wrong.then(|| format!("{what}: {a:?}, PyTorch {b:?}"))
}

fn compare(row: &Value) -> Vec<String> {
    let list = |key: &str| row[key].as_array().expect("a list").iter().map(array).collect::<Vec<Array>>();
    let inputs: Vec<Tensor> = list("inputs")
        .into_iter()
        .map(|a| if a.dtype().is_float() { Tensor::new_leaf(a, true) } else { a.into() })
        .collect();
    let leaves: Vec<&Tensor> = inputs.iter().filter(|x| x.requires_grad()).collect();
    let second = row.get("second").is_some();
    let y = call(row["name"].as_str().expect("a name"), &inputs);
    let mut wrong = Vec::new();
    wrong.extend(difference("value", &y, &array(&row["value"])));
    let options = GradOptions { create_graph: second, allow_unused: true, ..GradOptions::default() };
    let grads = grad_with(&[&(&y * cotangent(&y)).sum()], &leaves, &options);
    for (i, (ours, torch)) in grads.iter().zip(&list("grads")).enumerate() {
        wrong.extend(difference(&format!("gradient {i}"), ours, torch));
    }
    if !second {
        return wrong;
    }
    let total = grads.iter().map(|g| (g * cotangent(g)).sum()).reduce(|a, b| a + b).expect("a leaf");
    let seconds = match total.requires_grad() {
        true => grad_with(&[&total], &leaves, &GradOptions { create_graph: false, ..options }),
        false => leaves.iter().map(|x| x.zeros_like()).collect(),
    };
    for (i, (ours, torch)) in seconds.iter().zip(&list("second")).enumerate() {
        wrong.extend(difference(&format!("second gradient {i}"), ours, torch));
    }
    wrong
}

#[test]
fn values_and_gradients_at_hard_places_are_pytorchs() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("golden/torch.json")).expect("valid JSON");
    assert!(rows.len() > 150);
    let mut wrong = Vec::new();
    for row in &rows {
        for complaint in compare(row) {
            wrong.push(format!("{} {}: {complaint}", row["name"], row["inputs"][0]["data"]));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
