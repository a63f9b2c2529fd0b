"""Writes print.json: what PyTorch prints, for src/print/tests.rs to compare with.

Run by hand, with PyTorch 2.15, when a case is added; the tests themselves need no Python:

    python crates/rushlight-array/tests/golden/print.py

One case is {"shape", "dtype", "values", "options", "extra", "text"}. `values` is one string of numbers in row-major
order, in the shortest form that reads back as the same f64 (JSON's own numbers lose a bit in some readers). Large
tensors have no `values`: element i is ((i * 7919) % 10007 - 5000) / 64 for floats and the numerator for integers.
`options` lists what differs from the default (a null threshold is infinite); `extra` are the suffixes that come from
the tensor's device and graph.
"""

import json
import math
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
NAN, INF = math.nan, math.inf
CASES = []


def number(value):
    return str(int(value)) if isinstance(value, (bool, int)) else repr(value)


def suffixes(t, device):
    extra = [f"device='{t.device}'"] if device else []
    if t.grad_fn is not None:
        extra.append(f"grad_fn=<{type(t.grad_fn).__name__}>")
    elif t.requires_grad:
        extra.append("requires_grad=True")
    return extra


def case(t, by_formula=False, device=False, **options):
    """Records `t` under `options`; with `device`, as torch prints a tensor that is not on the default device."""
    given = {key: (INF if value is None and key == "threshold" else value) for key, value in options.items()}
    default = "cuda" if device else "cpu"
    with torch._tensor_str.printoptions(**given), mock.patch("torch._C._get_default_device", lambda: default):
        text = repr(t)
    record = {"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch.")}
    if not by_formula:
        record["values"] = " ".join(number(v) for v in t.detach().reshape(-1).tolist())
    if options:
        record["options"] = options
    if extra := suffixes(t, device):
        record["extra"] = extra
    CASES.append(record | {"text": text})


def large(shape, dtype=torch.float32, **options):
    i = torch.arange(math.prod(shape), dtype=torch.int64)
    values = (i * 7919) % 10007 - 5000
    values = values.to(torch.float64) / 64 if dtype.is_floating_point else values
    case(values.to(dtype).reshape(shape), by_formula=True, **options)


def scalars_and_small():
    for dtype in FLOATS:
        for value in [0.0, -0.0, 1.0, -3.0, 2.5, 0.1, 1e-5, 12345.678, -1e-4, 0.99995, NAN, INF, -INF]:
            case(torch.tensor(value, dtype=dtype))
        for values in [[1.0, 2.0], [1.0, -2.5, 0.0], [-0.0, 0.0], [0.001, 2.0], [0.001, 1.0], [100.0, 0.01]]:
            case(torch.tensor(values, dtype=dtype))
        case(torch.tensor([[1.0, 2.0], [3.0, 40.0]], dtype=dtype))
        case(torch.tensor([[[0.5]], [[-10.25]]], dtype=dtype))
    for dtype in INTS:
        case(torch.tensor(7, dtype=dtype))
        case(torch.tensor([0, 1, 100], dtype=dtype))
        case(torch.tensor([torch.iinfo(dtype).min, 0, torch.iinfo(dtype).max], dtype=dtype))
        case(torch.arange(24).reshape(2, 3, 4).to(dtype))
    for values in [True, False, [True], [False], [True, True], [[True, False], [False, False]], [True] * 30]:
        case(torch.tensor(values))
    case(torch.tensor([i % 3 == 0 for i in range(40)]).reshape(2, 20))


def empty():
    for dtype in [*FLOATS, *INTS, torch.bool]:
        for shape in [(0,), (0, 3), (3, 0), (2, 0, 4)]:
            case(torch.empty(shape, dtype=dtype))
    case(torch.empty(0, requires_grad=True))
    case(torch.empty(0, 3, requires_grad=True) * 2)
    case(torch.empty((5, 0, 3, 0), dtype=torch.bfloat16, requires_grad=True), linewidth=40)
    case(torch.empty(0), edgeitems=0)


