"""The dense network: what its preprocessing makes of numbers, dates, words and gaps."""

import keras
import numpy as np
import pytest

from threefold.datasets.facts import CategoricalColumn, DateColumn, NumericColumn, TableFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.tasks.task import find_task
from threefold.training.backend import seed_everything
from threefold.training.building import build_model

pytestmark = pytest.mark.each_backend

COLUMNS = {
    "numeric": (
        NumericColumn(name="height", mean=170.0, scale=10.0),
        NumericColumn(name="salary", mean=2e6, scale=5e5),
    ),
    "dates": (DateColumn(name="born", mean=7000.0, scale=3000.0),),
    "categorical": (
        CategoricalColumn(name="colour", vocabulary=("blue", "green", "red")),
        CategoricalColumn(name="size", vocabulary=("big", "small")),
    ),
}
ROW = {
    "numeric": np.array([[180.0, 1.5e6]], np.float32),
    "dates": np.array([[10000.0]], np.float32),
    "categorical": np.array([[2, 0]], np.int32),
}
TARGET = {"target_name": "price", "targets": (NumericTarget(name="price", mean=0.0, scale=1.0),)}


def build(kinds=tuple(COLUMNS), precision="float32", **options):
    facts = TableFacts(**{kind: COLUMNS[kind] for kind in kinds}, **TARGET)
    task = find_task("tabular_regression")(facts)
    return build_model("dnn", task, {"widths": "4", "dropout": "0"} | options, precision)[0]


def features(row, precision="float32"):
    """Return what the hidden layers receive for a row."""
    model = build(tuple(row), precision)
    inner = keras.Model(model.inputs, model.get_layer("features").output)
    return np.asarray(inner.predict_on_batch(row)).astype(np.float64)[0]


def with_(**changes):
    return ROW | {kind: np.array([values], ROW[kind].dtype) for kind, values in changes.items()}


def only(kind, *values):
    return {kind: np.array([values], ROW[kind].dtype)}


def test_numbers_are_standardised_with_the_facts_of_the_training_split():
    np.testing.assert_allclose(features(only("numeric", 180, 1.5e6)), [1, -1, 0, 0], atol=1e-6)


def test_a_missing_number_is_the_mean_and_is_marked():
    np.testing.assert_allclose(features(only("numeric", np.nan, 2.5e6)), [0, 1, 1, 0], atol=1e-6)


def cut_columns(**columns):
    facts = TableFacts(**columns, **TARGET)
    model = build_model("dnn", find_task("tabular_regression")(facts), {"widths": "4"}, "float32")[
        0
    ]
    inner = keras.Model(model.inputs, model.get_layer("features").output)
    return lambda row: np.asarray(inner.predict_on_batch(row)).astype(np.float64)[0]


def test_a_number_says_how_far_it_is_through_each_part_between_the_quantiles():
    skewed = NumericColumn(name="skewed", mean=10.0, scale=20.0, knots=(0.0, 1.0, 5.0, 105.0))
    yes_or_no = NumericColumn(name="flag", mean=0.5, scale=0.5, knots=(0.0, 1.0))
    find = cut_columns(numeric=(skewed, yes_or_no))
    for value, parts in {3: [1, 0.5, 0], -7: [0, 0, 0], 55: [1, 1, 0.5], 200: [1, 1, 1]}.items():
        found = find(only("numeric", value, 1))
        np.testing.assert_allclose(found[4:], parts, atol=1e-6)  # none of the column of two values
    np.testing.assert_allclose(find(only("numeric", np.nan, 1))[4:], [1, 1, 0.05], atol=1e-6)


def test_dates_are_cut_at_quantiles_of_their_own():
    born = DateColumn(name="born", mean=7000.0, scale=3000.0, knots=(4000.0, 7000.0, 13000.0))
    find = cut_columns(numeric=COLUMNS["numeric"][:1], dates=(born,))
    found = find({"numeric": np.array([[170.0]], np.float32)} | only("dates", 10000.0))
    np.testing.assert_allclose(found[4:6], [1, 0.5], atol=1e-6)


