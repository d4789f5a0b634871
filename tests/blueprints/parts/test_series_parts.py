"""Networks that tell how series go on: units, intervals, what they may know."""

import keras
import numpy as np
import pytest

from threefold.blueprints import rnn
from threefold.blueprints.parts.forecasts import (
    CalibrateQuantiles,
    monotone_quantiles,
    patchify,
    repeat_season,
    scale_differences,
)
from threefold.training.backend import seed_everything

pytestmark = pytest.mark.each_backend

RANDOM = np.random.default_rng(0)
VARIANTS = (
    {"segment": 1}, {"cell": "lstm"}, {"cell": "simple"}, {"skip_connection": False},
    {"season_length": 1}, {"horizon": 1}, {"quantiles": 1},
)  # fmt: skip
OPTIONS = [{}, *(pytest.param(given, marks=pytest.mark.variant) for given in VARIANTS)]


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def make(
    season_length=4,
    context=16,
    horizon=6,
    past_covariates=0,
    future_covariates=0,
    num_cycles=0,
    quantiles=3,
    **options,
):
    seed_everything(0)
    keras.config.set_dtype_policy("float32")
    model = rnn.build_forecaster(
        context, horizon, season_length,
        ((0.0, 2.0),) * past_covariates, ((0.0, 2.0),) * future_covariates, num_cycles,
        quantiles, 1e-6, units=(5, 4), **options,
    )  # fmt: skip
    for weight in model.trainable_weights:  # those that begin with zeros would hide mistakes
        weight.assign(RANDOM.normal(0, 0.3, weight.shape))
    return model


def predict_with(model, **inputs):
    inputs = {name: np.float32(value) for name, value in inputs.items()}
    return np.asarray(model.predict_on_batch(inputs))


def history(count=5, context=16):
    return RANDOM.normal(0, 1, (count, context)).cumsum(axis=1)


def test_changes_are_those_from_a_season_before_in_a_unit_of_the_window():
    values = np.float32([[1, 2, 4, 6], [3, 3, 3, 3]])
    changes, unit = map(array, scale_differences(keras.ops.convert_to_tensor(values), 2, 0.5))
    expected = np.sqrt((9 + 16) / 2 + 0.25)
    np.testing.assert_allclose(unit, [[expected], [0.5]], rtol=1e-6)
    np.testing.assert_allclose(changes, [[3 / expected, 4 / expected], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize(("horizon", "wanted"), [(2, [3, 4]), (3, [3, 4, 5]), (5, [3, 4, 5, 3, 4])])
def test_the_last_season_is_repeated(horizon, wanted):
    values = keras.ops.convert_to_tensor(np.float32([[1, 2, 3, 4, 5]]))
    assert array(repeat_season(values, 3, horizon)).tolist() == [wanted]
    columns = keras.ops.stack([values, values * 2], axis=-1)
    assert array(repeat_season(columns, 3, horizon))[0, :, 1].tolist() == [2 * w for w in wanted]


def test_segments_are_the_latest_steps():
    steps = keras.ops.convert_to_tensor(np.arange(14, dtype=np.float32).reshape(1, 7, 2))
    assert array(patchify(steps, 3)).tolist() == [[[2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13]]]
    with pytest.raises(ValueError, match="segment must be at most 7, .* got 8"):
        patchify(steps, 8)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_what_is_spread_rises(count):
    values = RANDOM.normal(0, 3, (20, count)).astype(np.float32)
    found = array(monotone_quantiles(keras.ops.convert_to_tensor(values)))
    assert (np.diff(found, axis=-1) > 0).all()
    middle = (count - 1) // 2
    np.testing.assert_array_equal(found[:, middle], values[:, middle])


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_calibrated_quantiles_rise_around_one_that_stays(count):
    values = np.sort(RANDOM.normal(0, 3, (20, 4, count)), axis=-1).astype(np.float32)
    layer = CalibrateQuantiles.from_config(CalibrateQuantiles(name="calibration").get_config())
    tensor = keras.ops.convert_to_tensor(values)
    np.testing.assert_allclose(array(layer(tensor)), values, atol=1e-6)
    assert not layer.trainable_weights and layer.factors.shape == (4, count)
    middle = (count - 1) // 2
    for factors in (np.full((4, count), 2), RANDOM.uniform(0, 3, (4, count))):
        layer.factors.assign(factors.astype(np.float32))
        found = array(layer(tensor))
        np.testing.assert_array_equal(found[..., middle], values[..., middle])
        assert (np.diff(found, axis=-1) >= 0).all()
        # None is nearer than its own factor says.
        distances = np.abs(values - values[..., middle : middle + 1]) * factors
        assert (np.abs(found - values[..., middle : middle + 1]) >= distances - 1e-5).all()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_forecasts_are_in_the_units_of_the_history(options):
    """Whatever the level and size of a series, its forecast is the same but for them."""
    model, values = make(**options), history()
    explicit = predict_with(model, history=values)
    assert explicit.shape == (5, options.get("horizon", 6), options.get("quantiles", 3))
    assert (np.diff(explicit, axis=-1) > 0).all()
    np.testing.assert_allclose(
        predict_with(model, history=100 * values + 700), 100 * explicit + 700, rtol=1e-3
    )


def test_a_history_in_which_nothing_happens_goes_on_so():
    explicit = predict_with(make(), history=np.full((2, 16), 1e4))
    np.testing.assert_allclose(explicit, 1e4, atol=0.1)


def test_the_first_forecast_is_close_to_the_last_season():
    seed_everything(0)
    model = rnn.build_forecaster(16, 6, 4, (), (), 0, 3, 1e-6)
    values = history()
    explicit = predict_with(model, history=values)[:, :, 1]
    monotone_quantiles = np.abs(values[:, 4:] - values[:, :-4]).mean()
    last = values[:, [12, 13, 14, 15, 12, 13]]
    assert np.abs(explicit - last).mean() < 0.1 * monotone_quantiles


@pytest.mark.parametrize("options", [{}, {"skip_connection": False}], ids=str)
def test_what_is_known_of_a_step_changes_the_forecast(options):
    model = make(past_covariates=1, future_covariates=2, num_cycles=1, **options)
    given = {
        "history": history(),
        "past_covariates": RANDOM.normal(size=(5, 16, 1)),
        "future_covariates": RANDOM.normal(size=(5, 22, 2)),
        "calendar": RANDOM.normal(size=(5, 6, 2)),
    }
    assert {tensor.name for tensor in model.inputs} == set(given)
    explicit = predict_with(model, **given)
    for name, place, wanted in (
        ("future_covariates", (slice(None), 16 + 2), [False, False, True, False, False, False]),
        ("calendar", (slice(None), 4), [False, False, False, False, True, False]),
        ("past_covariates", (slice(None), 15), [True] * 6),
        ("future_covariates", (slice(None), 9), [True] * 6),
    ):
        other = given[name].copy()
        other[place] += 1
        moved = (
            np.abs(predict_with(model, **(given | {name: other})) - explicit).max(axis=(0, 2))
            > 1e-4
        )
        assert moved.tolist() == wanted, name
