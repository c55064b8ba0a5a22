"""``train`` and ``evaluate``, as their users meet them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sparsefit.study.config import StudyConfig
from sparsefit.study.training import train

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = ["--epochs", "2", "--steps-per-epoch", "10", "--ramp-steps", "10", "--batch-size", "32"]
CONFIG = StudyConfig(epochs=2, steps_per_epoch=10, ramp_steps=10, batch_size=32)
PICTURES = ["loss.png", "weights.png", "masks.png", "prediction.png"]


@pytest.fixture(autouse=True)
def _folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_train_then_evaluate(command, tmp_path):
    code, out, err = command("train", *QUICK)
    facts = json.loads(out)
    assert (code, err) == (0, [])
    folder = tmp_path / facts["run"]
    assert folder.parent == tmp_path / "runs"
    assert facts["figures"] == [str(Path(facts["run"]) / "figures" / name) for name in PICTURES]
    pictures = {name: (folder / "figures" / name).read_bytes() for name in PICTURES}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert (facts["step"], facts["steps"], facts["nonzeros"]) == (20, 20, 70)
    assert 0 < facts["mse"] < 2 * facts["constant_mse"]
    for path in (*(folder / "figures").iterdir(), folder / "scores.json"):
        path.unlink()
    code, again, err = command("evaluate", facts["run"])
    assert (code, again, err) == (0, out, [])
    assert json.loads((folder / "scores.json").read_text())["mse"] == facts["mse"]
    assert {name: (folder / "figures" / name).read_bytes() for name in PICTURES} == pictures


def test_the_same_command_again_says_that_it_has_ended(command):
    _, first, _ = command("train", *QUICK)
    code, out, err = command("train", *QUICK)
    assert (code, out) == (0, first)
    assert err == [f"the training in {json.loads(out)['run']} has ended before; nothing is trained"]


@pytest.mark.parametrize("name", ["study.yaml", "study.toml"])
def test_the_examples(command, tmp_path, name):
    code, out, _ = command("train", EXAMPLES / name, *QUICK, "--out", tmp_path / "run")
    assert (code, json.loads(out)["run"]) == (0, str(tmp_path / "run"))


def test_flags_go_before_the_file_and_the_file_before_defaults(command, tmp_path):
    (tmp_path / "c.yaml").write_text("hidden: 8\nlr: 0.5\nepochs: 2\n")
    command("train", "c.yaml", *QUICK, "--lr", "1e-2", "--out", "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["hidden"], config["lr"], config["seed"]) == (8, 0.01, 0)


def test_a_table_has_a_line_per_fact(command):
    _, out, _ = command("train", *QUICK, "--format", "table", "--out", "run")
    lines = [line.split() for line in out.splitlines()]
    assert ["run", "run"] in lines
    assert ["nonzeros", "70"] in lines
    assert [str(Path("run/figures/masks.png"))] in lines


@pytest.mark.parametrize("options", [
    ["--mask", "hard-concrete", "--mask-schedule", "cubic", "--structure", "2x2"],
    ["--target", "radial", "--structure", "1:2", "--mask", "sigmoid", "--bias"],
    ["--hidden", "300", "--sparsity", "0.5", "--mask", "frozen"],
    ["--hidden", "1", "--n-features", "1", "--sparsity", "0", "--epochs", "1"],
    ["--epochs", "1", "--steps-per-epoch", "1", "--ramp-steps", "1", "--batch-size", "1"],
])  # fmt: skip
def test_pictures_of_all_kinds_of_networks(command, options):
    code, out, err = command("train", *QUICK, *options, "--out", "run")
    assert (code, err) == (0, [])
    assert all(Path(path).stat().st_size > 5000 for path in json.loads(out)["figures"])


def test_an_interrupted_training_goes_on(command, monkeypatch, tmp_path):
    from sparsefit.study import training

    draw, steps = training.rows_of_step, []

    def stop(config, step):
        steps.append(step)
        if step == 15 and len(steps) == 15:
            raise KeyboardInterrupt
        return draw(config, step)

    monkeypatch.setattr(training, "rows_of_step", stop)
    code, out, err = command("train", *QUICK, "--out", "run")
    assert (code, out) == (130, "")
    assert err == [
        "sparsefit: interrupted; the same command goes on from the last checkpoint in run"
    ]
    code, out, _ = command("evaluate", "run")
    assert (code, json.loads(out)["step"]) == (0, 10)
    code, out, _ = command("train", *QUICK, "--out", "run")
    assert (code, json.loads(out)["step"], steps[15:]) == (0, 20, list(range(11, 21)))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "absent.yaml"], "cannot read the config absent.yaml: No such file"),
        (["train", "wrong.yaml"], "wrong.yaml: unknown key 'hiden' (did you mean 'hidden'?)"),
        (["train", "--hidden", "0"], "--hidden must be an integer >= 1, got 0"),
        (["train", "--sparsity", "1"], "--sparsity must be a number >= 0 and < 1, got 1.0"),
        (["train", "--mask", "sigmod"], "--mask must be one of magnitude, "),
        (["train", "--structure", "3x3"], "--structure must be one with rows a divisor of 64"),
        (["train", "--target", "friedman", "--n-features", "2"], "--n-features must be an integer"),
        (["train", "--hiden", "3"], "unknown option --hiden (did you mean '--hidden'?)"),
        (["train", "--device", "cuda"], "--device must be cpu, as torch finds no CUDA device here"),
        (["train", "--out", "wrong.yaml"], "--out must be a folder that can be written"),
        (["train", "--out", "."], "--out must be a new folder, or that of a study, got '.'"),
        (["train", "--format", "xml"], "--format must be one of table, json, got 'xml'"),
        (["evaluate", "absent"], "there is no study in 'absent': it has no config.json"),
        (["evaluate", "wrong.yaml"], "there is no study in 'wrong.yaml'"),
        (["evaluate"], "the following arguments are required: RUN"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_request_is_one_sentence_and_writes_nothing(
    command, words, sentence, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    (tmp_path / "wrong.yaml").write_text("hiden: 3")
    code, out, err = command(*words)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(f"sparsefit: {sentence}")
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("checkpoint.safetensors", b"\x80\x04K\x01.", "checkpoint.safetensors is damaged: "),
        ("checkpoint.safetensors", None, "checkpoint.safetensors is missing: "),
        ("config.json", b"{", "config.json is damaged: not JSON"),
        ("config.json", b'{"hidden": 0}', "config.json: hidden must be an integer >= 1, got 0"),
        ("config.json", b'{"hidden": 32}', "is a checkpoint of another study: hidden is 64 there"),
        ("metrics.csv", b"step,loss\n1,x\n", "metrics.csv is damaged: it ends before step 20"),
        ("masks.bin", None, "cannot read run/masks.bin: No such file"),
    ],
)
def test_a_damaged_run_is_one_sentence(command, tmp_path, name, content, sentence):
    train(CONFIG, "run")
    if content is None:
        (tmp_path / "run" / name).unlink()
    else:
        (tmp_path / "run" / name).write_bytes(content)
    code, out, err = command("evaluate", "run")
    assert (code, out, len(err)) == (2, "", 1), err
    assert sentence in err[0]


def test_figures_that_cannot_be_written(command, tmp_path):
    train(CONFIG, "run")
    (tmp_path / "run" / "figures").write_text("mine")
    code, _, [sentence] = command("evaluate", "run")
    assert (code, sentence) == (
        2, "sparsefit: cannot write figures to run/figures: File exists",
    )  # fmt: skip


@pytest.mark.parametrize("words", [["train"], ["evaluate"]])
def test_help_does_without_torch(words):
    script = (
        "import sys\nfrom sparsefit.cli import main\n"
        f"try: main({[*words, '--help']!r})\nexcept SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'matplotlib', 'rich', 'yaml', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout
