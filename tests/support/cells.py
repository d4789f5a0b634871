"""Every blueprint for each of its tasks, small, for the tests that promise something of all.

The cells are found, not listed: a new family is tested as soon as its file is there. Tables are the
bundled ones; other data are written here, a few lines of each.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from threefold.training.backend import BACKENDS
from threefold.training.building import blueprint_names, find_blueprint

# Smaller than the default where that saves time, of a family or of a cell; one that is not named is
# built as it is.
SMALL = {
    "bert": {"num_layers": "1", "model_dim": "48", "feed_forward_dim": "24", "max_positions": "40"},
    "cnn": {"filters": "4", "dense_units": "8"},
    "ctc": {"filters": "4,4", "units": "5", "mel_bands": "8"},
    "detector": {"filters": "4,6", "levels": "2", "pyramid_filters": "6", "head_convolutions": "1"},
    "gan": {"filters": "4", "latent_dim": "6"},
    "gan-image_inpainting": {"filters": "4"},
    "gpt": {"num_layers": "1", "model_dim": "24"},
    "resnet": {"width": "4"},
    "rnn": {"units": "6"},
    "seq2seq": {"embedding_dim": "6", "encoder_units": "5", "decoder_units": "6"},
    "transformer": {"num_layers": "1", "model_dim": "16", "feed_forward_dim": "12"},
    "unet": {"filters": "4,6"},
}
WRITING = {"summarization", "text_generation", "translation"}
WORDS = "bread cheese apple soup river stone cloud forest engine wheel piston valve".split()


@dataclass(frozen=True)
class Cell:
    """One blueprint for one task."""

    blueprint: str
    task: str

    def __str__(self) -> str:
        return f"{self.blueprint}-{self.task}"

    @property
    def leads(self) -> bool:
        """Whether what costs much is tried with it on every backend: one of each blueprint is.

        Texts that are written take a search to be compiled; another task is taken where there is
        one.
        """
        family = [cell for cell in CELLS if cell.blueprint == self.blueprint]
        return min(family, key=lambda cell: cell.task in WRITING) == self

    @property
    def home(self) -> str:
        """The backend that tries, of this cell, what costs much."""
        return BACKENDS[zlib.crc32(str(self).encode()) % len(BACKENDS)]

    @property
    def options(self) -> dict[str, str]:
        """The blueprint's options."""
        return SMALL.get(str(self), SMALL.get(self.blueprint, {}))

    def data(self, folder: Path) -> tuple[str, dict[str, str]]:
        """Return the reference of small data, and its options; write them if need be."""
        if self.task not in WRITERS:  # bundled: few rows to train on, and fewer to evaluate by
            fractions = {"validation_fraction": "0.7", "test_fraction": "0.1"}
            return find_blueprint(self.blueprint).DATASETS[self.task], fractions
        fractions = {"validation_fraction": "0.2", "test_fraction": "0.2"}
        name, write, options = WRITERS[self.task]
        path = folder / name
        if not path.exists():
            write(path)
        return str(path), fractions | options


def _write_images(path: Path, count: int = 20) -> None:
    from PIL import Image

    from threefold.datasets.bundled.digits import read_digits

    images, labels = read_digits()
    for name, label in (("one", 1), ("seven", 7), ("nought", 0)):
        (path / name).mkdir(parents=True)
        for number, image in enumerate(images[labels == label][:count]):
            Image.fromarray(image[..., 0]).save(path / name / f"{number:02d}.png")


