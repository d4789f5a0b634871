"""Documents with summaries, of a user's own."""

from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.documents import pair
from threefold.datasets.texts.pairs.pair_files import (
    SUMMARIES,
    PairFiles,
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
    pair_files: PairFiles = PairFiles(),
    tokenizer_config: SummaryTokenizerConfig = SummaryTokenizerConfig(),
    split_fractions: SplitFractions = SplitFractions(0.1, 0.1),
) -> Dataset:
    """Load documents and their summaries.

    Args:
        path: str. A `.jsonl`, `.csv` or `.parquet` file; a `.tsv` or `.txt` file, on each line a
            document, a tab, a summary, and perhaps more cells; quotes stand for themselves. Or a
            file of documents alone, one on each line.
        facts: Facts. Those of a run: its tokenizers then rule.
        pair_files: PairFiles. Where both sides are.
        tokenizer_config: SummaryTokenizerConfig. How documents and summaries become tokens.
        split_fractions: SplitFractions. How documents are divided where nothing says so.

    Returns:
        Dataset. `source` and `target`, and both as texts.

    Raises:
        UserError: for a file or a row that cannot be used, with its place.
    """
    found = read_pairs(path, SUMMARIES, pair_files)
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
