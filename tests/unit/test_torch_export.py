"""Torch models in ONNX and C: the same answers, on every kind of layer; refusals name the layer."""

import subprocess

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sparsefit import OptionError, SparsefitError, export_torch, prune

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


class Written(nn.Module):
    """A forward as people write it, with functions."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 5 * 4, 3)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.norm(self.conv(x))), 2)
        x = functional.dropout(x, 0.5, self.training)
        return self.head(x.view(x.size(0), -1))


MODELS = {
    "linear": lambda: (nn.Linear(5, 3), (5,)),
    "mlp": lambda: (
        nn.Sequential(nn.Linear(9, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2)),
        (9,),
    ),
    "relu first": lambda: (nn.Sequential(nn.ReLU(), nn.Linear(6, 4), nn.LeakyReLU(0.1)), (6,)),
    "activation only": lambda: (nn.ReLU(), (4,)),
    "norm after relu": lambda: (
        nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.ReLU(), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 3)
        ),
        (2, 6, 6),
    ),
    "norm without weights": lambda: (
        nn.Sequential(nn.BatchNorm1d(6, affine=False), nn.Linear(6, 2)), (6,)
    ),
    "strided": lambda: (nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 9, 7)),
    "dilated": lambda: (nn.Conv2d(1, 2, 3, dilation=(2, 1), padding="same"), (1, 8, 5)),
    "grouped": lambda: (
        nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.Conv2d(8, 8, 2, groups=8)),
        (4, 6, 5),
    ),
    "signals": lambda: (
        nn.Sequential(
            nn.Conv1d(2, 6, 5, padding="same", bias=False), nn.BatchNorm1d(6), nn.ReLU(),
            nn.MaxPool1d(3, 2, 1), nn.Conv1d(6, 4, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(4, 2),
        ),
        (2, 21),
    ),
    "max pool with ceil": lambda: (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 8, 7)),
    "dilated max pool": lambda: (nn.MaxPool2d(2, 1, dilation=2), (2, 6, 6)),
    "mean pool": lambda: (nn.AvgPool2d(3, 2, 1), (2, 7, 9)),
    "mean pool of what is inside": lambda: (
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 8, 8)
    ),
    "adaptive": lambda: (
        nn.Sequential(nn.AdaptiveAvgPool2d((2, 3)), nn.AdaptiveMaxPool2d(1)), (3, 4, 6)
    ),
    "sequences": lambda: (nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), (5, 4)),
    "unflatten": lambda: (
        nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 3), nn.Flatten()), (16,)
    ),
    "written by hand": lambda: (Written(), (1, 12, 10)),
    "lenet": lambda: (
        nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5),
            nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 25, 40), nn.ReLU(),
            nn.Linear(40, 10),
        ),
        (1, 28, 28),
    ),
}  # fmt: skip


@pytest.fixture(params=list(MODELS))
def trained(request):
    """Return a model with batch norms that do something, pruned if it can be, and inputs."""
    torch.manual_seed(0)
    model, shape = MODELS[request.param]()
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    if any(isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)) for module in model.modules()):
        prune(model, sparsity=0.6)
    return model, torch.randn(4, *shape)


def expected(model, x):
    """Return what the model answers, in evaluation, as an array."""
    was_training = model.training
    with torch.no_grad():
        found = model.eval()(x).numpy()
    model.train(was_training)
    return found


def run_c(path, x, *flags, compiler="gcc", standard="c99", language="c"):
    program = path.with_suffix(f".{compiler}")
    done = subprocess.run(
        [compiler, f"-std={standard}", "-O1", *flags, "-DSPARSEFIT_MAIN", "-x", language,
         str(path), "-o", str(program)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    text = "".join(",".join(map(repr, row)) + "\n" for row in x.flatten(1).tolist())
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    return np.array([line.split(",") for line in done.stdout.split()], dtype=float)


def test_onnx(trained, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model, x = trained
    export_torch(model, x[:1], tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    found = session.run(["values"], {"X": x.numpy()})[0]
    np.testing.assert_allclose(found, expected(model, x), atol=1e-5, rtol=1e-4)


def test_c(trained, tmp_path):
    model, x = trained
    export_torch(model, x[:2], str(tmp_path / "my model.h"))
    found = run_c(tmp_path / "my model.h", x, *WARNINGS)
    np.testing.assert_allclose(found, expected(model, x).reshape(4, -1), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "how",
    [{"compiler": "clang"}, {"compiler": "g++", "standard": "c++17", "language": "c++"}],
    ids=lambda how: how["compiler"],
)
def test_c_has_no_warnings_elsewhere(how, tmp_path):
    model, shape = MODELS["signals"]()
    x = torch.randn(3, *shape)
    export_torch(model, x, tmp_path / "m.h")
    try:
        found = run_c(tmp_path / "m.h", x, "-Wall", "-Wextra", "-Werror", **how)
    except FileNotFoundError:
        pytest.skip(f"there is no {how['compiler']}")
    np.testing.assert_allclose(found, expected(model, x), atol=1e-5, rtol=1e-4)


def test_windows_of_three_dimensions_are_for_onnx(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = nn.Sequential(nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2), nn.ReLU(), nn.AvgPool3d(2))
    x = torch.randn(2, 1, 5, 5, 5)
    export_torch(model, x, tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    found = session.run(["values"], {"X": x.numpy()})[0]
    np.testing.assert_allclose(found, expected(model, x), atol=1e-5)
    with pytest.raises(SparsefitError, match="one or two dimensions, got 3: export to ONNX"):
        export_torch(model, x, tmp_path / "m.h")
    assert not (tmp_path / "m.h").exists()


def test_only_nonzeros_are_stored(tmp_path):
    pytest.importorskip("onnx")
    model = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 10))
    prune(model, nnz=2000)
    for name in ("m.onnx", "m.h"):
        export_torch(model, torch.zeros(1, 784), tmp_path / name)
    # A place of 8 bytes and a number of 4 for each, and the dense biases.
    assert (tmp_path / "m.onnx").stat().st_size < 2000 * 12 + 2000
    size = next(
        int(line.split()[-1]) for line in (tmp_path / "m.h").read_text().splitlines()
        if "M_TABLE_BYTES" in line and line.startswith("#define")
    )  # fmt: skip
    assert size < 2000 * 6 + 300 * 6 + 100


def test_the_model_stays_as_it_is(tmp_path):
    model, shape = MODELS["mlp"]()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_torch(model.train(), torch.randn(3, *shape), tmp_path / "m.h")
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_the_same_model_gives_the_same_bytes(tmp_path):
    pytest.importorskip("onnx")
    for suffix in (".h", ".onnx"):
        files = []
        for folder in ("a", "b"):
            torch.manual_seed(1)
            model, shape = MODELS["lenet"]()
            path = tmp_path / folder / f"m{suffix}"
            path.parent.mkdir(exist_ok=True)
            export_torch(model, torch.zeros(1, *shape), path)
            files.append(path.read_bytes())
        assert files[0] == files[1]


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return x + self.inner(x)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.GELU()), (4,), "layer '1' .* no export of GELU"),
        (nn.Sequential(nn.Linear(4, 4), nn.Softmax(1)), (4,), "layer '1' .* of Softmax"),
        (Residual(), (4,), "layer 'add' .* must follow one another"),
        (nn.Sequential(nn.LSTM(4, 4)), (3, 4), "layer '0' .*"),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")), (1, 5, 5),
         "layer '0' .* padding_mode 'circular'"),
        (nn.AdaptiveAvgPool2d(3), (1, 5, 5), r"\[5, 5\] cannot be divided into \[3, 3\] equal"),
        (nn.AvgPool2d(3, 2, 1, ceil_mode=True), (1, 6, 6), "count_include_pad=False only"),
        (nn.AvgPool2d(2, divisor_override=3), (1, 6, 6), "no export of such a AvgPool2d"),
        (nn.Linear(4, 4), (5,), "takes no such example"),
        (nn.Sequential(), (5,), "has no layer"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".onnx", ".h"])
def test_what_cannot_be_exported_is_named(model, shape, message, suffix, tmp_path):
    with pytest.raises(SparsefitError, match=message):
        export_torch(model, torch.zeros(2, *shape), tmp_path / f"m{suffix}")
    assert not list(tmp_path.iterdir())


def test_options_are_checked(tmp_path):
    model = nn.Linear(4, 2)
    with pytest.raises(OptionError, match=r"path must be .* \.onnx, \.h, got .*m\.tflite"):
        export_torch(model, torch.zeros(1, 4), tmp_path / "m.tflite")
    for example, words in ((torch.zeros(4), r"shape \[4\]"), (np.zeros((1, 4)), "ndarray")):
        with pytest.raises(OptionError, match=f"example must be a tensor of rows .*{words}"):
            export_torch(model, example, tmp_path / "m.h")


def test_a_number_beyond_float32_is_refused(tmp_path):
    model = nn.Linear(4, 2).double()
    model.weight.data[0, 0] = 1e300
    with pytest.raises(SparsefitError, match="too large"):
        export_torch(model, torch.zeros(1, 4), tmp_path / "m.h")
