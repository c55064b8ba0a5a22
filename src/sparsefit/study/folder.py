"""The run folder of a study: its files, and who may write them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from sparsefit.core.errors import DataError, OptionError, SparsefitError
from sparsefit.core.files import parse_json, writing
from sparsefit.study.checkpoint import first_difference
from sparsefit.study.config import StudyConfig, config_from

try:
    import fcntl
except ImportError:  # on Windows two trainings in one folder are not told apart
    fcntl = None  # type: ignore[assignment]

METRICS_HEADING = "step,loss\n"


@dataclass(frozen=True)
class RunFolder:
    """A run folder.

    ``config.json``; ``checkpoint.safetensors``, of the last epoch; ``metrics.csv``, a line per
    step; ``masks.bin``, the masks before training and after each epoch, a bit per weight;
    ``scores.json`` on held-out rows; and ``figures``.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Everything that training goes on from."""
        return self.path / "checkpoint.safetensors"

    @property
    def scores(self) -> Path:
        """Scores on held-out rows."""
        return self.path / "scores.json"

    @property
    def figures(self) -> Path:
        """Folder of pictures."""
        return self.path / "figures"

    @contextlib.contextmanager
    def training(self, config: StudyConfig) -> Iterator[None]:
        """Claim the folder for the training of one config, and make it if there is none.

        Raises
        ------
        SparsefitError
            If it cannot be written, holds something else, or another process is training in it.
        """
        with contextlib.ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(self._locked())
                if not any(path for path in self.path.iterdir() if path.name[0] != "."):
                    self._write_json(self.path / "config.json", config.as_dict())
            except OSError as error:
                allowed = f"a folder that can be written ({error.strerror})"
                raise OptionError("out", str(self.path), allowed) from error
            if not (self.path / "config.json").exists():
                raise OptionError("out", str(self.path), "a new folder, or that of a study")
            difference = first_difference(self.read_config().as_dict(), config)
            if difference:
                raise SparsefitError(
                    f"{self.path} holds a study with another config ({difference}): "
                    "choose another --out, or remove it"
                )
            yield

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock, which the system opens when the process ends, however it ends."""
        if fcntl is None:
            yield
            return
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise SparsefitError(f"another process is training in {self.path}") from None
        finally:
            os.close(folder)

    def read_config(self) -> StudyConfig:
        """Return the config of the study.

        Raises
        ------
        SparsefitError
            If the folder is not that of a study, or the config is damaged.
        """
        path = self.path / "config.json"
        if not path.is_file():
            raise SparsefitError(f"there is no study in {str(self.path)!r}: it has no config.json")
        try:
            table = parse_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise DataError(f"{path} is damaged: not JSON") from error
        return config_from(table, path)

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Write the scores on held-out rows."""
        self._write_json(self.scores, scores)

    def _write_json(self, path: Path, table: Mapping[str, Any]) -> None:
        with writing(path) as temporary:
            text = json.dumps(table, indent=2, allow_nan=False) + "\n"
            temporary.write_text(text, encoding="utf-8")

    def start_logs(self, step: int, epoch: int, record_bytes: int) -> None:
        """Cut metrics and masks to those of a checkpoint; at step 0 there are none.

        Raises
        ------
        DataError
            If there are fewer than the checkpoint has seen.
        """
        lines, records = [METRICS_HEADING], b""
        if step:
            lines = self._read("metrics.csv").decode().splitlines(keepends=True)[: step + 1]
            records = self._read("masks.bin")[: (epoch + 1) * record_bytes]
            for name, is_short in (
                ("metrics.csv", len(lines) <= step),
                ("masks.bin", len(records) < (epoch + 1) * record_bytes),
            ):
                if is_short:
                    raise DataError(f"{self.path / name} is damaged: it ends before step {step}")
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)  # of a process that was killed while it wrote
        for name, content in (("metrics.csv", "".join(lines).encode()), ("masks.bin", records)):
            with writing(self.path / name) as temporary:
                temporary.write_bytes(content)

    @contextlib.contextmanager
    def open_logs(self) -> Iterator[tuple[IO[str], IO[bytes]]]:
        """Open metrics and masks to write at their ends; a line of metrics is there at once."""
        with (
            (self.path / "metrics.csv").open("a", buffering=1, newline="\n") as metrics,
            (self.path / "masks.bin").open("ab") as bits,
        ):
            yield metrics, bits

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {self.path / name}: {error.strerror}") from error

    def losses(self, step: int) -> np.ndarray:
        """Return the training loss of every step until `step`, shape (step,)."""
        lines = self._read("metrics.csv").decode(errors="replace").splitlines()[1 : step + 1]
        try:
            losses = np.array([float(line.partition(",")[2]) for line in lines])
        except ValueError:
            losses = np.empty(0)
        if len(losses) < step:
            raise DataError(f"{self.path / 'metrics.csv'} is damaged: it ends before step {step}")
        return losses

    def mask_history(self, sizes: Iterable[int], epochs: int) -> list[np.ndarray]:
        """Return the masks of each layer before training and after each epoch.

        Parameters
        ----------
        sizes : iterable of int
            Weights of each layer.
        epochs : int
            Epochs of the checkpoint.

        Returns
        -------
        list of ndarray of bool
            One per layer, of shape (epochs + 1, size).
        """
        sizes = list(sizes)
        width = -(-sum(sizes) // 8)
        packed = np.frombuffer(self._read("masks.bin"), np.uint8)[: (epochs + 1) * width]
        if len(packed) < (epochs + 1) * width:
            raise DataError(f"{self.path / 'masks.bin'} is damaged: it ends before epoch {epochs}")
        bits = np.unpackbits(packed.reshape(epochs + 1, width), axis=1, count=sum(sizes))
        return np.split(bits.astype(bool), np.cumsum(sizes)[:-1], axis=1)
