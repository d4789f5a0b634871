"""Every blueprint for each of its tasks, once for all tests of it in a process."""

import pytest
from cells import CELLS, Cell
from fitted import FittedCell

from threefold.training.backend import choose_backend

FORMATS = ("onnx", "savedmodel")
BACKEND = choose_backend()
EXPORTED_BY = "tensorflow"  # writes every file, whoever trained


@pytest.fixture(scope="session", params=CELLS, ids=str)
def cell(request, tmp_path_factory, lasting_children) -> FittedCell:
    """A cell, with what tests that came before have made of it."""
    folder = tmp_path_factory.mktemp(str(request.param))
    return FittedCell(request.param, folder, lasting_children)


def pytest_collection_modifyitems(items):
    """Leave out what another backend tries; see `Cell.home` and `Cell.leads`."""
    kept = [item for item in items if wanted(item)]
    items[:] = kept


def wanted(item) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    cell: Cell | None = parameters.get("cell")
    if cell is None:
        return True
    if item.get_closest_marker("at_home"):
        return cell.home == BACKEND or (item.get_closest_marker("leads") and cell.leads)
    if item.get_closest_marker("exports") and BACKEND != EXPORTED_BY:
        blueprints = sorted({cell.blueprint for cell in CELLS})
        turn = blueprints.index(cell.blueprint) + (BACKEND == "torch")
        return cell.leads and parameters["format"] == FORMATS[turn % 2]
    return True


@pytest.fixture(params=FORMATS)
def format(request) -> str:
    return request.param
