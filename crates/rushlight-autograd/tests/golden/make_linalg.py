"""Writes linalg.json: results and gradients of torch.linalg for tests/linalg.rs.

    python make_linalg.py > linalg.json

Each case is a name, the inputs, the result, and the gradients of sum(result * weights) for fixed weights. Results do not
depend on the signs of vectors.
"""

import json

import torch

L = torch.linalg
torch.manual_seed(0)


def r(*shape):
    return torch.randn(*shape, dtype=torch.float64).mul(100).round().div(100)


def squared(parts):
    return torch.cat([p.flatten() ** 2 for p in parts])


def symmetric(x):
    return x + x.mT


CASES = {
    "qr": (lambda a: torch.cat([p.flatten() for p in L.qr(a)]), [[r(4, 3)], [r(3, 3)], [r(2, 4, 2)], [r(2, 4)]]),
    "qr complete": (lambda a: torch.cat([p.flatten() for p in L.qr(a.detach(), "complete")]), [[r(4, 2)], [r(2, 3)]]),
    "svd": (lambda a: squared(L.svd(a, full_matrices=False)), [[r(4, 3)], [r(2, 4)], [r(2, 3, 3)]]),
    "svdvals": (lambda a: L.svdvals(a), [[r(4, 3)], [r(2, 2, 4)]]),
    "eigh": (lambda a: squared(L.eigh(symmetric(a))), [[r(3, 3)], [r(2, 2, 2)]]),
    "eigvalsh": (lambda a: L.eigvalsh(symmetric(a)), [[r(4, 4)], [torch.eye(3, dtype=torch.float64)]]),
    "lstsq": (lambda a, b: L.lstsq(a, b).solution, [[r(4, 2), r(4, 3)], [r(2, 3, 3), r(2, 3, 1)], [r(2, 4), r(2, 1)]]),
    "lstsq residuals": (lambda a, b: L.lstsq(a.detach(), b.detach(), driver="gels").residuals, [[r(4, 2), r(4, 3)], [r(3, 3), r(3, 1)]]),
    "pinv": (lambda a: L.pinv(a), [[r(4, 2)], [r(2, 4)], [r(2, 3, 3)], [r(4, 1) @ r(1, 3)]]),
    "lu": (lambda a: torch.cat([p.flatten() for p in L.lu(a)]), [[r(3, 3)], [r(2, 4, 4)]]),
    "lu_factor": (lambda a: L.lu_factor(a.detach())[1].double(), [[r(4, 4)], [r(5, 3)], [r(3, 5)]]),
    "matrix_rank": (lambda a: L.matrix_rank(a.detach()).double(), [[r(4, 2)], [r(4, 1) @ r(1, 3)], [torch.zeros(2, 3, 3).double()]]),
    "cond": (lambda a: L.cond(a), [[r(3, 3)], [r(2, 4, 2)]]),
    "cond fro": (lambda a: L.cond(a.detach(), "fro"), [[r(3, 3)]]),
    "norm fro": (lambda a: L.norm(a, "fro"), [[r(3, 4)], [torch.zeros(2, 2).double()]]),
    "norm nuc": (lambda a: L.norm(a, "nuc", dim=(0, 2), keepdim=True), [[r(3, 2, 4)]]),
    "norm 2": (lambda a: L.norm(a, 2), [[r(3, 4)]]),
    "norm -2": (lambda a: L.norm(a, -2), [[r(3, 4)]]),
    "norm 1": (lambda a: L.norm(a, 1, dim=(0, 1)), [[r(3, 4, 2)]]),
    "norm -inf": (lambda a: L.norm(a, -float("inf")), [[r(3, 4)]]),
    "norm vector 0.5": (lambda a: L.norm(a, 0.5, dim=-1), [[torch.tensor([[1.0, 0.0, -2.0], [0.0, 0.0, 0.0]]).double()]]),
    "norm vector -1": (lambda a: L.norm(a, -1.0, dim=-1), [[torch.tensor([[1.0, 0.0, -2.0], [3.0, 1.0, 2.0]]).double()]]),
    "norm vector 3": (lambda a: L.norm(a, 3.0, dim=-1), [[torch.tensor([[1.0, 0.0, -2.0], [0.0, 0.0, 0.0]]).double()]]),
    "det": (lambda a: L.det(a), [[r(3, 3)], [r(2, 4, 4)]]),
}


def plain(x):
    return {"shape": list(x.shape), "data": x.flatten().tolist()}


out = []
for name, (call, inputs) in CASES.items():
    for given in inputs:
        leaves = [x.clone().requires_grad_() for x in given]
        y = call(*leaves)
        case = {"name": name, "inputs": [plain(x) for x in given], "result": plain(y.detach()), "grads": None}
        if y.requires_grad:
            weights = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).reshape(y.shape)
            (y * weights).sum().backward()
            case["grads"] = [plain(x.grad) for x in leaves]
        out.append(case)
print("[" + ",\n".join(json.dumps(case) for case in out) + "]")
