"""One column of a table: what it holds, guessed from its cells, and its cells as numbers.

A cell is read by rules that look at nothing but that cell, so that a table given to `predict` is
read exactly as the one that the run was fitted on.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from threefold.datasets.facts import CategoricalColumn, DateColumn, NumericColumn
from threefold.datasets.tables.dates import days_of
from threefold.datasets.tables.notations import (
    BOOLEANS,
    PLAIN,
    Notation,
    NotationConfig,
    guess_notation,
    usual_notation,
)
from threefold.datasets.tables.units import describe_mixture

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "date", "categorical"]

# What stands for a missing cell, in any case and with spaces around it. "none" is not among them:
# it is a common word for a class.
MISSING = (
    *("", "na", "n/a", "#n/a", "nan", "null", "?", "-", "--", ".", "<na>", "nat", "n.a.", "k.a."),
    # Errors of spreadsheets, in English, German, French and Spanish.
    *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#wert!", "#bezug!", "#zahl!"),
    *("#nv", "#valeur!", "#nom?", "#nombre!", "#¡div/0!", "#¡valor!", "#¡ref!", "#n/d"),
)
PARTS = 16  # of equal numbers of cells, into which a column of numbers is cut
NAMES_OF_ROWS = re.compile(r"unnamed: \d+|index|row|(.*[ _-])?id", re.IGNORECASE)


class ColumnGuess(NamedTuple):
    """What a column seems to hold.

    Args:
        kind: Kind. None where the column cannot serve.
        remark: str. Why it cannot, or a doubt worth saying, or empty.
        notation: Notation. How its cells are written.
        mark: str. The decimal mark that its cells need, or empty.
        is_open: bool. Whether its cells could be read in another way as well.
    """

    kind: Kind | None
    remark: str = ""
    notation: Notation = PLAIN
    mark: str = ""
    is_open: bool = False


def as_text(column: "pd.Series", missing: tuple[str, ...] = MISSING) -> "pd.Series":
    """Return the cells as text without the spaces around them, NaN where one is missing.

    Args:
        column: pandas.Series. Cells of any type; whole numbers are written without a point.
        missing: tuple of str. The words, in lower case, that stand for a missing cell.

    Returns:
        pandas.Series of pandas' `str` type, with the index of `column`.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if pd.api.types.is_float_dtype(column.dtype):
        column = column.astype(object).map(
            lambda cell: f"{cell:.0f}" if cell == np.rint(cell) else repr(float(cell)),
            na_action="ignore",
        )
    if column.dtype != "str":
        column = column.astype(object).where(column.notna(), None).astype("str")
    # Arrow's own functions: of a table of 10,000 columns pandas' take a minute to be called.
    text = pc.utf8_trim_whitespace(pa.array(column, pa.large_string()))
    absent = pc.is_in(pc.utf8_lower(text), pa.array(missing, pa.large_string()))
    text = pc.if_else(absent, pa.scalar(None, pa.large_string()), text)
    return pd.Series(pd.array(text, dtype="str"), index=column.index, name=column.name)


def guess_kind(
    column: "pd.Series",
    config: NotationConfig = NotationConfig(),
    usual: Notation = PLAIN,
    *,
    kind: Kind | None = None,
    time: bool = False,
) -> ColumnGuess:
    """Guess what a column holds, and how it is written.

    Args:
        column: pandas.Series. Its cells, text or typed.
        config: NotationConfig. How cells are written, where a user says so.
        usual: Notation. How the table's other columns write.
        kind: Kind. What the column holds, where that is known.
        time: bool. Whether the column is known to hold time stamps.

    Returns:
        ColumnGuess.
    """
    import pandas as pd

    if kind == "categorical" or isinstance(column.dtype, pd.CategoricalDtype):
        return ColumnGuess("categorical")
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_float_dtype(column.dtype):
        return ColumnGuess(None, "row number") if _counts_rows(column) else ColumnGuess("numeric")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return ColumnGuess("date")
    nested = list | tuple | dict | bytes | np.ndarray
    if column.dtype == object and any(isinstance(cell, nested) for cell in column):
        return ColumnGuess(None, "not one value a cell")
    if kind is None and not time and config == NotationConfig():
        quick = _guess_at_once(column)
        if quick is not None:
            return quick
    text = as_text(column).dropna()
    if text.empty:
        return ColumnGuess(kind, "" if kind else "all missing")
    counts = text.value_counts()
    found = guess_notation(counts, str(column.name), config, usual, kind=kind, time=time)
    if kind is None and not found.kind:
        alone = len(counts) == len(text)
        doubt = describe_mixture(counts.index.tolist())
        if alone:
            return ColumnGuess(None, f"another word in every row{', ' if doubt else ''}{doubt}")
        return ColumnGuess("categorical", f"read as words, {doubt}" if doubt else "")
    if kind is None and found.kind == "numeric" and _counts_rows(column):
        return ColumnGuess(None, "row number")
    return ColumnGuess(kind or found.kind, found.remark, found.notation, found.mark, found.is_open)


