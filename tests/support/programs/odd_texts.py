"""Texts such as nobody learnt of, but somebody sends."""

from collections.abc import Sequence

import numpy as np

BLANK = ["", " ", "\t", "\n\n", "\u00a0", "\u2003 \u2003", "\r\n "]
ODD = [
    "🙂", "👩‍🚀👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "שלום עולם", "مرحبا بالعالم", "\u202eright to left\u202c",
    "日本語の文章", "ไทยไม่มีช่องว่าง", "Ελλάδα", "ЁЖИК ёжик", "e\u0301\u0302\u0323", "İstanbul ıI",
    "straße STRASSE ß ẞ", "ﬁne ﬂuff", "½ ² ™ ①", "a\u200bb\u200dc", "x\u00ady", "\ufeffmark",
    "it's don't WE'LL", "«quoted»", "__snake_case__ camelCase", "3.14e-10 1,000,000", "a/b\\c",
    "<b>&amp;</b>", "[UNK] [START] [MASK] [PAD]", "hyphen-ated — dash", "tab\tseparated\tvalues",
    "two\nlines\r\nthree", "...!!!???", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "\u0001\u0007",
]  # fmt: skip


def odd_texts(count: int, words: Sequence[str], seed: int = 0) -> list[str]:
    """Return as many texts: blank, odd, very long, random characters, and words among them."""
    sample = np.random.default_rng(seed)

    def characters() -> str:
        ends = (0x80, 0x250, 0x3000, 0xD800, 0x1F650)
        codes = sample.integers(1, ends[sample.integers(len(ends))], sample.integers(1, 30))
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)

    def mixed() -> str:
        parts = sample.choice(np.array([*words, *ODD], object), sample.integers(1, 25))
        return sample.choice([" ", "  ", ", ", ""]).join(parts)

    makers = (
        mixed,
        characters,
        lambda: " ".join(sample.choice(words, sample.integers(1, 9))).upper(),
        lambda: " ".join(sample.choice(words, 400)),
        lambda: f"  {sample.choice(words)}{sample.choice(np.array(ODD, object))} ",
    )
    made = [*BLANK, *ODD]
    while len(made) < count:
        made.append(makers[len(made) % len(makers)]())
    return made[:count]