def nonfinite():
    for dtype in FLOATS:
        for values in [
            [NAN], [INF, -INF], [NAN, 0.0, INF], [NAN, 1.0, -INF], [NAN, 1.5, INF, -INF], [-INF, 1e-6, NAN],
            [INF, 30000.0, 1.0], [NAN, -0.0, 0.0, 0.5], [[NAN, 100.0], [INF, -7.0]], [INF, 1e-3, 1e3 + 8],
        ]:
            case(torch.tensor(values, dtype=dtype))
    case(torch.full((40,), NAN))
    case(torch.full((30,), -INF), linewidth=50)
    case(torch.zeros(3, 30))
    case(torch.tensor([NAN, INF, 0.0]), sci_mode=True)
    case(torch.tensor([NAN, INF, 0.0, -0.0, 2.0]), sci_mode=True)
    case(torch.tensor([NAN, -INF, -0.0, 2.25]), sci_mode=True)


def notation():
    for dtype in [torch.float32, torch.float64]:
        for values in [
            [1e8], [1.00000008e8, 1e6], [1e9], [123456789.0], [99999999.0, 1e5], [1e-4], [0.0001, 0.05], [9.9e-5],
            [1.0, 1000.0], [1.0, 1001.0], [0.5, 500.0], [0.5, 500.5], [-1000.5, 1.0], [1e30, 1.0], [3e38, 1e-38],
            [16777216.0, 16777217.0], [0.25, -0.75, 1234567.0], [1e-45, 1.0],
        ]:
            case(torch.tensor(values, dtype=dtype))
            case(torch.tensor(values, dtype=dtype), sci_mode=False)
            case(torch.tensor(values, dtype=dtype), sci_mode=True, precision=2)
    case(torch.tensor([1e300, 1e-300, 5e-324, -1.7976931348623157e308], dtype=torch.float64))
    case(torch.tensor([1e100, 1e-100, 1.0], dtype=torch.float64), precision=0)
    case(torch.tensor([1e22, 123456789012345678.0], dtype=torch.float64), sci_mode=False)
    case(torch.tensor([65504.0, 6e-8], dtype=torch.float16))
    case(torch.tensor([1000.0, 1.0, 0.0], dtype=torch.float16))
    case(torch.tensor([3e38, 1e9], dtype=torch.bfloat16))
    # Ties: an f64 that ends in exactly five is rounded to the even digit, one near it by its exact value.
    ties = [0.5, 1.5, 2.5, -2.5, 0.125, 0.375, 0.00005, 0.00015, 0.03125, 0.15625, 1.00005, 0.25, 0.35, 1.005, 9.5]
    for dtype in [torch.float32, torch.float64]:
        for precision in [0, 1, 2, 4, 8, 12]:
            for sci_mode in [False, True]:
                case(torch.tensor(ties, dtype=dtype), precision=precision, sci_mode=sci_mode)
    case(torch.tensor([0.1, 0.2]), precision=30)


def wrapping():
    for n in [6, 7, 8, 9, 10, 14, 25]:
        case(torch.linspace(-1, 1, n))
    for n in [23, 24, 25, 49]:
        case(torch.arange(n))
        case(torch.arange(n, dtype=torch.float32))
        case(torch.arange(n, dtype=torch.float16).reshape(1, n))
    for width in [1, 10, 17, 40, 79, 120, 200]:
        case(torch.linspace(0, 50, 34, dtype=torch.float64).reshape(2, 17), linewidth=width)
        case(torch.arange(36).reshape(1, 2, 1, 18) * 1000, linewidth=width)


