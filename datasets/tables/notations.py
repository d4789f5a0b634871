"""How a column writes numbers and dates: guessed over its cells at once, then kept with a run.

A single `1,171` may be 1171 or 1.171, a single `03/04/2021` two dates: the column as a whole, and
the columns beside it, say which. Cells that come later are read the same way.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.tables.dates import (
    COMPACT,
    EPOCHS,
    ORDERS,
    Order,
    default_order,
    find_order,
    read_dates,
)
from threefold.datasets.tables.units import (
    Multiples,
    guess_multiples,
    guess_unit,
    plain_sign,
    plain_signs,
    split_multiple,
    split_multiples,
)

if TYPE_CHECKING:
    import pandas as pd

# From this share on that is read alike, the other cells are taken for slips and not for words.
MOSTLY = 0.95
BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
TIME_NAMES = re.compile(
    r"(.*[ _])?(time|timestamp|date|datetime|ts|ds|epoch|moment|created|updated|at)([ _].*)?",
    re.IGNORECASE,
)
_SPACES = " \u00a0\u202f\u2009'\u2019"  # between thousands, whatever the decimal mark
# What can only be decimals: not three digits after the mark, or what no group of three follows;
# and what can only be read with the other mark between thousands, which stands there twice.
_NEEDS = (
    r"[+-]?(?:\d*{m}(?:\d{{1,2}}|\d{{4,}})|0{m}\d+|\d{{4,}}{m}\d+|\d{{1,3}}(?:{t}\d{{3}})+{m}\d*"
    r"|\d{{1,3}}(?:{t}\d{{3}}){{2,}})(?:[eE][+-]?\d+)?"
)
_NEEDS_COMMA = re.compile(_NEEDS.format(m=",", t=r"\."))
_NEEDS_POINT = re.compile(_NEEDS.format(m=r"\.", t=","))
_SPACED = re.compile(rf"(?<=\d)[{_SPACES}](?=\d{{3}})")
_SAMPLE = 10_000  # words by which a column's notation is guessed; all are read by it
_YEARS = (1900, 2100)  # within which eight digits, or seconds since 1970, are taken for a date


@dataclass(frozen=True)
class NotationConfig:
    """How a table writes numbers and dates, where a user says so; options of all tables.

    Args:
        decimal: str. The mark before the decimals of numbers, a point or a comma; guessed if None.
        thousands: str. The mark between thousands, a point or a comma; guessed if None. Spaces and
            apostrophes may stand there always.
        day_first: bool. Whether the day stands before the month in dates such as 03/04/2021;
            guessed if None.
        date_format: str. How dates are written: a format of strptime such as %d.%m.%y, YYYYMMDD,
            or seconds, milliseconds or microseconds since 1970; guessed if None.
        header: bool. Whether the first row of a CSV names the columns, which else are called
            column_1, ...; if None it must, and what looks like no names is refused.
        keep_all_rows: bool. Whether rows of a CSV that repeat the header, or that sum up the rows
            above at its end, are read as rows.
    """

    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ","] | None = None
    day_first: bool | None = None
    date_format: str | None = None
    header: bool | None = None
    keep_all_rows: bool = False

    def check(self) -> None:
        """Raise a UserError for marks that cannot be told apart, and a format that is none."""
        if self.decimal is not None and self.decimal == self.thousands:
            raise UserError(f"-d decimal={self.decimal}: thousands={self.thousands} is the same")
        known = (COMPACT, *EPOCHS)
        if self.date_format is not None and not (
            self.date_format in known or "%" in self.date_format
        ):
            raise UserError(
                f"-d date_format={self.date_format}: expected a format of strptime such as "
                f"%d.%m.%y, or {', '.join(known[:-1])} or {known[-1]}"
            )


@dataclass(frozen=True)
class Notation:
    """How one column writes.

    Args:
        decimal: str. The mark before decimals.
        thousands: str. The mark between thousands.
        unit: str. What stands before or after each number, such as `$`, `%` or `°C`.
        multiples: str. Whether letters after numbers multiply them: `amounts` (`340K`, `1.2M`) or
            `sizes` (`340 KB`, `1.2 GB`).
        dates: str. A reading of `dates.read_dates`.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", ""] = ","
    unit: str = ""
    dates: str = ""
    multiples: Multiples = ""

    def read_numbers(self, text: "pd.Series") -> np.ndarray:
        """Read numbers such as `12`, `1e5` and `1,234.5`.

        Args:
            text: pandas.Series of str. The cells.

        Returns:
            float64 array of shape (cells,), NaN where a cell is none.
        """
        import pandas as pd

        if self.decimal == ".":
            numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, copy=True)
        else:
            numbers = np.full(len(text), np.nan)
        rest = np.isnan(numbers)
        if rest.any():
            words = text[rest]
            marked = words.str.contains(r"\d", na=False).to_numpy(bool)
            rest[rest] = marked
            words, factors = plain_signs(words[marked]), np.ones(marked.sum())
            if self.multiples:
                words, factors = split_multiples(words, self.multiples)
            numbers[rest] = pd.to_numeric(self._plain(words), errors="coerce") * factors
        return numbers

    def _plain(self, text: "pd.Series") -> "pd.Series":
        """Return cells as any program reads numbers, missing where they are not written so."""
        if self.unit:
            unit = re.escape(self.unit)
            text = text.str.replace(rf"^([+-]?)\s*{unit}\s*|\s*{unit}$", r"\1", regex=True)
        decimal = re.escape(self.decimal)
        marks = f"[{re.escape(self.thousands)}{_SPACES}]"
        whole = rf"(?:\d+|\d{{1,3}}(?:{marks}\d{{3}})+)"
        pattern = rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?"
        plain = text.where(text.str.fullmatch(pattern, na=False))
        plain = plain.str.replace(marks, "", regex=True)
        return plain.str.replace(self.decimal, ".", regex=False)

    def read_dates(self, text: "pd.Series") -> np.ndarray:
        """Read dates as days since 1970-01-01, NaN where a cell is none."""
        return read_dates(text, self.dates)


