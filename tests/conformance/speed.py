"""Times PyTorch and rushlight side by side, operation by operation of speed.json, and writes a table.

    cargo build --release -p rushlight-conformance --bin speed
    python tests/conformance/speed.py [--rounds 3] [--only OP,OP] [--limit 2.0] [--table FILE]

It needs PyTorch. Both run in turns in one go, with two threads each, on 1e5 and 1e7 elements; of the rounds the fastest
counts. Operations slower than the limit are marked; what bounds each is in EXCEPTIONS of this file.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SIZES = [10**5, 10**7]
TIME, LEAST = 0.15, 3

# (operation, note or None): what bounds it.
EXCEPTIONS = {
    ("addr", None): "The outer product is a pass of its own, in rows of some hundred elements, before the addition.",
    ("igammac", None): "Series and continued fraction are summed in f64, one element at a time.",
    ("erfinv", None): "Newton's step behind the polynomials, which is what keeps the last places right, bounds it.",
    ("half", None): "The conversion is that of the crate half, eight elements at a time.",
    ("nn.functional.conv2d", "depthwise, 3x3"): "Each channel is a product of one row of 9 with its patches, too small "
    "to hide that these are gathered first.",
}


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--only", default="")
    options.add_argument("--limit", type=float, default=2.0)
    options.add_argument("--table")
    options.add_argument("--binary", default=str(HERE.parent.parent / "target/release/speed"))
    options = options.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    spec = json.loads((HERE / "speed.json").read_text())
    only = set(filter(None, options.only.split(",")))
    rows = [i for i, row in enumerate(spec) if not only or row["op"] in only]
    ours = subprocess.Popen(
        [options.binary],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RUSHLIGHT_NUM_THREADS": str(options.threads)},
    )

    def rushlight(row, n):
        ours.stdin.write(f"{row} {n}\n")
        ours.stdin.flush()
        answer = ours.stdout.readline().strip()
        return int(answer) * 1e-9 if answer and not answer.startswith("-") else answer or "it ended"

    results = []
    for i in rows:
        for n in SIZES:
            theirs, mine = [], []
            for _ in range(options.rounds):
                theirs.append(time_torch(torch, spec[i], n))
                mine.append(rushlight(i, n))
            name = spec[i]["op"] + (f" ({spec[i]['note']})" if "note" in spec[i] else "")
            if isinstance(mine[0], str):
                print(f"{name} {n}: {mine[0]}", flush=True)
                continue
            ratio = min(mine) / min(theirs)
            results.append((name, spec[i]["op"], spec[i].get("note"), n, min(theirs), min(mine), ratio))
            mark = " <-- slower" if ratio > options.limit else ""
            print(f"{name:40} {n:9} torch {show(min(theirs))} rushlight {show(min(mine))} {ratio:6.2f}{mark}", flush=True)
    if options.table:
        write(options, torch, results)
    return int(any(r[-1] > options.limit and (r[1], r[2]) not in EXCEPTIONS for r in results))


def show(seconds):
    return f"{seconds * 1e6:11.1f} us"


def write(options, torch, results):
    lines = [
        "# Speed of the operations of P0 and P1 beside PyTorch",
        "",
        f"Made by `python tests/conformance/speed.py --rounds {options.rounds} --table {options.table}` with PyTorch",
        f"{torch.__version__}, {options.threads} threads each, on {processor()}, {time.strftime('%Y-%m-%d')}. Times in",
        "microseconds, the fastest of the rounds' medians; a ratio below 1 means that rushlight is faster. Views",
        "(`reshape`, `permute`, `expand`, ...) move nothing and are left out.",
        "",
        "| operation | 1e5: torch | rushlight | ratio | 1e7: torch | rushlight | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    names = list(dict.fromkeys(r[0] for r in results))
    slow = []
    for name in names:
        cells = []
        for n in SIZES:
            found = [r for r in results if r[0] == name and r[3] == n]
            if not found:
                cells.append("| | ")
                continue
            *_, theirs, mine, ratio = found[0]
            bold = "**" if ratio > options.limit else ""
            cells.append(f"{theirs * 1e6:.0f} | {mine * 1e6:.0f} | {bold}{ratio:.2f}{bold}")
            if ratio > options.limit:
                slow.append((name, n, ratio, EXCEPTIONS.get((found[0][1], found[0][2]), "not looked into")))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"## More than {options.limit:g} times slower", ""]
    lines += [f"- {name} at {n:.0e}: {ratio:.2f}. {why}" for name, n, ratio, why in slow] or ["None."]
    geometric = math.exp(statistics.fmean(math.log(r[-1]) for r in results))
    lines += ["", f"Geometric mean of all ratios: {geometric:.2f}."]
    pathlib.Path(options.table).write_text("\n".join(lines) + "\n")


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def time_torch(torch, row, n):
    function = resolve(torch, row["op"])
    args = [value(torch, spec, n) for spec in row["args"]]
    kwargs = {key: value(torch, spec, n) for key, spec in row.get("kwargs", {}).items()}
    times = []
    with torch.no_grad():
        start = time.perf_counter()
        function(*args, **kwargs)
        while len(times) < LEAST or time.perf_counter() - start < TIME:
            before = time.perf_counter()
            out = function(*args, **kwargs)
            times.append(time.perf_counter() - before)
            del out
    return statistics.median(times)


def resolve(torch, op):
    special = {
        "nn.functional.max_pool2d": torch.nn.functional.max_pool2d,
        "contiguous": lambda x: x.contiguous() if not x.is_contiguous() else x.clone(),
        "fill": torch.fill,
        "index_put": torch.index_put,
        "char": lambda x: x.char(),
        "byte": lambda x: x.byte(),
    }
    if op in special:
        return special[op]
    place = torch
    for part in op.split("."):
        place = getattr(place, part, None)
    # torch.float and its like are dtypes; the operation is the method.
    return place if callable(place) else (lambda x, *args, **kwargs: getattr(x, op)(*args, **kwargs))


def size(spec, n):
    if not isinstance(spec, str):
        return spec
    name, _, divisor = spec.partition("/")
    return (math.isqrt(n) if name == "r" else n) // int(divisor or 1)


def value(torch, spec, n):
    if not isinstance(spec, dict):
        return spec
    kind = next(key for key in spec if key not in ("low", "high"))
    shape = lambda: [size(s, n) for s in spec[kind]]
    if kind == "uniform":
        low, high = spec.get("low", 0.0), spec.get("high", 1.0)
        return torch.rand(shape()) * (high - low) + low
    if kind == "ints":
        return torch.randint(size(spec["low"], n), size(spec["high"], n), shape())
    if kind == "bools":
        return torch.rand(shape()) < 0.5
    if kind in ("zeros", "ones"):
        return getattr(torch, kind)(shape())
    if kind == "perm":
        return torch.randperm(size(spec[kind], n))
    if kind in ("spd", "chol"):
        r = size(spec[kind], n)
        noise = torch.rand(r, r) * 0.2 - 0.1
        a = noise + noise.T + torch.eye(r) * r
        return a if kind == "spd" else a.tril()
    if kind == "t":
        return value(torch, spec[kind], n).T
    if kind == "list":
        return [value(torch, s, n) for s in spec[kind]]
    if kind == "int_list":
        return shape()
    if kind == "size":
        return size(spec[kind], n)
    return {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64}[spec["dtype"]]


if __name__ == "__main__":
    sys.exit(main())
