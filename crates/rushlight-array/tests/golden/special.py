"""Writes special.json: values of special functions in f64, by PyTorch. Run: python tests/golden/special.py"""
import json, math, pathlib, torch

torch.set_default_dtype(torch.float64)
POINTS = [-20.25, -7.7, -2.5, -1.3, -0.5, -0.01, 1e-9, 0.01, 0.3, 0.5, 0.9, 1.0, 1.5, 2.0, 3.7, 8.0, 8.5, 12.0, 30.25, 100.0]
INSIDE = [-0.999999, -0.99, -0.7, -0.5, -0.2, -1e-7, 1e-12, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999, 1 - 1e-12]
POSITIVE = [x for x in POINTS if x > 0]
FUNCTIONS = {
    "digamma": (torch.digamma, POINTS), "lgamma": (torch.lgamma, POINTS), "i0": (torch.i0, POINTS),
    "i1": (torch.special.i1, POINTS), "sinc": (torch.sinc, [x for x in POINTS if x != int(x)]),
    "erfc": (torch.erfc, POINTS), "erfinv": (torch.erfinv, INSIDE),
    "polygamma1": (lambda x: torch.polygamma(1, x), POINTS),
    "polygamma2": (lambda x: torch.polygamma(2, x), POSITIVE),
    "polygamma5": (lambda x: torch.polygamma(5, x), POSITIVE),
}
rows = [{"name": name, "x": points, "y": f(torch.tensor(points)).tolist()} for name, (f, points) in FUNCTIONS.items()]
assert all(math.isfinite(y) for row in rows for y in row["y"])
lines = ",\n".join(json.dumps(row) for row in rows)
pathlib.Path(__file__).with_suffix(".json").write_text(f"[\n{lines}\n]\n")
