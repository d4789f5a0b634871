"""Local time: what the clock of a place shows, and the hour that it repeats or skips in a year."""

import datetime
import zoneinfo

import numpy as np

from threefold.core.errors import UserError, suggest

HOUR, DAY = 3_600, 86_400  # seconds
_THURSDAY = 3  # 1970-01-01 was one, counted from Monday


def require_zone(zone: str) -> None:
    """Raise a UserError for what is no time zone."""
    known = zoneinfo.available_timezones()
    if zone not in known:
        raise UserError(
            f"-d time_zone={zone}: no such time zone{suggest(zone, sorted(known))}; expected a "
            "name such as Europe/Berlin or America/New_York"
        )


def to_utc(local: np.ndarray, zone: str, again: np.ndarray) -> np.ndarray:
    """Return moments by the clock of a place as moments of UTC.

    Args:
        local: int64 array of shape (stamps,). Seconds since 1970-01-01 by that clock.
        zone: str. The place, such as `Europe/Berlin`.
        again: bool array of shape (stamps,). Whether a stamp is there for the second time: of an
            hour that the clock repeats, the second is meant then.

    Returns:
        int64 array of shape (stamps,). `is_skipped` tells which the clock never showed.
    """
    import pandas as pd

    moments = pd.Series(local.astype("datetime64[s]"))
    placed = moments.dt.tz_localize(zone, ambiguous=~again, nonexistent="NaT")
    seconds = placed.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[s]")
    return seconds.astype(np.int64)


def is_skipped(stamps: np.ndarray) -> np.ndarray:
    """Tell which stamps from `to_utc` no clock ever showed."""
    return stamps == np.iinfo(np.int64).min


def to_local(stamp: int, zone: str) -> str:
    """Return a moment as the clock of a place shows it: `2021-10-31 02:00+01:00`."""
    moment = datetime.datetime.fromtimestamp(stamp, zoneinfo.ZoneInfo(zone))
    return moment.isoformat(sep=" ", timespec="seconds" if stamp % 60 else "minutes")


def may_be_clock_change(stamp: int) -> bool:
    """Tell whether clocks are set at such a time: on a Sunday, between midnight and four."""
    weekday = (stamp // DAY + _THURSDAY) % 7
    return weekday == 6 and stamp % DAY <= 4 * HOUR
