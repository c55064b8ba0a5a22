"""Configs say what is wrong with them, and where; two that mean the same are the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import option_infos
from sparsefit.study.config import StudyConfig, load_config
from sparsefit.study.network import make_network, masks

EXAMPLES = Path(__file__).parents[2] / "examples"


def config_of(tmp_path, text, name="c.yaml"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_config(path)


def test_the_default_is_the_demo():
    config = StudyConfig()
    assert (config.target, config.n_features, config.hidden, config.bias) == ("sum", 10, 64, False)
    assert (config.steps, config.batch_size, config.lr) == (5000, 256, 1e-3)
    assert (config.mask, config.mask_schedule, config.final_sparsity) == (
        "magnitude", "constant", 0.9,
    )  # fmt: skip


def test_the_example_spells_the_default_out():
    text = (EXAMPLES / "study.yaml").read_text()
    assert load_config(EXAMPLES / "study.yaml") == StudyConfig().resolved
    missing = [info.name for info in option_infos(StudyConfig) if f"\n{info.name}: " not in text]
    assert missing == []


def test_the_other_example_is_nonlinear():
    assert load_config(EXAMPLES / "study.toml").target != "sum"


def test_yaml_and_toml_say_the_same(tmp_path):
    yaml = "lr: 1e-2 # no dot\nstructure: 1:2\nbias: true\nhidden: 8\nramp_steps: null\n"
    toml = 'lr = 1e-2\nstructure = "1:2"\nbias = true\nhidden = 8\n'
    config = config_of(tmp_path, yaml)
    assert config == config_of(tmp_path, toml, "c.toml")
    assert config == StudyConfig(lr=0.01, structure="1:2", bias=True, hidden=8)


def test_nothing_is_the_default(tmp_path):
    assert config_of(tmp_path, "# sparsity: 0.5\n") == StudyConfig()
    assert config_of(tmp_path, "", "c.toml") == StudyConfig()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hiden: 3", "unknown key 'hiden' (did you mean 'hidden'?)"),
        ("3: 3", "unknown key 3"),
        ("hidden: many", "hidden must be an integer >= 1, got 'many'"),
        ("hidden: 2.5", "hidden must be an integer >= 1, got 2.5"),
        ("hidden: [1, 2]", "hidden must be an integer >= 1, got [1, 2]"),
        ("bias: 1", "bias must be true or false, got 1"),
        ("lr: 0", "lr must be a number > 0, got 0"),
        ("lr: .nan", "lr must be a number > 0, got '.nan'"),
        ("sparsity: 1", "sparsity must be a number >= 0 and < 1, got 1"),
        ("mask: sigmod", "got 'sigmod' (did you mean 'sigmoid'?)"),
        ("structure: 2:4", "structure must be one with m a divisor of 10"),
        ("structure: 3x2", "structure must be one with rows a divisor of 64"),
        ("structure: 3:2", "structure must be one with n at most m, which is 2, got '3:2'"),
        ("structure: 0x2", "structure must be one with rows an integer >= 1, got '0x2'"),
        ("structure: row", "structure must be unstructured, rows"),
        ("structure: kernels", "structure must be unstructured, rows"),
        ("{structure: 1:2, sparsity: 0.9}", "sparsity must be 0.5 with structure 1:2, got 0.9"),
        ("{structure: rows, sparsity: 0.99}", "sparsity must be at most 0.9844 for a whole group"),
        ("ramp_steps: 5001", "ramp_steps must be an integer from 1 to the number of steps, 5000"),
        ("- 1", "there must be keys and values"),
        ("a: [1", "is not YAML: expected ',' or ']'"),
        ("!!python/object/apply:os.abort []", "is not YAML: could not determine a constructor"),
        (b"\xff\xfe", "is not YAML: 'utf-8' codec"),
    ],
)
def test_a_bad_config_is_one_sentence_that_names_the_file(tmp_path, text, sentence):
    with pytest.raises(SparsefitError) as error:
        config_of(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "c.yaml"))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("absent.yaml", "No such file"), ("c.json", "must end in .yaml, .yml or .toml"), ("", "end")],
)
def test_files_that_are_no_config(tmp_path, name, sentence):
    with pytest.raises(SparsefitError, match=sentence):
        load_config(tmp_path / name)


def test_damaged_toml(tmp_path):
    with pytest.raises(SparsefitError, match="is not TOML: Invalid value"):
        config_of(tmp_path, "lr = = 1", "c.toml")


CHANGES = {
    "target": "sine", "n_features": 12, "noise": 0.1, "hidden": 32, "bias": True, "sparsity": 0.5,
    "mask": "sigmoid", "structure": "rows", "mask_schedule": "cubic", "ramp_steps": 100,
    "epochs": 9, "steps_per_epoch": 90, "batch_size": 8, "lr": 0.1, "seed": 1, "device": "mps",
    "threads": 2,
}  # fmt: skip


def test_every_option_makes_another_run_and_equal_values_the_same():
    assert set(CHANGES) == {info.name for info in option_infos(StudyConfig)}
    names = {replace(StudyConfig(), **{key: value}).run_name for key, value in CHANGES.items()}
    assert len(names | {StudyConfig().run_name}) == len(CHANGES) + 1
    assert StudyConfig(lr=1).run_name == StudyConfig(lr=1.0, sparsity=0.9).run_name


def test_run_names_are_stable_between_versions():
    # Run folders outlive this code: a training goes on in the folder of this name.
    names = [load_config(EXAMPLES / name).run_name for name in ("study.yaml", "study.toml")]
    assert names == ["study-70afd24044", "study-94e03b2408"]
    assert StudyConfig().run_name == names[0]


@pytest.mark.parametrize(
    ("structure", "groups"),
    [("rows", (0,)), ("columns", (1,)), ("2x2", (2, 2)), ("2:5", None), ("unstructured", None)],
)
def test_structures_reach_the_hidden_layer(structure, groups):
    config = StudyConfig(structure=structure, sparsity=None if ":" in structure else 0.5)
    kept = masks(make_network(config))["hidden"]
    if structure == "rows":
        assert (kept.all(dim=1) | ~kept.any(dim=1)).all()
    elif structure == "columns":
        assert (kept.all(dim=0) | ~kept.any(dim=0)).all()
    elif structure == "2x2":
        blocks = kept.view(32, 2, 5, 2).permute(0, 2, 1, 3).reshape(-1, 4)
        assert (blocks.all(dim=1) | ~blocks.any(dim=1)).all()
    elif structure == "2:5":
        assert (kept.view(-1, 5).sum(dim=1) == 2).all()
    else:
        assert kept.sum() == 320
