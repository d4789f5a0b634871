"""Recordings of a user's own, with transcripts: a folder of WAV, FLAC, OGG, MP3 or AIFF files.

The recordings stay in their files and are decoded when a batch asks for them; only their names,
lengths and transcripts are kept in memory.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from threefold.core.errors import UserError
from threefold.datasets.audio.audio_files import (
    CONVERTIBLE,
    SUFFIXES,
    Header,
    describe_headers,
    read_headers,
    read_sounds,
)
from threefold.datasets.audio.transcripts import TABLES, find_transcripts, format_count, tidy
from threefold.datasets.dataset import SPLITS, Dataset, SubsetSource
from threefold.datasets.facts import Facts, SpeechFacts
from threefold.datasets.folder_files import NO_FILE, describe_ignored, walk
from threefold.datasets.folder_listing import FileKind, Listing, divide_listing
from threefold.datasets.ragged import Ragged
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import SPLIT_WORDS

READER = Reader(
    ("speech_recognition",),
    folders=(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif"),
)
TASK_NAME = "speech_recognition"
RECORDINGS = FileKind("recordings", SUFFIXES, CONVERTIBLE)
MOST_SYMBOLS = 25  # a second, which nobody speaks: the transcript is of something else


def load(
    path: str,
    *,
    facts: Facts | None = None,
    rate: Annotated[int, Field(ge=1000, le=384_000)] | None = None,
    lowercase: bool = False,
    max_length: Annotated[float, Field(gt=0)] | None = None,
    skip_bad: bool = False,
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load a folder of recordings.

    Args:
        path: str. The folder. Transcripts are in a `transcripts.tsv`, `transcripts.csv` or
            `metadata.csv` with the columns `file` and `text`, in LibriSpeech's `*.trans.txt`, or
            for `x.wav` in `x.txt` alongside it. Sub-folders named `train`, `validation` (`dev`) and
            `test` are splits.
        facts: Facts. Those of a run: its rate and alphabet then rule.
        rate: int. Samples a second to bring recordings to; the commonest if None.
        lowercase: bool. Whether transcripts are brought to small letters.
        max_length: float. Seconds; longer recordings are left out.
        skip_bad: bool. Whether files that are no sound, or damaged, are left out or refused.
        split_fractions: SplitFractions. How recordings are divided where nothing says so.

    Returns:
        Dataset. Recordings `samples` float32 (time,), -1 to 1, and `symbols` int64 (symbols,): the
        position of each in the alphabet, from 1; one after the last for what is not in it.

    Raises:
        UserError: for a folder, a transcript or a file that cannot be used. All headers are read
            here; damage inside a file shows when it is decoded.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise UserError(f"'{path}' is no folder; expected one of recordings with transcripts")
    facts = facts if isinstance(facts, SpeechFacts) else None
    names, others = walk(root, SUFFIXES)
    names.sort()
    # Tables, lists and texts are transcripts: only what nobody reads is said.
    others = Counter({key: others[key] for key in (*CONVERTIBLE, NO_FILE) if key in others})
    ignored = describe_ignored(others, RECORDINGS.noun, CONVERTIBLE)
    found = find_transcripts(root, names)
    _require_transcripts(path, names, found.texts)
    names = [name for name in names if name in found.texts]
    headers, bad = _check_headers(root, names, skip_bad)
    headers, long = _drop_long(path, headers, max_length)
    names = list(headers)
    rate = facts.rate if facts else rate or _commonest_rate(headers.values())
    small = lowercase or bool(facts and all(s == s.lower() for s in facts.alphabet))
    texts = [tidy(found.texts[name], lowercase=small) for name in names]
    listing = Listing(names, np.empty((len(names), 0)), (), _find_splits(names), files=RECORDINGS)
    rows, decisions = divide_listing(path, listing, split_fractions)
    lengths = np.array([header.resampled(rate) for header in headers.values()])
    facts = facts or _describe(path, rate, texts, lengths, rows["train"])
    remarks = describe_headers([(name, header) for name, header in headers.items()], rate)
    files = {name: os.path.getsize(os.path.join(root, name)) for name in names}
    source = Recordings(root, names, rate, lengths, _encode(texts, facts.alphabet))
    return Dataset(
        reference=path,
        task=TASK_NAME,
        facts=facts,
        splits={name: SubsetSource(source, chosen) for name, chosen in rows.items()},
        fingerprint=_fingerprint(files, texts),
        files=files,
        notes=[*ignored, *found.notes, *bad, *long, *remarks, *decisions,
               *_describe_texts(names, texts, lengths / rate, facts.alphabet)],
    )  # fmt: skip


class Recordings:
    """Recordings that are decoded when they are asked for.

    Args:
        root: Path. The folder.
        names: list of str. The recordings, relative to `root`.
        rate: int. Samples a second.
        lengths: int array of shape (recordings,). Samples of each.
        symbols: Ragged. The transcripts.
    """

    def __init__(
        self, root: Path, names: list[str], rate: int, lengths: np.ndarray, symbols: Ragged
    ):
        self.root, self.names, self.rate = root, names, rate
        self.lengths, self.symbols = lengths, symbols

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        paths = [os.path.join(self.root, self.names[index]) for index in indices]
        return {"samples": read_sounds(paths, self.rate), "symbols": self.symbols[indices]}


def _require_transcripts(path: str, names: Sequence[str], texts: dict[str, str]) -> None:
    if not names:
        raise UserError(f"folder '{path}' holds no recordings ({', '.join(SUFFIXES)})")
    if not texts:
        raise UserError(
            f"none of the {len(names):,} recordings of '{path}' has a transcript; expected "
            f"{TABLES[0]} with the columns file and text, a .txt alongside each, or *.trans.txt"
        )


def _check_headers(
    root: Path, names: list[str], skip_bad: bool
) -> tuple[dict[str, Header], list[str]]:
    """Look at every file, so that a bad one is found now and not in the middle of a training."""
    found = read_headers([os.path.join(root, name) for name in names])
    headers = {name: header for name, header in zip(names, found, strict=True)
               if not isinstance(header, UserError)}  # fmt: skip
    errors = [header for header in found if isinstance(header, UserError)]
    if not errors:
        return headers, []
    if not headers:
        raise UserError(f"{errors[0]}, nor is any other recording of '{root}' of use")
    if not skip_bad:
        more = f" (and {len(errors) - 1} more such)" if len(errors) > 1 else ""
        raise UserError(
            f"{errors[0]}{more}; fix or remove it, or leave such files out with -d skip_bad=true"
        )
    return headers, [f"left out: {len(errors)} of {len(names)} files; {errors[0]}"]


def _drop_long(
    path: str, headers: dict[str, Header], max_length: float | None
) -> tuple[dict[str, Header], list[str]]:
    kept = {
        name: header
        for name, header in headers.items()
        if max_length is None or header.frames <= max_length * header.rate
    }
    if not kept:
        raise UserError(f"all recordings of '{path}' are longer than {max_length:g} s")
    count = len(headers) - len(kept)
    explicit = format_count(count, "recording is", "recordings are")
    return kept, [f"{explicit} longer than {max_length:g} s: left out"] if count else []


def _commonest_rate(headers) -> int:
    counts = Counter(header.rate for header in headers)
    return max(counts, key=lambda rate: (counts[rate], -rate))


def _find_splits(names: list[str]) -> np.ndarray:
    """Return which split each recording's first folder names; all are to train where none does.

    LibriSpeech's folders are `train-clean-100`, `dev-clean` and the like.
    """
    folders = [Path(name).parts[0].lower() if os.sep in name else "" for name in names]
    splits = [SPLIT_WORDS.get(re.split("[-_]", folder)[0], "train") for folder in folders]
    if "train" not in splits:  # of a download in parts, one is there
        splits = ["train"] * len(names)
    return np.array([SPLITS.index(split) for split in splits])


def _describe(
    path: str, rate: int, texts: list[str], lengths: np.ndarray, train: np.ndarray
) -> SpeechFacts:
    alphabet = tuple(sorted({symbol for row in train for symbol in texts[row]}))
    if not alphabet:
        raise UserError(f"all transcripts of '{path}' to train on are empty")
    return SpeechFacts(
        rate=rate,
        max_length=int(lengths.max()),
        alphabet=alphabet,
        max_transcript_length=max(map(len, texts)),
    )


def _encode(texts: list[str], alphabet: tuple[str, ...]) -> Ragged:
    places = {symbol: place for place, symbol in enumerate(alphabet, 1)}
    unknown = len(alphabet) + 1
    rows = [np.array([places.get(symbol, unknown) for symbol in text]) for text in texts]
    return Ragged.join(rows, np.int64)


def _describe_texts(
    names: list[str], texts: list[str], seconds: np.ndarray, alphabet: tuple[str, ...]
) -> list[str]:
    """Return what to say of the transcripts."""
    notes = []
    if empty := [name for name, text in zip(names, texts, strict=True) if not text]:
        notes.append(
            f"{format_count(len(empty), 'transcript is', 'transcripts are')} empty, such as that "
            f"of '{empty[0]}': kept, as of recordings in which nothing is said"
        )
    if unknown := sorted({symbol for text in texts for symbol in text} - set(alphabet)):
        shown = ", ".join(f"'{symbol}'" for symbol in unknown[:10])
        notes.append(
            f"not in the transcripts that are trained on, and so counted as errors: {shown}"
            f"{', ...' if len(unknown) > 10 else ''}"
        )
    dense = [n for n, t, s in zip(names, texts, seconds, strict=True) if len(t) > MOST_SYMBOLS * s]
    if dense:
        notes.append(
            f"{format_count(len(dense), 'transcript has', 'transcripts have')} more than "
            f"{MOST_SYMBOLS} symbols a second, which nobody speaks, such as that of '{dense[0]}': "
            "look whether it belongs there"
        )
    return notes


def _fingerprint(files: dict[str, int], texts: list[str]) -> str:
    digest = hashlib.sha256()
    for (name, size), text in zip(files.items(), texts, strict=True):
        digest.update(os.fsencode(name) + f"\0{size}\0{text}\0".encode())
    return digest.hexdigest()
