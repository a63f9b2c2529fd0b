//! Promotion against PyTorch's own tables.

use rushlight_array::{DType, Scalar};

/// In both tables the order is that of `DType::ALL`. Made with torch 2.15 by
///
/// ```python
/// D = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64,
///      torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
/// for a in D: print(*(torch.promote_types(a, b) for b in D))
/// for s in (2.5, 2, True): print(*(torch.result_type(torch.zeros(2, dtype=a), s) for a in D))
/// ```
const TORCH: [&str; 10] = [
    "F32 F64 F32 F32 F32 F32 F32 F32 F32 F32",
    "F64 F64 F64 F64 F64 F64 F64 F64 F64 F64",
    "F32 F64 F16 F32 F16 F16 F16 F16 F16 F16",
    "F32 F64 F32 BF16 BF16 BF16 BF16 BF16 BF16 BF16",
    "F32 F64 F16 BF16 I64 I64 I64 I64 I64 I64",
    "F32 F64 F16 BF16 I64 I32 I32 I32 I32 I32",
    "F32 F64 F16 BF16 I64 I32 I16 I16 I16 I16",
    "F32 F64 F16 BF16 I64 I32 I16 I8 I16 I8",
    "F32 F64 F16 BF16 I64 I32 I16 I16 U8 U8",
    "F32 F64 F16 BF16 I64 I32 I16 I8 U8 Bool",
];

const TORCH_SCALARS: [(Scalar, &str); 3] = [
    (Scalar::Float(2.5), "F32 F64 F16 BF16 F32 F32 F32 F32 F32 F32"),
    (Scalar::Int(2), "F32 F64 F16 BF16 I64 I32 I16 I8 U8 I64"),
    (Scalar::Bool(true), "F32 F64 F16 BF16 I64 I32 I16 I8 U8 Bool"),
];

/// A row of dtypes, written as the tables are.
fn row(dtypes: impl Iterator<Item = DType>) -> String {
    dtypes.map(|d| format!("{d:?}").to_uppercase().replace("BOOL", "Bool")).collect::<Vec<_>>().join(" ")
}

#[test]
fn two_dtypes_promote_as_in_torch() {
    for (a, torch) in DType::ALL.into_iter().zip(TORCH) {
        assert_eq!(row(DType::ALL.into_iter().map(|b| a.promote(b))), torch, "{a} with each");
    }
}

#[test]
fn a_scalar_promotes_an_array_as_in_torch() {
    for (scalar, torch) in TORCH_SCALARS {
        assert_eq!(row(DType::ALL.into_iter().map(|d| scalar.promote(d))), torch, "{scalar:?} with each");
    }
}
