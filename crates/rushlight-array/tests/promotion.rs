//! Promotion against PyTorch's own tables, over all dtypes and all kinds of operands; `golden/promotion.py` made them.

use rushlight_array::{Array, DType, Scalar};
use serde_json::Value;

/// The rows of a table, each a line of names.
fn rows(table: &str) -> Vec<String> {
    let tables: Value = serde_json::from_str(include_str!("golden/promotion.json")).expect("it is JSON");
    let rows = tables[table].as_array().unwrap_or_else(|| panic!("there is no table {table}"));
    rows.iter().map(|row| row.as_str().expect("a row is a text").to_string()).collect()
}

/// A row as the tables have it.
fn row(dtypes: impl Iterator<Item = DType>) -> String {
    dtypes.map(DType::name).collect::<Vec<_>>().join(" ")
}

/// An array with dims, or without.
fn ones(kind: &str, dtype: DType) -> Array {
    if kind == "tensor" { Array::ones(2, dtype) } else { Array::ones((), dtype) }
}

#[test]
fn two_dtypes_promote_as_in_torch() {
    for (a, torch) in DType::ALL.into_iter().zip(rows("tensor tensor")) {
        assert_eq!(row(DType::ALL.into_iter().map(|b| a.promote(b))), torch, "{a} with each");
    }
}

#[test]
fn arrays_without_dims_count_less_as_in_torch() {
    for left in ["tensor", "scalar"] {
        for right in ["tensor", "scalar"] {
            for (a, torch) in DType::ALL.into_iter().zip(rows(&format!("{left} {right}"))) {
                let results = |f: fn(&Array, &Array) -> DType| {
                    row(DType::ALL.into_iter().map(|b| f(&ones(left, a), &ones(right, b))))
                };
                assert_eq!(results(|a, b| Array::result_dtype(&[a, b])), torch, "{left} {a}, {right} each");
                assert_eq!(results(|a, b| a.add(b).dtype()), torch, "add: {left} {a}, {right} each");
                assert_eq!(results(|a, b| a.maximum(b).dtype()), torch, "maximum: {left} {a}, {right} each");
                let pick = |a: &Array, b: &Array| Array::new([true, false]).where_(a, b).dtype();
                assert_eq!(results(pick), torch, "where: {left} {a}, {right} each");
            }
        }
    }
}

#[test]
fn numbers_raise_the_kind_alone_as_in_torch() {
    for kind in ["tensor", "scalar"] {
        for (number, name) in
            [(Scalar::Float(2.5), "float"), (Scalar::Int(2), "int"), (Scalar::Bool(true), "bool")]
        {
            let torch = rows(&format!("{kind} {name}")).remove(0);
            assert_eq!(row(DType::ALL.into_iter().map(|d| number.promote(d))), torch, "{kind} with {name}");
            let product = |x: Array| x.mul(&x.scalar_operand(number)).dtype();
            assert_eq!(
                row(DType::ALL.into_iter().map(|d| product(ones(kind, d)))),
                torch,
                "{kind} with {name}"
            );
        }
    }
}
