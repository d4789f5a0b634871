"""Raw inputs for a prediction: whoever reads the kind of data that a run was fitted to."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from threefold.datasets.facts import Facts
from threefold.datasets.raw_inputs import Given, Inputs
from threefold.datasets.reader import reader_of_inputs


def find_input_reader(facts: Facts, reader: str | None = None) -> Callable[..., Iterator[Inputs]]:
    """Return the function that reads raw inputs of a kind, or that of a module which a task names;
    its options are how it reads them.
    """
    module = reader or reader_of_inputs(facts.kind)
    return importlib.import_module(f"threefold.datasets.{module}").read


def read_inputs(
    given: Sequence[str],
    facts: Facts,
    stdin: IO[bytes],
    batch_size: int,
    reader: str | None = None,
    **options: Any,
) -> Iterator[Inputs]:
    """Read what a user wants predicted, some at a time.

    Args:
        given: sequence of str. Files, folders and globs; `-` reads standard input: a table as CSV,
            for images and recordings one path a line, for texts one of them a line.
        facts: Facts. Shapes and columns of the run.
        stdin: binary stream. Standard input.
        batch_size: int. Images, recordings or texts in one part.
        reader: str. As for `find_input_reader`.
        options: of the function that `find_input_reader` returns.

    Returns:
        iterator of Inputs. At most `batch_size` images, recordings or texts, or the rows of one
        table. A file that cannot be read is one of the errors.

    Raises:
        UserError: at once, for a path that does not exist.
    """
    return find_input_reader(facts, reader)(Given(given, stdin), facts, batch_size, **options)
