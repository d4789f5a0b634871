"""Time stamps at equal steps: found, counted, written, and turned round the calendar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.core.errors import UserError
from threefold.datasets.series.time_steps import (
    CYCLES,
    DAY,
    HOUR,
    Step,
    encode_cycles,
    find_step,
    guess_cycles,
    guess_season_length,
)


def stamps(*texts):
    return np.array(texts, "datetime64[s]").astype(np.int64)


@pytest.mark.parametrize(
    ("texts", "step", "explicit"),
    [
        (["2020-01-01 00:00", "2020-01-01 01:00", "2020-01-01 02:00"], ("second", HOUR), "1 hour"),
        (["2020-01-01 00:00", "2020-01-01 00:15"], ("second", 900), "15 minutes"),
        (["2020-01-01", "2020-01-02", "2020-01-05"], ("second", DAY), "1 day"),
        (["2020-01-01", "2020-01-08"], ("second", 7 * DAY), "1 week"),
        (["2020-01-01", "2020-01-29", "2020-02-26"], ("second", 28 * DAY), "4 weeks"),
        (["2020-01-01", "2020-02-01", "2020-04-01"], ("month", 1), "1 month"),
        (["2020-01-31", "2020-02-29", "2020-03-31"], ("month", 1), "1 month"),
        (["2020-01-15", "2020-04-15", "2020-07-15"], ("month", 3), "3 months"),
        (["2020-01-01", "2021-01-01", "2022-01-01"], ("month", 12), "12 months"),
    ],
)
def test_the_step_is_found_and_told(texts, step, explicit):
    found = find_step([stamps(*texts)], numbers=False)
    assert (found.unit, found.size) == step and found.describe() == explicit


def test_plain_numbers_count():
    step = find_step([np.array([1990, 1991, 1993])], numbers=True)
    assert (step.unit, step.size) == ("number", 1)
    assert step.format(1994) == "1994"
    assert step.locate(np.array([1990, 1993])).tolist() == [0, 3]


def test_the_commonest_difference_of_all_series_is_the_step():
    series = [stamps("2020-01-01", "2020-01-03"), stamps("2020-05-01", "2020-05-02", "2020-05-03")]
    assert find_step(series, numbers=False) == Step("second", DAY)


def test_single_stamps_show_no_step():
    with pytest.raises(UserError, match="a single time stamp"):
        find_step([stamps("2020-01-01"), stamps("2020-01-02")], numbers=False)


def test_a_stamp_between_two_steps_is_no_whole_number_of_them():
    assert Step("second", HOUR).locate(stamps("2020-01-01 00:00", "2020-01-01 01:30"))[1] == 1.5
    places = Step("month", 1).locate(stamps("2020-01-01", "2020-02-01", "2020-03-02"))
    assert places[1] == 1 and places[2] != np.rint(places[2])


def test_months_keep_their_day_and_ends_of_months_are_ends():
    months = Step("month", 1)
    mid = months.grid(stamps("2020-01-15 06:00", "2020-02-15 06:00"), 4)
    assert [months.format(stamp) for stamp in mid[2:]] == ["2020-03-15 06:00", "2020-04-15 06:00"]
    ends = months.grid(stamps("2020-01-31", "2020-02-29"), 4)
    assert [months.format(stamp) for stamp in ends] == [
        "2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"
    ]  # fmt: skip


@given(
    st.sampled_from([("second", 1), ("second", 900), ("second", HOUR), ("second", 7 * DAY),
                     ("month", 1), ("month", 3), ("number", 1), ("number", 5)]),
    st.integers(0, 4 * 10**9),
    st.integers(3, 60),
)  # fmt: skip
def test_a_grid_is_located_on_itself(step, first, count):
    step = Step(*step)
    if step.unit == "month":  # on a day that every month has
        month = np.datetime64(first, "s").astype("datetime64[M]")
        first = int(month.astype("datetime64[s]").astype(np.int64)) + 5 * DAY
    grid = step.grid(np.array([first]), count)
    assert len(grid) == count and grid[0] == first and (np.diff(grid) > 0).all()
    np.testing.assert_array_equal(step.locate(grid), np.arange(count))


@pytest.mark.parametrize(
    ("step", "season_length"),
    [
        (Step("second", 60), 60),
        (Step("second", 900), 96),
        (Step("second", HOUR), 24),
        (Step("second", DAY), 7),
        (Step("second", 7 * DAY), 52),
        (Step("second", 7 * HOUR), 1),
        (Step("month", 1), 12),
        (Step("month", 12), 1),
        (Step("number", 1), 1),
    ],
)
def test_the_season_is_guessed_from_the_step(step, season_length):
    assert guess_season_length(step) == season_length


def test_the_calendar_tells_only_what_was_seen_twice_and_is_no_season():
    hour, years = Step("second", HOUR), 3 * CYCLES["year"]
    assert guess_cycles(hour, 24, years) == ("week", "year")
    assert guess_cycles(hour, 24, 30 * DAY) == ("week",)
    assert guess_cycles(hour, 1, 30 * DAY) == ("day", "week")
    assert guess_cycles(Step("second", DAY), 7, years) == ("year",)
    assert guess_cycles(Step("month", 1), 12, 10 * years) == ()
    assert guess_cycles(Step("number", 1), 1, years) == ()


def test_a_cycle_is_a_turn_of_the_circle():
    found = encode_cycles(
        stamps("1970-01-01 06:00", "2024-02-29 06:00", "2024-02-29 18:00"), ("day",)
    )
    np.testing.assert_allclose(found, [[1, 0], [1, 0], [-1, 0]], atol=1e-6)
    assert encode_cycles(np.zeros((3, 4), np.int64), ("day", "week")).shape == (3, 4, 4)


def test_stamps_are_written_as_short_as_they_can_be():
    day = stamps("2024-05-31", "2024-05-31 17:30", "2024-05-31 17:30:05")
    assert Step("second", DAY).format(day[0]) == "2024-05-31"
    assert Step("second", HOUR).format(day[0]) == "2024-05-31 00:00"
    assert Step("second", HOUR).format(day[1]) == "2024-05-31 17:30"
    assert Step("second", 1).format(day[2]) == "2024-05-31 17:30:05"
