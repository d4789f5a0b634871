"""Tables of series that tests of them share."""

import numpy as np
import pandas as pd
import pytest
from small_series import days


@pytest.fixture
def plain():
    return pd.DataFrame({"date": days(60), "sales": np.arange(60.0)})


@pytest.fixture
def shops():
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
