"""Public data: `hf:NAME[:CONFIG]` and `tfds:NAME[/CONFIG]`, whatever kind of data they hold."""

import importlib
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt

from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.hubs.record_tables import Choices
from threefold.datasets.hubs.records import to_dataset
from threefold.datasets.tables.column_roles import SplitFractions
from threefold.datasets.texts.tokenizer_files import TokenizerOption
from threefold.datasets.texts.tokenizing import Kind


def load(
    library: str,
    name: str,
    *,
    task: str | None = None,
    facts: Facts | None = None,
    data_dir: str | None = None,
    download: bool = False,
    image: str | None = None,
    label: str | None = None,
    target: tuple[str, ...] = (),
    text: str | None = None,
    first: str | None = None,
    second: str | None = None,
    source: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: Literal[1, 3] | None = None,
    tokenizer: TokenizerOption | None = None,
    target_tokenizer: Kind | None = None,
    vocabulary_size: PositiveInt | None = None,
    shared_vocabulary: bool | None = None,
    max_tokens: PositiveInt | None = None,
    max_target_tokens: PositiveInt | None = None,
    context: PositiveInt | None = None,
    long: Literal["cut", "split", "refuse"] | None = None,
    lowercase: bool | None = None,
    unit: Literal["word", "character", "phoneme"] | None = None,
    skip_empty: bool | None = None,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
) -> Dataset:
    """Load a set.

    Options of texts that are none are those of a file of one's own for the task.

    Args:
        library: str. The module that opens it: `hugging_face` or `tfds`.
        name: str. What the library calls it.
        task: str. What to learn, guessed from the columns if None.
        facts: Facts. Those of a run: its shapes, tokenizers and class order then rule.
        data_dir: str. Where the library keeps its sets: its own folder if None.
        download: bool. Whether to download and prepare what is not yet there.
        image: str. The column of images, where there are several.
        label: str. The column of classes; the set's own choice if None.
        target: tuple of str. The columns of numbers to predict; of pairs, the column of targets.
        text: str. The column of texts; guessed if None, by its name, else the wordiest.
        first: str. The column of the first of two texts to be compared, such as `premise`.
        second: str. The column of the second, such as `hypothesis`.
        source: str. The column of the sources of pairs, such as a language.
        tokens: str. The column of the words to tag.
        tags: str. The column of their tags, in BIO.
        image_size: int, or height and width. The size to bring images to; guessed if None.
        channels: int. 1 reads the images as grayscale, 3 as colour; guessed if None.
        tokenizer: str. What a token is: word, character, wordpiece or bpe; or the path of a
            `tokenizer.json` or `vocab.txt`, or of a folder that holds one.
        target_tokenizer: str. The same for the targets of pairs; none for as the sources.
        vocabulary_size: int. The most tokens a tokenizer learns.
        shared_vocabulary: bool. Whether sources and targets of pairs have one vocabulary.
        max_tokens: int. The most tokens of a text.
        max_target_tokens: int. The most of the target of a pair; none for as many.
        context: int. Tokens that a window of a window, where a text is to be continued.
        long: str. What becomes of longer texts: `cut` there, `split` into several, or `refuse`.
        lowercase: bool. Whether capital letters are made small; of pairs, those of the sources.
        unit: str. What an error rate counts in the targets of pairs: word, character or phoneme.
        skip_empty: bool. Whether texts in which there is nothing to see are left out or refused.
        validation_fraction: float. Share of train kept for validation where the set has none.
        test_fraction: float. Share of train kept for the test where the set has none.
        split_seed: int. Which seeded division, stratified where there are classes.

    Returns:
        Dataset. Images, the columns of a table, or texts as from a file of one's own.

    Raises:
        UserError: for an unknown name, a set that is not there, or columns that do not serve.
    """
    tokenizer_config = {
        "tokenizer": tokenizer,
        "target_tokenizer": target_tokenizer,
        "vocabulary_size": vocabulary_size,
        "shared_vocabulary": shared_vocabulary,
        "max_tokens": max_tokens,
        "max_target_tokens": max_target_tokens,
        "context": context,
        "long": long,
        "lowercase": lowercase,
        "unit": unit,
        "skip_empty": skip_empty,
    }
    choices = Choices(
        image=image,
        label=label,
        target=target,
        text=text,
        first=first,
        second=second,
        source=source,
        tokens=tokens,
        tags=tags,
        image_size=image_size,
        channels=channels,
        tokenizer_config={
            option: value for option, value in tokenizer_config.items() if value is not None
        },
        split_fractions=SplitFractions(validation_fraction, test_fraction, split_seed),
    )
    folder = Path(data_dir).expanduser() if data_dir is not None else None
    opener = importlib.import_module(f"threefold.datasets.hubs.{library}")
    table = opener.open_records(name, data_dir=folder, download=download)
    return to_dataset(table, choices, task, facts)
