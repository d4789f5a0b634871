"""Raw series for a prediction."""

from collections.abc import Iterator

from threefold.core.errors import UserError
from threefold.datasets.facts import SequenceFacts
from threefold.datasets.raw_inputs import STDIN, Given, Inputs
from threefold.datasets.series.labeled_series import read_series

READS = ("sequence",)


def read(given: Given, facts: SequenceFacts, batch_size: int) -> Iterator[Inputs]:
    """Read series.

    Args:
        given: Given. `.ts` files.
        facts: SequenceFacts. The channels of the run.
        batch_size: int. Not heeded: a file is read at once.

    Returns:
        iterator of Inputs. `values` of the series of one file each.
    """
    files = given.files((".ts",))
    return (_read_file(file, facts) for file in files)


def _read_file(file: str, facts: SequenceFacts) -> Inputs:
    try:
        if file == STDIN:
            raise UserError("series are read from files: give a .ts file")
        names, values = read_series(file, facts)
    except UserError as error:
        return Inputs([], {}, [error])
    return Inputs(names, {"values": values}, [])
