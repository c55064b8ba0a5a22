"""How texts stand for numbers and dates: what fits all of them, so that nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sparsefit.predictor import Written

_CURRENCY = "$€£¥₹"
# Digits and what may stand among them, after a point or comma perhaps.
_CORE = re.compile(r"[.,]?\d(?:[\d.,' _]*\d)?[.,]?(?:[eE][+-]?\d+)?")
_CODES = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD INR JPY KRW MXN NOK PLN RUB SEK SGD TRY USD ZAR"
_BEFORE = re.compile(rf"[A-Z]{{0,2}}[{_CURRENCY}]|{_CODES.replace(' ', '|')}|")
# Such as %, kg, km/h or m2.
_AFTER = re.compile(r"[^\d+\-.,:()'_]{0,20}([A-Za-z][23])?")
_SIGNS, _MINUS = "+-", "\N{MINUS SIGN}"
_CODE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9-]+")
_THOUSANDS = (",", ".", " ", "'", "_")
# Forms that are no letters of strptime: as programs write dates, and times of day.
ISO, CLOCK = "ISO", "CLOCK"
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?")
_ISO = re.compile(
    r"\d{4}([-/])\d{1,2}\1\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?"
    r"( ?(Z|[+-]\d{2}(:?\d{2})?))?"
)
_DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
    "%d-%m-%y", "%m-%d-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%d. %B %Y",
    "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y.%m.%d",
)  # fmt: skip
_MONTHS = ("%Y-%m", "%b %Y", "%B %Y", "%b-%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S")


class Number(NamedTuple):
    """A text in parts: the digits with a sign and all marks, and the unit about them."""

    digits: str
    unit: str


def bare(text: str) -> str:
    """Return a text with plain blanks and signs; what is in brackets is negative in accounts.

    Examples
    --------
    >>> bare("(1,200)"), bare("\N{MINUS SIGN}3")
    ('-1,200', '-3')
    """
    plain = re.sub("[\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]", " ", text)
    plain = plain.replace(_MINUS, "-").strip()
    return re.sub(r"^\((.*)\)$", r"-\1", plain)


def number_of_text(text: str) -> Number | None:
    """Return the parts of a text that looks like a number; None for others.

    Examples
    --------
    >>> number_of_text("$-1,234.50"), number_of_text("12 %"), number_of_text("A4")
    (Number(digits='-1,234.50', unit='$'), Number(digits='12', unit='%'), None)
    """
    plain = bare(text)
    if is_plain(plain):
        return Number(plain, "")
    found = _CORE.search(plain)
    if found is None:
        return None
    before, after = plain[: found.start()], plain[found.end() :]
    sign = "".join(mark for mark in before if mark in _SIGNS)
    before, after = before.replace(sign, "").strip(), after.strip()
    if len(sign) > 1 or (before and after):
        return None
    if not _BEFORE.fullmatch(before) or not _AFTER.fullmatch(after):
        return None
    return Number(sign + found.group(), before or after)


def is_plain(text: str) -> bool:
    """Whether a text is a number as programs write them."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def pattern(decimal: str, thousands: str) -> str:
    """Return what matches numbers with these marks, for `re` and for DuckDB.

    Examples
    --------
    >>> re.fullmatch(pattern(",", "."), "-1.234,5") is not None
    True
    """
    whole = r"\d+"
    if thousands:
        mark = re.escape(thousands)
        whole = rf"(\d{{1,3}}({mark}\d{{2,3}})*{mark}\d{{3}}|\d+)"
    return rf"[+-]?({whole}({re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)([eE][+-]?\d+)?"


def number_forms(
    texts: Sequence[str], decimal: str | None = None, thousands: str | None = None
) -> list[Written]:
    """Return how all of some texts may stand for numbers: none, one, or two that differ.

    Parameters
    ----------
    texts : sequence of str
    decimal, thousands : str, optional
        Where they are known.

    Examples
    --------
    >>> number_forms(["1.234,5", "12"])
    [Written(decimal=',', thousands='.', unit='', minus='-', date='')]
    >>> len(number_forms(["1,234"])), len(number_forms(["red", "1"]))
    (2, 0)
    """
    numbers = [number_of_text(text) for text in texts]
    found = {number.unit for number in numbers if number and number.unit}
    if None in numbers or len(found) > 1 or not numbers:
        return []
    unit = found.pop() if found else ""
    has_unit = [bool(number.unit) for number in numbers if number]
    if unit != "%" and not _BEFORE.fullmatch(unit) and not all(has_unit):
        return []  # Letters behind some numbers are a part of names.
    digits = [number.digits for number in numbers if number]
    minus = next((mark for mark in ("(", _MINUS) if any(mark in text for text in texts)), "-")
    return [
        Written(decimal=mark, thousands=group, unit=unit, minus=minus)
        for mark, group in _marks(digits, decimal, thousands)
        if all(re.fullmatch(pattern(mark, group), text) for text in digits)
    ][:2]


def _marks(
    digits: Sequence[str], decimal: str | None, thousands: str | None
) -> Iterator[tuple[str, str]]:
    """Yield marks that are all there, so that no two ways mean the same."""
    there = {mark for text in digits for mark in text if mark in _THOUSANDS}
    if "," not in there and decimal != ",":
        yield ".", ""
    for group in (thousands,) if thousands else ("", *_THOUSANDS):
        unseen = "," if group == "." else "."
        for mark in (decimal,) if decimal else (".", ","):
            is_needed = group in there and (mark in there or mark == (decimal or unseen))
            is_alone = not group and mark == "," and ("," in there or decimal)
            if mark != group and (is_needed or is_alone):
                yield mark, group


def are_codes(texts: Sequence[str]) -> bool:
    """Whether some texts are whole numbers, and others have digits and letters, as codes do.

    Examples
    --------
    >>> are_codes(["136", "136A"]), are_codes(["3", "X"]), are_codes(["1.5", "2b"])
    (True, False, False)
    """
    return all(text.isdigit() or _CODE.fullmatch(text) for text in texts)


def value_of_text(text: str, written: Written) -> float | None:
    """Return the number that a text stands for; None where it is none that is written so.

    Examples
    --------
    >>> value_of_text("-1.200,5 kg", Written(decimal=",", thousands=".", unit="kg"))
    -1200.5
    """
    number = number_of_text(text)
    if number is None or not re.fullmatch(
        pattern(written.decimal, written.thousands), number.digits
    ):
        return None
    plain = number.digits.replace(written.thousands, "") if written.thousands else number.digits
    return float(plain.replace(written.decimal, "."))


def date_forms(texts: Sequence[str]) -> list[str]:
    """Return how all of some texts may stand for dates: none, one, or two that differ.

    Examples
    --------
    >>> date_forms(["31/01/2020"]), date_forms(["01/02/2020"]), date_forms(["2020-01-31T10:00Z"])
    (['%d/%m/%Y'], ['%d/%m/%Y', '%m/%d/%Y'], ['ISO'])
    >>> date_forms(["9:30", "17:45"])
    ['CLOCK']
    """
    plain = [text.strip() for text in texts]
    if all(_ISO.fullmatch(text) for text in plain):
        return [ISO] if plain else []
    if all(_CLOCK.fullmatch(text) for text in plain):
        return [CLOCK]
    forms = [day + time for day in _DAYS for time in _TIMES]
    found = [form for form in (*forms, *_MONTHS) if _is_date(plain[0], form)]
    return [form for form in found if all(_is_date(text, form) for text in plain)][:2]


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True
