"""Exchanges files with PyTorch, numpy and safetensors, both ways.

    python tests/pytorch.py make FOLDER    write the files that the tests read (and those of tests/files, once)
    python tests/pytorch.py check FOLDER   check the files that rushlight wrote there

`tests/suite/files.rs` runs both where Python has these packages. Exit status 77: it has not.
"""

import os
import sys

try:
    import numpy as np
    import torch
    from safetensors.torch import load_file, safe_open, save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}


def numbers(dtype):
    """0, 1, ... 5 as a 2 x 3 tensor; floats are halved, so that they have fractions."""
    x = torch.arange(6).reshape(2, 3)
    return (x / 2).to(dtype) if dtype.is_floating_point else x.to(dtype)


def of_dtypes():
    return {name: numbers(dtype) for name, dtype in DTYPES.items()}


def views():
    """Tensors that are not simply their storages."""
    base = torch.arange(12.0).reshape(3, 4)
    tied = torch.ones(2, 2)
    return {
        "base": base,
        "transposed": base.t(),
        "row": base[1],
        "steps": base[::2, 1::2],
        "expanded": torch.tensor([7.0]).expand(2, 3),
        "tied.a": tied,
        "tied.b": tied,
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.tensor([1.0, -1.0])),
    }


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def training():
    """A checkpoint as training scripts write it, with what the network makes of an input."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x = torch.randn(5, 4)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "input": x,
        "output": model(x).detach(),
        "best": None,
        "loss": 0.25,
        "seed": 2**64 - 1,
        "debt": -(2**40),
        "names": ["a", "b\u00e9"],
        "raw": b"\x00\xffab",
        "done": False,
        "size": torch.Size([2, 3]),
        "device": torch.device("cuda", 1),
        "dtype": torch.bfloat16,
    }


class Custom:
    pass


def make(folder):
    file = lambda name: os.path.join(folder, name)
    torch.save(of_dtypes(), file("dtypes.pth"))
    torch.save(views(), file("views.pth"))
    torch.save(training(), file("training.pth"))
    # What must be refused.
    torch.save(network(), file("whole.pth"))
    torch.save(network().state_dict(), file("legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"x": np.float64(1.0)}, file("numpy.pth"))
    torch.save({"x": torch.ones(1)}, file("protocol4.pth"), pickle_protocol=4)

    save_file(of_dtypes(), file("python.safetensors"), metadata={"format": "pt", "note": "a \"b\"\n\u00e9"})

    plain = np.arange(6, dtype="<f4").reshape(2, 3)
    np.save(file("plain.npy"), plain)
    np.save(file("fortran.npy"), np.asfortranarray(np.arange(24, dtype=">f8").reshape(2, 3, 4)))
    np.save(file("scalar.npy"), np.int64(-7))
    np.save(file("empty.npy"), np.zeros((0, 3), dtype="|b1"))
    for version in (2, 3):
        with open(file(f"version{version}.npy"), "wb") as out:
            np.lib.format.write_array(out, plain, version=(version, 0))
    arrays = {name: x.numpy() for name, x in of_dtypes().items() if name != "bfloat16"}
    np.savez(file("arrays.npz"), **arrays)
    np.savez_compressed(file("compressed.npz"), **arrays, zeros=np.zeros(2000, dtype="i4"))


def same(a, b, what):
    assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b), f"{what}: {a} is not {b}"


def check(folder):
    file = lambda name: os.path.join(folder, name)
    wanted = of_dtypes()
    for mmap in (False, True):
        state = torch.load(file("dtypes.pth"), weights_only=True, mmap=mmap)
        assert list(state) == list(wanted)
        for name in wanted:
            same(state[name], wanted[name], name)

    state = torch.load(file("views.pth"), weights_only=True)
    for name, x in views().items():
        same(state[name], x.detach(), name)
    tied = state["tied.a"], state["tied.b"]
    assert tied[0].data_ptr() == tied[1].data_ptr(), "tied tensors came apart"

    run = torch.load(file("training.pth"), weights_only=True)
    for name, value in training().items():
        if name in ("size", "device", "dtype", "model", "optimizer", "input", "output"):
            continue
        assert run[name] == value and type(run[name]) is type(value), (name, run[name], value)
    # PyTorch goes on where the file says: model and optimiser take their states, and a step is PyTorch's own.
    model, other = network(), network()
    model.load_state_dict(run["model"])
    x, y = run["input"], run["output"]
    assert torch.allclose(model(x), y, atol=1e-5), (model(x), y)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    optimizer.load_state_dict(run["optimizer"])
    own = training()
    other.load_state_dict(own["model"])
    reference = torch.optim.Adam(other.parameters(), lr=0.01)
    reference.load_state_dict(own["optimizer"])
    for net, steps in ((model, optimizer), (other, reference)):
        net(x).square().mean().backward()
        steps.step()
    for a, b in zip(model.parameters(), other.parameters()):
        assert torch.equal(a, b)

    state = load_file(file("dtypes.safetensors"))
    for name in wanted:
        same(state[name], wanted[name], name)
    with safe_open(file("dtypes.safetensors"), framework="pt") as opened:
        assert opened.metadata() == {"format": "pt", "note": "a \"b\"\n\u00e9"}, opened.metadata()
        same(opened.get_tensor("bool"), wanted["bool"], "bool")

    for name in ("arrays.npz", "compressed.npz"):
        with np.load(file(name)) as arrays:
            assert len(arrays.files) == 9, arrays.files
            for key in arrays.files:
                same(torch.from_numpy(arrays[key]), wanted[key], key)
    for name in ("plain.npy", "scalar.npy", "empty.npy", "row.npy"):
        x = np.load(file(name))
        expected = {"plain": numbers(torch.float32), "scalar": torch.tensor(-7), "row": torch.arange(3),
                    "empty": torch.zeros(0, 3, dtype=torch.bool)}[name[:-4]]
        same(torch.from_numpy(x) if x.shape else torch.tensor(x[()]), expected, name)
    print("PyTorch, numpy and safetensors read every file")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])
