//! Times operations for `tests/conformance/speed.py`, which times PyTorch's beside them.
//!
//! It reads lines `ROW N` (the row of `speed.json`, the number of elements) and answers each with the nanoseconds of
//! the call, the median of several, or with `- REASON`.

use rushlight::array::Array;
use rushlight::array::random::Generator;
use rushlight::{DType, Tensor};
use rushlight_conformance::args::{Args, Py};
use rushlight_conformance::{ops, run};
use serde_json::Value;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Calls are repeated for this long, at least [`LEAST`] times.
const TIME: Duration = Duration::from_millis(150);
const LEAST: usize = 3;

fn main() {
    let spec: Value = serde_json::from_str(include_str!("../../speed.json")).expect("speed.json is JSON");
    run::hush();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [row, n] = words.as_slice() else { continue };
        let answer = catch_unwind(AssertUnwindSafe(|| time(&spec[*row], *n)))
            .unwrap_or_else(|_| Err(run::last_panic().1));
        match answer {
            Ok(nanoseconds) => println!("{nanoseconds}"),
            Err(why) => println!("- {}", why.replace('\n', " ")),
        }
        let _ = std::io::stdout().flush();
    }
}

fn time(row: &Value, n: usize) -> Result<u128, String> {
    let op = row["op"].as_str().unwrap_or_default();
    let call = ops::call(op).ok_or("not implemented")?;
    let generator = Generator::new(1);
    let value = |spec: &Value| value(spec, n, &generator);
    let args: Vec<Py> = row["args"].as_array().into_iter().flatten().map(value).collect();
    let kwargs: Vec<(String, Py)> = row["kwargs"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, spec)| (name.clone(), value(spec)))
        .collect();
    let mut times = Vec::new();
    let start = Instant::now();
    call(&mut Args::new(args.clone(), kwargs.clone()))?;
    while times.len() < LEAST || start.elapsed() < TIME {
        let mut args = Args::new(args.clone(), kwargs.clone());
        let before = Instant::now();
        let out = call(&mut args)?;
        times.push(before.elapsed().as_nanos());
        drop(out);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// A size: a number, `n`, `r` (the root of n), or `n/100`.
fn size(spec: &Value, n: usize) -> usize {
    let root = n.isqrt();
    match spec.as_str() {
        None => spec.as_u64().unwrap_or(0) as usize,
        Some(text) => {
            let (name, divisor) = text.split_once('/').unwrap_or((text, "1"));
            let whole = if name == "r" { root } else { n };
            whole / divisor.parse::<usize>().unwrap_or(1)
        }
    }
}

fn value(spec: &Value, n: usize, generator: &Generator) -> Py {
    let shape = |key: &str| -> Vec<usize> {
        spec[key].as_array().into_iter().flatten().map(|spec| size(spec, n)).collect()
    };
    let number = |key: &str, default: f64| spec[key].as_f64().unwrap_or(default);
    let whole = |key: &str| size(&spec[key], n) as i64;
    let Some((kind, _)) =
        spec.as_object().and_then(|map| map.iter().find(|(key, _)| !["low", "high"].contains(&key.as_str())))
    else {
        return match spec {
            Value::Bool(x) => Py::Bool(*x),
            Value::String(text) => Py::Str(text.clone()),
            Value::Number(x) if x.is_f64() => Py::Float(x.as_f64().unwrap_or(0.0)),
            other => Py::Int(other.as_i64().unwrap_or(0)),
        };
    };
    let tensor = |array: Array| Py::Tensor(array.into());
    let uniform = |shape: &[usize], low, high| Array::uniform(shape, low, high, DType::F32, generator);
    match kind.as_str() {
        "uniform" => tensor(uniform(&shape("uniform"), number("low", 0.0), number("high", 1.0))),
        "ints" => tensor(Array::randint(whole("low"), whole("high"), shape("ints").as_slice(), generator)),
        "bools" => tensor(Array::bernoulli(shape("bools").as_slice(), 0.5, generator).cast(DType::Bool)),
        "zeros" => tensor(Array::zeros(shape("zeros").as_slice(), DType::F32)),
        "ones" => tensor(Array::ones(shape("ones").as_slice(), DType::F32)),
        "perm" => tensor(Array::randperm(size(&spec["perm"], n), generator)),
        "spd" | "chol" => {
            // Far from singular, without the work of a product.
            let r = size(&spec[kind.as_str()], n);
            let noise = uniform(&[r, r], -0.1, 0.1);
            let a = noise.add(&noise.t()).add(&Array::eye(r, r, DType::F32).scale(r as f64));
            tensor(if kind == "spd" { a } else { a.mul(&lower(r)) })
        }
        "t" => match value(&spec["t"], n, generator) {
            Py::Tensor(x) => Py::Tensor(x.t()),
            other => other,
        },
        "list" => {
            Py::List(spec["list"].as_array().into_iter().flatten().map(|x| value(x, n, generator)).collect())
        }
        "int_list" => Py::List(shape("int_list").into_iter().map(|size| Py::Int(size as i64)).collect()),
        "size" => Py::Int(whole("size")),
        _ => Py::DType(
            DType::ALL
                .into_iter()
                .find(|dtype| Some(format!("{dtype:?}").as_str()) == spec["dtype"].as_str())
                .unwrap_or(DType::F32),
        ),
    }
}

/// Ones at and below the diagonal.
fn lower(r: usize) -> Array {
    let places = Tensor::from(Array::arange(0, r as i64, 1));
    places.unsqueeze(1).ge(&places).to(DType::F32).array()
}
