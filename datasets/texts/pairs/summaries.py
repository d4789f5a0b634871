"""Documents with summaries, of a user's own."""

from pydantic import PositiveInt

from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.reader import Reader
from threefold.datasets.texts.documents import TokenizerConfig, pair
from threefold.datasets.texts.pairs.pair_files import (
    SUMMARIES,
    ExplicitSides,
    read_pairs,
    split_pairs,
)
from threefold.datasets.texts.tokenizing import Kind
from threefold.datasets.texts.truncation import LongPair

READER = Reader(
    ("summarization",),
    only="a file of documents with summaries, such as a .jsonl",
    fields=(("summary",), ("highlights",)),
)


def load(
    path: str,
    *,
    facts: Facts | None = None,
    source: str | None = None,
    target: str | None = None,
    target_file: str | None = None,
    encoding: str = "utf-8",
    skip_empty: bool = False,
    tokenizer: Kind = "bpe",
    shared_vocabulary: bool = True,
    vocabulary_size: PositiveInt = 8000,
    max_tokens: PositiveInt = 256,
    max_target_tokens: PositiveInt = 48,
    long: LongPair = "cut",
    lowercase: bool = False,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
) -> Dataset:
    """Load documents and their summaries.

    Args:
        path: str. A `.jsonl`, `.csv` or `.parquet` file; a `.tsv` or `.txt` file, on each line a
            document, a tab, a summary, and perhaps more cells; quotes stand for themselves. Or a
            file of documents alone, one on each line.
        facts: Facts. Those of a run: its tokenizers then rule.
        source: str. The column of the documents, a name or, on lines, a number from 1; guessed by
            its name if None, such as `document`, `article` or `text`.
        target: str. The column of the summaries, likewise, such as `summary`, `highlights` or
            `title`.
        target_file: str. A file of the summaries alone, one on each line, as the documents.
        encoding: str. Of the characters of the files.
        skip_empty: bool. Whether pairs with an empty side are left out or refused.
        tokenizer: str. What a token is: word, character, wordpiece or bpe.
        shared_vocabulary: bool. Whether documents and summaries have one vocabulary, learned from
            both.
        vocabulary_size: int. The most tokens each tokenizer learns.
        max_tokens: int. The most tokens of a document.
        max_target_tokens: int. The most tokens of a summary.
        long: str. What becomes of longer ones: `cut` there, or `refuse`.
        lowercase: bool. Whether capital letters are made small, in summaries too.
        validation_fraction: float. Share of the documents kept for validation.
        test_fraction: float. Share of the documents kept for the test.
        split_seed: int. Which seeded division into splits. A document that is there twice is in
            one split with all its summaries.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: for a file or a row that cannot be used, with its place.
    """
    explicit = ExplicitSides(source, target, target_file)
    found = read_pairs(path, SUMMARIES, explicit, encoding, skip_empty=skip_empty)
    rows = split_pairs(found.sources, (validation_fraction, test_fraction), split_seed)
    tokenizer_configs = tuple(
        TokenizerConfig(tokenizer, vocabulary_size, max_length, lowercase, long)
        for max_length in (max_tokens, max_target_tokens)
    )
    return pair(
        path,
        found.sources,
        found.targets,
        rows,
        tokenizer_configs,
        task="summarization",
        shared_vocabulary=shared_vocabulary,
        facts=facts,
        notes=found.notes,
        where=found.where,
    )
