"""One column of a table: what it holds, guessed from its cells, and its cells as numbers.

A cell is read by rules that look at nothing but that cell, so that a table given to `predict` is
read exactly as the one that the run was fitted on.
"""

import itertools
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from threefold.datasets.facts import CategoricalColumn, DateColumn, NumericColumn

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "date", "categorical"]

# What stands for a missing cell, in any case and with spaces around it. "none" is not among them:
# it is a common word for a class.
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "?", "-")
BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
# From this share of numbers on, the other cells are taken for slips and not for words.
MOSTLY_NUMBERS = 0.95
PARTS = 16  # of equal numbers of cells, into which a column of numbers is cut
NAMES_OF_ROWS = re.compile(r"unnamed: \d+|index|row|(.*[ _-])?id", re.IGNORECASE)

_THOUSANDS = r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?"
_ISO_DATE = (
    r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?)?"
)
# Slashes with the year last are read month first and points day first, as they are mostly meant.
_DATE_FORMATS = (
    *("%Y/%m/%d", "%m/%d/%Y", "%d.%m.%Y"),
    *("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
_TIME_FORMATS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def as_text(column: "pd.Series", missing: tuple[str, ...] = MISSING) -> "pd.Series":
    """Return the cells as text without the spaces around them, NaN where one is missing.

    Args:
        column: pandas.Series. Cells of any type; whole numbers are written without a point.
        missing: tuple of str. The words, in lower case, that stand for a missing cell.

    Returns:
        pandas.Series of pandas' `str` type, with the index of `column`.
    """
    import pandas as pd

    if pd.api.types.is_float_dtype(column.dtype):
        column = column.astype(object).map(
            lambda cell: f"{cell:.0f}" if cell == np.rint(cell) else repr(float(cell)),
            na_action="ignore",
        )
    if column.dtype != "str":
        column = column.astype(object).where(column.notna(), None).astype("str")
    text = column.str.strip()
    return text.mask(text.str.lower().isin(missing))


def guess_kind(column: "pd.Series") -> tuple[Kind | None, str]:
    """Guess what a column holds.

    Args:
        column: pandas.Series. Its cells, text or typed.

    Returns:
        tuple of a kind and a remark. The kind is None where the column cannot serve, and the
        remark then says why; otherwise the remark is empty or a doubt worth saying.
    """
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categorical", ""
    if pd.api.types.is_numeric_dtype(column.dtype):  # bool too
        return (None, "row number") if _counts_rows(column) else ("numeric", "")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date", ""
    nested = list | tuple | dict | bytes | np.ndarray
    if column.dtype == object and any(isinstance(cell, nested) for cell in column):
        return None, "not one value a cell"
    text = as_text(column).dropna()
    if text.empty:
        return None, "all missing"
    return _guess_text(text, column)


def _guess_text(text: "pd.Series", column: "pd.Series") -> tuple[Kind | None, str]:
    counts = text.value_counts()
    words = counts.index.to_series()
    if len(words) <= 2 * len(BOOLEANS):
        lowered = set(words.str.lower())
        if any(lowered <= set(pair) for pair in BOOLEANS):
            return "numeric", ""
    readable = ~np.isnan(read_numbers(words))
    if readable.all():
        return (None, "row number") if _counts_rows(column) else ("numeric", "")
    if not np.isnan(read_dates(words.head(100))).any() and not np.isnan(read_dates(words)).any():
        slashes = words.str.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}.*").any()
        return "date", "read as month/day/year" if slashes else ""
    if counts.to_numpy()[readable].sum() >= MOSTLY_NUMBERS * len(text):
        return "numeric", ""
    if len(words) == len(text):
        return None, "another word in every row"
    if words.str.fullmatch(r"[+-]?\d+([.,]\d+)?").all():
        return "categorical", "decimal commas are not read as numbers"
    return "categorical", ""


def _counts_rows(column: "pd.Series") -> bool:
    """Tell whether a column is but the number of the row under a name such as `id`."""
    import pandas as pd

    if not NAMES_OF_ROWS.fullmatch(str(column.name)):
        return False
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return bool(len(numbers) > 1 and (np.diff(numbers) == 1).all())


def read_cells(column: "pd.Series", kind: Kind) -> tuple["np.ndarray | pd.Series", np.ndarray]:
    """Read a column's cells as one kind.

    Args:
        column: pandas.Series. Cells of any type.
        kind: Kind. `numeric`, `date` or `categorical`.

    Returns:
        tuple of cells and a bool array. Cells are float64, NaN where missing (dates in days since
        1970-01-01), or text as from `as_text`. The bool array marks cells that are neither
        missing nor of the kind: words among numbers, and what float32 cannot hold.
    """
    import pandas as pd

    if kind == "categorical":
        return as_text(column), np.zeros(len(column), bool)
    if kind == "numeric" and pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        missing = np.isnan(numbers)
    elif kind == "date" and pd.api.types.is_datetime64_any_dtype(column.dtype):
        numbers, missing = _days(pd.to_datetime(column, utc=True)), column.isna().to_numpy()
    else:
        text = as_text(column)
        numbers = read_numbers(text) if kind == "numeric" else read_dates(text)
        missing = text.isna().to_numpy()
        rest = np.isnan(numbers) & ~missing
        if kind == "numeric" and rest.any():
            numbers[rest] = _read_booleans(text[rest])
    too_large = np.abs(numbers) > np.finfo(np.float32).max
    return numbers, too_large | (np.isnan(numbers) & ~missing)


def read_numbers(text: "pd.Series") -> np.ndarray:
    """Read numbers such as `12`, `1e5` and `1,234.5`, NaN where a cell is none."""
    import pandas as pd

    numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, copy=True)
    rest = np.isnan(numbers)
    rest[rest] = text[rest].str.fullmatch(_THOUSANDS, na=False)
    numbers[rest] = pd.to_numeric(text[rest].str.replace(",", ""))
    return numbers


