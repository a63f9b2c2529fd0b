"""Writes optim.json: trajectories of PyTorch's SGD and Adam over made-up gradients.

Run by hand with PyTorch (2.15 was used): python3 optim.py > optim.json
Each record: the options, parameters of shapes (3, 2), (3) and () before the first step, and for each of six
steps the gradients (null: none in this step) and the parameters afterwards. Numbers are f64 or f32 values
written so that parsing gives the same bits.
"""
import itertools
import json

import torch

SHAPES = [(3, 2), (3,), ()]
OPTIONS = [("SGD", {"lr": 0.5})]
for momentum, dampening, nesterov, decay, maximize in itertools.product((0.0, 0.9), (0.0, 0.3), (False, True), (0.0, 0.05), (False, True)):
    if (nesterov and (momentum == 0 or dampening)) or (dampening and momentum == 0):
        continue
    OPTIONS.append(("SGD", {"lr": 0.1, "momentum": momentum, "dampening": dampening, "nesterov": nesterov, "weight_decay": decay, "maximize": maximize}))
for betas, eps, decay in itertools.product(((0.9, 0.999), (0.5, 0.9)), (1e-8, 1e-3), (0.0, 0.1)):
    OPTIONS.append(("Adam", {"lr": 0.01, "betas": betas, "eps": eps, "weight_decay": decay}))


def flat(x):
    return None if x is None else [float(v) for v in x.detach().reshape(-1)]


records = []
torch.manual_seed(1)
for name, options in OPTIONS:
    for dtype in (torch.float64, torch.float32):
        parameters = [torch.randn(s, dtype=dtype).requires_grad_() for s in SHAPES]
        record = {"optimizer": name, "options": options, "dtype": str(dtype)[6:], "init": [flat(p) for p in parameters], "steps": []}
        optimizer = getattr(torch.optim, name)(parameters, **options)
        for step in range(6):
            for i, p in enumerate(parameters):
                p.grad = None if (step, i) in ((0, 2), (3, 1)) else torch.randn(p.shape, dtype=dtype)
            grads = [flat(p.grad) for p in parameters]
            optimizer.step()
            record["steps"].append({"grads": grads, "after": [flat(p) for p in parameters]})
        records.append(record)
print("[" + ",\n".join(json.dumps(r) for r in records) + "]")
