"""What goes in: raw pixels and cells for an exported model, and how they become a network's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import (
    CategoricalColumn,
    DateColumn,
    ImageFacts,
    NumericColumn,
    TableFacts,
)
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.images.image_files import fit_image, stack_images
from threefold.tasks.task import find_task

CLASSES = {"class_names": ("a", "b"), "class_counts": (1, 1)}


def image_task(height=6, width=5, channels=1):
    facts = ImageFacts(image_shape=(height, width, channels), **CLASSES)
    return find_task("image_classification")(facts)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


TABLE = TableFacts(
    numeric=tuple(NumericColumn(name=name, mean=0, scale=1) for name in ("größe", "label_index")),
    dates=(DateColumn(name="born", mean=0, scale=1),),
    categorical=(
        CategoricalColumn(name="Größe", vocabulary=("klein", "groß")),
        CategoricalColumn(name="class", vocabulary=("1", "2", "x" * 50)),
    ),
    target_name="y",
    **CLASSES,
)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=4),
    channels=st.sampled_from([1, 3]),
)
def test_raw_images_become_what_the_network_was_trained_on(sizes, channels):
    """Bit for bit what a source gives that resizes as it reads."""
    task = image_task(7, 9, channels)
    images = [noise(*size, channels) for size in sizes]
    resized = np.stack([fit_image(image, (7, 9, channels)) for image in images])
    found = task.model_inputs({"image": stack_images(images)})["image"]
    assert found.dtype == np.float32 and found.shape == (len(sizes), 7, 9, channels)
    np.testing.assert_array_equal(found, resized)
    np.testing.assert_array_equal(task.model_inputs({"image": resized})["image"], resized)


def test_images_go_in_as_they_are():
    task = image_task()
    [field] = task.input_fields()
    assert (field.name, field.dtype) == ("image", "uint8")
    assert field.shape == ("batch", "height", "width", 1)
    assert "6 × 5 pixels" in field.meaning and "gray levels" in field.meaning
    assert "red, green, blue" in image_task(channels=3).input_fields()[0].meaning
    images = noise(2, 6, 5, 1)
    assert task.raw_inputs({"image": images, "label": np.zeros(2)})["image"] is images


@pytest.mark.parametrize("size", [(1, 1), (6, 5), (63, 200), (64, 64), (65, 71), (200, 64)])
def test_varied_images_have_another_height_and_width_by_other_factors(size):
    examples = {"image": noise(2, *size, 3), "label": np.array([0, 1])}
    varied = image_task(6, 5, 3).probes(examples)["of another size"]
    shape = varied["image"].shape
    assert shape[0] == 2 and shape[3] == 3 and varied["image"].dtype == np.uint8
    assert shape[1] != size[0] and shape[2] != size[1]
    assert shape[1] / size[0] != shape[2] / size[1]
    assert (max(shape[1:3]) < max(size)) == (min(size) >= 64)  # large ones do not grow
    assert varied["label"].tolist() == [0, 1]
    assert examples["image"].shape == (2, *size, 3)


def test_images_of_mixed_sizes_are_varied_each_by_itself():
    images = stack_images([noise(4, 4, 1), noise(80, 90, 1)])
    varied = image_task().probes({"image": images})["of another size"]["image"]
    assert [image.shape for image in varied] == [(8, 12, 1), (40, 30, 1)]


@pytest.fixture
def table():
    return find_task("tabular_classification")(TABLE)


def test_every_column_is_an_input_of_its_own(table):
    fields = table.input_fields()
    assert [field.name for field in fields] == [
        "gr_e", "column_label_index", "born", "Gr_e_2", "column_class",
    ]  # fmt: skip
    assert [field.dtype for field in fields] == ["float32"] * 3 + ["string"] * 2
    assert [field.column for field in fields] == ["größe", "label_index", "born", "Größe", "class"]
    assert {field.shape for field in fields} == {("batch",)}
    assert fields[3].words == ("klein", "groß") and fields[0].words is None
    assert "days since 1970-01-01" in fields[2].meaning


def test_no_input_is_called_as_an_output(table):
    for task in (table, find_task("tabular_regression")(_with_targets("predictions"))):
        inputs = {field.name.lower() for field in task.input_fields()}
        assert not inputs & {field.name.lower() for field in task.output_fields()}


def _with_targets(*columns):
    return TableFacts(
        numeric=tuple(NumericColumn(name=name, mean=0, scale=1) for name in columns),
        target_name="y",
        targets=(NumericTarget(name="y", mean=0, scale=1),),
    )


def test_cells_go_in_as_numbers_and_words(table):
    examples = {
        "numeric": np.array([[1, 2], [np.nan, 4]], np.float32),
        "dates": np.array([[5], [np.nan]], np.float32),
        "categorical": np.array([[1, 3], [0, 2]], np.int32),
        "label": np.array([0, 1]),
    }
    raw = table.raw_inputs(ArraySource(examples)[np.array([1, 0])])
    assert list(raw) == [field.name for field in table.input_fields()]
    np.testing.assert_array_equal(raw["gr_e"], [np.nan, 1])
    np.testing.assert_array_equal(raw["column_label_index"], [4, 2])
    np.testing.assert_array_equal(raw["born"], [np.nan, 5])
    assert raw["Gr_e_2"].tolist() == ["", "klein"]
    assert raw["column_class"].tolist() == ["2", "x" * 50]
    assert raw["Gr_e_2"].dtype.kind == "U" and raw["gr_e"].dtype == np.float32


def test_a_table_is_probed_with_all_that_may_be_missing_unseen_or_extreme(table):
    examples = {
        "numeric": np.float32([[1, 2], [3, 4]]),
        "dates": np.float32([[5], [6]]),
        "categorical": np.int32([[1, 1], [2, 1]]),
    }
    probes = table.probes(examples)
    raw = {name: table.raw_inputs(found) for name, found in probes.items()}
    everything = raw["with every column missing"]
    assert np.isnan(everything["gr_e"]).all() and everything["Gr_e_2"].tolist() == ["", ""]
    one = raw["with one column missing"]
    absent = [(one[name] == "") if one[name].dtype.kind == "U" else np.isnan(one[name])
              for name in one]  # fmt: skip
    np.testing.assert_array_equal(np.stack(absent), np.eye(len(one), dtype=bool))
    unseen = raw["with words never seen"]["Gr_e_2"]
    assert unseen[0] and unseen[0] not in table.facts.categorical[0].vocabulary
    assert (table.model_inputs(probes["with words never seen"])["categorical"] == 0).all()
    assert raw["of extreme numbers"]["gr_e"].tolist() == [np.float32(-1e30), np.float32(1e30)]


def test_images_are_probed_at_extreme_sizes_and_in_black_and_white():
    probes = image_task(6, 5, 3).probes({"image": noise(16, 6, 5, 3), "label": np.arange(16)})
    sizes = [image.shape[:2] for image in probes["of extreme sizes"]["image"]]
    assert sizes == [(1, 1), (3, 257), (129, 2), (7, 5)]
    assert probes["of extreme sizes"]["label"].tolist() == [0, 1, 2, 3]
    assert set(np.unique(probes["all black or all white"]["image"])) == {0, 255}
