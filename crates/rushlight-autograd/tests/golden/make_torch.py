"""Writes torch.json: values, first and second gradients of calls at their hard places, by PyTorch.

Run: python tests/golden/make_torch.py

For a result y with the cotangent c = 1, 1.25, 1.5, ... the first gradients are those of (y * c).sum(), the
second ones those of the sum over all first gradients g of (g * c).sum(). tests/torch.rs does the same.
"""
import json, math, torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
CASES = []
NAN, INF = math.nan, math.inf
# Three rows and four classes without a pattern.
LOGITS = [[0.5, -1.0, 2.0, 0.25], [1.5, 0.0, -0.75, 1.0], [-2.0, 0.125, 0.3, 0.9]]
LOGITS3 = [[[0.5, -1.0], [2.0, 0.25], [1.5, 0.0]], [[-0.75, 1.0], [-2.0, 0.125], [0.3, 0.9]]]  # (2, 3, 2)
PROBS = [[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]]
HARD = [0.0, 100.0, -100.0, 1.5, -0.5, 20.0]
HALF = [1.0, 0.0, 1.0, 0.25, 0.75, 1.0]
WEIGHT = [0.5, 2.0, 1.0, 0.25]
INDEX = [2, 0, 3]
SOME = [2, -100, 3]
MATRIX = [[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]]
CUBE = [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]]


def number(x):
    if isinstance(x, (bool, int)):
        return x
    return x if math.isfinite(x) else str(x)


def pack(t):
    if t.dtype.is_floating_point:
        t = torch.zeros(t.shape, dtype=t.dtype) + t.detach()  # PyTorch may answer with a tensor without storage.
    return {"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch."),
            "data": [number(x) for x in t.detach().flatten().tolist()]}


def cotangent(t):
    return (1 + 0.25 * torch.arange(t.numel(), dtype=torch.float64)).to(t.dtype).reshape(t.shape)


def case(name, call, *inputs, second=True, dtype=torch.float64):
    tensors = []
    for x in inputs:
        t = x if isinstance(x, torch.Tensor) else torch.tensor(x)
        tensors.append(t.to(dtype).requires_grad_() if t.dtype.is_floating_point else t)
    y = call(*tensors)
    leaves = [t for t in tensors if t.requires_grad]
    grads = torch.autograd.grad((y * cotangent(y)).sum(), leaves, create_graph=second, allow_unused=True)
    grads = [torch.zeros_like(t) if g is None else g for g, t in zip(grads, leaves)]
    row = {"name": name, "inputs": [pack(t) for t in tensors], "value": pack(y), "grads": [pack(g) for g in grads]}
    total = sum((g * cotangent(g)).sum() for g in grads)
    if second:
        row["second"] = [pack(torch.zeros_like(t)) for t in leaves]
        if total.requires_grad:
            seconds = torch.autograd.grad(total, leaves, allow_unused=True)
            row["second"] = [pack(torch.zeros_like(t) if g is None else g) for g, t in zip(seconds, leaves)]
    CASES.append(row)


# Losses of classes.
for tag, x, target, weight in [("rows", LOGITS, INDEX, WEIGHT), ("ignored", LOGITS, SOME, WEIGHT),
                               ("planes", LOGITS3, [[2, 0], [1, -100]], [0.5, 2.0, 1.0]),
                               ("one", LOGITS[0], 3, WEIGHT), ("none_left", LOGITS, [-100] * 3, WEIGHT)]:
    for reduction in ["mean", "sum", "none"]:
        case(f"cross_entropy {tag} {reduction}", lambda x, t: F.cross_entropy(x, t, reduction=reduction), x, target)
        case(f"cross_entropy_weight {tag} {reduction}",
             lambda x, t, w: F.cross_entropy(x, t, w.detach(), reduction=reduction), x, target, weight)
        case(f"cross_entropy_smooth {tag} {reduction}",
             lambda x, t, w: F.cross_entropy(x, t, w.detach(), reduction=reduction, label_smoothing=0.2), x, target, weight)
        case(f"nll_loss_weight {tag} {reduction}",
             lambda x, t, w: F.nll_loss(x, t, w.detach(), reduction=reduction), x, target, weight)
    case(f"nll_loss {tag}", lambda x, t: F.nll_loss(x, t), x, target)
for reduction in ["mean", "sum", "none"]:
    case(f"cross_entropy_soft {reduction}", lambda x, t: F.cross_entropy(x, t, reduction=reduction), LOGITS, PROBS)
    case(f"cross_entropy_soft_weight {reduction}",
         lambda x, t, w: F.cross_entropy(x, t, w.detach(), reduction=reduction, label_smoothing=0.1), LOGITS, PROBS, WEIGHT)
