"""Public data: `hf:NAME[:CONFIG]` and `tfds:NAME[/CONFIG]`, whatever kind of data they hold."""

import importlib
from pathlib import Path
from typing import Annotated, Any

from threefold.core.options import OptionsOf
from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.hubs.record_tables import Choices, ColumnChoices
from threefold.datasets.hubs.record_texts import FILES
from threefold.datasets.hubs.records import to_dataset
from threefold.datasets.splitting import SplitFractions

# Options of files of texts that say how a file is written, or which of its columns hold what.
OF_FILES = (
    "drop_missing_targets", "encoding", "split_column", "tag_column", "target_file", "word_column",
)  # fmt: skip
READERS = tuple(module.load for module in FILES.values())


def load(
    library: str,
    name: str,
    *,
    task: str | None = None,
    facts: Facts | None = None,
    data_dir: str | None = None,
    download: bool = False,
    columns: ColumnChoices = ColumnChoices(),
    split_fractions: SplitFractions = SplitFractions(),
    **reading: Annotated[Any, OptionsOf(READERS, but=OF_FILES)],
) -> Dataset:
    """Load a set.

    Args:
        library: str. The module that opens it: `hugging_face` or `tfds`.
        name: str. What the library calls it.
        task: str. What to learn, guessed from the columns if None.
        facts: Facts. Those of a run: its shapes, tokenizers and class order then rule.
        data_dir: str. Where the library keeps its sets: its own folder if None.
        download: bool. Whether to download and prepare what is not yet there.
        columns: ColumnChoices. Which columns hold what.
        split_fractions: SplitFractions. How splits that the set lacks are taken out of train.
        reading: of texts, what the reader of a file of one's own takes for the task.

    Returns:
        Dataset. Images, the columns of a table, or texts as from a file of one's own.

    Raises:
        UserError: for an unknown name, a set that is not there, or columns that do not serve.
    """
    choices = Choices(**vars(columns), reading=reading, split_fractions=split_fractions)
    folder = Path(data_dir).expanduser() if data_dir is not None else None
    opener = importlib.import_module(f"threefold.datasets.hubs.{library}")
    table = opener.open_records(name, data_dir=folder, download=download)
    return to_dataset(table, choices, task, facts)
