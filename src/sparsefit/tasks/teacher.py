"""A network that was trained and pruned, as a black box to be recovered from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sparsefit.core.errors import DataError, OptionError
from sparsefit.core.files import check_file
from sparsefit.core.options import Other, at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.data.digest import digest
from sparsefit.tasks._base import SkipCell, Task, find_task

if TYPE_CHECKING:
    from sparsefit.core.network import Network

_ROWS_STREAM = 8


@dataclass(frozen=True, kw_only=True)
class Teacher(Task):
    """A network that was trained on images and pruned, recovered from its scores on some rows.

    The teacher has the width, depth and budget of the cell; it was trained to tell the classes
    apart, by method fisher-gmp, or comes from a file. What is fitted are its scores, not the
    labels.

    Examples
    --------
    >>> problem = Teacher(epochs=1, n_samples=50).load(Setting(hidden=5), 40)
    >>> problem.X.shape, problem.y.shape, problem.truth.nnz
    ((50, 64), (50, 10), 40)
    """

    name: ClassVar[str] = "teacher"
    draws_truth: ClassVar[bool] = True
    limits: ClassVar[tuple[float, float]] = (-20.0, 50.0)
    quick: ClassVar[Mapping[str, Any]] = {
        "images": "mnist", "data_dir": ".", "per_class": 4, "epochs": 1, "n_samples": 40,
        "n_test": 20,
    }  # fmt: skip

    images: Literal["digits", "mnist", "fashion-mnist"] = option(
        "digits", "what the teacher was trained on"
    )
    rows: Literal["noise", "data"] = option(
        "noise", "what it is asked: standard normal inputs (noise), or the images that it was "
        "trained on (data)", other=Other("data", beside={"network": "teacher.safetensors"}),
    )  # fmt: skip
    n_samples: int = option(
        7000, "rows, or as many as there are images", check=at_least(1), other=60
    )
    n_test: int = option(
        2000, "fresh rows to score on: noise, or images that it was not trained on; 0: none",
        check=at_least(0),
    )  # fmt: skip
    epochs: int = option(30, "passes over the images that it was trained for", check=at_least(1))
    per_class: int = option(
        700, "images of each class of MNIST or Fashion that train", check=at_least(1),
        other=Other(2, beside={"rows": "data", "network": "teacher.safetensors"}),
    )  # fmt: skip
    data_dir: str | None = option(
        None, "folder of the four IDX files, gzipped or not; default: download them",
        other=Other("again", beside={"rows": "data", "network": "teacher.safetensors"}),
    )  # fmt: skip
    network: str | None = option(
        None, "a network file of 'sparsefit run' (networks/ID.safetensors) in place of a teacher "
        "of the cell's own", other="teacher.safetensors",
    )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the images, and of the network's file."""
        own = ""
        if self.network is not None:
            check_file(Path(self.network))
            own = digest(Path(self.network).read_bytes())
        return self._images.fingerprint + own

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Train the teacher, or read it, and ask it."""
        truth = self._truth(setting, nnz)
        rng = np.random.default_rng([setting.seed, _ROWS_STREAM])
        if self.rows == "noise":
            shape = self.n_samples + self.n_test, truth.n_inputs
            X, X_test = np.split(rng.normal(size=shape).astype(np.float32), [self.n_samples])
        else:
            images: Any = self._images.load(setting, nnz)
            X, X_test = _some(images.X, self.n_samples, rng), images.X_test[: self.n_test]
        if X.shape[1] != truth.n_inputs:
            raise DataError(f"{self.network} reads {truth.n_inputs} inputs, not {X.shape[1]}")
        # As a network computes in double precision: rounded scores would blur what they tell.
        y, y_test = (truth.predict(rows.astype(np.float64)) for rows in (X, X_test))
        peak = float(np.abs(y).max())
        if peak == 0:
            raise SkipCell("the teacher answers zero to all rows")
        return Problem(
            X, y, peak=peak, truth=truth, X_test=X_test if self.n_test else None,
            y_test=y_test if self.n_test else None,
        )  # fmt: skip

    @property
    def _images(self) -> Task:
        if self.images == "digits":
            return find_task("digits")()
        how = {"data_dir": self.data_dir, "train_per_class": self.per_class, "scale": "unit"}
        kind: Any = find_task(self.images)
        images: Task = kind(**how)
        return images

    def _truth(self, setting: Setting, nnz: int) -> Network:
        from sparsefit.core.network import Network

        if self.network is None:
            setting = Setting(
                hidden=setting.hidden, layers=setting.layers, bias=setting.bias,
                skip=setting.skip, seed=setting.seed,
            )  # fmt: skip
            return _trained(self._images, self.epochs, nnz, setting)
        found = Network.load(Path(self.network))
        if len(found.hidden_layers) != setting.layers:
            allowed = f"a network of {setting.layers} hidden layers, as --layers says"
            raise OptionError("network", self.network, allowed)
        return found


def _some(X: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most so many rows, in their order."""
    if len(X) <= most:
        return X
    return X[np.sort(rng.choice(len(X), most, replace=False))]


# Methods that are compared in one process share a teacher.
@lru_cache(maxsize=4)
def _trained(images: Task, epochs: int, nnz: int, setting: Setting) -> Network:
    from sparsefit.methods import find_method

    method: Any = find_method("fisher-gmp")
    [(_, fit)] = method(epochs=epochs).path(images.load(setting, nnz), [nnz], setting)
    network: Network = fit.network
    return network
