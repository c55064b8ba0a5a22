"""No command writes over what it was given, or over a file that is another's."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder with a table in two kinds of file."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    rows = "\n".join(f"{x},{z},{x + 2 * z}" for x, z in zip(a, b, strict=True))
    Path("mine.csv").write_text(f"a,b,y\n{rows}\n")
    np.savez("mine.npz", a=a, b=b, y=a + 2 * b)


FIT = ["--target", "y", "--nnz", "2", "--hidden", "2"]


def test_outputs_replace_no_input_and_nothing_that_is_anothers(command):
    assert command("fit", "mine.npz", *FIT)[0] == 0
    before = Path("mine.npz").read_bytes(), Path("mine.safetensors").read_bytes()
    refused = [
        ["export", "mine.safetensors", "--to", "npz"],
        ["predict", "mine.safetensors", "mine.csv", "--out", "mine.safetensors"],
        ["predict", "mine.safetensors", "mine.csv", "--out", "mine.csv"],
        ["predict", "mine.safetensors", "mine.csv", "--out", "./mine.npz"],
        ["fit", "mine.npz", *FIT, "--out", "mine.csv"],
        ["fit", "mine.csv", *FIT],  # the model of the other file has that name
        ["report", "mine.safetensors", "--out", "mine.fit.json"],
        ["report", "mine.safetensors", "--out", "new/page.html"],
    ]
    for words in refused:
        code, out, err = command(*words)
        assert (code, out, len(err)) == (2, "", 1), words
    assert (Path("mine.npz").read_bytes(), Path("mine.safetensors").read_bytes()) == before
    assert sorted(path.name for path in Path().iterdir()) == [
        "mine.csv", "mine.fit.json", "mine.npz", "mine.safetensors",
    ]  # fmt: skip


def test_what_was_written_for_the_same_data_is_written_again(command):
    for _ in range(2):
        assert command("fit", "mine.npz", *FIT)[0] == 0
        for words in (["--to", "c"], ["--to", "python"], ["--to", "onnx"]):
            assert command("export", "mine.safetensors", *words)[0] == 0
        assert command("export", "mine.safetensors", "--to", "npz", "--out", "model.npz")[0] == 0
        assert command("report", "mine.safetensors")[0] == 0


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.fit.json"])
def test_a_file_of_somebody_elses_needs_force(command, name):
    Path(name).write_text("precious")
    code, _, [error] = command("fit", "mine.csv", *FIT)
    assert (code, Path(name).read_text()) == (2, "precious")
    assert error == (
        f"sparsefit: {name} is there already, and was not made of mine.csv here; --out names "
        "another, --force replaces it"
    )
    assert command("fit", "mine.csv", *FIT, "--force")[0] == 0
    assert Path(name).read_bytes() != b"precious"


def test_a_table_called_as_its_facts_were_is_no_longer_lost(command):
    lines = [json.dumps({"a": i % 7, "y": 2 * (i % 7)}) for i in range(40)]
    Path("mine.json").write_text("\n".join(lines))
    assert command("fit", "mine.json", *FIT, "--out", "other.safetensors")[0] == 0
    assert command("fit", "mine.csv", *FIT)[0] == 0
    assert Path("mine.json").read_text() == "\n".join(lines)


def test_predictions_are_not_lost(command):
    assert command("fit", "mine.csv", *FIT)[0] == 0
    words = ["predict", "mine.safetensors", "mine.csv", "--out", "p.csv"]
    assert command(*words)[0] == 0
    Path("p.csv").write_text("mine now")
    assert command(*words)[0] == 2
    assert Path("p.csv").read_text() == "mine now"
    assert command(*words, "--force")[0] == 0


def test_an_export_that_loses_digits_says_so(command):
    rng = np.random.default_rng(0)
    serial, noise = rng.normal(size=(2, 60))
    serial += 1e9
    np.savez("big.npz", serial=serial, y=serial - 1e9 + 0.01 * noise)
    assert command("fit", "big.npz", *FIT)[0] == 0
    for kind in ("c", "onnx"):
        code, _, [note, *_] = command("export", "big.safetensors", "--to", kind)
        assert code == 0
        assert note.startswith("note: column 'serial' varies by less than the rounding")
    for kind in ("python", "npz"):
        words = ["export", "big.safetensors", "--to", kind, "--out", f"out.{kind}"]
        assert command(*words, "--quiet")[2] == []
    names = {}
    exec(Path("out.python").read_text(), names)
    found = [names["predict"]({"serial": value})["y"] for value in serial]
    np.testing.assert_allclose(found, serial - 1e9, atol=0.2)