case("cross_entropy_ignore_1", lambda x, t: F.cross_entropy(x, t, ignore_index=1), LOGITS, [1, 2, 1])
case("cross_entropy", lambda x, t: F.cross_entropy(x, t), [[1000.0, -1000.0], [0.0, 0.0]], [1, 0])
case("cross_entropy", lambda x, t: F.cross_entropy(x, t), [[-INF, 0.0, 1.0]], [1])
case("cross_entropy f32", lambda x, t: F.cross_entropy(x, t), LOGITS, INDEX, dtype=torch.float32)

# Losses of numbers.
for reduction in ["mean", "sum", "none"]:
    case(f"bce {reduction}", lambda a, y: F.binary_cross_entropy(a, y, reduction=reduction), [0.5, 0.9, 0.125], [1.0, 0.25, 0.0],
         second=False)  # PyTorch's is disturbed by the 1e-10 that it adds.
    case(f"bce_weight {reduction}", lambda a, y, w: F.binary_cross_entropy(a, y, w.detach(), reduction=reduction),
         [[0.5, 0.9, 0.125]], [[1.0, 0.25, 0.0]], [2.0, 0.5, 1.0], second=False)
    case(f"bce_logits {reduction}", lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction=reduction), HARD, HALF)
    case(f"bce_logits_pos {reduction}", lambda x, y, w, p: F.binary_cross_entropy_with_logits(
        x, y, w.detach(), pos_weight=p.detach(), reduction=reduction), HARD, HALF, HALF, [3.0])
    case(f"mse {reduction}", lambda x, y: F.mse_loss(x, y, reduction=reduction), [1.0, 2.0, 3.0], [1.0, 0.0, 5.0])
case("bce none", lambda a, y: F.binary_cross_entropy(a, y.detach(), reduction="none"), [0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0], second=False, dtype=torch.float32)
case("bce_logits none", lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"), HARD, HALF, dtype=torch.float32)
case("bce_logits_pos none", lambda x, y, w, p: F.binary_cross_entropy_with_logits(
    x, y, w.detach(), pos_weight=p.detach(), reduction="none"), HARD, HALF, HALF, [3.0], dtype=torch.float32)

# Kinks and edges of functions of one tensor.
KINK = [-2.0, -1.0, -0.0, 0.0, 1.0, 3.0]
for name, call in {"abs": torch.abs, "sign": torch.sign, "relu": torch.relu, "floor": torch.floor,
                   "leaky_relu": lambda x: F.leaky_relu(x, 0.1), "clamp": lambda x: x.clamp(-1.0, 1.0),
                   "clamp_min": lambda x: x.clamp(min=0.0), "square": torch.square, "powf3": lambda x: x ** 3,
                   "powf0": lambda x: x ** 0, "powf1": lambda x: x ** 1, "powf-1": lambda x: x ** -1.0,
                   "exp": torch.exp, "sin": torch.sin, "cos": torch.cos, "neg": torch.neg}.items():
    case(name, call, KINK)
case("sigmoid", torch.sigmoid, HARD)
case("tanh", torch.tanh, HARD)
case("powf0.5", lambda x: x ** 0.5, [0.0, 4.0])
case("sqrt", torch.sqrt, [0.0, 4.0, 2.0])
case("log", torch.log, [0.0, 1.0, 0.5])
case("reciprocal", torch.reciprocal, [0.5, -2.0, 4.0])
for name, call in {"relu": torch.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.1), "abs": torch.abs,
                   "clamp": lambda x: x.clamp(-1.0, 1.0), "sign": torch.sign, "sigmoid": torch.sigmoid}.items():
    case(name, call, [NAN, INF, -INF, 1.0])
case("log_relu", lambda x: torch.log(torch.relu(x)), [-1.0, 2.0], second=False)
case("sqrt_clamp", lambda x: torch.sqrt(x.clamp(min=0.0)), [-1.0, 4.0], second=False)
case("sqrt_floor", lambda x: torch.sqrt(torch.floor(x)), [0.5, 4.5], second=False)

# Functions of two tensors.
case("pow", torch.pow, [0.0, 2.0, 0.0, 3.0, 0.5], [2.0, 0.0, 0.0, 1.5, -1.0], second=False)
case("pow", torch.pow, [2.0, 3.0, 0.5], [3.0, 1.5, -1.0])
case("maximum", torch.maximum, [1.0, 2.0, 3.0, NAN, 1.0], [1.0, 3.0, 2.0, 1.0, NAN])
case("minimum", torch.minimum, [1.0, 2.0, 3.0, NAN, 1.0], [1.0, 3.0, 2.0, 1.0, NAN])
case("div", torch.div, [[1.0, 2.0], [3.0, 0.0]], [4.0, -0.5])
case("div", torch.div, [1e200, 1.0], [1e200, 1e-200], second=False)
case("where", lambda a, b: torch.where(a > 0, a, b), [1.0, -1.0], [[5.0], [6.0]])

