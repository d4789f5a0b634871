"""Images in columns of records as what readers of images take: files, one for each row."""

from collections.abc import Sequence
from threading import Lock

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.hubs.record_cells import place_of
from threefold.datasets.hubs.record_tables import Choices, RecordTable
from threefold.datasets.hubs.record_targets import only
from threefold.datasets.images.image_files import File, Header, require_headers
from threefold.datasets.images.named_bytes import NamedBytes

BLOCK = 512  # rows whose images are held at a time
MASK_NAMES = (
    *("mask", "masks", "segmentation_mask", "semantic_mask", "annotation", "annotations"),
    *("segmentation", "segmentation_label", "label", "labels", "label_image", "seg"),
)


class RecordFiles(Sequence[File]):
    """The images of a column, read when they are asked for, rows of all splits end to end.

    Args:
        table: RecordTable. The source.
        rows: sequence of tuple. The split of each, and its row there.
        column: str. The images, or the masks.
    """

    def __init__(self, table: RecordTable, rows: Sequence[tuple[str, int]], column: str):
        self.table, self.rows, self.column = table, rows, column
        self._lock = Lock()  # libraries of records do not promise to serve several threads

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> File:
        split, row = self.rows[place]
        with self._lock:
            cells = self.table.splits[split].read(np.array([row]), [self.column])
        return self._name(cells[self.column][0], split, row)

    def require_headers(self) -> list[Header]:
        """Return what each image says of itself; refuse the first that is none."""
        headers = []
        for start in range(0, len(self), BLOCK):
            places = range(start, min(start + BLOCK, len(self)))
            headers += require_headers([self[place] for place in places])
        return headers

    def _name(self, file: File, split: str, row: int) -> File:
        if not isinstance(file, bytes):  # which messages call by its path
            return file
        return NamedBytes(file, f"column '{self.column}' of {place_of(self.table, split, row)}")


def find_image(table: RecordTable, choices: Choices) -> str:
    """Return the column of images, or raise a UserError that asks which it is."""
    plain = [name for name in table.named("image") if name.lower() not in MASK_NAMES]
    name = choices.image or (plain[0] if len(plain) == 1 else None)
    name = name or only(table, "image", "images", "-d image=NAME")
    if table.columns[name].kind != "image":
        raise UserError(
            f"column '{name}' of '{table.reference}' holds no images"
            f"{suggest(name, table.named('image'))}"
        )
    return name
