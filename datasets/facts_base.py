"""What all facts of datasets share."""

from typing import ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

STEPS = 1000  # of float32 within the scale of numbers, at least


class Frozen(BaseModel):
    """Plain data that nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Scaled(Frozen):
    """Numbers of which a network takes ``(value - mean) / scale``."""

    name: str
    mean: float
    scale: float

    @property
    def offset(self) -> float:
        """What is taken off in float64, before float32 would make differing numbers alike.

        Returns:
            float. The mean, where float32 has less than a thousand steps within the scale, as of
            100,000,000 ± 1 or of minutes of a day long after 1970; else 0.
        """
        coarse = np.spacing(np.float32(abs(self.mean))) * STEPS > self.scale
        return self.mean if coarse else 0.0


class NumericTarget(Scaled):
    """One number to predict."""


class CommonFacts(Frozen):
    """What all data may have: classes, or numbers to predict.

    `class_counts` says how many examples (of tags: how many words) of each class the training
    split holds.
    """

    examples: ClassVar[str]  # what examples are called
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    targets: tuple[NumericTarget, ...] = ()

    def sidecars(self) -> dict[str, str]:
        """Return what other programs must know of the data: contents by the names of files."""
        # One line each, whatever it holds.
        lines = [" ".join(name.split()) + "\n" for name in self.class_names]
        return {"labels.txt": "".join(lines)} if lines else {}

    def raw(self) -> Self:
        """Return the facts under which data are read as they are."""
        return self

    def schema(self) -> dict[str, tuple]:
        """Return what must agree between a run and data for it."""
        return {
            "classes": self.class_names,
            "targets": tuple(target.name for target in self.targets),
        }

    def _describe_target(self) -> str:
        if self.class_names:
            return f"{len(self.class_names)} class{'es' * (len(self.class_names) > 1)}"
        return f"target {', '.join(target.name for target in self.targets)}"
