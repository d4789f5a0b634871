"""The bundled temperatures."""

import numpy as np
import pytest

from threefold.datasets import loading


@pytest.fixture(scope="module")
def data():
    return loading.load("sf_temperatures")


def test_a_year_of_hours_is_divided_by_time(data):
    assert data.facts.describe() == "series, horizon 24, context 168, target temperature"
    latest = None
    for name in ("train", "validation", "test"):
        times = data.splits[name][np.arange(len(data.splits[name]))]["time"]
        assert latest is None or times.min() > latest
        latest = times.max()
    assert str(np.datetime64(int(latest), "s")) == "2010-12-31T23:00:00"
    assert [len(split) for split in data.splits.values()] == [5941, 1291, 1291]


def test_the_hour_that_summer_time_takes_is_filled_and_said(data):
    assert "filled by interpolate: 1 step, which the metrics do not count" in data.notes
    train = data.splits["train"]
    hour = int(np.datetime64("2010-03-14T03", "s").astype(np.int64))
    examples = train[np.arange(len(train))]
    filled = examples["future"][:, 0][examples["time"][:, 0] == hour]
    np.testing.assert_allclose(filled, [(50.8 + 49.9) / 2], rtol=1e-6)


def test_windows_can_be_told():
    data = loading.load("sf_temperatures", {"context": "48", "horizon": "6", "quantiles": "0.5"})
    assert (data.facts.context, data.facts.horizon, data.facts.quantiles) == (48, 6, (0.5,))
    found = data.splits["train"][np.array([0])]
    assert found["history"].shape == (1, 48) and found["future"].shape == (1, 6)
