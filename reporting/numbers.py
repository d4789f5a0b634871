"""How numbers are written for people, the same in the terminal and on the page."""

import math


def format_number(value: float) -> str:
    """Return a number with about five figures, so that columns of metrics line up.

    Args:
        value: float or int. Whole numbers are counts and keep every figure.

    Returns:
        str. Such as `0.9876`, `12.345`, `1,234` for a count, `1.23e-05`.
    """
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if not math.isfinite(value) or size == 0 or 0.001 <= size < 10:
        return f"{value:.4f}"
    if size < 0.001 or size >= 1e6:
        return f"{value:.2e}"
    return f"{value:.{max(0, 4 - int(math.log10(size)))}f}"
