"""Dates as people write them, read as days since 1970-01-01."""

import calendar
import datetime
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["day first", "month first"]
# What counts seconds since 1970 in plain numbers, and how many of it make one.
EPOCHS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
COMPACT = "YYYYMMDD"

_ISO = re.compile(
    r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?)?"
)
# Of several languages; a beginning of three letters or more will do where it tells the month.
_NAMES = (
    "january janvier januar enero gennaio janeiro januari",
    "february février februar febrero febbraio fevereiro februari",
    "march mars märz marzo março maart",
    "april avril abril aprile",
    "may mai mayo maggio maio mei",
    "june juin juni junio giugno junho",
    "july juillet juli julio luglio julho",
    "august août agosto augustus",
    "september septembre septiembre settembre setembro",
    "october octobre oktober octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december décembre dezember diciembre dicembre dezembro",
)
_TIME = (
    r"(?:[T\s,:]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<zone>(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|Z|UTC|GMT)?(?:\s*\([A-Z]+\))?)?"
)
_WEEKDAY = r"(?:[^\W\d]{2,10}\.?,?\s+)?"
_MONTH = r"(?P<name>[^\W\d_]{3,10})\.?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_NUMBERS = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[./-])(?P<then>\d{1,2})(?P=mark)" + _YEAR + ",?" + _TIME
)
_WRITTEN = tuple(
    re.compile(pattern)
    for pattern in (
        # year first: 2020/1/31, 2020.01.31
        r"(?P<year>\d{4})[./-](?P<month>\d{1,2})[./-](?P<day>\d{1,2})" + _TIME,
        # 3 March 2020; Tue, 3 Mar 2020 10:00:00 +0200; 3-Mar-20; 13/Apr/2021:10:00:00 +0200
        _WEEKDAY + r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|\.|º)?[\s/-]*(?:de\s+)?" + _MONTH
        + r"(?:,|\s+de\b)?[\s/-]*" + _YEAR + ",?" + _TIME,
        # March 3, 2020
        _WEEKDAY + _MONTH + r"\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4}),?" + _TIME,
        # Tue Apr 13 10:00:00 2021
        _WEEKDAY + _MONTH + r"\s+(?P<day>\d{1,2})" + _TIME + r"\s+(?P<year>\d{4})",
        # Mar 2020, 2020-Mar, 2020M03, 03/2020, 2020/03
        _MONTH + r"[\s/-]*(?P<year>\d{4})",
        r"(?P<year>\d{4})[\s/-]*" + _MONTH,
        r"(?P<year>\d{4})[Mm](?P<month>\d{2})",
        r"(?P<month>\d{1,2})/(?P<year>\d{4})",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})",
        # 1990Q1, 1990-Q1, Q1 1990, Q1/1990
        r"(?P<year>\d{4})[\s/-]*[Qq](?P<quarter>[1-4])",
        r"[Qq](?P<quarter>[1-4])[\s/-]*(?P<year>\d{4})",
        # 2020-W05, 2020W051
        r"(?P<year>\d{4})-?W(?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?",
        # 2020-01-31T10:00 with what ISO 8601 does not have
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})" + _TIME,
    )
)  # fmt: skip
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[T ]?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?(?P<zone>Z)?"
)
_EPOCH = datetime.datetime(1970, 1, 1)
_DAY = datetime.timedelta(days=1)


def _beginnings() -> dict[str, int]:
    """Return the month of every beginning of a name that tells one."""
    months: dict[str, set[int]] = {}
    for month, names in enumerate(_NAMES, 1):
        for name in names.split():
            for length in range(3, len(name) + 1):
                months.setdefault(name[:length], set()).add(month)
    found = {start: min(several) for start, several in months.items() if len(several) == 1}
    return found | {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}


_MONTHS = _beginnings()


