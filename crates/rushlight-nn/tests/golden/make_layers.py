"""Makes layers.json: PyTorch's layers with their printed form, state, inputs, outputs and first gradients.

    python make_layers.py > layers.json

Each record: torch.manual_seed(7), the layer is made, then its inputs are lattice(shape) as f32, or integers below a bound.
"""

import json
import math
import sys

import torch
from torch import nn


def lattice(shape, lift=0):
    n = math.prod(shape)
    i = torch.arange(n) + lift
    return (((37 * i + 11) % 256).double() / 128 - 1).float().reshape(shape)


def ints(shape, bound):
    return ((5 * torch.arange(math.prod(shape)) + 3) % bound).reshape(shape)


def flat(t):
    if t.dtype == torch.int64:
        return {"dtype": "I64", "shape": list(t.shape), "data": t.flatten().tolist()}
    return {"dtype": "F32", "shape": list(t.shape), "data": [float(f"{v:.9g}") for v in t.flatten().tolist()]}


RECORDS = []


def record(key, make, *inputs, call=None, train=True, grad=True, names=None):
    torch.manual_seed(7)
    layer = make()
    state = {k: flat(v) for k, v in layer.state_dict().items()}
    layer.train(train)
    out = (call or (lambda m, *a: m(*a)))(layer, *inputs)
    outs = [t for t in flatten(out) if t is not None]
    row = {"key": key, "repr": repr(layer), "train": train, "state": state, "inputs": [flat(t) for t in inputs]}
    row["outputs"] = [flat(t) for t in outs]
    if grad and any(p.requires_grad for p in layer.parameters()):
        sum((t * lattice(t.shape, 5)).sum() for t in outs if t.is_floating_point()).backward()
        row["grads"] = {k: flat(p.grad) for k, p in layer.named_parameters() if p.grad is not None}
    row["after"] = {k: flat(v) for k, v in layer.state_dict().items() if "running" in k or "num_batches" in k}
    RECORDS.append(row)


def flatten(x):
    return [x] if isinstance(x, torch.Tensor) or x is None else [t for y in x for t in flatten(y)]


