"""Time stamps at equal steps: what the step is, where stamps stand, how they are written.

Stamps are int64: seconds since 1970-01-01, of which a step may be a number of months, too; or plain
numbers that count, such as years.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.series.clocks import to_local

Unit = Literal["second", "business day", "month", "number"]
Cycle = Literal["day", "week", "year"]

MINUTE, HOUR, DAY = 60, 3_600, 86_400  # seconds
WEEK = 7 * DAY
MONTH = 2_629_746  # the mean one of the Gregorian calendar
CYCLES: dict[Cycle, int] = {"day": DAY, "week": 7 * DAY, "year": 12 * MONTH}
_NAMES = ((7 * DAY, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second"))
_SHORTEST_MONTH = 28 * DAY


@dataclass(frozen=True)
class Step:
    """The time between two stamps.

    Args:
        unit: str. What `size` counts: seconds, days from Monday to Friday, months, or what plain
            numbers count.
        size: int. How many of them.
        zone: str. By whose clock stamps are written; empty for UTC, or where none is known.
    """

    unit: Unit
    size: int
    zone: str = ""

    def describe(self, count: int = 1) -> str:
        """Return some steps in a person's words: `1 hour`, `15 minutes`."""
        size, name = count * self.size, self.unit
        if self.unit == "second":
            length, name = next((n, word) for n, word in _NAMES if size % n == 0)
            size //= length
        return f"{size} {name}{'s' if size > 1 else ''}"

    def seconds(self) -> int:
        """Return about how long a step is, and 0 where that is not known."""
        units = {"second": 1, "business day": WEEK // 5, "month": MONTH, "number": 0}
        return self.size * units[self.unit]

    def locate(self, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after the first each stamp is.

        Args:
            stamps: int64 array of shape (stamps,). Rising.

        Returns:
            float64 array of shape (stamps,). A fraction where a stamp stands between two steps.
        """
        if self.unit == "business day":
            days = (stamps // DAY).astype("datetime64[D]")
            places = np.busday_count(days[0], days) / self.size
            return places + 0.5 * (~np.is_busday(days) | (stamps % DAY != stamps[0] % DAY))
        if self.unit != "month":
            return (stamps - stamps[0]) / self.size
        months, rest = _split_months(stamps)
        # Within the month, the place must be that of the first: 0.5 stands for any other.
        return (months - months[0]) / self.size + 0.5 * (rest != rest[0])

    def grid(self, stamps: np.ndarray, count: int) -> np.ndarray:
        """Return equal steps from the first stamp on.

        Args:
            stamps: int64 array of shape (stamps,). Rising; of months they show the day, too.
            count: int. How many steps.

        Returns:
            int64 array of shape (count,).
        """
        ahead = self.size * np.arange(count)
        if self.unit == "business day":
            first = (stamps[0] // DAY).astype("datetime64[D]")
            days = np.busday_offset(first, ahead, roll="forward").astype(np.int64)
            return days * DAY + stamps[0] % DAY
        if self.unit != "month":
            return stamps[0] + ahead
        months, rest = _split_months(stamps)
        return _month_starts(months[0] + ahead + (rest[0] < 0)) + rest[0]

    def format(self, stamp: int) -> str:
        """Return a stamp as a person writes it: `2010-12-31 23:00`, or `1990`."""
        if self.unit == "number":
            return str(stamp)
        if self.zone:
            return to_local(stamp, self.zone)
        if stamp % DAY == 0 and (self.unit != "second" or self.size % DAY == 0):
            return str(np.datetime64(int(stamp), "s").astype("datetime64[D]"))
        unit = "s" if stamp % MINUTE else "m"
        return str(np.datetime64(int(stamp), "s").astype(f"datetime64[{unit}]")).replace("T", " ")


# `pandas.infer_freq` tells month's ends and business days, but nothing at all where one stamp is
# missing, off by a minute or moved by summer time, or where all are the 15th of their months: a
# message could not say which row it is. It takes 1.2 to 4 times as long.
def find_step(series: Sequence[np.ndarray], *, numbers: bool) -> Step:
    """Find the step of some series: the commonest difference.

    Args:
        series: sequence of int64 array. The stamps of each, rising.
        numbers: bool. Whether stamps are plain numbers, and not seconds.

    Returns:
        Step.

    Raises:
        UserError: where no series has two stamps.
    """
    found = [np.diff(stamps) for stamps in series]
    differences = np.concatenate(found) if found else np.empty(0, np.int64)
    if not len(differences):
        raise UserError("every series holds a single time stamp: there is no step to be seen")
    if numbers:
        return Step("number", _commonest(differences))
    if differences.min() >= _SHORTEST_MONTH:
        split = [_split_months(stamps) for stamps in series]
        if all((rest == rest[0]).all() for _, rest in split):
            return Step("month", _commonest(np.concatenate([np.diff(m) for m, _ in split])))
    if _are_business_days(np.concatenate(list(series)), differences):
        return Step("business day", 1)
    return Step("second", _commonest(differences))


def _are_business_days(stamps: np.ndarray, differences: np.ndarray) -> bool:
    """Tell whether stamps are of days, and weekends are all that is missing as a rule."""
    if _commonest(differences) != DAY or len({*(stamps % DAY).tolist()}) > 1:
        return False
    weekends = int((differences == 3 * DAY).sum())
    work = np.is_busday((stamps // DAY).astype("datetime64[D]")).all()
    return bool(work and weekends and 8 * weekends >= (differences == DAY).sum() / 4)


def guess_season_length(step: Step) -> int:
    """Return how many steps make a period: an hour, a day, a week or a year; 1 for none."""
    if step.unit == "number":
        return 1
    if step.unit == "month":
        period = 12
    elif step.unit == "business day":
        period = 5
    else:
        longer = ((5 * MINUTE, HOUR), (DAY, DAY), (7 * DAY, 7 * DAY))
        period = next((length for below, length in longer if step.size < below), 52 * 7 * DAY)
    return 1 if period % step.size else period // step.size


def guess_cycles(step: Step, season_length: int, span: int) -> tuple[Cycle, ...]:
    """Return which cycles of the calendar may explain more than the season does.

    Args:
        step: Step. Between two stamps.
        season_length: int. Steps of a period, which needs no calendar.
        span: int. Seconds that the training split lasts. Of less than two turns nothing can be
            learned.

    Returns:
        tuple of str. Some of `CYCLES`.
    """
    if step.unit == "number":
        return ()
    longer = 1.5 * max(2, season_length) * step.seconds()
    return tuple(name for name, period in CYCLES.items() if period > longer and span >= 2 * period)


def encode_cycles(stamps: np.ndarray, cycles: Sequence[Cycle]) -> np.ndarray:
    """Return where stamps stand in cycles, as points of the unit circle.

    Args:
        stamps: int64 array of any shape. Seconds since 1970-01-01.
        cycles: sequence of str. At least one of `CYCLES`.

    Returns:
        float32 array, with an axis of sine and cosine of each cycle after those of `stamps`.
    """
    lengths = [CYCLES[name] for name in cycles]
    angles = [2 * np.pi * np.mod(stamps, length) / length for length in lengths]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=-1).astype(np.float32)


def _commonest(differences: np.ndarray) -> int:
    values, counts = np.unique(differences, return_counts=True)
    return int(values[counts.argmax()])


def _split_months(stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the month of each stamp, from 1970-01, and the seconds from a month's begin.

    Where all stand on the last day of their months, the seconds are counted from the next month's
    begin, and below 0.
    """
    months = stamps.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    left = stamps - _month_starts(months + 1)
    if (left >= -DAY).all():
        return months, left
    return months, stamps - _month_starts(months)


def _month_starts(months: np.ndarray) -> np.ndarray:
    return months.astype("datetime64[M]").astype("datetime64[s]").astype(np.int64)