def summaries():
    large((1000,), torch.int64)
    large((6, 166), torch.float64, linewidth=200, precision=1)
    dtypes = [torch.float32, torch.float64, torch.int64]
    shapes = [
        (1001,), (5000,), (2, 501), (501, 2), (6, 200), (7, 200), (200, 6), (200, 7), (5, 6, 40), (7, 7, 30),
        (30, 7, 7), (3, 7, 60), (2, 3, 4, 50), (7, 1, 7, 30), (1, 1, 1001), (1001, 1, 1), (70, 50, 2, 3),
    ]
    for turn, shape in enumerate(shapes):
        large(shape, dtypes[turn % 3])
        large(shape, dtypes[(turn + 1) % 3], precision=2, edgeitems=2)
    large((100, 100, 10, 10), torch.int64)
    for n in [1, 4, 5, 6, 7, 8, 9]:
        for edge in [0, 1, 2, 3, 4]:
            case(torch.arange(n) - 3, threshold=0, edgeitems=edge)
            case(torch.arange(n * n).reshape(n, n) / 4, threshold=5, edgeitems=edge)
    case(torch.tensor(2.5), threshold=0)
    case(torch.tensor(2.5), edgeitems=0)
    case(torch.arange(3), edgeitems=0)
    case(torch.ones(2, 3, dtype=torch.float64), edgeitems=0)
    case(torch.ones(2, 3, 4, dtype=torch.float64), edgeitems=0, threshold=3)
    case(torch.arange(40, dtype=torch.float32), threshold=10, edgeitems=18, linewidth=60)
    # The hidden elements are not measured: neither their width nor their size shows.
    hidden = torch.ones(20)
    hidden[10], hidden[11] = 1e12, 0.5
    case(hidden, threshold=10)
    case(hidden.to(torch.int64), threshold=10)
    case(hidden, threshold=21)
    case(torch.tensor([True] * 10 + [False] + [True] * 10), threshold=10)
    large((1001,), torch.int64, threshold=None, linewidth=400)


def suffix():
    leaf = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    case(leaf)
    case(leaf * 2)
    case(leaf.sum())
    case(leaf.double() / 3)
    case(leaf.bfloat16())
    case(F.linear(leaf, leaf, leaf[0]))
    case(F.layer_norm(leaf, (2,)))
    case(torch.tensor(1.5, dtype=torch.float16, requires_grad=True))
    for n in range(1, 22):
        row = torch.arange(n, dtype=torch.float64)
        case(row)
        case(row.clone().requires_grad_())
        case(F.softplus(row.float().requires_grad_()))
        case(F.log_softmax(row.clone().requires_grad_(), 0), linewidth=100)
        case(row.clone().requires_grad_() * 2, linewidth=40 + n, device=True)
    for options in [{}, {"linewidth": 20}, {"edgeitems": 0}, {"linewidth": 60}]:
        for t in [leaf, leaf.half(), leaf.detach().int(), torch.empty(2, 0), torch.empty(0, dtype=torch.int64)]:
            case(t, device=True, **options)
    large((40, 30), torch.float64, device=True)


def random():
    generator = torch.Generator().manual_seed(20)
    shapes = [(3,), (10,), (4, 5), (2, 3), (2, 2, 3), (1, 6, 1), (2, 1, 2, 3), (3, 12)]
    profiles = [{}, {"precision": 2}, {"precision": 8}, {"sci_mode": True}, {"sci_mode": False}, {"linewidth": 120},
                {"threshold": 8, "edgeitems": 1}, {"precision": 2, "edgeitems": 2, "linewidth": 50}]
    for turn, shape in enumerate(shapes):
        for dtype in FLOATS:
            scale = 10.0 ** torch.randint(-4, 5, (), generator=generator).item()
            spread = torch.randn(shape, generator=generator) * (turn % 3)
            values = torch.randn(shape, generator=generator, dtype=torch.float64) * scale * 10**spread
            case(values.to(dtype), **profiles[turn])
            case(torch.randn(shape, generator=generator).to(dtype), **profiles[-1 - turn])
        for dtype in INTS[:2]:
            case(torch.randint(-(10**turn), 10**turn + 1, shape, generator=generator).to(dtype), **profiles[turn])
        case(torch.randint(0, 2, shape, generator=generator).bool(), **profiles[-1 - turn])


if __name__ == "__main__":
    for group in [scalars_and_small, empty, nonfinite, notation, wrapping, summaries, suffix, random]:
        group()
    lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in CASES)
    path = Path(__file__).with_suffix(".json")
    path.write_text(f"[\n{lines}\n]\n")
    print(f"torch {torch.__version__}: {len(CASES)} cases, {path.stat().st_size} bytes")
