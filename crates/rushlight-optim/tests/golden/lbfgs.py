"""Writes lbfgs.json: steps of PyTorch's LBFGS down Rosenbrock's valley, sum of 100 (y - x^2)^2 + (1 - x)^2.

Run by hand with PyTorch (2.15 was used): python3 lbfgs.py > lbfgs.json
Each record: options, the parameters x and y of shapes (2) and (2, 1) before, and for each step the loss that it returned, the
parameters afterwards and the number of evaluations so far.
"""
import json

import torch

records = []
for options in (
    {"lr": 0.001},
    {"lr": 0.5, "history_size": 3, "max_iter": 6},
    {"lr": 1.0, "line_search_fn": "strong_wolfe"},
    {"lr": 1.0, "line_search_fn": "strong_wolfe", "max_iter": 4, "max_eval": 7, "tolerance_change": 1e-5, "tolerance_grad": 1e-3},
    {"lr": 1.0, "line_search_fn": "strong_wolfe", "maximize": True},
):
    start = [[-1.2, 0.5], [[1.0], [2.0]]]
    x, y = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in start]
    sign = -1 if options.get("maximize") else 1
    optimizer = torch.optim.LBFGS([x, y], **options)

    def closure():
        optimizer.zero_grad()
        loss = sign * (100 * (y.squeeze(1) - x**2) ** 2 + (1 - x) ** 2).sum()
        loss.backward()
        return loss

    steps = []
    for _ in range(5):
        loss = optimizer.step(closure).item()
        after = [p.detach().reshape(-1).tolist() for p in (x, y)]
        steps.append({"loss": loss, "after": after, "evaluations": optimizer.state[x]["func_evals"]})
    records.append({"options": options, "steps": steps})
print("[" + ",\n".join(json.dumps(r) for r in records) + "]")
