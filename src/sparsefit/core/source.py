"""A user's own file of Python, read once and kept as it was."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from sparsefit.core.errors import SparsefitError

# Every file that was read, by the name of its module.
_FILES: dict[str, SourceFile] = {}


@dataclass(frozen=True)
class SourceFile:
    """A file of Python and what was in it when it was read.

    Attributes
    ----------
    path : str
    content : bytes
    """

    path: str
    content: bytes = field(repr=False)

    @classmethod
    def read(cls, path: str, kind: str) -> SourceFile:
        """Read the file of a method or task, `kind`; raise `SparsefitError` if that fails."""
        try:
            return cls(path, Path(path).read_bytes())
        except OSError as error:
            raise SparsefitError(
                f"the {kind} {path} cannot be read: {error.strerror or error}"
            ) from error

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for the content."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def label(self) -> str:
        """Name of the file and digest, which tell it apart in rows."""
        return f"{Path(self.path).name}@{self.digest}"

    def module(self) -> ModuleType:
        """Return the module that the content makes; the same one for the same content.

        Raises
        ------
        SparsefitError
            If it is not Python or stops with an error.
        """
        name = f"sparsefit_file_{self.digest}"
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = self.path
        # Dataclasses and type hints look their module up while the class is being made.
        sys.modules[name] = module
        try:
            exec(compile(self.content, self.path, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise SparsefitError(f"{self.path} cannot be loaded: {_reason(error)}") from error
        _FILES[name] = self
        return module


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def source_of(cls: type) -> SourceFile | None:
    """Return the file that a class was read from; None if it was imported as usual."""
    return _FILES.get(cls.__module__)
