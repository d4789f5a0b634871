"""Tables of series that tests of them share."""

from pathlib import Path

import numpy as np
import pandas as pd

from threefold.datasets import loading

SMALL = {"context": "4", "horizon": "2", "season_length": "1"}


def days(count, first="2024-01-01"):
    return [str(day) for day in np.arange(count) + np.datetime64(first)]


def write(folder, frame, name="sales.csv"):
    path = Path(folder) / name
    frame.to_csv(path, index=False)
    return str(path)


def load(path, **options):
    return loading.load(path, SMALL | options, task="forecasting")


def whole(source):
    return source[np.arange(len(source))]


def make_plain():
    return pd.DataFrame({"date": days(60), "sales": np.arange(60.0)})


def make_shops():
    """Two shops one below the other; the second opens ten days later."""
    parts = []
    for shop, first in (("north", 0), ("south", 10)):
        steps = np.arange(first, 60)
        parts.append(pd.DataFrame({
            "date": np.array(days(60))[steps],
            "shop": shop,
            "visitors": steps * 2.0,
            "open": steps % 2,
            "sales": steps + (1000.0 if shop == "south" else 0.0),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)
