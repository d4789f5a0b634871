"""What all facts of datasets share."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Plain data that nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NumericTarget(Frozen):
    """One number to predict; networks learn ``(value - mean) / scale``."""

    name: str
    mean: float
    scale: float


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
            return f"{len(self.class_names)} classes"
        return f"target {', '.join(target.name for target in self.targets)}"
