"""Writes promotion.json: the dtypes of sums (and of products with numbers) in PyTorch, by what stands left and right.

Run by hand, with PyTorch 2.15; the tests themselves need no Python:

    python crates/rushlight-array/tests/golden/promotion.py

Rows and columns are in the order of `DType::ALL`. A `tensor` has dims, a `scalar` is a tensor without, a `number` is
Python's.
"""

import json
from pathlib import Path

import torch

NAMES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
DTYPES = [getattr(torch, name) for name in NAMES]
SHAPES = {"tensor": (2,), "scalar": ()}


def name(x):
    return str(x.dtype).removeprefix("torch.")


def table(left, right):
    def operand(kind, dtype):
        return torch.ones(SHAPES[kind], dtype=dtype)

    return [" ".join(name(operand(left, a) + operand(right, b)) for b in DTYPES) for a in DTYPES]


tables = {f"{left} {right}": table(left, right) for left in SHAPES for right in SHAPES}
for kind, shape in SHAPES.items():
    for number in (2.5, 2, True):
        row = " ".join(name(torch.ones(shape, dtype=dtype) * number) for dtype in DTYPES)
        tables[f"{kind} {type(number).__name__}"] = [row]
Path(__file__).with_suffix(".json").write_text(json.dumps(tables, indent=1) + "\n")
