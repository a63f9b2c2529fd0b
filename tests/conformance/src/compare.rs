//! Compares what came out with what PyTorch gave.

use crate::args::Py;
use rushlight::{DType, Tensor};

/// Why two values differ; `None` if they do not. Integers and bools must be equal, floats within
/// `atol + rtol * |expected|`; NaN equals NaN and an infinity itself.
pub fn difference(actual: &Py, expected: &Py, [rtol, atol]: [f64; 2], values: bool) -> Option<String> {
    match (actual, expected) {
        (Py::Tensor(a), Py::Tensor(b)) => tensors(a, b, [rtol, atol], values),
        (Py::Bool(a), Py::Bool(b)) if a == b => None,
        (Py::Int(a), Py::Int(b)) if a == b => None,
        (Py::Float(a), Py::Float(b)) if close(*a, *b, [rtol, atol]) => None,
        // `item()` gives a float for every dtype here.
        (Py::Float(a), Py::Int(b)) if *a == *b as f64 => None,
        (Py::Float(a), Py::Bool(b)) if *a == f64::from(u8::from(*b)) => None,
        (a, b) => Some(format!("expected {b:?}\n     got {a:?}")),
    }
}

fn close(a: f64, b: f64, [rtol, atol]: [f64; 2]) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= atol + rtol * b.abs()
}

/// Why two tensors differ.
pub fn tensors(a: &Tensor, b: &Tensor, tol: [f64; 2], values: bool) -> Option<String> {
    if a.dtype() != b.dtype() {
        return Some(format!("expected dtype {}, got {}", b.dtype(), a.dtype()));
    }
    if a.shape() != b.shape() {
        return Some(format!("expected shape {:?}, got {:?}", b.shape(), a.shape()));
    }
    if !values {
        return None;
    }
    let at = if a.dtype().is_float() {
        let (a, b) = (a.detach().to(DType::F64).to_vec::<f64>(), b.to(DType::F64).to_vec::<f64>());
        a.iter().zip(&b).position(|(&a, &b)| !close(a, b, tol))
    } else {
        let (a, b) = (a.to(DType::I64).to_vec::<i64>(), b.to(DType::I64).to_vec::<i64>());
        a.iter().zip(&b).position(|(a, b)| a != b)
    }?;
    let place = |x: &Tensor| x.detach().reshape([-1]).select(0, at as isize).to(DType::F64).item();
    Some(format!(
        "element {at} is {:?}, expected {:?}\nexpected {b}\n     got {a}",
        place(a),
        place(b),
        a = a.detach()
    ))
}
