"""Find methods and tasks: one file each in their folder, in a package of the user's, or a file."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Generic, TypeVar, cast, get_type_hints

from sparsefit.core.errors import SparsefitError, near_match
from sparsefit.core.options import Options
from sparsefit.core.source import SourceFile, source_of


@dataclass(frozen=True, kw_only=True)
class NamedOptions(Options):
    """What a method and a task have in common: a name by which they are found.

    Attributes
    ----------
    name : str
        What ``--method`` or ``--task`` takes.
    aliases : tuple of str
        Other names.
    presets : mapping
        Further names, which stand for some options as well.
    version : int
        Part of the run id; raise it when results change.
    quick : mapping
        Options that make it a matter of a second: contract tests use them.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    version: ClassVar[int] = 1
    quick: ClassVar[Mapping[str, Any]] = {}

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A worker process cannot import a class that was read from a user's file, and the file may
        # have been edited since: so the text of the file goes along.
        source = source_of(type(self))
        if source is None:
            return super().__reduce_ex__(protocol)
        return _restore, (source, type(self).__qualname__, self.as_dict())


def _restore(source: SourceFile, class_name: str, options: dict[str, Any]) -> Any:
    return getattr(source.module(), class_name)(**options)


N = TypeVar("N", bound=NamedOptions)


