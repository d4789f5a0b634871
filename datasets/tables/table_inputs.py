"""Raw rows of tables for a prediction."""

from collections.abc import Iterator
from typing import IO

from threefold.core.errors import UserError
from threefold.datasets.facts import TableFacts
from threefold.datasets.raw_inputs import STDIN, Given, Inputs
from threefold.datasets.tables.labeled_tables import read_rows
from threefold.datasets.tables.table_files import SUFFIXES

READS = ("table",)


def read(
    given: Given, facts: TableFacts, batch_size: int, *, encoding: str = "utf-8"
) -> Iterator[Inputs]:
    """Read rows.

    Args:
        given: Given. Tables, or `-` for one as CSV.
        facts: TableFacts. The columns of the run.
        batch_size: int. Not heeded: a table is read at once.
        encoding: str. Of the characters of a CSV.

    Returns:
        iterator of Inputs. The rows of one table each, packed by kind.
    """
    files = given.files(SUFFIXES)
    return (_read_table(given.stdin if f == STDIN else f, facts, encoding) for f in files)


def _read_table(source: str | IO[bytes], facts: TableFacts, encoding: str) -> Inputs:
    try:
        rows = read_rows(source, facts, encoding=encoding)
    except UserError as error:
        return Inputs([], {}, [error])
    return Inputs(rows.names, rows.arrays, rows.errors, remarks=rows.remarks)
