"""What an artifact's `example.py` asks its model, found without the model."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


class Predicting(Exception):
    """Ends a program at its first question."""

    def __init__(self, values: dict[str, np.ndarray]):
        self.values = values


def first_inputs(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Run the program of an artifact up to its first question; return that."""

    def stop(values: dict) -> None:
        raise Predicting({name: values[name] for name in names})

    tree = read_program(folder)
    tree.body = [part for part in tree.body if not is_of_the_runtime(part)]
    try:
        exec(  # as Python does it: a comprehension sees what is at the top
            compile(tree, "example.py", "exec"),
            {"__file__": str(folder / "example.py"), "predict": stop},
        )
    except Predicting as asked:
        return asked.values
    raise AssertionError("example.py asks nothing")


def is_of_the_runtime(part: ast.stmt) -> bool:
    if isinstance(part, ast.FunctionDef):
        return part.name == "predict"
    targets = part.targets if isinstance(part, ast.Assign) else ()
    return any(ast.unparse(target) in ("session", "model", "serve") for target in targets)


def assigned_in(folder: Path, name: str) -> Any:
    """Return the constant that the program of an artifact gives a name."""
    for part in read_program(folder).body:
        if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == name:
            return ast.literal_eval(part.value)
    raise AssertionError(f"example.py has no {name}")


def read_program(folder: Path) -> ast.Module:
    return ast.parse((folder / "example.py").read_text(encoding="utf-8"))
