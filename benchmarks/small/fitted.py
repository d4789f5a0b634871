"""Small runs of one epoch, on the data that the tests write, and artifacts of them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from threefold.core.errors import Failure
from threefold.exporting.artifact import Artifact, Format
from threefold.training.backend import choose_backend

SUPPORT = Path(__file__).parents[2] / "tests" / "support"
BACKEND = "torch"  # files hardly depend on it; this one fits and exports small models fastest
SETTINGS = {"epochs": "1", "batch_size": "8"}


def fit_small(
    blueprint: str, task: str, folder: Path, options: Mapping[str, str] | None = None
) -> Any:
    """Fit a blueprint for a task.

    Args:
        blueprint: str. Its name.
        task: str. The task.
        folder: Path. Where its data and its run go.
        options: mapping of str. The blueprint's; `None` for those that the tests build it with.

    Returns:
        Run.
    """
    sys.path.insert(0, str(SUPPORT))
    choose_backend(BACKEND)
    from cells import Cell
    from displays import quiet

    from threefold.training import fit as fitting
    from threefold.training.settings import TrainingSettings

    cell = Cell(blueprint, task)
    reference, data = cell.data(folder)
    settings, place = TrainingSettings.parse(SETTINGS), str(folder / "run")
    command = fitting.Command(
        blueprint,
        task,
        reference,
        data,
        dict(cell.options if options is None else options),
        settings,
        place,
    )
    return fitting.start(command, quiet).run


class Exporters:
    """Processes that export one run after the other; where one dies, others take their place."""

    def __init__(self):
        self._children: dict[str, Any] = {}  # by format: a graph for ONNX is none of the others'

    def export(self, run: Any, format: Format, place: Path) -> Artifact:
        """Export a run.

        Args:
            run: Run. What `fit_small` returned.
            format: str. `onnx`, `savedmodel` or `litert`.
            place: Path. The artifact's folder.

        Raises:
            Failure: where it cannot be, with all that was said.
        """
        from lasting import LastingChildren

        from threefold.exporting import export

        children = self._children[format] = self._children.get(format) or LastingChildren()

        def run_child(module: str, scratch: Path) -> None:
            if module == "empty_batch":  # which some runtimes die of
                raise Failure("not asked here")
            children.run_child(module, scratch)

        export.run_child = run_child
        export.check_sidecars = lambda *given: ()  # runs `example.py`, which takes seconds
        try:
            return export.export_run(run, export.Request(format, str(place)))
        except AssertionError as error:  # what the processes of tests die of
            self._children.pop(format).close()
            raise Failure(str(error)) from None

    def close(self) -> None:
        """End the processes."""
        for children in self._children.values():
            children.close()
