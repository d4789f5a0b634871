"""Time how tables are read, beside `pandas.read_csv`.

    python benchmarks/reading/tables.py

A million rows of 20 columns, and 10,000 columns of 20 rows.

Prints the seconds of pandas, of reading the cells and of loading the whole data set (cells,
guesses, facts of the training split, fingerprint), their ratios, and the memory that loading takes
beside the size of the file. The files are made in a temporary folder.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from threefold.datasets import loading
from threefold.datasets.tables.table_files import read_table

SHAPES = ((1_000_000, 20), (20, 10_000))  # rows, columns


def make(path: Path, rows: int, columns: int) -> None:
    """Write a table: for each three columns of words and two of dates the rest are numbers."""
    generator = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {}
    for place in range(columns - 1):
        if columns <= 20 and place % 7 == 5:
            found[f"word_{place}"] = generator.choice(["red", "green", "blue"], rows)
        elif columns <= 20 and place % 9 == 8:
            moments = np.datetime64("2000-01-01") + np.arange(rows).astype("timedelta64[m]")
            found[f"date_{place}"] = np.datetime_as_string(moments, unit="m")
        else:
            found[f"number_{place}"] = generator.normal(size=rows).round(4)
    found["target"] = generator.integers(0, 2, rows)
    pd.DataFrame(found).to_csv(path, index=False)


def seconds_of(read: Callable[[Path], object], path: Path) -> float:
    """Return the least time of two that a function takes for a file."""
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        read(path)
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Print a line for each shape."""
    print("rows  columns  pandas s  cells s  whole s  cells/pandas  whole/pandas  memory/file")
    for rows, columns in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "table.csv")
            maker = multiprocessing.get_context("spawn").Process(
                target=make, args=(path, rows, columns)
            )
            maker.start()  # whose memory is not ours
            maker.join()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            whole = seconds_of(lambda place: loading.load(str(place)), path)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            cells = seconds_of(read_table, path)
            plain = seconds_of(pd.read_csv, path)
            share = (after - before) * 1024 / path.stat().st_size
            print(
                f"{rows}  {columns}  {plain:.2f}  {cells:.2f}  {whole:.2f}  {cells / plain:.2f}  "
                f"{whole / plain:.2f}  {share:.1f}"
            )


if __name__ == "__main__":
    sys.exit(main())
