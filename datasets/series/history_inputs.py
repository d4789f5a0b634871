"""Raw histories of series that are to be forecast."""

from collections.abc import Iterator

from threefold.datasets.facts import ForecastFacts
from threefold.datasets.raw_inputs import STDIN, Given, Inputs
from threefold.datasets.series.forecasting_tables import read_histories
from threefold.datasets.series.windows import Fill
from threefold.datasets.tables.table_files import SUFFIXES

READS = ("forecast",)


def read(
    given: Given,
    facts: ForecastFacts,
    batch_size: int,
    *,
    encoding: str = "utf-8",
    fill: Fill | None = None,
) -> Iterator[Inputs]:
    """Read histories.

    Args:
        given: Given. Tables, or `-` for one as CSV.
        facts: ForecastFacts. The columns and steps of the run.
        batch_size: int. Not heeded: a table is read at once.
        encoding: str. Of the characters of a CSV.
        fill: str. What fills gaps in series: interpolate, previous or zero; None refuses them.

    Returns:
        iterator of Inputs. One window for each series of one table each.
    """
    files = given.files(SUFFIXES)
    sources = (given.stdin if file == STDIN else file for file in files)
    return (read_histories(one, facts, encoding=encoding, fill=fill) for one in sources)
