"""Ways in which data are divided, for hypothesis."""

from hypothesis import strategies as st

SHARES = st.sampled_from([0.0, 0.15, 0.4])
# How many rows there are, and what says how they are divided.
DIVISIONS = {"rows": st.integers(8, 30), "validation": SHARES, "test": SHARES,
             "seed": st.integers(0, 5)}  # fmt: skip
