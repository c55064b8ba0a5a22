"""What is fuzzed: for each reader a good file, and what a user does with a damaged one."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from benchmarks.fuzz.damage import TOKENS, Choices, damaged

from sparsefit import Network
from sparsefit.cli import main
from sparsefit.core.layer import Layer
from sparsefit.core.setting import Setting
from sparsefit.data.cifar import read_batches
from sparsefit.data.idx import read_labelled
from sparsefit.experiments.jobs import Rules, run_job
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.store import Store, load_rows
from sparsefit.experiments.tracking import Signal
from sparsefit.figures.panels import make_panels
from sparsefit.methods.aiht import AcceleratedIHT
from sparsefit.predictor import Column, Predictor
from sparsefit.study.checkpoint import load_checkpoint
from sparsefit.study.config import load_config
from sparsefit.study.network import make_network
from sparsefit.study.training import train
from sparsefit.tasks.regression import Regression


@dataclass(frozen=True)
class Target:
    """A good file, and what is done with a damaged one.

    Attributes
    ----------
    name : str
        Of the file.
    good : bytes
    use : callable
        Gets the path of the file.
    """

    name: str
    good: bytes
    use: Callable[[Path], object]

    def run(self, data: bytes, folder: Path) -> None:
        """Damage the file as `data` says, and use it."""
        path = folder / self.name
        path.write_bytes(damaged(self.good, Choices(data)))
        self.use(path)


@dataclass(frozen=True)
class Words:
    """Command lines, of words that there are and of some that there are not."""

    def run(self, data: bytes, folder: Path) -> None:
        """Run the command that `data` stands for; none that computes."""
        choices = Choices(data)
        words = [choices.one_of(_COMMANDS)]
        while not choices.is_used_up and len(words) < 12:
            words.append(choices.one_of(_WORDS))
        texts = [word.decode("utf-8", "replace").replace("\0", "") for word in words]
        command(*texts, *(["--dry-run"] if texts[0] in ("run", "reproduce") else []))


_COMMANDS = (
    b"run", b"reproduce", b"look", b"predict", b"show", b"methods", b"tasks", b"export", b"figures",
    b"report", b"help", b"rum", b"evaluate", b"",
)  # fmt: skip
_WORDS = (
    b"--task", b"planted", b"--method", b"aiht", b"splice", b"--hidden", b"--nnz", b"--seeds", b"1",
    b"3", b"--out", b"runs", b"--shard", b"0/2", b"3/2", b"--layers", b"--format", b"json",
    b"--workers", b"--engine", b"dask", b"--max-memory", b"2GB", b"--to", b"c", b"onnx", b"--help",
    b"--quiet", b"--n-samples", b"--noise-db", b"--=", b"-", b"--", b"--nnz=", b"--nnz=5", b"a.csv",
    b"--target", b"y", *TOKENS[:20],
)  # fmt: skip


def command(*words: str) -> None:
    """Run a command of sparsefit without what it prints; an exit code it may have, and no error."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # --help
            code = int(end.code or 0)
    assert code in (0, 1, 2), code


def targets(folder: Path) -> Mapping[str, Target | Words]:
    """Return what is fuzzed, by name; good files are made in a folder."""
    pixels = struct.pack(">IIII", 0x803, 2, 2, 3) + bytes(range(12))
    labels = struct.pack(">II", 0x801, 2) + bytes([1, 7])
    (folder / "labels").write_bytes(labels)
    (folder / "images").write_bytes(pixels)
    tables = _tables(folder)
    return {
        "words": Words(),
        "config.yaml": Target("study.yaml", _CONFIG_YAML, load_config),
        "config.toml": Target("study.toml", _CONFIG_TOML, load_config),
        "images.idx": Target("i", pixels, lambda path: read_labelled(path, folder / "labels")),
        "labels.idx": Target("l", labels, lambda path: read_labelled(folder / "images", path)),
        "cifar.tar": Target("c.tar", _cifar(), lambda path: read_batches(path, ["a.bin"], [1, 2])),
        "model": Target("m.safetensors", _model(folder), _use_model),
        "checkpoint": _checkpoint(folder),
        "row": _row(folder),
        **{
            f"table.{kind}": Target(f"t.{kind}", good, lambda path: command("look", str(path)))
            for kind, good in tables.items()
        },
    }


_CONFIG_YAML = b"target: friedman\nhidden: 8\nsparsity: 0.5\nseed: 3\nlr: 0.01\n"
_CONFIG_TOML = b"hidden = 4\nepochs = 1\nsteps_per_epoch = 2\nbatch_size = 8\n"


def _tables(folder: Path) -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet

    text = "a,b,c,y\n" + "".join(
        f"{i},{i / 7:.3f},{['red', 'blue', 'green'][i % 3]},{i % 2}\n" for i in range(40)
    )
    rows = [dict(zip("abcy", line.split(","), strict=True)) for line in text.split()[1:]]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), folder / "t.parquet")
    np.savez(folder / "t.npz", X=np.arange(60.0).reshape(20, 3), y=np.arange(20) % 2)
    np.save(folder / "t.npy", np.arange(60.0).reshape(20, 3))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return {
        "csv": text.encode(), "tsv": text.replace(",", "\t").encode("utf-16"),
        "jsonl": lines.encode(), "parquet": (folder / "t.parquet").read_bytes(),
        "npz": (folder / "t.npz").read_bytes(), "npy": (folder / "t.npy").read_bytes(),
    }  # fmt: skip


def _cifar() -> bytes:
    """Return an archive with a batch, and members that climb out and link elsewhere."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind in (("cifar-10-batches-bin/a.bin", tarfile.REGTYPE),
                           ("../../outside", tarfile.REGTYPE),
                           ("cifar-10-batches-bin/b.bin", tarfile.SYMTYPE)):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 2 * 3073
            archive.addfile(member, io.BytesIO(bytes([1]) * member.size))
    return stream.getvalue()


def _model(folder: Path) -> bytes:
    rng = np.random.default_rng(0)
    network = Network((Layer(rng.normal(size=(3, 4)), np.zeros(4)), Layer(rng.normal(size=(4, 2)))))
    path = folder / "good.safetensors"
    columns = tuple(Column(name=name) for name in "abc")
    Predictor(network=network, columns=columns, targets=("y", "z")).save(path)
    return path.read_bytes()


def _use_model(path: Path) -> None:
    model = Predictor.load(path)
    if model.network.n_inputs < 1000:
        model.network.predict(np.ones((2, model.network.n_inputs)))
    command("export", str(path), "--to", "npz", "--out", str(path.with_suffix(".out.npz")))


def _checkpoint(folder: Path) -> Target:
    config = load_config(_written(folder / "s.toml", _CONFIG_TOML))
    train(config, folder / "study")
    good = next((folder / "study").rglob("*.safetensors")).read_bytes()

    def use(path: Path) -> None:
        network = make_network(config)
        load_checkpoint(path, config, network, torch.optim.Adam(network.parameters()))

    return Target("c.safetensors", good, use)


def _row(folder: Path) -> Target:
    cell = Cell(Regression(n_samples=30, n_test=10), AcceleratedIHT(epochs=1),
                Setting(hidden=2), 2)  # fmt: skip
    store = Store(folder / "runs")
    [row] = run_job([cell], Rules(store), Signal(folder / "signal"))
    path = store.row_path(row["run_id"])

    def use(path: Path) -> None:
        rows = load_rows(path.parent.parent, lambda note: None)
        if rows:
            make_panels(rows)
            command("figures", str(path.parent.parent))

    return Target(f"rows/{path.name}", path.read_bytes(), use)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