def guess_columns(
    frame: "pd.DataFrame",
    config: NotationConfig = NotationConfig(),
    kinds: Mapping[str, Kind] = MappingProxyType({}),
    *,
    time: str = "",
    separator: str = "",
) -> dict[str, ColumnGuess]:
    """Guess what all columns hold: what some leave open, others decide.

    Args:
        frame: pandas.DataFrame. The columns.
        config: NotationConfig. How cells are written, where a user says so.
        kinds: mapping of str to Kind. Columns whose kind is known.
        time: str. The column that is known to hold time stamps, or empty.
        separator: str. What stands between the cells of their file, or empty.

    Returns:
        dict of str to ColumnGuess. For each column.
    """
    found = {
        name: guess_kind(frame[name], config, kind=kinds.get(name), time=name == time)
        for name in frame.columns
    }
    usual = usual_notation(found.values(), separator)
    if usual != PLAIN:
        for name in [name for name, one in found.items() if one.is_open]:
            found[name] = guess_kind(
                frame[name], config, usual, kind=kinds.get(name), time=name == time
            )
    return found


def _guess_at_once(column: "pd.Series") -> ColumnGuess | None:
    """Return what a column holds where every cell is a number as programs write it, or None."""
    numbers = _read_at_once(column)
    if numbers is None or not len(numbers):
        return None
    if _counts_rows(column):
        return ColumnGuess(None, "row number")
    whole = (numbers == np.rint(numbers)).all()
    thousandths = 1000 * numbers
    if whole and numbers.min() >= 1e7:
        return None  # maybe moments: 20200131, or seconds since 1970
    below = (np.abs(numbers) < 1) & (numbers != 0)
    if not (whole or below.any()) and (np.abs(thousandths - np.rint(thousandths)) < 1e-6).all():
        return None  # maybe points between thousands
    return ColumnGuess("numeric", mark="" if whole else ".")


def _read_at_once(column: "pd.Series") -> np.ndarray | None:
    """Return the numbers of a column where each cell is one as programs write it, or None."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.dtype == "str":
        try:  # ten times as fast as pandas, and exact
            return _without_missing(pc.cast(pa.array(column), pa.float64()).to_numpy(False))
        except pa.ArrowInvalid:
            return None
    if pd.api.types.is_datetime64_any_dtype(column.dtype):  # pandas makes numbers of these, too
        return None
    numbers = pd.to_numeric(column, errors="coerce")
    if not pd.api.types.is_numeric_dtype(numbers.dtype):
        return None
    return _without_missing(numbers.to_numpy(np.float64, na_value=np.nan))


def _without_missing(numbers: np.ndarray) -> np.ndarray | None:
    return None if np.isnan(numbers).any() else numbers


def _counts_rows(column: "pd.Series") -> bool:
    """Tell whether a column is but the number of the row under a name such as `id`."""
    import pandas as pd

    if not NAMES_OF_ROWS.fullmatch(str(column.name)):
        return False
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return bool(len(numbers) > 1 and (np.diff(numbers) == 1).all())


def read_cells(
    column: "pd.Series", kind: Kind, notation: Notation = PLAIN
) -> tuple["np.ndarray | pd.Series", np.ndarray]:
    """Read a column's cells as one kind.

    Args:
        column: pandas.Series. Cells of any type.
        kind: Kind. `numeric`, `date` or `categorical`.
        notation: Notation. How they are written.

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
        moments = pd.to_datetime(column, utc=True)
        numbers, missing = days_of(moments), column.isna().to_numpy()
    elif (
        kind == "numeric"
        and notation.decimal == "."
        and (at_once := _read_at_once(column)) is not None
    ):
        numbers, missing = at_once, np.zeros(len(at_once), bool)
    else:
        text = as_text(column)
        read = notation.read_numbers if kind == "numeric" else notation.read_dates
        numbers = read(text)
        missing = text.isna().to_numpy()
        rest = np.isnan(numbers) & ~missing
        if kind == "numeric" and rest.any():
            numbers[rest] = _read_booleans(text[rest])
    too_large = np.abs(numbers) > np.finfo(np.float32).max
    return numbers, too_large | (np.isnan(numbers) & ~missing)


def _read_booleans(text: "pd.Series") -> np.ndarray:
    lowered = text.str.lower()
    false, true = zip(*BOOLEANS, strict=True)
    return np.select([lowered.isin(false), lowered.isin(true)], [0.0, 1.0], np.nan)


def is_constant(cells: "np.ndarray | pd.Series") -> bool:
    """Tell whether cells hold nothing to learn from: one value."""
    if isinstance(cells, np.ndarray):
        present = cells[~np.isnan(cells)]
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
