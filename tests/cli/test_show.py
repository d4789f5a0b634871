"""Every family can be shown, and what it says can be typed."""

import json

import pytest
from cells import CELLS, SMALL

from threefold.training.building import blueprint_names, find_blueprint

pytestmark = pytest.mark.once

FAMILIES = sorted(blueprint_names())


def show(run_cli, *words):
    code, out, err = run_cli("show", *words, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_shown_for_its_first_task(run_cli, family):
    found = show(run_cli, family)
    blueprint = find_blueprint(family)
    assert found["task"] == next(iter(blueprint.TASKS))
    assert found["dataset"] == blueprint.DATASETS[found["task"]]
    assert found["recipes"] == getattr(blueprint, "RECIPES", {})


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.leads], ids=str)
def test_a_family_is_shown_for_a_task_with_options_and_data(run_cli, cell, tmp_path):
    reference, data = cell.data(tmp_path)
    words = [word for name, value in data.items() for word in ("-d", f"{name}={value}")]
    words += [w for name, value in SMALL.get(cell.blueprint, {}).items()
              for w in ("-o", f"{name}={value}")]  # fmt: skip
    found = show(run_cli, cell.blueprint, "--task", cell.task, "--dataset", reference, *words)
    assert (found["task"], found["dataset"]) == (cell.task, reference)
    values = {option["name"]: option["value"] for option in found["options"]}
    for name, value in SMALL.get(cell.blueprint, {}).items():
        shown = values[name]
        assert ",".join(map(str, shown if isinstance(shown, list) else [shown])) == value


@pytest.mark.parametrize("family", [f for f in FAMILIES if hasattr(find_blueprint(f), "RECIPES")])
def test_recipes_are_printed_with_what_each_sets(run_cli, family):
    pages = [run_cli("show", family)[1], run_cli("list")[1]]
    for name, recipe in find_blueprint(family).RECIPES.items():
        for page in (" ".join(page.split()) for page in pages):
            assert name in page
            for option, value in recipe["options"].items():
                assert f"-o {option}={str(value).lower()}" in page
            for setting, value in recipe["settings"].items():
                assert f"--{setting.replace('_', '-')} {value}" in page