PLAIN = Notation()


@dataclass(frozen=True)
class Guess:
    """What the words of a column look like.

    Args:
        notation: Notation. How they are written.
        kind: str. `numeric`, `date`, or empty where they are mostly neither.
        remark: str. A doubt worth saying, or empty.
        mark: str. The decimal mark that the words cannot do without, or empty.
        is_open: bool. Whether they could be read in another way as well.
    """

    notation: Notation = PLAIN
    kind: Literal["numeric", "date", ""] = ""
    remark: str = ""
    mark: str = ""
    is_open: bool = False


def guess_notation(
    counts: "pd.Series",
    name: str = "",
    config: NotationConfig = NotationConfig(),
    usual: Notation = PLAIN,
    *,
    kind: str | None = None,
    time: bool = False,
) -> Guess:
    """Guess how the words of a column are written.

    Args:
        counts: pandas.Series of int. How often each word is there, the words in the index.
        name: str. The column's name: numbers may be seconds since 1970 where it speaks of time.
        config: NotationConfig. What a user says.
        usual: Notation. That of the table's other columns, where this one leaves it open.
        kind: str. What the column holds, where that is known.
        time: bool. Whether the column is known to hold time stamps.

    Returns:
        Guess.
    """
    words = counts.index.to_series().reset_index(drop=True)
    amounts, sample = counts.to_numpy(), counts.index[:_SAMPLE].tolist()

    def share(read: np.ndarray) -> float:
        return float(amounts[~np.isnan(read)].sum() / amounts.sum())

    lowered = {word.lower() for word in sample} if len(words) <= 2 * len(BOOLEANS) else {""}
    if kind != "date" and any(lowered <= set(pair) for pair in BOOLEANS):
        return Guess(kind="numeric")
    written = _guess_numbers(sample, config, usual)
    numbers = _read_if_some(words, written.notation)
    if kind != "numeric" and share(numbers) == 1:
        if stamps := _guess_stamps(words, numbers, name, config, time or kind == "date"):
            return stamps
    if kind == "numeric" or share(numbers) == 1:
        return written
    dated = _guess_dates(sample, config, usual)
    if kind == "date":
        return dated
    first = dated.notation.read_dates(words.head(100))
    if np.isnan(first).mean() < 0.5 and share(dated.notation.read_dates(words)) >= MOSTLY:
        return dated
    return written if share(numbers) >= MOSTLY else Guess()


def _read_if_some(words: "pd.Series", notation: Notation) -> np.ndarray:
    """Return words as numbers; where the commonest and some others are none, no word is read."""
    spread = np.linspace(0, len(words) - 1, 200).astype(int)
    some = words.iloc[np.unique([*spread, *range(min(100, len(words)))])]
    if np.isnan(notation.read_numbers(some)).all():
        return np.full(len(words), np.nan)
    return notation.read_numbers(words)


