//! Special functions against PyTorch's values; `golden/special.py` made them.

use rushlight_array::Array;
use serde_json::Value;

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn special_functions_are_those_of_pytorch() {
    let rows: Value = serde_json::from_str(include_str!("golden/special.json")).unwrap();
    for row in rows.as_array().unwrap() {
        let (name, points, expected) =
            (row["name"].as_str().unwrap(), numbers(&row["x"]), numbers(&row["y"]));
        let x = Array::from_vec(points.clone(), points.len());
        let y = match name {
            "digamma" => x.digamma(),
            "lgamma" => x.lgamma(),
            "i0" => x.i0(),
            "i1" => x.i1(),
            "sinc" => x.sinc(),
            "erfc" => x.erfc(),
            "erfinv" => x.erfinv(),
            "polygamma1" => x.polygamma(1),
            "polygamma2" => x.polygamma(2),
            "polygamma5" => x.polygamma(5),
            name => panic!("{name} is not known here"),
        };
        for ((x, y), expected) in points.iter().zip(y.to_vec::<f64>()).zip(expected) {
            // PyTorch's series for the first derivative of digamma, taken from 6 on, ends before 1 / (30 x^9).
            let cut = if name == "polygamma1" { 1.0 / (30.0 * 6f64.powi(9)) } else { 1e-15 };
            let bound = 1e-12 * expected.abs() + cut;
            assert!((y - expected).abs() <= bound, "{name}({x}) is {y:e}, and PyTorch's {expected:e}");
        }
    }
}

#[test]
fn derivatives_of_digamma_below_zero_continue_those_above() {
    // By the recurrence psi_n(x) = psi_n(x + 1) - (-1)^n n! / x^(n + 1), here for n = 2 at -2.5 from 0.5.
    let at = |x: f64| Array::from_vec(vec![x], 1).polygamma(2).item::<f64>();
    let sum: f64 = [-2.5f64, -1.5, -0.5].iter().map(|x| 2.0 / x.powi(3)).sum();
    assert!((at(-2.5) - (at(0.5) - sum)).abs() < 1e-12);
}

#[test]
fn far_and_special_arguments_end() {
    let x = Array::from_vec(vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -1e300, 1e300, -1e15 - 0.5], 6);
    let third = x.polygamma(3).to_vec::<f64>();
    assert!(third[0] == 0.0 && third[1].is_nan() && third[2].is_nan() && third[4] == 0.0);
    assert!(x.digamma().to_vec::<f64>()[4] > 690.0);
    assert!(x.erfinv().to_vec::<f64>().iter().all(|v| v.is_nan()));
    assert!(Array::from_vec(vec![1.5f64], 1).polygamma(4_000_000_000).to_vec::<f64>().len() == 1);
}
