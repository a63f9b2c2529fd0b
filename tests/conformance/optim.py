"""Writes optim.json: trajectories of PyTorch's optimizers and schedules, in the form that `cargo xtask conformance FILE` reads.

Run by hand with PyTorch (2.15 was used): python3 optim.py | gzip -9n > optim.json.gz
With `init`, gradients of each step and parameters afterwards (null: no gradient in this step); schedules with the rate before
the first step and after each, and with the momentum (or first beta) where it is cycled; clipping with the gradients before
and after. Numbers are written so that parsing gives the same bits.
"""
import json
import sys

import torch

SHAPES = [(3, 2), (3,), ()]
OPTIMIZERS = {
    "SGD": [
        {"lr": 0.5},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "weight_decay": 0.05},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05, "foreach": False, "fused": None},
        {"lr": 0.1, "momentum": 0.5, "maximize": True, "weight_decay": 0.1},
        {"momentum": 0.5},
    ],
    "Adam": [
        {"lr": 3e-4},
        {"lr": 0.01, "weight_decay": 0.1},
        {"lr": 0.01, "amsgrad": True},
        {"lr": 0.01, "amsgrad": True, "betas": [0.5, 0.6], "weight_decay": 0.1, "maximize": True},
        {"lr": 0.01, "eps": 1e-3, "decoupled_weight_decay": True, "weight_decay": 0.3, "capturable": False},
        {"betas": [0.3, 0.9]},
    ],
    "AdamW": [{}, {"lr": 0.05, "amsgrad": True, "betas": [0.6, 0.7], "weight_decay": 0.3}, {"lr": 0.01, "maximize": True}],
    "RMSprop": [
        {"lr": 0.01},
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.9},
        {"lr": 0.01, "centered": True, "eps": 1e-4, "weight_decay": 0.1},
        {"lr": 0.01, "centered": True, "momentum": 0.5, "alpha": 0.3, "maximize": True},
    ],
    "Adagrad": [
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1},
        {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}, {"maximize": True}],
    "Adamax": [{}, {"lr": 0.05, "betas": [0.5, 0.8], "eps": 1e-3, "weight_decay": 0.1}, {"maximize": True}],
    "NAdam": [
        {},
        {"lr": 0.05, "betas": [0.5, 0.8], "eps": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.1},
        {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.2, "maximize": True},
    ],
    "RAdam": [
        {},
        {"lr": 0.05, "betas": [0.5, 0.99], "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.05, "decoupled_weight_decay": True, "weight_decay": 0.2, "maximize": True},
        {"lr": 0.05, "betas": [0.9, 0.8]},
    ],
    "ASGD": [{}, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 2, "weight_decay": 0.1}, {"lr": 0.1, "maximize": True}],
    "Rprop": [{}, {"lr": 0.1, "etas": [0.3, 2.0], "step_sizes": [0.05, 0.3]}, {"lr": 0.1, "maximize": True}],
    "Muon": [
        {},
        {"lr": 0.1, "nesterov": False, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.2},
        {"lr": 0.1, "adjust_lr_fn": "spectral_unclamped", "momentum": 0.5, "ns_steps": 3, "ns_coefficients": [2.0, -1.5, 0.5]},
    ],
}
S = "scheduler"
LINEAR = {S: "LinearLR", "kwargs": {"start_factor": 0.1, "total_iters": 4}}
COSINE = {S: "CosineAnnealingLR", "kwargs": {"T_max": 10}}
SCHEDULERS = [
    ("StepLR", {"step_size": 4}),
    ("MultiStepLR", {"milestones": [3, 7, 7, 12], "gamma": 0.3}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.3, "total_iters": 4}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.9, "end_factor": 0.1, "total_iters": 7}),
    ("ExponentialLR", {"gamma": 0.7}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 12, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 6}),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 20}),
    ("OneCycleLR", {"max_lr": 0.3, "epochs": 4, "steps_per_epoch": 5, "three_phase": True, "anneal_strategy": "linear", "div_factor": 10.0}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 25, "pct_start": 0.4, "cycle_momentum": False, "final_div_factor": 100.0}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.4, "step_size_up": 4}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.4, "step_size_up": 4, "step_size_down": 3, "mode": "triangular2", "base_momentum": 0.7}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.4, "step_size_up": 3, "mode": "exp_range", "gamma": 0.9, "cycle_momentum": False}),
    ("SequentialLR", {"schedulers": [LINEAR, COSINE], "milestones": [4]}),
    ("SequentialLR", {"schedulers": [{S: "ConstantLR", "kwargs": {}}, {S: "ExponentialLR", "kwargs": {"gamma": 0.9}}, {S: "StepLR", "kwargs": {"step_size": 2}}], "milestones": [3, 9]}),
    ("SequentialLR", {"schedulers": [LINEAR, {S: "CosineAnnealingWarmRestarts", "kwargs": {"T_0": 3}}, {S: "PolynomialLR", "kwargs": {}}], "milestones": [4, 12]}),
    ("ChainedScheduler", {"schedulers": [LINEAR, {S: "ExponentialLR", "kwargs": {"gamma": 0.9}}]}),
    ("ReduceLROnPlateau", {"patience": 2}),
    ("ReduceLROnPlateau", {"mode": "max", "factor": 0.5, "patience": 1, "threshold": 0.01, "threshold_mode": "abs", "cooldown": 2, "min_lr": 0.1}),
]


