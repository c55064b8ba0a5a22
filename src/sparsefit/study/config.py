"""What a study is of: a target, a network, its masks and its training, from a YAML or TOML file."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparsefit import nn
from sparsefit.core.choices import Mask, MaskSchedule, TargetName
from sparsefit.core.errors import OptionError, SparsefitError, near_match
from sparsefit.core.options import Condition, Options, at_least, like, option, option_infos
from sparsefit.core.setting import Setting
from sparsefit.methods.learned_mask import LearnedMask
from sparsefit.tasks._targets import find_target
from sparsefit.tasks.regression import Regression

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_SPARSITY = 0.9


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Options):
    """Everything that the result of a study depends on.

    The network is a masked linear layer, a ReLU, and a masked linear layer with one output. The
    defaults are the demo's: ten inputs are to be summed up by 64 units, from 256 fresh rows in each
    of 5000 steps of Adam.

    Examples
    --------
    >>> config = StudyConfig(target="friedman", bias=True)
    >>> config.steps, config.final_sparsity
    (5000, 0.9)
    """

    target: TargetName = like(Regression, "target")
    n_features: int = like(Regression, "n_features", help="inputs, standard normal")
    noise: float = like(Regression, "noise")
    hidden: int = like(Setting, "hidden", default=64, help="hidden units")
    bias: bool = like(Setting, "bias", help="give every unit a bias, which no mask prunes")
    sparsity: float | None = option(
        None, "share of the weights of each layer that is zero in the end; default: "
        f"{DEFAULT_SPARSITY}, or what n:m fixes",
        check=Condition(lambda v: 0 <= v < 1, ">= 0 and < 1"),
    )  # fmt: skip
    mask: Mask = like(LearnedMask, "mask", default="magnitude")
    # What is wrong with it depends on the widths, so that the whole config is looked at below.
    structure: str = like(
        LearnedMask, "structure", check=None,
        help="what is pruned together in the hidden layer: unstructured, rows, columns, blocks as "
        "2x2, n:m as 1:2",
    )  # fmt: skip
    mask_schedule: MaskSchedule = like(LearnedMask, "mask_schedule")
    ramp_steps: int | None = option(
        None, "steps until the sparsity is final and soft masks are hard; default: half of all",
        check=at_least(1),
    )  # fmt: skip
    epochs: int = like(
        LearnedMask, "epochs", default=50, help="epochs; each ends with a checkpoint"
    )
    steps_per_epoch: int = option(100, "steps of Adam in an epoch", check=at_least(1))
    batch_size: int = option(256, "fresh rows of a step", check=at_least(1))
    lr: float = like(LearnedMask, "lr", default=1e-3)
    seed: int = like(Setting, "seed", help="random seed of rows, weights and masks")
    device: str = like(Setting, "device")
    threads: int = like(Setting, "threads", help="computing threads")

    def __post_init__(self) -> None:
        """Condition what depends on several options."""
        super().__post_init__()
        find_target(self.target, self.n_features)
        if self.ramp_steps is not None and self.ramp_steps > self.steps:
            allowed = f"an integer from 1 to the number of steps, {self.steps}"
            raise OptionError("ramp_steps", self.ramp_steps, allowed)
        self._check_structure()

    def _check_structure(self) -> None:
        shape = self.hidden, self.n_features
        try:
            structure = nn.parse_structure(self.structure)
            structure.check(shape, "the hidden layer")
        except OptionError as error:
            allowed = "unstructured, rows, columns, blocks as 2x2, or n:m as 1:2"
            if error.name != "structure":
                allowed = f"one with {error.name} {error.allowed}"
            raise OptionError("structure", self.structure, allowed) from error
        fixed = structure.density if isinstance(structure, nn.NM) else None
        if fixed is not None and abs(1 - self.final_sparsity - fixed) > 1e-9:
            allowed = f"{1 - fixed:g} with structure {self.structure}"
            raise OptionError("sparsity", self.sparsity, allowed)
        if structure.attainable(shape, round((1 - self.final_sparsity) * shape[0] * shape[1])) == 0:
            most = 1 - structure.group_size(shape) / (shape[0] * shape[1])
            allowed = f"at most {most:.4g} for a whole group of structure {self.structure}"
            raise OptionError("sparsity", self.final_sparsity, allowed)

    @property
    def final_sparsity(self) -> float:
        """The sparsity that is asked for, or that the structure fixes."""
        if self.sparsity is not None:
            return self.sparsity
        structure = nn.parse_structure(self.structure)
        return 1 - structure.density if isinstance(structure, nn.NM) else DEFAULT_SPARSITY

    @property
    def final_ramp_steps(self) -> int:
        """The steps of the ramp that are asked for, or half of all."""
        return self.ramp_steps or max(1, self.steps // 2)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def resolved(self) -> StudyConfig:
        """The same with the defaults that depend on other options, and all numbers floats that may.

        Examples
        --------
        >>> StudyConfig(lr=1).resolved == StudyConfig(lr=1.0, sparsity=0.9, ramp_steps=2500)
        True
        """
        own = {
            **self.as_dict(), "sparsity": self.final_sparsity, "ramp_steps": self.final_ramp_steps,
        }  # fmt: skip
        floats = [info.name for info in option_infos(StudyConfig) if info.type is float]
        return StudyConfig(**own | {name: float(own[name]) for name in floats})

    @property
    def run_name(self) -> str:
        """Name of the run folder: a digest of all that is resolved."""
        text = json.dumps(self.resolved.as_dict(), sort_keys=True)
        return f"study-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def load_config(path: str | Path) -> StudyConfig:
    """Read a config; what it does not name stays at its default.

    Parameters
    ----------
    path : str or Path
        A file that ends in .yaml, .yml or .toml.

    Raises
    ------
    SparsefitError
        If it cannot be read or a value is not allowed; the sentence names the file and the key.
    """
    path = Path(path)
    kind = {".yaml": "YAML", ".yml": "YAML", ".toml": "TOML"}.get(path.suffix)
    if kind is None:
        raise SparsefitError(f"the config must end in .yaml, .yml or .toml, got {str(path)!r}")
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text) if kind == "TOML" else _read_yaml(text)
    except OSError as error:
        raise SparsefitError(f"cannot read the config {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SparsefitError(f"{path} is not {kind}: {' '.join(str(error).split())}") from error
    return config_from(table, path)


def config_from(table: Any, source: str | Path) -> StudyConfig:
    """Make a config of what was read from a file.

    Raises
    ------
    SparsefitError
        As of `load_config`.

    Examples
    --------
    >>> config_from({"hiden": 32}, "study.yaml")
    Traceback (most recent call last):
    ...
    sparsefit.core.errors.SparsefitError: study.yaml: unknown key 'hiden' (did you mean 'hidden'?)
    """
    if not isinstance(table, Mapping):
        raise SparsefitError(f"{source}: there must be keys and values, as in 'hidden: 64'")
    known = {info.name: info for info in option_infos(StudyConfig)}
    for key in table:
        if key not in known:
            raise SparsefitError(f"{source}: unknown key {key!r}{near_match(str(key), known)}")
    try:
        return StudyConfig(**table)
    except OptionError as error:
        raise SparsefitError(f"{source}: {error}") from error


def _read_yaml(text: str) -> Any:
    # Not at the top: every command would wait for it.
    from sparsefit.study._yaml import read_yaml

    return read_yaml(text)