def test_tables_of_very_many_columns_are_cut_less_finely():
    """A network whose first layer grows without bound would be too large for any machine."""
    knots = tuple(map(float, range(17)))
    wide = tuple(NumericColumn(name=f"n{i}", mean=8.0, scale=5.0, knots=knots) for i in range(2000))
    row = {"numeric": np.full((1, 2000), 8.0, np.float32)}
    found = cut_columns(numeric=wide)(row)
    assert len(found) == 2 * 2000 + 2 * 2000
    np.testing.assert_allclose(found[-2:], [1, 0], atol=1e-6)


def test_a_linear_model_stands_alongside_and_says_nothing_at_first():
    model = build(skip_connection="true")
    linear = model.get_layer("skip_connection")
    assert not np.asarray(linear.kernel).any()
    before = np.asarray(model.predict_on_batch(ROW))
    linear.kernel.assign(np.ones(linear.kernel.shape, np.float32))
    after = np.asarray(model.predict_on_batch(ROW))
    assert after - before == pytest.approx(features(ROW).sum(), abs=1e-3)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_large_numbers_survive_half_precision(precision):
    """Half precision ends at 65,504, and cannot tell one day of the year 2020 from the next."""
    np.testing.assert_allclose(
        features(only("numeric", 180, 1.5e6), precision), [1, -1, 0, 0], atol=1e-2
    )
    found = features(only("dates", 18262.0), precision)
    np.testing.assert_allclose(found, features(only("dates", 18262.0)), atol=2e-2)


def test_a_date_is_a_number_and_a_place_in_the_year_the_week_and_the_day():
    found = features(only("dates", 10000.25))
    assert found[:2] == pytest.approx([(10000.25 - 7000) / 3000, 0], abs=1e-5)
    turns = 10000.25 / np.array([365.2425, 7.0, 1.0])
    wanted = np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=1).ravel()
    np.testing.assert_allclose(found[2:], wanted, atol=5e-3)
    week_later = features(only("dates", 10007.25))
    np.testing.assert_allclose(week_later[4:], found[4:], atol=5e-3)
    assert abs(week_later[0] - found[0]) > 1e-3


def test_a_missing_date_is_marked_and_finite():
    found = features(only("dates", np.nan))
    assert np.isfinite(found).all() and found[:2] == pytest.approx([0, 1])


def test_every_word_has_a_place_of_its_own_and_unknown_words_the_first_of_their_column():
    # colour: unknown, blue, green, red; size: unknown, big, small
    np.testing.assert_array_equal(features(only("categorical", 2, 0)), [0, 0, 1, 0, 1, 0, 0])
    np.testing.assert_array_equal(features(only("categorical", 0, 2)), [1, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize(
    "change",
    [{"numeric": [181, 1.5e6]}, {"numeric": [180, np.nan]}, {"dates": [10001]},
     {"dates": [np.nan]}, {"categorical": [1, 0]}, {"categorical": [2, 2]}],
    ids=str,
)  # fmt: skip
def test_every_column_reaches_the_answer(change):
    seed_everything(0)
    model = build(activation="tanh")
    one, other = (np.asarray(model.predict_on_batch(row)) for row in (ROW, with_(**change)))
    assert np.isfinite(other).all() and not np.array_equal(one, other)


@pytest.mark.parametrize(
    "kinds",
    [("numeric",), ("dates",), ("categorical",), ("numeric", "categorical"), tuple(COLUMNS)],
    ids="-".join,
)
def test_kinds_that_a_table_has_not_are_not_asked_for(kinds):
    model = build(kinds)
    assert {tensor.name for tensor in model.inputs} == set(kinds)
    answers = np.asarray(model.predict_on_batch({kind: ROW[kind] for kind in kinds}))
    assert answers.shape == (1, 1) and np.isfinite(answers).all()


@pytest.mark.parametrize(
    ("normalization", "kind"),
    [("batch", "BatchNormalization"), ("layer", "LayerNormalization"), ("none", "NoneType")],
)
def test_normalisation_stands_between_the_dense_layer_and_its_activation(normalization, kind):
    model = build(normalization=normalization, widths="4,3")
    layers = {layer.name: layer for layer in model.layers}
    assert type(layers.get("dense_1_norm")).__name__ == kind
    assert layers["dense_2"].units == 3
    names = list(layers)
    assert names.index("dense_1_activation") - names.index("dense_1") == 1 + (kind != "NoneType")
