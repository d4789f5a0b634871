"""What a task says of a figure: who plots it, its caption, and what it shows."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOM = Path(__file__).parent.parent / "reporting" / "figures"


class Figure(NamedTuple):
    """A figure of an evaluation.

    Args:
        plotter: str. `MODULE.FUNCTION`, a function of an `Evaluation` in `reporting/figures/`.
        caption: str. The words under the image.
        predictions: tuple of str. The answers that it shows, by the names of `postprocess`.
        truth: tuple of str. What they are compared with, by the names of `truth`.

    Example:
        >>> Figure("numbers.residuals", "Predicted against true values.", ("predictions",)).name
        'residuals'
    """

    plotter: str
    caption: str
    predictions: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The function's name: that of the file and, in words, of the heading."""
        return self.plotter.rpartition(".")[2]


@cache
def plotters(module: str) -> tuple[str, ...]:
    """Return the functions of one file of figures, without importing what plots."""
    path = ROOM / f"{module}.py"
    if not path.is_file():
        return ()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
