"""How tests write and load tables of series."""

from pathlib import Path

import numpy as np

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
