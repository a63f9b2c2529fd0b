"""The timings of gpu.rs with PyTorch, eager and compiled, as lines of JSON: python3 torch.py [--eager] [NAME ..]"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

words = sys.argv[1:]
EAGER_ONLY = "--eager" in words
only = [word for word in words if not word.startswith("--")]
cuda = torch.device("cuda:0")
torch.manual_seed(7)
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def out(peer, workload, metric, value):
    print(json.dumps({"peer": peer, "workload": workload, "metric": metric, "value": value}), flush=True)


def wants(name):
    return not only or name in only


def seconds(call):
    """The median of seven runs of at least a tenth of a second."""

    def run(calls):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    for _ in range(3):
        run(3)
    calls = 1
    while run(calls) < 0.1:
        calls *= 2
    return sorted(run(calls) / calls for _ in range(7))[3]


def pointwise():
    n = 1 << 26
    a, b = torch.randn(n, device=cuda), torch.randn(n, device=cuda)
    for name, arrays, call in [
        ("copy", 2, lambda: a.clone()), ("add", 3, lambda: a + b), ("relu", 2, lambda: F.relu(a)),
        ("gelu", 2, lambda: F.gelu(a)), ("exp", 2, lambda: a.exp()),
    ]:
        out("torch", "pointwise", name + "_GB_per_s", arrays * 4 * n / seconds(call) / 1e9)
    side = 8192
    x = torch.randn(side, side, device=cuda)
    for name, arrays, call in [
        ("sum_all", 1, lambda: x.sum()), ("sum_rows", 1, lambda: x.sum(1)), ("sum_columns", 1, lambda: x.sum(0)),
        ("softmax", 2, lambda: x.softmax(1)), ("layer_norm", 2, lambda: F.layer_norm(x, (side,))),
        ("transpose", 2, lambda: x.t().contiguous()),
    ]:
        out("torch", "reduce", name + "_GB_per_s", arrays * 4 * side * side / seconds(call) / 1e9)


def gemm():
    for n in [1024, 4096]:
        a, b = torch.randn(n, n, device=cuda), torch.randn(n, n, device=cuda)

        def rate(name, a, b):
            out("torch", "gemm", f"{name}_{n}_TFLOP_per_s", 2 * n**3 / seconds(lambda: a @ b) / 1e12)

        rate("f32", a, b)
        torch.backends.cuda.matmul.allow_tf32 = True
        rate("tf32", a, b)
        torch.backends.cuda.matmul.allow_tf32 = False
        rate("bf16", a.bfloat16(), b.bfloat16())


def mlp(a, b, c, d):
    return nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c), nn.ReLU(), nn.Linear(c, d))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(10, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(320, 10),
    )


def peers():
    return ["torch"] if EAGER_ONLY else ["torch", "torch.compile"]


def classifier(name, shape, classes, make, optimizer):
    x = torch.randn(*shape, device=cuda)
    y = torch.randint(0, classes, (shape[0],), device=cuda)
    for peer in peers():
        model = make().to(cuda)
        opt = optimizer(model)
        # The compiled form that takes the host's work away: graphs.
        forward = torch.compile(model, mode="reduce-overhead") if peer == "torch.compile" else model

        def step():
            loss = F.cross_entropy(forward(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()

        out(peer, name, "train_samples_per_s", shape[0] / seconds(step))


def inference():
    x = torch.randn(1000, 1, 28, 28, device=cuda)
    for peer in peers():
        model = cnn().to(cuda)
        forward = torch.compile(model, mode="reduce-overhead") if peer == "torch.compile" else model
        with torch.no_grad():
            out(peer, "W3", "infer_samples_per_s_b1000", 1000 / seconds(lambda: forward(x)))


V, T, B, D, H, L = 65, 64, 12, 128, 4, 4


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.qkv, self.proj = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.fc, self.fc2 = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (part.view(b, t, H, D // H).transpose(1, 2) for part in self.qkv(self.ln1(x)).chunk(3, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, D))
        return x + self.fc2(F.gelu(self.fc(self.ln2(x))))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(V, D), nn.Embedding(T, D)
        self.blocks = nn.ModuleList(Block() for _ in range(L))
        self.ln, self.head = nn.LayerNorm(D), nn.Linear(D, V, bias=False)

    def forward(self, x):
        x = self.tok(x) + self.pos(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


def language():
    piece = torch.randint(0, V, (B, T + 1), device=cuda)
    x, y = piece[:, :T].contiguous(), piece[:, 1:].contiguous()
    for precision in ["f32", "bf16"]:
        for peer in peers():
            model = GPT().to(cuda)
            opt = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.01)
            forward = torch.compile(model, mode="reduce-overhead") if peer == "torch.compile" else model

            def step():
                with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
                    loss = F.cross_entropy(forward(x).reshape(-1, V), y.reshape(-1))
                opt.zero_grad()
                loss.backward()
                opt.step()

            out(peer, "W8", precision + "_tokens_per_s", B * T / seconds(step))


print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name(0)}", file=sys.stderr)
if wants("pointwise"):
    pointwise()
if wants("gemm"):
    gemm()
if wants("W1"):
    classifier("W1", (2, 2), 2, lambda: mlp(2, 30, 20, 2), lambda m: torch.optim.SGD(m.parameters(), lr=0.5))
if wants("W2"):
    adam = lambda m: torch.optim.Adam(m.parameters(), lr=3e-4)
    classifier("W2", (64, 784), 10, lambda: mlp(784, 128, 64, 10), adam)
if wants("W3"):
    sgd = lambda m: torch.optim.SGD(m.parameters(), lr=0.001)
    classifier("W3", (64, 1, 28, 28), 10, cnn, sgd)
    inference()
if wants("W8"):
    language()
