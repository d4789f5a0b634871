"""Texts such as nobody thinks of: of all scripts, of nothing visible, very long, blank."""

import numpy as np

RANGES = {
    "latin": (0x20, 0x24F),
    "greek and cyrillic": (0x370, 0x52F),
    "right to left": (0x590, 0x6FF),
    "indic": (0x900, 0xD7F),
    "thai": (0xE00, 0xE7F),
    "han and kana": (0x3040, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
    "combining marks": (0x300, 0x36F),
    "control characters": (0x00, 0x1F),
    "spaces and what is invisible": (0x2000, 0x206F),
    "emoji": (0x1F300, 0x1FAFF),
    "beyond": (0x20000, 0x10FFFF),
}
BLANK = ("", " ", "\t", "\n", "\u00a0", "\u3000", "  \n ")
MARKS = ("[PAD]", "[UNK]", "[START]", "[END]", "[MASK]", "[CLS]", "##a", "İ", "ẞ", "e\u0301")


def odd_texts(count: int, words: list[str], seed: int = 0) -> list[str]:
    """Return texts, always the same ones.

    Args:
        count: int. How many; at least as many as there are blank ones.
        words: list of str. That a tokenizer knows.
        seed: int. Of the generator.
    """
    sample = np.random.default_rng(seed)
    return [*BLANK, *(_odd_text(sample, words) for _ in range(count - len(BLANK)))]


def _odd_text(sample: np.random.Generator, words: list[str]) -> str:
    length = int(sample.choice([1, 3, 10, 30, 2000], p=[0.2, 0.3, 0.3, 0.18, 0.02]))
    low, high = list(RANGES.values())[sample.integers(len(RANGES))]
    pieces = []
    for _ in range(length):
        kind = sample.integers(4)
        if kind == 0:
            pieces.append(chr(sample.integers(low, high + 1)))
        elif kind == 1:
            pieces.append(" ")
        elif kind == 2 and sample.random() < 0.2:
            pieces.append(str(sample.choice(MARKS)))
        else:
            word = str(sample.choice(words))
            pieces.append(word.title() if sample.random() < 0.3 else word)
    return "".join(pieces)
