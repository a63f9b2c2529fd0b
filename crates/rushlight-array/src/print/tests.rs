use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// One line of `tests/golden/print.json`; `print.py` beside it says what each field holds.
struct Golden {
    shape: Vec<usize>,
    dtype: DType,
    values: Option<Vec<String>>,
    options: PrintOptions,
    extra: Vec<String>,
    text: String,
}

impl Golden {
    fn all() -> Vec<Golden> {
        let text = include_str!("../../tests/golden/print.json");
        let json: Value = serde_json::from_str(text).expect("print.json is JSON");
        json.as_array().expect("print.json is a list").iter().map(Golden::read).collect()
    }

    fn read(json: &Value) -> Golden {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        Golden {
            shape: list(&json["shape"]).iter().map(as_usize).collect(),
            dtype: DType::ALL.into_iter().find(|d| json["dtype"] == d.name()).expect("a dtype"),
            values: json["values"].as_str().map(|v| v.split_whitespace().map(str::to_owned).collect()),
            options: read_options(&json["options"]),
            extra: list(&json["extra"]).iter().map(text).collect(),
            text: text(&json["text"]),
        }
    }

    fn print(&self) -> String {
        // Rust reads Python's `nan`, `inf` and `-inf` as it writes them.
        let float = |i: usize| match &self.values {
            Some(values) => values[i].parse::<f64>().expect("a float"),
            None => formula(i) as f64 / 64.0,
        };
        let int = |i: usize| match &self.values {
            Some(values) => values[i].parse::<i64>().expect("an integer"),
            None => formula(i),
        };
        let truth = |i: usize| int(i) != 0;
        let numbers = match self.dtype {
            dtype if dtype.is_float() => Numbers::Float(&float),
            DType::Bool => Numbers::Bool(&truth),
            _ => Numbers::Int(&int),
        };
        format_tensor(&self.shape, self.dtype, numbers, &self.options, &self.extra)
    }
}

fn formula(i: usize) -> i64 {
    (i as i64 * 7919) % 10007 - 5000
}

fn as_usize(value: &Value) -> usize {
    value.as_u64().and_then(|v| usize::try_from(v).ok()).expect("a size")
}

fn read_options(json: &Value) -> PrintOptions {
    let default = PrintOptions::default();
    let size = |name: &str, default: usize| json.get(name).map_or(default, as_usize);
    let endless = json.get("threshold").is_some_and(Value::is_null);
    PrintOptions {
        precision: size("precision", default.precision),
        threshold: if endless { usize::MAX } else { size("threshold", default.threshold) },
        edgeitems: size("edgeitems", default.edgeitems),
        linewidth: size("linewidth", default.linewidth),
        sci_mode: json["sci_mode"].as_bool(),
    }
}

#[test]
fn every_golden_case_prints_as_pytorch_does() {
    let cases = Golden::all();
    assert!(cases.len() > 600, "print.json holds only {} cases", cases.len());
    for (line, case) in cases.iter().enumerate() {
        let (shape, dtype, options) = (&case.shape, case.dtype, &case.options);
        let ours = case.print();
        let at = format!("print.json line {}: {shape:?} {dtype} {options:?}", line + 2);
        assert!(ours == case.text, "{at}\ntorch:\n{}\nours:\n{ours}", case.text);
    }
}

#[test]
fn only_the_printed_elements_are_asked_for() {
    let asked = RefCell::new(Vec::new());
    let float = |i: usize| {
        asked.borrow_mut().push(i);
        0.5
    };
    let options = PrintOptions { edgeitems: 1, ..PrintOptions::default() };
    format_tensor(&[1_000_000, 1_000_000], DType::F32, Numbers::Float(&float), &options, &[]);
    assert_eq!(asked.into_inner(), [0, 999_999, 999_999_000_000, 999_999_999_999]);
}

#[test]
fn a_shape_with_a_zero_is_empty_however_large_the_others() {
    let none = |_: usize| -> f64 { unreachable!("an empty tensor has no elements") };
    let text =
        format_tensor(&[usize::MAX, 2, 0], DType::F32, Numbers::Float(&none), &PrintOptions::full(), &[]);
    assert_eq!(text, format!("tensor([], size=({}, 2, 0))", usize::MAX));
}