# Reductions.
case("max", torch.max, [[1.0, 3.0], [3.0, 2.0]])
case("min", torch.min, [[1.0, 3.0], [1.0, 1.0]])
case("amax1", lambda x: x.amax(1), [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
case("amin0", lambda x: x.amin(0, keepdim=True), [[1.0, 3.0, 3.0], [1.0, 2.0, 3.0]])
case("amax01", lambda x: x.amax((0, 1)), [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
case("max_dim", lambda x: x.max(1).values, [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
case("min_dim", lambda x: x.min(0).values, [[1.0, 3.0, 3.0], [1.0, 2.0, 2.0]])
case("prod", torch.prod, [2.0, 3.0, -1.0])
case("prod", torch.prod, [2.0, 0.0, -1.0])
case("prod", torch.prod, [2.0, 0.0, 0.0])
case("prod", torch.prod, [])
case("var", torch.var, MATRIX)
case("std", torch.std, MATRIX)
case("std", torch.std, [2.0, 2.0], second=False)
case("var", torch.var, [2.0, 2.0])
case("sum_dim", lambda x: x.sum((0, 2)), CUBE)
case("mean_dim", lambda x: x.mean(-1, keepdim=True), CUBE)
case("mean", torch.mean, MATRIX)
case("softmax", lambda x: x.softmax(-1), [[-INF, 0.0, 1.0], [1000.0, 0.0, -1000.0]])
case("log_softmax", lambda x: x.log_softmax(-1), [[1000.0, 0.0, -1000.0], [0.5, 0.5, 1.0]])
case("softmax", lambda x: x.softmax(-1), 2.0)
for x in [[[-INF, 0.0, 1.0], [0.0, -INF, -INF]], [[1000.0, 0.0, -1000.0], [0.5, 0.5, 1.0]]]:
    case("logsumexp", lambda x: x.logsumexp(-1), x)
case("logsumexp", lambda x: x.logsumexp(-1), [[-INF, -INF], [0.0, 1.0]], second=False)
case("logsumexp", lambda x: x.logsumexp(-1), [[INF, 1.0], [0.0, 1.0]], second=False)
case("logsumexp", lambda x: x.logsumexp(-1), torch.zeros(0, 3))
case("logsumexp", lambda x: x.logsumexp(-1), torch.zeros(2, 0))
case("logsumexp", lambda x: x.logsumexp(-1), 2.0)
case("logsumexp0", lambda x: x.logsumexp(0, keepdim=True), MATRIX)

# Products.
case("matmul", torch.matmul, MATRIX, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
case("matmul", torch.matmul, MATRIX, [1.0, 2.0, 3.0])
case("matmul", torch.matmul, CUBE, [[1.0, 2.0], [3.0, 4.0]])
case("matmul", torch.matmul, torch.zeros(2, 0), torch.zeros(0, 3))
case("linear", F.linear, CUBE, [[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]], [0.5, 1.0, 2.0])

# Picking and placing.
case("index_select", lambda x, i: x.index_select(1, i), MATRIX, [2, 0, 2])
case("gather", lambda x, i: x.gather(1, i), MATRIX, [[0, 0, 2, 1], [2, 2, 2, 0]])
case("scatter", lambda x, s, i: x.scatter(1, i, s), MATRIX, [[10.0, 20.0], [30.0, 40.0]], [[2, 0], [1, 2]])
case("scatter_add", lambda x, s, i: x.scatter_add(1, i, s), MATRIX, [[10.0, 20.0], [30.0, 40.0]], [[2, 2], [1, 2]])
case("index_add", lambda x, s, i: x.index_add(0, i, s), MATRIX, [[1.0, 1.0, 2.0], [2.0, 2.0, 2.0], [3.0, 4.0, 5.0]], [1, 1, 0])
case("masked_fill", lambda x: x.masked_fill(x > 2, -INF), MATRIX)
case("masked_select", lambda x: x.masked_select(x > 0), MATRIX)
case("get_row", lambda x: x[-1], CUBE)
case("get_ranges", lambda x: x[:, 1:, 0], CUBE)
case("get_step", lambda x: x[:, ::2], CUBE)
case("get_index", lambda x, i: x[i], CUBE, [[1, 0], [0, -1]])
case("get_two", lambda x, i, j: x[i, j], CUBE, [0, 1, 1], [2, 0, 0])
case("get_split", lambda x, i, j: x[i, :, j], CUBE, [0, 1, 1], [1, 0, 0])
case("get_middle", lambda x, i: x[:, i], CUBE, [2, 2])
case("get_mask", lambda x: x[x > 4], CUBE)
case("get_new", lambda x: x[None, 1, ..., None], CUBE)
case("get_broadcast", lambda x, i, j: x[i, j], CUBE, [[0], [1]], [2, 0])
case("cat", lambda a, b: torch.cat([a, b, a], 0), MATRIX, [[1.0, 1.0, 1.0]])
case("stack", lambda a, b: torch.stack([a, b], -1), [1.0, 2.0], [3.0, 4.0])
case("unfold", lambda x: x.unfold(1, 2, 1), CUBE)
case("split", lambda x: x.split(2, 1)[1], CUBE)

json.dump(CASES, open(__file__.replace("make_torch.py", "torch.json"), "w"), indent=None, separators=(",", ":"))