def _write_measured_images(path: Path) -> None:
    """Write digits and how bright they are."""
    from PIL import Image

    from threefold.datasets.bundled.digits import read_digits

    path.mkdir()
    lines = ["image,ink,left"]
    for number, image in enumerate(read_digits()[0][:60, ..., 0]):
        Image.fromarray(image).save(path / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,{image.mean():.3f},{image[:, :4].mean():.3f}")
    (path / "targets.csv").write_text("\n".join(lines))


def _write_labeled_images(path: Path) -> None:
    """Write digits, and which of three things each is: some, all or none."""
    from PIL import Image

    from threefold.datasets.bundled.digits import read_digits

    path.mkdir()
    lines = ["image,labels"]
    images, labels = read_digits()
    for number, (image, label) in enumerate(zip(images[:60, ..., 0], labels, strict=False)):
        Image.fromarray(image).save(path / f"{number:02d}.png")
        known = {"even": label % 2 == 0, "small": label < 5, "round": label in (0, 6, 8, 9)}
        lines.append(f"{number:02d}.png,{';'.join(name for name in known if known[name])}")
    (path / "labels.csv").write_text("\n".join(lines))


def _write_masked_images(path: Path) -> None:
    """Write digits of 9 × 11 pixels, which no stage halves, and where their ink is."""
    from PIL import Image

    from threefold.datasets.bundled.digits import read_digits

    for name in ("images", "masks"):
        (path / name).mkdir(parents=True)
    for number, digit in enumerate(read_digits()[0][:60, ..., 0]):
        image = np.zeros((9, 11), np.uint8)
        image[:8, number % 4 :][:, :8] = digit
        mask = (image > 60).astype(np.uint8) + (image > 180)
        mask[0, 0] = 255
        Image.fromarray(image).save(path / "images" / f"{number:02d}.png")
        Image.fromarray(mask).save(path / "masks" / f"{number:02d}.png")


def _write_boxed_images(path: Path) -> None:
    """Write bright squares of two sizes on dark ground, of 9 × 11 pixels, with a box for each."""
    from PIL import Image

    sample = np.random.default_rng(0)
    for name in ("images", "labels"):
        (path / name).mkdir(parents=True)
    (path / "classes.txt").write_text("small\nlarge\n")
    for number in range(60):
        image, lines = sample.integers(0, 60, (9, 11)).astype(np.uint8), []
        for left, side in ((0, 3), (5, 5)) if number % 3 else ((number % 4, 5),):
            top = int(sample.integers(0, 9 - side + 1))
            image[top : top + side, left : left + side] = 230
            middle = (left + side / 2) / 11, (top + side / 2) / 9
            lines.append(f"{int(side == 5)} {middle[0]} {middle[1]} {side / 11} {side / 9}")
        Image.fromarray(image).save(path / "images" / f"{number:02d}.png")
        (path / "labels" / f"{number:02d}.txt").write_text("\n".join(lines))


def _write_series(path: Path) -> None:
    sample = np.random.default_rng(0)
    lines = ["@problemName small", "@classLabel true up down", "@data"]
    for number in range(60):
        steps = np.arange(sample.integers(5, 14))
        slope = 1 if number % 2 else -1
        channels = [slope * steps + sample.normal(size=len(steps)) for _ in range(2)]
        texts = [",".join(f"{value:.3f}" for value in channel) for channel in channels]
        lines.append(":".join([*texts, "up" if number % 2 else "down"]))
    path.write_text("\n".join(lines))


def _write_documents(path: Path) -> None:
    sample = np.random.default_rng(0)
    lines = []
    for number in range(60):
        topic = number % 3
        words = sample.choice(WORDS[4 * topic : 4 * topic + 4], sample.integers(2, 12))
        label = ("food", "land", "car")[topic]
        lines.append(json.dumps({"text": f"{' '.join(words)} {number}", "label": label}))
    path.write_text("\n".join(lines))


def _write_text_pairs(path: Path) -> None:
    """Write pairs of words that are of one kind, or not."""
    sample = np.random.default_rng(0)
    lines = []
    for number in range(60):
        one, other = (int(kind) for kind in sample.integers(0, 3, 2))
        other = one if number % 2 else other
        words = [sample.choice(WORDS[4 * kind : 4 * kind + 4], 2) for kind in (one, other)]
        first, second = (" ".join(pair) for pair in words)
        label = "same" if one == other else "other"
        row = {"premise": f"{first} {number}", "hypothesis": second, "label": label}
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines))


def _write_paragraphs(path: Path) -> None:
    """Write texts of a few sentences whose words stand in a fixed order."""
    sample = np.random.default_rng(0)
    lines = []
    for number in range(60):
        starts = sample.integers(0, len(WORDS) - 4, sample.integers(2, 5))
        sentences = [" ".join(WORDS[start : start + 4]) for start in starts]
        lines.append(json.dumps({"text": f"{'. '.join(sentences)} {number}."}))
    path.write_text("\n".join(lines))


def _write_questions(path: Path) -> None:
    """Write contexts of three things with what each costs, and questions for one of them."""
    sample = np.random.default_rng(0)
    lines = []
    for number in range(60):
        things = sample.choice(WORDS, 4, replace=False)
        prices = sample.choice(["one", "two", "six", "ten"], 3)
        context = " ".join(f"{a} {b} ." for a, b in zip(things[:3], prices, strict=True))
        context += f" {number}"
        thing = sample.integers(0, 4) if number % 4 == 0 else sample.integers(0, 3)
        predictions: dict[str, list] = {"text": [], "answer_start": []}
        if thing < 3:
            start = context.index(things[thing]) + len(things[thing]) + 1
            predictions = {"text": [prices[thing]], "answer_start": [start]}
        row = {"id": str(number), "question": f"price of {things[thing]} ?", "context": context}
        lines.append(json.dumps(row | {"answers": predictions}))
    path.write_text("\n".join(lines))


def _write_sentences(path: Path) -> None:
    sample = np.random.default_rng(0)
    sentences = []
    for _ in range(60):
        rows = []
        for word in sample.choice(WORDS, sample.integers(3, 10)):
            place = WORDS.index(word)
            if place < 4:
                rows += [f"{word} B-FOOD", "pie I-FOOD"]
            else:
                rows.append(f"{word} {'B-LAND' if place < 8 else 'O'}")
        sentences.append("\n".join(rows))
    path.write_text("\n\n".join(sentences) + "\n")