def _read_booleans(text: "pd.Series") -> np.ndarray:
    lowered = text.str.lower()
    false, true = zip(*BOOLEANS, strict=True)
    return np.select([lowered.isin(false), lowered.isin(true)], [0.0, 1.0], np.nan)


def read_dates(text: "pd.Series") -> np.ndarray:
    """Read dates, with or without a time, as days since 1970-01-01; NaN where a cell is none.

    Times with a zone are moved to UTC. Plain numbers are never dates.
    """
    import pandas as pd

    days = np.full(len(text), np.nan)
    # pandas reads more as ISO 8601 than dates ("2020", "-5"), hence the pattern.
    candidates = text.str.fullmatch(_ISO_DATE, na=False).to_numpy(bool)
    days[candidates] = _days(
        pd.to_datetime(text[candidates], format="ISO8601", errors="coerce", utc=True)
    )
    for date, time in itertools.product(_DATE_FORMATS, _TIME_FORMATS):
        candidates = text.str.contains(r"\d{4}", na=False).to_numpy(bool) & np.isnan(days)
        if not candidates.any():
            break
        days[candidates] = _days(
            pd.to_datetime(text[candidates], format=date + time, errors="coerce", utc=True)
        )
    return days


def _days(moments: "pd.Series") -> np.ndarray:
    import pandas as pd

    since = moments - pd.Timestamp("1970-01-01", tz="UTC")
    return (since / pd.Timedelta(days=1)).to_numpy(np.float64)


def is_constant(cells: "np.ndarray | pd.Series") -> bool:
    """Tell whether cells hold nothing to learn from: one value, as float32 for numbers."""
    if isinstance(cells, np.ndarray):
        present = cells[~np.isnan(cells)].astype(np.float32)
        return not len(present) or bool((present == present[0]).all())
    return cells.nunique(dropna=False) <= 1


def describe_numbers(
    name: str, kind: Literal["numeric", "date"], cells: np.ndarray
) -> NumericColumn | DateColumn:
    """Return a column's facts: mean, scale and quantiles of the cells that are not missing.

    Args:
        name: str. The column's name.
        kind: Literal. Which of the two facts.
        cells: float64 array. Cells of the training split.

    Returns:
        NumericColumn or DateColumn. The scale is 1 where the cells do not differ; of equal
        quantiles there is one.
    """
    present = cells[~np.isnan(cells)]
    mean = float(present.mean()) if len(present) else 0.0
    scale = float(present.std()) if len(present) else 0.0
    # Below the least float32 the network would divide by zero.
    scale = scale if scale > np.finfo(np.float32).tiny else 1.0
    facts = NumericColumn if kind == "numeric" else DateColumn
    shares = np.linspace(0, 1, PARTS + 1)
    knots = np.unique(np.quantile(present, shares)) if len(present) else present
    return facts(name=name, mean=mean, scale=scale, knots=tuple(knots.tolist()))


def describe_words(name: str, cells: "pd.Series", max_categories: int) -> CategoricalColumn:
    """Return a column's facts: its words in sorted order, the commonest where there are too many.

    Args:
        name: str. The column's name.
        cells: pandas.Series of text. Cells of the training split.
        max_categories: int. The most words to keep.

    Returns:
        CategoricalColumn. Of equally common words the first in sorted order are kept.
    """
    counts = cells.dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return CategoricalColumn(name=name, vocabulary=tuple(sorted(counts.index[:max_categories])))


def encode_words(cells: "pd.Series", vocabulary: tuple[str, ...]) -> np.ndarray:
    """Return the words' ids, int32: position in the vocabulary + 1, or 0 if missing or unknown."""
    import pandas as pd

    return (pd.Index(vocabulary, dtype="str").get_indexer(cells) + 1).astype(np.int32)
