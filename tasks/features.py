"""What comes in: pictures, tables. One half of a task."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from threefold.tasks.task import Arrays, Task


class ImageFeatures(Task):
    """Pictures of one shape, values 0 to 255, under the name `image`."""

    def inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"image": examples["image"].astype(np.float32, copy=False)}

    def arguments(self) -> dict[str, Any]:
        return {"image_shape": self.facts.image_shape}


class TableFeatures(Task):
    """Columns packed by kind: `numeric`, `dates` and `categorical`, those that the table has."""

    def inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        kinds = ("numeric", "dates", "categorical")
        return {kind: examples[kind] for kind in kinds if getattr(self.facts, kind)}

    def arguments(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "numeric": tuple((column.mean, column.scale) for column in facts.numeric),
            "dates": tuple((column.mean, column.scale) for column in facts.dates),
            "category_counts": tuple(len(column.vocabulary) + 1 for column in facts.categorical),
        }