def _write_prose(path: Path) -> None:
    sample = np.random.default_rng(0)
    paragraphs = [" ".join(sample.choice(WORDS, 8)) + "." for _ in range(16)]
    path.write_text("\n\n".join(paragraphs))


def _write_pairs(path: Path) -> None:
    sample = np.random.default_rng(0)
    lines = []
    for _ in range(60):
        word = "".join(sample.choice(list("abcde"), sample.integers(2, 9)))
        lines.append(f"{word}\t{' '.join(reversed(word.upper()))}")
    path.write_text("\n".join(lines) + "\n")


def _write_summaries(path: Path) -> None:
    sample = np.random.default_rng(0)
    lines = []
    for number in range(60):
        words = sample.choice(WORDS, sample.integers(3, 12))
        document = f"{words[0]} {words[1]}.\n{' '.join(words[2:])} {number}."
        lines.append(json.dumps({"document": document, "summary": f"{words[1]} {words[0]}"}))
    path.write_text("\n".join(lines))


def _write_recordings(path: Path) -> None:
    """Write words of the letters a and b, each a short tone, as WAV files with transcripts."""
    import soundfile

    path.mkdir()
    sample = np.random.default_rng(0)
    for number in range(60):
        word = "".join(sample.choice(["a", "b"], sample.integers(1, 3)))
        parts = [sample.normal(0, 0.01, 60)]
        for letter in word:
            waves = np.arange(100) * 2 * np.pi * (100 if letter == "a" else 300) / 1000
            parts += [0.5 * np.sin(waves), sample.normal(0, 0.01, 60)]
        soundfile.write(path / f"{number:02d}.wav", np.concatenate(parts), 1000)
        (path / f"{number:02d}.txt").write_text(word)


def _write_steps(path: Path) -> None:
    """Write a quantity by the hour that follows the day, a plan, and something else."""
    sample = np.random.default_rng(0)
    lines = ["time,load,plan,wind"]
    for hour in range(24 * 8):
        day, plan, wind = divmod(hour, 24)[0], int(hour % 24 in (8, 9)), sample.normal()
        load = 10 + 3 * np.sin(hour * np.pi / 12) + 2 * plan + 0.3 * wind + 0.1 * sample.normal()
        lines.append(f"2024-03-{1 + day:02d} {hour % 24:02d}:00,{load:.3f},{plan},{wind:.3f}")
    path.write_text("\n".join(lines) + "\n")


# Task -> (name of the file, who writes it, options of the data).
WRITERS: dict[str, tuple[str, Callable[[Path], None], dict[str, str]]] = {
    "image_classification": ("images", _write_images, {}),
    # Generated images are judged by 48 real ones at least.
    "image_generation": ("many_images", partial(_write_images, count=85), {}),
    "image_inpainting": ("images", _write_images, {}),
    "image_multilabel_classification": ("labeled", _write_labeled_images, {}),
    "image_regression": ("measured", _write_measured_images, {}),
    "image_segmentation": ("masked", _write_masked_images, {}),
    "object_detection": ("boxed", _write_boxed_images, {}),
    "sequence_classification": ("series.ts", _write_series, {}),
    "text_classification": ("documents.jsonl", _write_documents, {"max_tokens": "14"}),
    "text_pair_classification": ("pairs.jsonl", _write_text_pairs, {"max_tokens": "14"}),
    "question_answering": (
        "questions.jsonl",
        _write_questions,
        {"max_tokens": "8", "stride": "4", "max_question_tokens": "6", "tokenizer": "word"},
    ),
    "token_classification": ("sentences.conll", _write_sentences, {"max_tokens": "14"}),
    "masked_language_modeling": (
        "paragraphs.jsonl",
        _write_paragraphs,
        {"max_tokens": "24", "tokenizer": "word"},
    ),
    "speech_recognition": ("recordings", _write_recordings, {}),
    "forecasting": (
        "steps.csv",
        _write_steps,
        {
            "context": "48",
            "horizon": "4",
            "target": "load",
            "future_covariates": "plan",
            "past_covariates": "wind",
        },
    ),
    "text_generation": ("prose.txt", _write_prose, {"context": "12"}),
    "summarization": (
        "news.jsonl",
        _write_summaries,
        {"max_tokens": "14", "tokenizer": "word", "max_target_tokens": "5"},
    ),  # fmt: skip
    "translation": ("pairs.tsv", _write_pairs, {"max_tokens": "10", "tokenizer": "character"}),
}
CELLS = [Cell(name, task) for name, (tasks, _) in blueprint_names().items() for task in tasks]
