"""Documents with summaries, of a user's own."""

from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import pair
from threefold.datasets.texts.pairs.pair_files import (
    SUMMARIES,
    ExplicitSides,
    read_pairs,
)
from threefold.datasets.texts.tokenizer_config import (
    SummaryTokenizerConfig,
)

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
    tokenizer_config: SummaryTokenizerConfig = SummaryTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
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
        tokenizer_config: SummaryTokenizerConfig. How documents and summaries become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: for a file or a row that cannot be used, with its place.
    """
    explicit = ExplicitSides(source, target, target_file)
    found = read_pairs(path, SUMMARIES, explicit, encoding, skip_empty=skip_empty)
    sources = found.sources
    rows, _ = split_fractions.fill_in(len(sources), noun="pairs", groups=sources)
    return pair(
        path,
        found.sources,
        found.targets,
        rows,
        tokenizer_config,
        task="summarization",
        facts=facts,
        notes=found.notes,
        where=found.where,
    )