class Catalogue(Generic[N]):
    """The methods, or the tasks, that there are.

    Parameters
    ----------
    kind : str
        What they are called in errors.
    package : str
        The package of sparsefit's own, whose modules are scanned; those whose names start with an
        underscore are helpers. Also the name of the group of entry points by which packages of
        users announce theirs, under the name that the class has.
    base : type
        What they are subclasses of, with a `name`.

    Examples
    --------
    >>> from sparsefit.methods import Method
    >>> methods = Catalogue("method", "sparsefit.methods", Method)
    >>> methods.find("Subspace_Pursuit").name
    'subspace-pursuit'
    """

    def __init__(self, kind: str, package: str, base: type[N]):
        self.kind, self.package, self.base = kind, package, base

    def own(self) -> dict[str, type[N]]:
        """Return those of sparsefit itself by name."""
        return self._scanned

    @cached_property
    def _scanned(self) -> dict[str, type[N]]:
        folder = importlib.import_module(self.package)
        names = [info.name for info in pkgutil.iter_modules(folder.__path__)]
        modules = [
            importlib.import_module(f"{self.package}.{name}")
            for name in names
            if not name.startswith("_")
        ]
        found = {cls.name: cls for module in modules for cls in self._defined_in(module)}
        return dict(sorted(found.items()))

    def _defined_in(self, module: Any) -> list[type[N]]:
        return [
            item
            for item in vars(module).values()
            if isinstance(item, type)
            and issubclass(item, self.base)
            and "name" in vars(item)
            and item.__module__ == module.__name__
        ]

    def names(self) -> list[str]:
        """Return the names of all, without loading those of other packages."""
        return [*self.own(), *(entry.name for entry in self._entries)]

    def all(self) -> dict[str, type[N]]:
        """Return all by name; those of other packages that cannot be used are left out."""
        return self.own() | {cls.name: cls for cls in self._loaded if not isinstance(cls, str)}

    def faults(self) -> list[str]:
        """Return a sentence for each that another package announces and that cannot be used."""
        return [fault for fault in self._loaded if isinstance(fault, str)]

    def find(self, name: str) -> type[N]:
        """Return the one of that name, alias or preset, or the one in a file.

        ``_`` and ``-`` are the same, case does not matter; a name that ends in ``.py`` is the path
        of a file. A preset is given as a class with other defaults, which makes instances of the
        class that has the preset.

        Raises
        ------
        SparsefitError
            If there is none, with the nearest name; or it cannot be used, with the reason.
        """
        if name.endswith(".py"):
            return self._in_file(SourceFile.read(name, self.kind))
        wanted = _spelled(name)
        entries = [entry for entry in self._entries if entry.name == wanted]
        found = _look_up(self.own(), wanted)
        if entries:
            return self._load(entries[0])
        found = found or _look_up(self.all(), wanted)
        if found is None:
            hint = near_match(wanted, [*self.names(), *_other_names(self.all())])
            there_are = ", ".join(self.names())
            raise SparsefitError(f"unknown {self.kind} {name!r}{hint}; there are {there_are}")
        return found

    def find_stored(self, name: str) -> type[N]:
        """Return the one that a stored row names, or a stand-in without options.

        Rows of a user's own method outlive its file; its name is then all that is known.
        """
        try:
            return self.find(name)
        except SparsefitError:
            return type("Missing", (self.base,), {"name": name, "__doc__": "Not installed here."})

    @cached_property
    def _entries(self) -> list[EntryPoint]:
        return sorted(entry_points(group=self.package), key=lambda entry: entry.name)

    @cached_property
    def _loaded(self) -> list[type[N] | str]:
        """The classes of other packages, or the sentence that says why one cannot be used."""
        return [_or_reason(self._load, entry) for entry in self._entries]

    def _load(self, entry: EntryPoint) -> type[N]:
        package = entry.dist.name if entry.dist else entry.value.partition(".")[0]
        where = f"package {package!r}"
        claims = [other for other in self._entries if other.name == entry.name]
        if len(claims) > 1:
            raise SparsefitError(
                f"{len(claims)} packages have a {self.kind} {entry.name!r}, {where} among them"
            )
        try:
            cls = entry.load()
        except Exception as error:
            raise SparsefitError(
                f"{self.kind} {entry.name!r} of {where} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        if not isinstance(cls, type) or not issubclass(cls, self.base):
            raise SparsefitError(
                f"{self.kind} {entry.name!r} of {where} is no subclass of {self.base.__name__}"
            )
        if getattr(cls, "name", None) != entry.name:
            raise SparsefitError(
                f"{self.kind} {entry.name!r} of {where} has another name in its class: "
                f"{getattr(cls, 'name', None)!r}"
            )
        return self._usable(cls, where)

    def _in_file(self, source: SourceFile) -> type[N]:
        found = self._defined_in(source.module())
        if not found:
            raise SparsefitError(
                f"{source.path} defines no {self.kind}, which is a subclass of "
                f"{self.base.__name__} with a name"
            )
        if len(found) > 1:
            names = " and ".join(repr(cls.name) for cls in found)
            raise SparsefitError(
                f"{source.path} defines {len(found)} {self.kind}s, {names}, where one is wanted"
            )
        return self._usable(found[0], source.path)

    def _usable(self, cls: type[N], where: str) -> type[N]:
        """Return a class that is not sparsefit's own, or raise `SparsefitError`."""
        what = f"{self.kind} {cls.name!r} of {where}"
        taken = {*self.own(), *_other_names(self.own())} & {cls.name, *_other_names({"": cls})}
        if taken:
            raise SparsefitError(f"{what} takes {min(taken)!r}, a {self.kind} of sparsefit itself")
        if cls.name != _spelled(cls.name):
            raise SparsefitError(f"{what} must have a name of small letters, digits and dashes")
        if "__dataclass_fields__" not in vars(cls):
            raise SparsefitError(f"{what} is not decorated @dataclass(frozen=True, kw_only=True)")
        if inspect.isabstract(cls):
            missing = " and ".join(sorted(vars(cls)["__abstractmethods__"]))
            raise SparsefitError(f"{what} does not define {missing}")
        return cls


def _spelled(name: str) -> str:
    return name.lower().replace("_", "-")


def _other_names(found: Mapping[str, type[NamedOptions]]) -> Iterator[str]:
    for cls in found.values():
        yield from (*cls.aliases, *cls.presets)


def _look_up(found: Mapping[str, type[N]], wanted: str) -> type[N] | None:
    for cls in found.values():
        if wanted in (cls.name, *cls.aliases):
            return cls
        if wanted in cls.presets:
            return cast("type[N]", _with_defaults(cast(Any, cls), wanted))
    return None


@cache
def _with_defaults(cls: Any, preset: str) -> Any:
    """Return `cls` with the defaults of a preset; what it makes are instances of `cls` itself."""
    options, hints = cls.presets[preset], get_type_hints(cls)
    changed = [
        (item.name, hints[item.name], field(default=options[item.name], metadata=item.metadata))
        for item in fields(cls)
        if item.name in options
    ]

    def make(_: type, **given: Any) -> Any:
        return cls(**{**options, **given})

    namespace = {"__new__": make, "__doc__": cls.__doc__}
    made = make_dataclass(
        cls.__name__, changed, bases=(cls,), namespace=namespace, frozen=True, kw_only=True
    )
    made.__module__ = cls.__module__
    return made


def _or_reason(load: Any, entry: EntryPoint) -> Any:
    try:
        return load(entry)
    except SparsefitError as error:
        return str(error)
