"""A killed training goes on to the same bytes; checkpoints are refused or trusted, rightly."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sparsefit.core.errors import DataError, OptionError, SparsefitError
from sparsefit.nn import MASKS
from sparsefit.nn.masking import plain_copy
from sparsefit.study.config import StudyConfig
from sparsefit.study.evaluation import evaluate
from sparsefit.study.folder import RunFolder
from sparsefit.study.network import make_network, masks
from sparsefit.study.rows import held_out_rows, rows_of_step
from sparsefit.study.training import train

SMALL = StudyConfig(
    hidden=8, n_features=4, sparsity=0.5, epochs=4, steps_per_epoch=15, batch_size=16, lr=0.02
)
FILES = ("checkpoint.safetensors", "metrics.csv", "masks.bin", "config.json")


class Killed(BaseException):
    pass


def kill_at(step):
    def on_step(now, loss):
        if now == step:
            raise Killed

    return on_step


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def changed(**options):
    return StudyConfig(**{**SMALL.as_dict(), **options})


@pytest.fixture
def trained(tmp_path):
    train(SMALL, tmp_path / "run")
    return tmp_path / "run"


# Rows.


def test_rows_of_a_step_depend_on_the_seed_and_the_step_only():
    X, y = rows_of_step(SMALL, 3)
    assert (rows_of_step(SMALL, 3)[0] == X).all()
    for other in (rows_of_step(SMALL, 4), rows_of_step(changed(seed=1), 3), held_out_rows(SMALL)):
        assert (other[0][:16] != X).all()
    assert abs(X.mean()) < 0.5
    noisy = rows_of_step(changed(noise=2.0, batch_size=5000), 3)
    assert (noisy[1] - noisy[0].sum(axis=1, keepdims=True)).std() == pytest.approx(2.0, rel=0.05)
    assert y.shape == (16, 1)


# Resuming.


@pytest.mark.parametrize("mask", [*MASKS, "frozen"])
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(tmp_path, mask):
    # A schedule that is under way, random gates and scores that learn, while it is killed.
    config = changed(mask=mask, mask_schedule="cubic", ramp_steps=41, noise=0.1, bias=True)
    train(config, tmp_path / "whole")
    for step in (8, 22, 45):  # in the first epoch, in the second, at the end of the third
        torch.manual_seed(step)
        with pytest.raises(Killed):
            train(config, tmp_path / "killed", on_step=kill_at(step))
    seen = []
    assert train(config, tmp_path / "killed", on_step=lambda step, loss: seen.append(step))
    assert seen == list(range(31, 61))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_training_that_got_kill_9_goes_on_to_the_same_bytes(tmp_path, trained):
    script = (
        "import os, signal, sys\n"
        "import torch; torch.set_num_threads(1)\n"
        "from sparsefit.study.config import load_config\n"
        "from sparsefit.study.training import train\n"
        "kill = lambda step, loss: os.kill(os.getpid(), signal.SIGKILL) if step == 37 else None\n"
        "train(load_config(sys.argv[1]), sys.argv[2], on_step=kill)\n"
    )
    (tmp_path / "c.toml").write_text(
        "\n".join(f"{k} = {json.dumps(v)}" for k, v in SMALL.as_dict().items() if v is not None)
    )
    words = [sys.executable, "-c", script, str(tmp_path / "c.toml"), str(tmp_path / "killed")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "killed" / "metrics.csv").read_text().splitlines()[-1][:3] == "37,"
    train(SMALL, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(trained)


def test_a_checkpoint_that_was_half_written_is_not_seen(tmp_path, trained, monkeypatch):
    synced = []

    def fail(descriptor):
        synced.append(descriptor)
        if len(synced) > 14:  # the checkpoint of the fourth epoch
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(SparsefitError, match=r"No space left on device; the last checkpoint"):
            train(SMALL, tmp_path / "full")
    assert not list((tmp_path / "full").glob(".*"))
    train(SMALL, tmp_path / "full")
    assert contents(tmp_path / "full") == contents(trained)


def test_a_finished_training_computes_nothing(trained):
    before = contents(trained)
    assert not train(SMALL, trained, on_step=kill_at(1))
    assert contents(trained) == before


def test_another_seed_and_global_random_state(trained, tmp_path):
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    train(SMALL, tmp_path / "again")
    assert (torch.random.get_rng_state() == state).all()
    assert contents(tmp_path / "again") == contents(trained)
    train(changed(seed=1), tmp_path / "other")
    assert contents(tmp_path / "other")["metrics.csv"] != contents(trained)["metrics.csv"]


def test_masks_move_but_those_that_are_frozen(tmp_path):
    moved = {}
    for mask in (*MASKS, "frozen"):
        train(changed(mask=mask), tmp_path / mask)
        history = evaluate(tmp_path / mask).mask_history
        assert history["hidden"].shape == (5, 32)
        moved[mask] = any((h[1:] != h[:1]).any() for h in history.values())
    assert moved == {**dict.fromkeys(MASKS, True), "frozen": False}


def test_the_ramp_ends_when_it_says(tmp_path):
    kept = []
    for ramp_steps in (10, 60):
        config = changed(mask_schedule="linear", ramp_steps=ramp_steps)
        train(config, tmp_path / str(ramp_steps))
        history = evaluate(tmp_path / str(ramp_steps)).mask_history["hidden"]
        kept.append(history.sum(axis=1).tolist())
    assert kept[0] == [32, 16, 16, 16, 16]
    # At step 10 * (step // 10), of 60.
    assert kept[1] == [32, 29, 24, 21, 16]


def test_soft_masks_are_hard_when_the_ramp_ends(tmp_path):
    losses = {}
    for ramp_steps in (10, 60):
        config = changed(mask="sigmoid", ramp_steps=ramp_steps)
        train(config, tmp_path / str(ramp_steps))
        losses[ramp_steps] = evaluate(tmp_path / str(ramp_steps)).losses
    assert (losses[10] != losses[60]).any()


def test_random_gates_are_other_ones_in_each_epoch(tmp_path):
    seeds = set()
    train(SMALL, tmp_path / "run", on_step=lambda step, loss: seeds.add(torch.initial_seed()))
    assert len(seeds) == SMALL.epochs


# Folders.


def test_a_folder_of_another_config_is_refused(trained):
    before = contents(trained)
    with pytest.raises(SparsefitError, match=r"another config \(lr is 0.02 there and 0.5 here\)"):
        train(changed(lr=0.5), trained)
    assert contents(trained) == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "metrics.csv").write_text("mine")
    with pytest.raises(OptionError, match="out must be a new folder, or that of a study"):
        train(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_two_trainings_in_one_folder(trained):
    with (
        RunFolder(trained).training(SMALL.resolved),
        pytest.raises(SparsefitError, match="another process is training"),
    ):
        train(SMALL, trained)


def test_logs_that_are_shorter_than_the_checkpoint_are_refused(tmp_path):
    for name in ("metrics.csv", "masks.bin"):
        folder = tmp_path / name
        with pytest.raises(Killed):
            train(SMALL, folder, on_step=kill_at(40))
        (folder / name).write_bytes((folder / name).read_bytes()[:8])
        with pytest.raises(DataError, match=f"{name} is damaged: it ends before"):
            evaluate(folder)
        with pytest.raises(DataError, match=f"{name} is damaged: it ends before step 30"):
            train(SMALL, folder)


def test_a_loss_that_is_no_number_names_lr(tmp_path):
    with pytest.raises(SparsefitError, match=r"the loss is (inf|nan) in step \d+: lr must be"):
        train(changed(lr=1e12), tmp_path / "run")


# Checkpoints.


def truncate(path, tensors):
    path.write_bytes(path.read_bytes()[:-100])


def drop_a_tensor(path, tensors):
    save_file(dict(list(tensors.items())[1:]), path, header_of(path))


def widen(path, tensors):
    name = "model.hidden.weight"
    save_file({**tensors, name: torch.zeros(9, 4)}, path, header_of(path))


def forget_adam(path, tensors):
    own = {name: t for name, t in tensors.items() if not name.startswith("optimizer.0")}
    save_file(own, path, header_of(path))


def fake_step(path, tensors):
    header = json.loads(header_of(path)["sparsefit"])
    save_file(tensors, path, {"sparsefit": json.dumps(header | {"step": 61})})


def header_of(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()


DAMAGES = {
    truncate: "is damaged",
    lambda path, tensors: path.write_bytes(b""): "is damaged",
    lambda path, tensors: path.write_bytes(b"\x80\x04K\x01."): "is damaged",  # a pickle
    lambda path, tensors: save_file(tensors, path): "is not a checkpoint of a study",
    lambda path, tensors: save_file(tensors, path, {"sparsefit": "[]"}): "is not a checkpoint",
    fake_step: "is damaged: its step is 61, of 60",
    drop_a_tensor: "is of another architecture: ",
    widen: r"another architecture: .*weight is \(9, 4\) float32 there and \(8, 4\) float32",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_checkpoint_that_cannot_be_used_is_one_sentence(trained, damage):
    path = trained / "checkpoint.safetensors"
    damage(path, load_file(path))
    for use in (lambda: evaluate(trained), lambda: train(SMALL, trained)):
        with pytest.raises(DataError, match=DAMAGES[damage]) as error:
            use()
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)


def test_a_checkpoint_without_the_optimiser_can_be_evaluated_not_trained_on(trained):
    path = trained / "checkpoint.safetensors"
    forget_adam(path, load_file(path))
    evaluate(trained)
    with pytest.raises(DataError, match=r"0.exp_avg is absent there and \(8, 4\) float32 here"):
        train(SMALL, trained)


def test_a_checkpoint_of_another_study_is_refused(trained, tmp_path):
    train(changed(seed=1), tmp_path / "other")
    (tmp_path / "other" / "checkpoint.safetensors").replace(trained / "checkpoint.safetensors")
    with pytest.raises(DataError, match="of another study: seed is 1 there and 0 here"):
        evaluate(trained)


def test_no_checkpoint_yet(tmp_path):
    with pytest.raises(Killed):
        train(SMALL, tmp_path / "run", on_step=kill_at(3))
    with pytest.raises(DataError, match="is missing: no epoch of this study has ended"):
        evaluate(tmp_path / "run")


def test_a_checkpoint_is_no_pickle(trained):
    tensors = load_file(trained / "checkpoint.safetensors")
    assert {"model.hidden.weight_mask.mask", "optimizer.0.exp_avg"} <= tensors.keys()
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


# Evaluation.


def test_evaluation_scores_the_trained_network(tmp_path):
    config = changed(epochs=20, steps_per_epoch=50, batch_size=64)
    train(config, tmp_path / "run")
    evaluation = evaluate(tmp_path / "run")
    scores, truth = evaluation.scores, evaluation.truth
    X, y = held_out_rows(config)
    with torch.no_grad():
        untrained = plain_copy(make_network(config))(torch.from_numpy(X)).numpy()
    assert scores["mse"] < 0.05 * np.square(untrained - y).mean()
    assert scores["mse"] == pytest.approx(np.square(evaluation.prediction - truth).mean())
    assert scores["constant_mse"] == pytest.approx(np.square(truth - truth.mean()).mean())
    assert scores["r2"] == pytest.approx(1 - scores["mse"] / scores["constant_mse"])
    assert json.loads((tmp_path / "run" / "scores.json").read_text()) == scores
    # By hand, from the final weights.
    (_, hidden), (_, output) = evaluation.weights["hidden"], evaluation.weights["output"]
    by_hand = np.maximum(X @ hidden.T, 0) @ output.T
    assert evaluation.prediction == pytest.approx(by_hand[:, 0], abs=1e-4)


def test_counts_are_of_the_permanent_weights(tmp_path):
    config = changed(mask="hard-concrete", mask_schedule="cosine", ramp_steps=60, bias=True)
    with pytest.raises(Killed):  # while gates are soft and the sparsity is not final
        train(config, tmp_path / "run", on_step=kill_at(20))
    evaluation = evaluate(tmp_path / "run")
    scores = evaluation.scores
    (behind, hidden), (_, output) = evaluation.weights["hidden"], evaluation.weights["output"]
    assert (behind != 0).all()
    assert ((hidden != 0).sum(), (output != 0).sum()) == (16, 4)
    assert (scores["step"], scores["steps"], scores["sparsity"]) == (15, 60, 0.5)
    assert (scores["n_params"], scores["nonzeros"]) == (8 * 4 + 8 + 8 + 1, 16 + 4 + 9)
    dead = [not (hidden[j].any() and output[0, j]) for j in range(8)]
    assert (scores["dead_units"], scores["hidden"]) == (sum(dead), 8)


def test_evaluation_leaves_the_training_as_it_was(tmp_path, trained):
    with pytest.raises(Killed):
        train(SMALL, tmp_path / "part", on_step=kill_at(40))
    assert evaluate(tmp_path / "part").scores["step"] == 30
    train(SMALL, tmp_path / "part")
    assert contents(tmp_path / "run") == contents(trained)


def test_finishing_copies(trained):
    network = make_network(SMALL)
    plain_copy(network)
    assert set(masks(network)) == {"hidden", "output"}


def test_metrics_are_the_losses_of_every_step(trained):
    losses = []
    train(SMALL, trained.parent / "again", on_step=lambda step, loss: losses.append(loss))
    lines = (trained / "metrics.csv").read_text().splitlines()
    assert lines[0] == "step,loss"
    assert [float(line.split(",")[1]) for line in lines[1:]] == losses
    assert evaluate(trained).losses.tolist() == losses


def test_the_device_is_checked_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(OptionError, match="torch finds no CUDA device"):
        train(changed(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