def usual_notation(guesses: Collection[Guess], separator: str) -> Notation:
    """Return how a table writes what single columns leave open.

    Args:
        guesses: collection of Guess. Those of all columns.
        separator: str. What stands between the cells of the table, or empty. A semicolon is there
            where commas stand before decimals.
    """
    marks = {one.mark for one in guesses} - {""}
    orders = {one.notation.dates for one in guesses if not one.is_open} & {*ORDERS}
    usual = replace(PLAIN, dates=orders.pop()) if len(orders) == 1 else PLAIN
    comma = marks == {","} or (not marks and separator == ";")
    return replace(usual, decimal=",", thousands=".") if comma else usual


def _guess_numbers(words: list[str], config: NotationConfig, usual: Notation) -> Guess:
    """Return how numbers are written among some words."""
    words = [plain_sign(word) for word in words]
    multiples = guess_multiples(words)
    if multiples:
        words = [split_multiple(word, multiples)[0] for word in words]
    unit = guess_unit(words, MOSTLY)
    mark, is_open = _find_decimal([word.replace(unit, "") for word in words] if unit else words)
    decimal = config.decimal or {",": ".", ".": ",", None: None}[config.thousands]
    decimal = decimal or mark or usual.decimal
    thousands = config.thousands or ("," if decimal == "." else ".")
    remarks = []
    if decimal == "," and config.decimal is None:
        remarks.append("read with decimal commas (else: -d decimal=.)")
    if unit:
        remarks.append(f"read without its {unit}")
    if multiples:
        kinds = "K, M, B" if multiples == "amounts" else "KB, MB, GB"
        remarks.append(f"multiplied as {kinds} and the like say")
    written = Notation(decimal, thousands, unit, multiples=multiples)
    return Guess(written, "numeric", ", ".join(remarks), mark, is_open)


def _find_decimal(words: list[str]) -> tuple[Literal[".", ",", ""], bool]:
    """Return the decimal mark that the words of a column need, and whether either would do."""
    digits = [_SPACED.sub("", word.strip()) for word in words if "," in word or "." in word]
    if not digits:
        return "", False
    point = any(map(_NEEDS_POINT.fullmatch, digits))
    if any(map(_NEEDS_COMMA.fullmatch, digits)):
        return ("", True) if point else (",", False)
    return (".", False) if point else ("", True)


def _guess_stamps(
    words: "pd.Series", numbers: np.ndarray, name: str, config: NotationConfig, time: bool
) -> Guess | None:
    """Return what plain whole numbers are if they are moments, or None."""
    if config.date_format is not None and (time or TIME_NAMES.fullmatch(name)):
        return Guess(replace(PLAIN, dates=config.date_format), "date")
    if len(words) < 2 or not words.str.fullmatch(r"\d{8}|\d{9,10}|\d{12,13}|\d{15,16}").all():
        return None
    first, last = (np.datetime64(str(year), "s").astype(int) for year in _YEARS)
    if words.str.len().eq(8).all():
        days = read_dates(words, COMPACT)
        seconds = days * 86_400
        if ((first <= seconds) & (seconds < last)).all():
            return Guess(replace(PLAIN, dates=COMPACT), "date", f"read as {COMPACT}")
        return None
    if not (time or TIME_NAMES.fullmatch(name)):
        return None
    year = 365 * 86_400
    for unit, size in EPOCHS.items():
        if (5 * year * size <= numbers).all() and (numbers < last * size).all():
            return Guess(replace(PLAIN, dates=unit), "date", f"read as {unit} since 1970")
    return None


def _guess_dates(words: list[str], config: NotationConfig, usual: Notation) -> Guess:
    """Return how dates are written among some words."""
    if config.date_format is not None:
        return Guess(replace(PLAIN, dates=config.date_format), "date")
    if config.day_first is not None:
        order: Order = "day first" if config.day_first else "month first"
        return Guess(replace(PLAIN, dates=order), "date")
    found, there = find_order(words)
    if not there:
        return Guess(PLAIN, "date")
    order = found or (usual.dates if usual.dates in ORDERS else default_order(words))
    remark, other = {
        "day first": ("read as day/month/year", "false"),
        "month first": ("read as month/day/year", "true"),
    }[order]
    if found is None:
        remark += f", though its cells leave it open (else: -d day_first={other})"
    return Guess(replace(PLAIN, dates=order), "date", remark, is_open=found is None)