#[test]
fn profiles_are_those_of_torch() {
    let default = PrintOptions { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sci_mode: None };
    assert_eq!(PrintOptions::default(), default);
    assert_eq!(PrintOptions::short(), PrintOptions { precision: 2, edgeitems: 2, ..default.clone() });
    assert_eq!(PrintOptions::full(), PrintOptions { threshold: usize::MAX, ..default });
}

fn any_options() -> impl Strategy<Value = PrintOptions> {
    let edgeitems = prop_oneof![0..5_usize, Just(usize::MAX)];
    let precision = prop_oneof![0..20_usize, Just(70_000)];
    let threshold = prop_oneof![0..100_usize, Just(usize::MAX)];
    let linewidth = prop_oneof![0..200_usize, Just(usize::MAX)];
    (precision, threshold, edgeitems, linewidth, any::<Option<bool>>()).prop_map(
        |(precision, threshold, edgeitems, linewidth, sci_mode)| PrintOptions {
            precision,
            threshold,
            edgeitems,
            linewidth,
            sci_mode,
        },
    )
}

/// Opening brackets of a tensor without elements left out: one for the tensor, one for each matrix, each row.
fn brackets(shape: &[usize]) -> usize {
    (0..shape.len()).map(|axis| shape[..axis].iter().product::<usize>()).sum()
}

fn count(text: &str, pattern: &str) -> usize {
    text.matches(pattern).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_tensor_prints_without_a_panic_and_with_closed_brackets(
        shape in prop::collection::vec(0..6_usize, 0..5),
        values in prop::collection::vec(any::<f64>(), 1..20),
        mut options in any_options(),
    ) {
        // 70 000 decimals for each of 625 elements would be 44 MB.
        if shape.iter().product::<usize>() > 4 {
            options.precision %= 20;
        }
        let float = |i: usize| values[i % values.len()];
        let int = |i: usize| values[i % values.len()] as i64;
        let truth = |i: usize| values[i % values.len()] > 0.0;
        for (dtype, numbers) in [
            (DType::F64, Numbers::Float(&float)),
            (DType::I64, Numbers::Int(&int)),
            (DType::Bool, Numbers::Bool(&truth)),
        ] {
            let text = format_tensor(&shape, dtype, numbers, &options, &["requires_grad=True".to_owned()]);
            prop_assert!(text.starts_with("tensor(") && text.ends_with("requires_grad=True)"));
            prop_assert_eq!(count(&text, "["), count(&text, "]"));
        }
    }

    #[test]
    fn without_a_summary_every_element_and_every_bracket_is_there(
        shape in prop::collection::vec(1..5_usize, 0..5),
        linewidth in 0..200_usize,
    ) {
        let int = |i: usize| i as i64;
        let options = PrintOptions { linewidth, ..PrintOptions::full() };
        let text = format_tensor(&shape, DType::I64, Numbers::Int(&int), &options, &[]);
        prop_assert_eq!(count(&text, "["), brackets(&shape));
        let digits = |c: char| !c.is_ascii_digit();
        let found: Vec<usize> = text.split(digits).filter_map(|word| word.parse().ok()).collect();
        prop_assert_eq!(found, (0..shape.iter().product()).collect::<Vec<_>>());
    }

    #[test]
    fn fixed_and_scientific_texts_read_back_within_the_precision(value in -1e8..1e8_f64) {
        let float = |_: usize| value;
        for (sci_mode, tolerance) in [(true, value.abs() * 0.5e-9), (false, 0.5e-9)] {
            let options = PrintOptions { precision: 9, sci_mode: Some(sci_mode), ..PrintOptions::default() };
            let text = format_tensor(&[], DType::F32, Numbers::Float(&float), &options, &[]);
            let read: f64 = text["tensor(".len()..text.len() - 1].trim().parse().expect("a number");
            // The f64 that is read may itself be off by half a unit in its last place.
            let unit = value.abs() * f64::EPSILON;
            prop_assert!((read - value).abs() <= tolerance + unit, "{} printed as {}", value, text);
        }
    }
}
