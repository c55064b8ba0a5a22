"""Errors that a user can act on: one sentence each, naming what was given and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath


class SparsefitError(Exception):
    """Base of every error that this package raises on purpose.

    The message is one sentence. The command line prints it and exits with code 2.

    Examples
    --------
    >>> str(SparsefitError("nnz must be an integer >= 1, got 0"))
    'nnz must be an integer >= 1, got 0'
    """

    def __init__(self, message: str = ""):
        # What other libraries say of a fault may have several lines.
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


class ParameterError(SparsefitError, ValueError):
    """An argument of a Python call has a value that is not allowed.

    Examples
    --------
    >>> isinstance(ParameterError("nnz must be an integer >= 1, got 0"), ValueError)
    True
    """


class OptionError(ParameterError):
    """A named option has a value that is not allowed.

    Parameters
    ----------
    name : str
        The option as Python spells it; the command line shows ``--name`` instead.
    value : object
        What was given.
    allowed : str
        What is allowed, as it would follow "must be".
    hint : str, optional
        What may have been meant, as `near_match` says it.

    Examples
    --------
    >>> print(OptionError("epochs", 0, "an integer >= 1"))
    epochs must be an integer >= 1, got 0
    """

    def __init__(self, name: str, value: object, allowed: str, hint: str = ""):
        self.name, self.value, self.allowed, self.hint = name, value, allowed, hint
        super().__init__(self.sentence(name))

    def sentence(self, name: str) -> str:
        """Return what is wrong, with the option spelled as `name`."""
        value = str(self.value) if isinstance(self.value, PurePath) else self.value
        return f"{name} must be {self.allowed}, got {value!r}{self.hint}"

    def __reduce__(self) -> tuple[type[OptionError], tuple[str, object, str, str]]:
        # Sweeps send errors between processes; the default would replay the message alone.
        return OptionError, (self.name, self.value, self.allowed, self.hint)


class DataError(SparsefitError):
    """A file or array that was given cannot be used; the message says which and why.

    Examples
    --------
    >>> from sparsefit.core.files import check_file
    >>> from pathlib import Path
    >>> try:
    ...     check_file(Path("nowhere.csv"))
    ... except DataError as error:
    ...     print(error)
    there is no file nowhere.csv
    """


def near_match(word: str, choices: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest choice, or an empty string.

    Examples
    --------
    >>> near_match("plantd", ["planted", "mnist"])
    " (did you mean 'planted'?)"
    >>> near_match("zzz", ["planted", "mnist"])
    ''
    """
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""
