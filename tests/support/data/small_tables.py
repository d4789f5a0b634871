"""A table that tests share, how data are divided, and how to see what became of them."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

SHARES = st.sampled_from([0.0, 0.15, 0.4])
# How many rows there are, and what says how they are divided.
DIVISIONS = {"rows": st.integers(8, 30), "validation": SHARES, "test": SHARES,
             "seed": st.integers(0, 5)}  # fmt: skip


def houses(rows=60):
    """A table with every kind of column."""
    index = np.arange(rows)
    return pd.DataFrame(
        {
            "id": [f"H{i:04d}" for i in index],
            "rooms": index % 5 + 1,
            "area": [None if i % 10 == 3 else 50.5 + i for i in index],
            "garden": np.where(index % 2, "yes", "no"),
            "city": np.array(["Paris", "Rome", "Oslo, north", None], object)[index % 4],
            "sold": [f"2024-01-{i % 28 + 1:02d}" for i in index],
            "country": "X",
            "price": 1000.25 * index,
            "style": np.array(["old", "new", "odd"])[index % 3],
        }
    )


def everything(dataset, name):
    """All rows of a column kind, in the order of the file."""
    sources = dataset.splits.values()
    rows = np.concatenate([source.rows for source in sources])
    values = np.concatenate([source[np.arange(len(source))][name] for source in sources])
    return values[np.argsort(rows)]


def pairs_of(dataset):
    """Return the source and the target of every pair, of all splits."""
    parts = [split[np.arange(len(split))] for split in dataset.splits.values()]
    return {
        pair
        for part in parts
        for pair in zip(part["source_text"], part["target_text"], strict=True)
    }