def packed(x):
    if x is None:
        return None
    name = {torch.float64: "F64", torch.float32: "F32"}[x.dtype]
    return {"dtype": name, "shape": list(x.shape), "data": [float(v) for v in x.detach().reshape(-1)]}


def trajectory(name, k, kwargs, dtype):
    shapes = [(3, 2), (2, 4), (2, 2)] if name == "Muon" else SHAPES
    parameters = [torch.randn(s, dtype=dtype).requires_grad_() for s in shapes]
    tol = [1e-9, 1e-11] if dtype == torch.float64 else [2e-6, 1e-6]
    record = {"id": f"{name}.{k}.{str(dtype)[6:]}", "optimizer": name, "kwargs": kwargs, "tol": tol}
    record |= {"init": [packed(p) for p in parameters], "steps": []}
    optimizer = getattr(torch.optim, name)(parameters, **kwargs)
    for step in range(7):
        for i, p in enumerate(parameters):
            p.grad = None if (step, i) in ((0, 2), (3, 1)) else torch.randn(p.shape, dtype=dtype)
        grads = [packed(p.grad) for p in parameters]
        optimizer.step()
        record["steps"].append({"grads": grads, "params": [packed(p) for p in parameters]})
    return record


def schedule(optimizer, name, kwargs):
    kwargs = dict(kwargs)
    if "schedulers" in kwargs:
        kwargs["schedulers"] = [schedule(optimizer, part[S], part["kwargs"]) for part in kwargs["schedulers"]]
    first = [] if name == "ChainedScheduler" else [optimizer]
    return getattr(torch.optim.lr_scheduler, name)(*first, **kwargs)


def rates(name, kwargs, k):
    adam = name in ("OneCycleLR", "CyclicLR") and k % 2 == 0
    parameters = [torch.zeros(1, requires_grad=True)]
    optimizer = torch.optim.Adam(parameters, lr=0.5) if adam else torch.optim.SGD(parameters, lr=0.5, momentum=0.6)
    scheduler = schedule(optimizer, name, kwargs)
    group = optimizer.param_groups[0]
    momentum = lambda: group["betas"][0] if adam else group["momentum"]
    record = {"id": f"{name}.{k}", "scheduler": name, "kwargs": kwargs, "base_lr": 0.5, "optimizer": "Adam" if adam else "SGD"}
    record |= {"lrs": [group["lr"]], "momenta": [momentum()]}
    if name == "ReduceLROnPlateau":
        record["metrics"] = [1.0, 0.9, 0.9, 0.95, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
    for step in range(20):
        optimizer.step()
        scheduler.step(*([record["metrics"][step]] if "metrics" in record else []))
        record["lrs"].append(group["lr"])
        record["momenta"].append(momentum())
    return record


def clipped(options, scale, dtype):
    parameters = [torch.zeros(s, dtype=dtype, requires_grad=True) for s in [(3, 2), (4,)]]
    for p in parameters:
        p.grad = torch.randn(p.shape, dtype=dtype) * scale
    record = {"id": f"{options}.{scale}.{str(dtype)[6:]}", **options, "grads": [packed(p.grad) for p in parameters]}
    if "clip_value" in options:
        torch.nn.utils.clip_grad_value_(parameters, **options)
    else:
        record["total_norm"] = torch.nn.utils.clip_grad_norm_(parameters, **options).item()
        record["norm_type"] = str(options["norm_type"]) if options["norm_type"] == float("inf") else options["norm_type"]
    return record | {"after": [packed(p.grad) for p in parameters]}


torch.manual_seed(5)
both = (torch.float64, torch.float32)
optimizers = [
    trajectory(name, k, kwargs, dtype)
    for name, kinds in OPTIMIZERS.items()
    for k, kwargs in enumerate(kinds)
    for dtype in (both if k == 0 else both[:1])
]
clips = [{"max_norm": 0.5, "norm_type": t} for t in (1.0, 2.0, 3.0, float("inf"))] + [{"clip_value": 0.4}]
json.dump(
    {
        "about": __doc__,
        "torch": torch.__version__,
        "optimizers": optimizers,
        "schedulers": [rates(name, kwargs, k) for k, (name, kwargs) in enumerate(SCHEDULERS)],
        "clip": [clipped(options, scale, dtype) for options in clips for scale in (1.0, 0.01) for dtype in both],
    },
    sys.stdout,
)
