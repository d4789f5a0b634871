"""Numbers far from zero: what float32 would merge is told apart, on the way in and out."""

import numpy as np
import pytest

from threefold.datasets import loading
from threefold.tasks.task import find_task

pytestmark = pytest.mark.once
FAR = 100_000_000


def load(path, offset, *, classes):
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(300, 2)).round(4)
    minutes = generator.integers(0, 60, 300)
    target = [
        f"{'up' if x > 0 else 'down'}" if classes else f"{offset + x:.4f}" for x, _ in numbers
    ]
    rows = zip(numbers[:, 0], numbers[:, 1], minutes, target, strict=True)
    path.write_text(
        "x,z,when,target\n"
        + "".join(f"{offset + x:.4f},{z},2024-05-31T10:{m:02d},{y}\n" for x, z, m, y in rows)
    )
    dataset = loading.load(str(path))
    examples = dataset.splits["train"].source[np.arange(300)]
    return find_task(dataset.task)(dataset.facts), examples


@pytest.mark.parametrize("classes", [False, True])
def test_a_column_of_large_numbers_is_told_as_one_of_small_ones(tmp_path, classes):
    near, small = load(tmp_path / "near.csv", 0, classes=classes)
    far, large = load(tmp_path / "far.csv", FAR, classes=classes)
    (mean, scale, knots), (other, *rest) = far.arguments()["numeric"]
    assert (mean, other, rest[0]) == (0, *near.arguments()["numeric"][1][:2])
    centred = near.arguments()["numeric"][0]
    np.testing.assert_allclose(scale, centred[1], rtol=1e-6)
    np.testing.assert_allclose(knots, np.array(centred[2]) - centred[0], atol=1e-6)
    found, wanted = far.model_inputs(large), near.model_inputs(small)
    assert found["numeric"].dtype == found["dates"].dtype == np.float32
    np.testing.assert_allclose(
        found["numeric"], wanted["numeric"] - [centred[0], 0], rtol=0, atol=1e-6
    )
    # Minutes of one hour, 54 years after 1970.
    assert len(np.unique(found["dates"])) == 60
    types = {field.name: field.dtype for field in far.input_fields()}
    assert types == {"x": "float64", "z": "float32", "when": "float64"}
    assert {f.name: f.dtype for f in near.input_fields()} == types | {"x": "float32"}


def test_a_large_target_is_learned_and_answered_as_a_small_one(tmp_path):
    near, small = load(tmp_path / "near.csv", 0, classes=False)
    far, large = load(tmp_path / "far.csv", FAR, classes=False)
    learned = far.targets(large)
    assert learned.dtype == np.float32
    np.testing.assert_allclose(learned, near.targets(small), rtol=0, atol=1e-6)
    answered = far.postprocess(learned)["predictions"]
    np.testing.assert_allclose(answered, large["target"], rtol=0, atol=1e-6)
    truth = far.truth(large)
    assert far.compute_metrics({"predictions": answered}, truth)["mae"] < 1e-6
    assert far.output_fields()[0].dtype == "float64"


def test_an_exported_graph_takes_and_gives_what_tells_them_apart(tmp_path):
    task, examples = load(tmp_path / "far.csv", FAR, classes=False)
    raw, (enter, _) = task.raw_inputs(examples), task.preprocess_graph()
    assert raw["x"].dtype == np.float64
    found = enter({name: array for name, array in raw.items()})
    for name, wanted in task.model_inputs(examples).items():
        np.testing.assert_array_equal(found[name].numpy(), wanted)
    outputs = task.targets(examples)
    np.testing.assert_array_equal(
        task.postprocess_graph(outputs)["predictions"].numpy(),
        task.postprocess(outputs)["predictions"],
    )