def read_dates(text: "pd.Series", reading: str = "") -> np.ndarray:
    """Read dates, with or without a time, as days since 1970-01-01; NaN where a cell is none.

    Times with a zone are moved to UTC.

    Args:
        text: pandas.Series of str. The cells.
        reading: str. How they are written: empty for what a cell alone tells (of two numbers that
            may both be the month the first is it between slashes, the second between points or
            dashes), an `Order` for all such cells, `COMPACT`, one of `EPOCHS`, or a format of
            `strptime`.

    Returns:
        float64 array of shape (cells,). Plain numbers are dates only where the reading says so.

    Example:
        >>> read_dates(pd.Series(["13/04/2021", "1990Q1"], dtype="str"))
        array([18730.,  7305.])
    """
    import pandas as pd

    days = np.full(len(text), np.nan)
    if reading in EPOCHS:
        return pd.to_numeric(text, errors="coerce").to_numpy(float) / (86_400 * EPOCHS[reading])
    if "%" in reading:
        return days_of(pd.to_datetime(text, format=reading, errors="coerce", utc=True))
    if reading != COMPACT:
        # pandas reads more as ISO 8601 than dates ("2020", "-5"), hence the pattern.
        iso = text.str.fullmatch(_ISO.pattern, na=False).to_numpy(bool)
        days[iso] = days_of(pd.to_datetime(text[iso], format="ISO8601", errors="coerce", utc=True))
    rest = np.flatnonzero(np.isnan(days) & text.notna().to_numpy())
    if len(rest):
        codes, words = pd.factorize(text.iloc[rest])
        read = np.array([_read_one(str(word), reading) for word in words], float)
        days[rest] = read[codes]
    return days


def find_order(words: Sequence[str]) -> tuple[Order | None, bool]:
    """Find which of the two numbers before a year is the day.

    Args:
        words: sequence of str. Cells, each once.

    Returns:
        tuple. The order, None where no cell has two such numbers or either would do for all; and
        whether there are such cells at all.
    """
    firsts, thens = 0, 0
    found = [match for match in map(_NUMBERS.fullmatch, words) if match]
    for match in found:
        firsts += int(match["first"]) > 12
        thens += int(match["then"]) > 12
    if not firsts and not thens:
        return None, bool(found)
    return ("day first" if firsts >= thens else "month first"), True


def default_order(words: Sequence[str]) -> Order:
    """Return which order is meant mostly where either would do: between slashes the month first."""
    slashes = sum("/" in word for word in words)
    return "month first" if 2 * slashes > len(words) else "day first"


def _read_one(word: str, reading: str) -> float:
    """Return the days of one cell, NaN where it is no date."""
    word = " ".join(word.split())
    if word[:1] == "[" and word[-1:] == "]":  # as in logs
        word = word[1:-1]
    if reading == COMPACT:
        match = _COMPACT.fullmatch(word)
        return _count(match.groupdict()) if match else np.nan
    if match := _NUMBERS.fullmatch(word):
        parts = match.groupdict()
        order = reading or ("month first" if parts["mark"] == "/" else "day first")
        names = ("day", "month") if order == "day first" else ("month", "day")
        return _count(parts | dict(zip(names, (parts["first"], parts["then"]), strict=True)))
    for pattern in _WRITTEN:
        if match := pattern.fullmatch(word):
            return _count(match.groupdict())
    return np.nan


def _count(parts: dict[str, str | None]) -> float:
    """Return the days of a date in parts, NaN for a 31st of June and the like."""

    def number(name: str, default: int) -> int:
        return int(parts.get(name) or default)

    year = number("year", 0)
    if len(parts["year"] or "") == 2:  # as POSIX has it
        year += 1900 if year > 68 else 2000
    month = number("month", 1)
    if name := parts.get("name"):
        month = _MONTHS.get(name.lower(), 0)
    if quarter := parts.get("quarter"):
        month = 3 * int(quarter) - 2
    seconds = float((parts.get("second") or "0").replace(",", "."))
    hour = number("hour", 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return np.nan
        hour = hour % 12 + 12 * (half[0] in "pP")
    if hour > 23 or number("minute", 0) > 59 or seconds >= 61:
        return np.nan
    try:
        if week := parts.get("week"):
            moment = datetime.datetime.fromisocalendar(year, int(week), number("weekday", 1))
        else:
            moment = datetime.datetime(year, month, number("day", 1))
        since = (moment - _EPOCH) / _DAY
    except ValueError:
        return np.nan
    clock = hour * 3_600 + number("minute", 0) * 60 + seconds - _offset(parts.get("zone"))
    return since + clock / 86_400


def _offset(zone: str | None) -> int:
    """Return by how many seconds a zone such as `+02:00` is ahead of UTC."""
    zone = (zone or "").removeprefix("UTC").removeprefix("GMT")
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    return int(zone[0] + "1") * (3_600 * int(hours) + 60 * int(minutes))


def days_of(moments: "pd.Series") -> np.ndarray:
    """Return moments in UTC as days since 1970-01-01, NaN for none."""
    import pandas as pd

    since = moments - pd.Timestamp("1970-01-01", tz="UTC")
    return (since / pd.Timedelta(days=1)).to_numpy(np.float64)


ORDERS: tuple[str, ...] = get_args(Order)