L = lattice
record("Linear", lambda: nn.Linear(3, 2), L([4, 3]))
record("Bilinear", lambda: nn.Bilinear(2, 3, 2), L([4, 2]), L([4, 3], 9))
record("Conv1d", lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), L([2, 4, 7]))
record("Conv2d", lambda: nn.Conv2d(2, 3, 3), L([2, 2, 6, 5]))
record("Conv2d same", lambda: nn.Conv2d(2, 3, (3, 2), padding="same", dilation=(1, 2), bias=False), L([2, 2, 6, 5]))
record("Conv2d circular", lambda: nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="circular"), L([2, 2, 6, 5]))
record("Conv2d reflect", lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1, padding_mode="reflect"), L([2, 2, 6, 5]))
record("Conv3d", lambda: nn.Conv3d(1, 2, 2), L([1, 1, 3, 4, 3]))
record("ConvTranspose1d", lambda: nn.ConvTranspose1d(2, 3, 3, stride=2), L([2, 2, 5]))
record(
    "ConvTranspose2d",
    lambda: nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2),
    L([2, 4, 3, 4]),
)
record("ConvTranspose3d", lambda: nn.ConvTranspose3d(1, 2, 2, bias=False), L([1, 1, 2, 3, 2]))
record("MaxPool1d", lambda: nn.MaxPool1d(2), L([1, 2, 7]))
record("MaxPool2d", lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), L([1, 2, 7, 6]))
record("MaxPool3d", lambda: nn.MaxPool3d((1, 2, 2)), L([1, 1, 2, 4, 5]))
record("AvgPool1d", lambda: nn.AvgPool1d(2), L([1, 2, 7]))
record("AvgPool2d", lambda: nn.AvgPool2d(2, padding=1, count_include_pad=False), L([1, 2, 5, 6]))
record("AvgPool3d", lambda: nn.AvgPool3d(2), L([1, 1, 2, 4, 5]))
record("AdaptiveAvgPool2d", lambda: nn.AdaptiveAvgPool2d((2, 3)), L([1, 2, 5, 7]))
record("AdaptiveMaxPool1d", lambda: nn.AdaptiveMaxPool1d(3), L([1, 2, 7]))
record("BatchNorm1d", lambda: nn.BatchNorm1d(3), L([4, 3]))
record("BatchNorm1d eval", lambda: nn.BatchNorm1d(3), L([4, 3]), train=False)
record("BatchNorm2d", lambda: nn.BatchNorm2d(3, momentum=None), L([2, 3, 4, 2]))
record("BatchNorm3d", lambda: nn.BatchNorm3d(2, affine=False, track_running_stats=False), L([2, 2, 2, 3, 2]))
record("InstanceNorm1d", lambda: nn.InstanceNorm1d(3, affine=True), L([2, 3, 5]))
record("InstanceNorm2d", lambda: nn.InstanceNorm2d(3), L([3, 4, 2]))
record("InstanceNorm2d track", lambda: nn.InstanceNorm2d(3, track_running_stats=True), L([2, 3, 4, 2]))
record("LayerNorm", lambda: nn.LayerNorm([3, 4]), L([2, 3, 4]))
record("LayerNorm without bias", lambda: nn.LayerNorm(4, bias=False), L([2, 3, 4]))
record("RMSNorm", lambda: nn.RMSNorm([4]), L([2, 3, 4]))
record("GroupNorm", lambda: nn.GroupNorm(2, 4), L([2, 4, 3]))
record("LocalResponseNorm", lambda: nn.LocalResponseNorm(2), L([2, 4, 3]))
record("Embedding", lambda: nn.Embedding(6, 3, padding_idx=-2), ints([2, 4], 6))
record("EmbeddingBag", lambda: nn.EmbeddingBag(6, 3, mode="sum"), ints([2, 4], 6))
record("RNN", lambda: nn.RNN(3, 4, num_layers=2, nonlinearity="relu", batch_first=True), L([2, 5, 3]))
record("LSTM", lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True), L([5, 2, 3]))
record("LSTM projected", lambda: nn.LSTM(3, 4, proj_size=2, batch_first=True), L([2, 5, 3]))
record(
    "LSTM states",
    lambda: nn.LSTM(3, 4, bias=False),
    L([5, 2, 3]),
    L([1, 2, 4], 3),
    L([1, 2, 4], 8),
    call=lambda m, x, h, c: m(x, (h, c)),
)
record("GRU", lambda: nn.GRU(3, 4, bidirectional=True), L([5, 3]))
record("RNNCell", lambda: nn.RNNCell(3, 4), L([2, 3]))
record("LSTMCell", lambda: nn.LSTMCell(3, 4), L([2, 3]))
record("GRUCell", lambda: nn.GRUCell(3, 4, bias=False), L([2, 3]), L([2, 4], 2))
record("MultiheadAttention", lambda: nn.MultiheadAttention(4, 2), L([3, 2, 4]), L([5, 2, 4], 1), L([5, 2, 4], 2))
record(
    "MultiheadAttention apart",
    lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True, add_zero_attn=True, batch_first=True),
    L([2, 3, 4]),
    L([2, 5, 3], 1),
    L([2, 5, 5], 2),
)
record(
    "TransformerEncoderLayer",
    lambda: nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, dropout=0.0, batch_first=True),
    L([2, 3, 4]),
)
record(
    "TransformerEncoderLayer first",
    lambda: nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, dropout=0.0, activation="gelu", norm_first=True, bias=False),
    L([3, 2, 4]),
    call=lambda m, x: m(x, src_mask=nn.Transformer.generate_square_subsequent_mask(3)),
)
record("TransformerDecoderLayer", lambda: nn.TransformerDecoderLayer(4, 2, dim_feedforward=6, dropout=0.0), L([3, 2, 4]), L([5, 2, 4], 1))
record("Flatten", lambda: nn.Flatten(), L([2, 3, 2]))
record("Unflatten", lambda: nn.Unflatten(1, (3, 2)), L([2, 6]))
record("PixelShuffle", lambda: nn.PixelShuffle(2), L([1, 4, 2, 3]))
record("PixelUnshuffle", lambda: nn.PixelUnshuffle(2), L([1, 1, 4, 6]))
record("Upsample", lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), L([1, 1, 2, 3]))
record("ZeroPad2d", lambda: nn.ZeroPad2d((1, 2, 0, 1)), L([1, 1, 2, 3]))
record("ConstantPad1d", lambda: nn.ConstantPad1d((1, 2), 3.5), L([1, 2, 3]))
record("ReflectionPad1d", lambda: nn.ReflectionPad1d((1, 2)), L([1, 2, 4]))
record("PReLU", lambda: nn.PReLU(3), L([2, 3, 2]))
for name in "ReLU ReLU6 Tanh Sigmoid LogSigmoid SiLU Mish SELU Hardsigmoid Hardswish Softsign Tanhshrink LeakyReLU ELU CELU Softplus Hardtanh Hardshrink Softshrink GELU".split():
    record(name, lambda: getattr(nn, name)(), L([3, 4]) * 4)
record("Threshold", lambda: nn.Threshold(0.1, 20.0), L([3, 4]))
record("GELU tanh", lambda: nn.GELU(approximate="tanh"), L([3, 4]))
record("RReLU eval", lambda: nn.RReLU(), L([3, 4]), train=False)
for name in "Softmax Softmin LogSoftmax GLU".split():
    record(name, lambda: getattr(nn, name)(dim=1), L([3, 4]))
for name in "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout".split():
    record(name + " eval", lambda: getattr(nn, name)(0.25), L([2, 3, 2, 2, 2][: 3 if "1d" in name else 5]), train=False)

INITS = {
    "trunc_normal_": lambda t: nn.init.trunc_normal_(t, 0.5, 2.0, -1.0, 2.0),
    "trunc_normal_ far": lambda t: nn.init.trunc_normal_(t, 0.0, 1.0, 0.6, 1.0),
    "eye_": nn.init.eye_,
    "orthogonal_": nn.init.orthogonal_,
    "sparse_": lambda t: nn.init.sparse_(t, 0.4),
}
inits = {}
for name, init in INITS.items():
    torch.manual_seed(7)
    inits[name] = flat(init(torch.empty(5, 3)))
inits["dirac_"] = flat(nn.init.dirac_(torch.empty(4, 2, 3, 3), 2))
json.dump({"torch": torch.__version__, "layers": RECORDS, "inits": inits}, sys.stdout, separators=(",", ":"))
