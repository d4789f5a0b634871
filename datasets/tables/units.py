"""What stands beside numbers: signs of money, units, `K` and `M`, and the ways to write a minus."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Multiples = Literal["", "amounts", "sizes"]
_MONEY = (
    r"[$€£¥₹₽₩₺₴฿]|[A-Z]{1,3}\$|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|AUD|CAD|NZD|BRL|"
    r"MXN|ZAR|HUF|RON|TRY|KRW|SGD|HKD|Fr\.|Rs\.?"
)
_NUMBER = r"[+-]?[\d.,\s'\u2019]*\d[\d.,]*(?:[eE][+-]?\d+)?"
_KNOWN = re.compile(
    rf"(?P<before>{_MONEY})?\s*(?P<number>{_NUMBER})\s*(?P<after>{_MONEY}|%|‰|kr\.?|zł|Kč|Ft|lei)?"
)
# `°C`, `km/h`, `m²`, `months`: whatever it is, where the same stands after every number.
_AFTER = re.compile(rf"{_NUMBER}\s*(?P<unit>[^\W\d_]{{1,12}}\.?|[^\s\w.,+'\u2019()\[\]-]?[^\W\d_]"
                    rf"{{0,4}}[²³]?(?:/[^\W\d_]{{0,4}}[²³]?)?)")  # fmt: skip
_FACTORS: dict[str, dict[str, float]] = {
    "amounts": {"K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "bn": 1e9, "mn": 1e6,
                "Mio": 1e6, "Mio.": 1e6, "Mrd": 1e9, "Mrd.": 1e9},
    "sizes": {"B": 1, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
              "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40},
}  # fmt: skip
_MULTIPLES = re.compile(
    r"(?P<rest>.*\d)(?P<space>\s*)(?P<multiple>[^\W\d_]{1,3}\.?)(?P<money>\s*[$€£¥])?"
)
_NEGATIVE = r"^([^\d()]{0,4})\(([^()]*\d[^()]*)\)$|^()(.*\d)[-\u2212]$"
_MANY = 20  # words; so many different numbers are no categories
_SAMPLE = 100  # words by which a unit is guessed


def plain_signs(text: "pd.Series") -> "pd.Series":
    """Return cells with their minus in front: `(1.50)`, `$(1.50)` and `1.50-` have it elsewhere."""
    text = text.str.replace("\u2212", "-", regex=False)
    # Few cells have any, and the search for them is much faster than the replacement.
    signed = (text.str.contains("(", regex=False) | text.str.endswith("-")).to_numpy(bool)
    if signed.any():
        text = text.copy()
        text[signed] = text[signed].str.replace(_NEGATIVE, r"-\1\2\3\4", regex=True)
    return text


def plain_sign(word: str) -> str:
    """Return one cell as `plain_signs` does."""
    return re.sub(_NEGATIVE, r"-\1\2\3\4", word)


def guess_multiples(words: Sequence[str]) -> Multiples:
    """Return which letters multiply the numbers of a column: `1.2M` beside `340K`.

    One letter for all, with a space before it, is a unit: `293 K`.
    """
    matches = [_MULTIPLES.fullmatch(word) for word in words[:_SAMPLE]]
    found = [match for match in matches if match]
    kinds = {match["multiple"] for match in found}
    if not kinds or 2 * len(found) < len(matches):
        return ""
    for name, factors in _FACTORS.items():
        if kinds <= factors.keys():
            one_unit = len(kinds) == 1 and (name == "sizes" or any(m["space"] for m in found))
            return "" if one_unit else name
    return ""


def split_multiple(word: str, multiples: Multiples) -> tuple[str, float]:
    """Return a cell without the letter that multiplies it, and by how much it does."""
    match = _MULTIPLES.fullmatch(word)
    factor = _FACTORS[multiples].get(match["multiple"]) if match else None
    return (match["rest"] + (match["money"] or ""), factor) if factor else (word, 1.0)


def split_multiples(text: "pd.Series", multiples: Multiples) -> tuple["pd.Series", np.ndarray]:
    """Return cells as `split_multiple` does."""
    import pandas as pd

    pairs = [split_multiple(word, multiples) for word in text]
    words = pd.Series([word for word, _ in pairs], index=text.index, dtype="str")
    return words, np.array([factor for _, factor in pairs], float)


def guess_unit(words: Sequence[str], mostly: float) -> str:
    """Return what stands beside every number, where it is the same.

    Args:
        words: sequence of str. Cells, each once.
        mostly: float. The share of cells that is enough.
    """
    sample = [word.lstrip("+-\u2212") for word in words[:_SAMPLE]]
    matches = [_KNOWN.fullmatch(word) for word in sample]
    found = [match["before"] or match["after"] or "" for match in matches if match]
    units = {*found} - {""}
    if len(units) == 1 and len(found) >= mostly * len(sample):
        unit = units.pop()
        # A share of a hundred is not what the same number without the sign is.
        return "" if unit in "%‰" and found.count(unit) < mostly * len(found) else unit
    after = [match["unit"] for match in map(_AFTER.fullmatch, sample) if match and match["unit"]]
    units = {*after}
    return units.pop() if len(units) == 1 and len(after) >= mostly * len(sample) > 1 else ""


def describe_mixture(words: Sequence[str]) -> str:
    """Return what is said of many words of which most are numbers, but are not written alike."""
    sample = words[:_SAMPLE]
    amounts = [word for word in sample if _KNOWN.fullmatch(word.lstrip("+-\u2212<>≤≥~"))]
    if len(words) <= _MANY or 2 * len(amounts) < len(sample):
        return ""
    # Two that differ most in how they are written.
    forms = {re.sub(_NUMBER, "0", word): word for word in reversed(sample)}
    shown = [f"'{word}'" for word in list(forms.values())[::-1][:2]]
    return f"though most are numbers, written in several ways: {' and '.join(shown)}"
