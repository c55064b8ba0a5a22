"""What the columns of a table are taken as: numbers, categories, dates, or left out, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from sparsefit.core.errors import DataError
from sparsefit.core.sizes import bytes_of
from sparsefit.predictor import PARTS, Column, Written
from sparsefit.reading import cells
from sparsefit.reading.counts import (
    MOST_LEVELS,
    Texts,
    copies,
    counts,
    ends,
    n_of_form,
    points_among,
    texts,
)
from sparsefit.reading.formats import (
    CLOCK,
    ISO,
    are_codes,
    date_forms,
    is_plain,
    number_forms,
    value_of_text,
)
from sparsefit.reading.options import ReadOptions
from sparsefit.reading.source import Cell, Source, open_source
from sparsefit.reading.table import Kind, Table, check_column

# With more levels than these, of which most are in one row each, a text only names the row.
_LEAST_NAMES, _SHARE_OF_NAMES = 20, 0.5
_NEARLY_ALL = 0.95
_IS_NAME = re.compile(
    r"(?i:(.*[\W_])?(id|idx|index|row|rows|rownames|uuid|column1))|.*[a-z](Id|ID)"
)
_IS_TIME = re.compile(r"(?i:t|.*(time|day|week|month|year|date|trend|period).*)")
# Currencies of countries with a decimal point.
_POINTED = ("$", "US$", "\N{POUND SIGN}", "USD", "GBP")
_MOST_EXACT = 2.0**53
# The type of a column of a file that has no values, as DuckDB calls it.
_NOTHING = '"NULL"'
_USE = "--numbers or --categories to use it"


def open_table(
    path: Path, options: ReadOptions | None = None, target: str | None = None, *, processes: int = 1
) -> Table:
    r"""Read files to learn what their columns are.

    Parameters
    ----------
    path : Path
        See `open_source`.
    options : ReadOptions, optional
    target : str, optional
        The column to fit, which is never left out.
    processes : int, optional
        See `open_source`.

    Raises
    ------
    DataError
        If it is no table that can be read, or what a column is cannot be told without an option.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     size = path.write_text('name,price,kind\na,"$1,200.50",x\nb,$80,y\nc,$9,x\n')
    ...     table = open_table(path)
    >>> [(kind.word, kind.remarks) for kind in table.kinds.values()][1]
    ('number', ("'$1,200.50' is 1200.5",))
    """
    options = options or ReadOptions()
    memory = None if options.memory is None else bytes_of(options.memory)
    return look_at(open_source(path, options, memory=memory, processes=processes), options, target)


def look_at(source: Source, options: ReadOptions, target: str | None = None) -> Table:
    """Learn what the columns of a source are; see `open_table`."""
    given: dict[str, str] = {}
    for column, option in options.named(list(source.columns)):
        check_column(source, column, option)
        if given.setdefault(column, option) != option:
            raise DataError(f"{option} {column!r}: it is among {given[column]}, too")
    if target is not None:
        check_column(source, target, "--target")
    found = _Look(source, options, target)
    if not found.n_rows:
        raise DataError(f"{source.path} has no rows")
    kinds = found.kinds()
    plain = [
        name for name, kind in kinds.items()
        if kind.word == "number" and kind.columns and kind.columns[0].written == Written()
    ]  # fmt: skip
    return Table(source.with_numbers(plain), kinds, found.n_rows)


def in_order(levels: Sequence[str]) -> tuple[str, ...]:
    """Return levels in the order of numbers, if all are, else of letters.

    Examples
    --------
    >>> in_order(["10", "9"]), in_order(["b", "a10", "a9"])
    (('9', '10'), ('a10', 'a9', 'b'))
    """
    if all(map(is_plain, levels)):
        return tuple(sorted(levels, key=lambda level: (float(level), level)))
    return tuple(sorted(levels))


class Form(NamedTuple):
    """How the texts of a column stand for numbers, and one of them."""

    written: Written
    example: str


@dataclass(eq=False)
class _Look:
    """The way from counts to kinds, all columns at once, as one may settle how others are."""

    source: Source
    options: ReadOptions
    target: str | None

    def __post_init__(self) -> None:
        left_out = {*self.options.drop, *self.options.id} - {self.target}
        self.read = {
            name: cell
            for name, cell in self.source.columns.items()
            if name not in left_out and cell.kind != _NOTHING
        }
        for name, cell in self.read.items():
            self._check_type(name, cell)
        self.n_rows, self.counts = counts(self.source, self.read)
        self.asked = self.options.asked(list(self.source.columns))
        self.texts = texts(self.source, [name for name in self.read if self._is_unclear(name)])

    def _check_type(self, name: str, cell: Cell) -> None:
        if not cells.sort_of(cell.kind):
            raise DataError(
                f"{self.source.path}: column {name!r} holds {cell.kind}, which is neither numbers, "
                "texts nor dates; leave it out with --drop"
            )

    def _is_unclear(self, name: str) -> bool:
        """Whether the texts of a column must be looked at to tell what it is."""
        cell, asked, count = self.read[name], self.asked.get(name), self.counts[name]
        if asked in ("category", "date"):
            return True
        if cells.sort_of(cell.kind) != "text":
            return False
        is_code = count.has_zeros and asked != "number"
        return is_code or count.n_numbers < count.n_known or cell.kind != "VARCHAR"

    def kinds(self) -> dict[str, Kind]:
        """Return what each column of the source is taken as."""
        found = {}
        for name in self.source.columns:
            if name in self.read:
                kind = self._kind(name)
                n_missing = self.n_rows - self._n_known(name)
                found[name] = self._judged(name, replace(kind, n_missing=n_missing))
            elif name in (*self.options.drop, *self.options.id):
                found[name] = Kind(left_out="--drop" if name in self.options.drop else "--id")
            else:
                found[name] = Kind(left_out="empty", n_missing=self.n_rows)
        return found

    def _n_known(self, name: str) -> int:
        return (self.texts.get(name) or self.counts[name]).n_known

    def _kind(self, name: str) -> Kind:
        cell, asked, found = self.read[name], self.asked.get(name), self.texts.get(name)
        if not self._n_known(name):
            return Kind(word="category" if found else "number")
        if asked == "date" or (cells.sort_of(cell.kind) == "date" and asked != "category"):
            return self._date(name, self._date_form(name))
        if found is None or (asked == "number" and not found.n_texts):
            return self._number(name, self._forms.get(name))
        if asked == "category" or cell.kind != "VARCHAR":
            return self._category(name, found)
        if name in self._forms:
            return self._number(name, self._forms[name])
        if asked == "number":
            raise self._error(cells.not_of_its_kind(Column(name=name), found.example))
        return self._of_texts(name, found)

    def _of_texts(self, name: str, found: Texts) -> Kind:
        """Return the kind of a column that is neither asked for nor of numbers alone."""
        if not found.n_texts:
            example = next((level for level in found.levels if level[:1] == "0"), "")
            remark = f"{example!r} begins with 0, as codes do; --numbers to take them as numbers"
            return self._category(name, found, remark)
        forms = date_forms(found.levels)
        if forms:
            form = Written(date=forms[0])
            if n_of_form(self.source, name, form) == found.n_known:
                self._check_one_form(name, found, forms)
                return self._date(name, form)
        if are_codes(found.levels):
            remark = f"{found.example!r} among whole numbers makes them codes"
            return self._category(name, found, *([remark] if found.n_texts < found.n_known else []))
        if found.n_texts < found.n_known - found.n_texts:
            sentence = cells.not_of_its_kind(Column(name=name), found.example)
            raise self._error(
                f"{sentence}; --missing if it stands for no value, or --categories, or --drop"
            )
        return self._category(name, found)

    def _number(self, name: str, found: Form | None = None) -> Kind:
        remarks: tuple[str, ...] = ()
        ends_of = self.counts[name].least or 0.0, self.counts[name].most or 0.0
        if found is not None:
            number = value_of_text(found.example, found.written)
            remarks = (f"{found.example!r} is {number:.15g}",) if number is not None else ()
        elif max(abs(end) for end in ends_of) > _MOST_EXACT and self.read[name].kind != "DOUBLE":
            remarks = ("beyond 2^53, where numbers are rounded; --categories to tell them apart",)
        elif ends_of[0] == ends_of[1]:
            # Its one input is 0 in all rows, so that no weight can come of it.
            remarks = ("one value in all rows, which cannot matter",)
        return Kind(
            word="number",
            columns=(Column(name=name, written=found.written if found else Written()),),
            remarks=remarks,
        )

    def _category(self, name: str, found: Texts, *remarks: str) -> Kind:
        if found.n_levels > MOST_LEVELS:
            if name == self.target or not self._is_names(name, found):
                advice = remarks[0] if remarks else "leave it out with --drop"
                raise self._error(
                    f"column {name!r} has more than {MOST_LEVELS} different texts; {advice}"
                )
            return Kind(word="category", remarks=remarks)
        column = Column(name=name, levels=in_order(found.levels))
        return Kind(word="category", columns=(column,) if found.levels else (), remarks=remarks)

    def _date(self, name: str, form: Written) -> Kind:
        is_clock = form.date == CLOCK or self.read[name].kind == "TIME"
        parts = tuple(
            Column(name=f"{name}.{part}", levels=levels, part=part, source=name, written=form)
            for part, levels in PARTS.items()
            if part == "hour" or not is_clock
        )
        for column in parts:
            if column.name in self.source.columns:
                raise self._error(
                    f"column {column.name!r} has the name of a part of the date {name!r}; rename it"
                )
        remarks = (f"form {form.date}",) if form.date not in ("", ISO, CLOCK) else ()
        return Kind(word="date", columns=parts, remarks=remarks)

    def _date_form(self, name: str) -> Written:
        """Return how the dates of a column are written that are known to be dates."""
        if cells.sort_of(self.read[name].kind) == "date":
            return Written()
        found = self.texts[name]
        given = self.options.date_formats(list(self.source.columns))[name]
        forms = [given] if given else date_forms(found.levels)
        form = Written(date=forms[0] if forms else ISO)
        if n_of_form(self.source, name, form) < found.n_known:
            example = next(iter(found.levels), "")
            raise self._error(
                f"column {name!r} has dates such as {example!r}, which are not of the form "
                f"{form.date}; --dates {name}=FORMAT, such as %d/%m/%Y, says how they are written"
            )
        self._check_one_form(name, found, forms)
        return form

    def _check_one_form(self, name: str, found: Texts, forms: Sequence[str]) -> None:
        if len(forms) > 1:
            raise self._error(
                f"column {name!r} has dates such as {found.levels[0]!r}, which may be of the form "
                f"{forms[0]} or {forms[1]}; say which with --dates '{name}={forms[0]}'"
            )

    @cached_property
    def _forms(self) -> dict[str, Form]:
        """How columns of texts stand for numbers, by the decimal mark that others settle."""
        options, found = self.options, {}
        for name, seen in self.texts.items():
            is_open = self.asked.get(name) in (None, "number") and self.read[name].kind == "VARCHAR"
            if is_open and seen.n_texts:
                found[name] = number_forms(seen.levels, options.decimal, options.thousands)
            if name in found and not found[name] and number_forms(seen.levels):
                # What the options say is not how these numbers are written.
                marks = Written(decimal=options.decimal or ".", thousands=options.thousands or "")
                column = Column(name=name, written=marks)
                raise self._error(cells.not_of_its_kind(column, seen.example))
        settled = {
            forms[0].decimal
            for name, forms in found.items()
            if len(forms) == 1
            and any(forms[0].decimal in level for level in self.texts[name].levels)
        }
        mark = options.decimal or (settled.pop() if len(settled) == 1 else None)
        chosen = {}
        for name, forms in found.items():
            if forms:
                form, seen = self._one_form(name, forms, mark), self.texts[name]
                if n_of_form(self.source, name, form) == seen.n_known:
                    chosen[name] = Form(form, max(seen.levels, key=len))
        return chosen | (self._with_points() if mark == "," else {})

    def _one_form(self, name: str, forms: Sequence[Written], mark: str | None) -> Written:
        forms = [form for form in forms if mark in (None, form.decimal)] or forms
        if len(forms) > 1 and (self.source.separator == "," or forms[0].unit in _POINTED):
            # A comma within quotes among commas, or in dollars, is hardly a decimal mark.
            forms = [form for form in forms if form.thousands == ","] or forms
        if len(forms) > 1:
            example = max(self.texts[name].levels, key=len)
            values = " or ".join(f"{value_of_text(example, form):.15g}" for form in forms)
            raise self._error(
                f"column {name!r} has the text {example!r}, which may be {values}; say which with "
                f"--decimal or --thousands"
            )
        return forms[0]

    def _with_points(self) -> dict[str, Form]:
        """Return the columns whose points are between thousands, where others have commas."""
        found = {}
        for name, cell in self.read.items():
            if cell.kind != "VARCHAR" or name in self.texts or name in self.asked:
                continue
            examples = points_among(self.source, name)
            forms = number_forms(examples, ",")
            n_known = self.counts[name].n_known
            if forms and n_of_form(self.source, name, forms[0]) == n_known:
                found[name] = Form(forms[0], max(examples, key=len))
        return found

    def _judged(self, name: str, kind: Kind) -> Kind:
        """Leave a column out that says nothing, or too much."""
        if name == self.target:
            return kind
        n_known, found = self._n_known(name), self.texts.get(name)
        if not n_known:
            return replace(kind, left_out="empty")
        if name in self.asked:
            return kind
        reason = ""
        if name in self._copies:
            reason = "a copy of the target"
        elif kind.columns and len(kind.columns[0].levels) == 1 and not kind.n_missing:
            reason = "one value in all rows"
        elif kind.word == "category" and found is not None and self._is_names(name, found):
            reason = f"nearly all different, as names are; {_USE}"
        elif name in self._row_names:
            reason = f"all different, as the numbers of rows are; {_USE}"
        return replace(kind, left_out=reason) if reason else kind

    def _is_names(self, name: str, found: Texts) -> bool:
        if _IS_NAME.fullmatch(name) and found.n_levels == found.n_known:
            return True
        return found.n_levels > max(_LEAST_NAMES, _SHARE_OF_NAMES * found.n_known)

    @cached_property
    def _copies(self) -> set[str]:
        """Columns that are as the target is, of those whose counts and ends are."""
        if self.target not in self.counts:
            return set()
        goal = self.counts[self.target]
        alike = [name for name, count in self.counts.items() if count == goal]
        return copies(self.source, alike, self.target)

    @cached_property
    def _row_names(self) -> set[str]:
        """Columns of whole numbers that are those of rows, or are called so, and all differ."""
        may_be = []
        for name, count in self.counts.items():
            if name in self.texts or count.n_known < self.n_rows or count.least is None:
                continue
            is_dense = count.most == count.least + self.n_rows - 1 and count.least in (0, 1)
            is_wide = (count.most or 0) >= count.least + self.n_rows - 1
            is_counted = is_dense and self.n_rows > _LEAST_NAMES and not _IS_TIME.fullmatch(name)
            if is_counted or (is_wide and _IS_NAME.fullmatch(name)):
                may_be.append(name)
        return {
            name for name, found in ends(self.source, may_be).items()
            if found.are_whole and found.n_different >= _NEARLY_ALL * self.n_rows
            and (_IS_NAME.fullmatch(name)
                 or (found.first, found.last) == (self.counts[name].least, self.counts[name].most))
        }  # fmt: skip

    def _error(self, sentence: str) -> DataError:
        return DataError(f"{self.source.path}: {sentence}")
