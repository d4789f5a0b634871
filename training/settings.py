"""The settings of a fit, once: the command line, `run.json` and the help read them here."""

from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from threefold.core.errors import UserError, suggest
from threefold.core.options import Option, check_options
from threefold.training.duration import Duration, choose_duration, require_one

Augmentation = Literal[
    "flip", "shift", "crop", "rotate", "scale", "colour", "cutout", "mixup", "mosaic"
]  # fmt: skip
Optimizer = Literal[
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "lamb", "lars", "ftrl",
    "lion", "muon",
]  # fmt: skip
Schedule = Literal["constant", "cosine", "linear", "exponential", "step", "noam", "plateau"]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]

# A learning rate that suits each optimizer where neither user nor blueprint names one.
LEARNING_RATES = {
    "sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.05, "rmsprop": 1e-3, "adam": 1e-3,
    "adamw": 1e-3, "lamb": 1e-2, "lars": 0.1, "ftrl": 0.1, "lion": 2e-4, "muon": 2e-3,
}  # fmt: skip


class TrainingSettings(BaseModel):
    """How a model is trained. A field left `None` is filled by the blueprint, then the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str | None = Field(
        None, description="options and settings of a paper, by name; show BLUEPRINT lists them"
    )
    epochs: Count | None = Field(None, description="times that the training split is gone through")
    steps: Count | None = Field(
        None, description="at least so many optimizer steps, in whole epochs; in place of --epochs"
    )
    batch_size: Count | None = Field(
        None, description="examples in a step; fewer of small data by default"
    )
    optimizer: Optimizer | None = Field(None, description="rule that updates the weights")
    learning_rate: Positive | None = Field(None, description="largest learning rate")
    schedule: Schedule = Field("cosine", description="course of the learning rate")
    warmup: Share = Field(0.05, description="share of the steps in which the rate rises from 0")
    weight_decay: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="decoupled decay of the weights in each step, times the learning rate; not of "
        "biases and normalisations",
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="what each block's learning rate is multiplied by for the one below it"
    )
    clip_norm: Positive | None = Field(None, description="largest norm of all gradients together")
    loss: str | None = Field(None, description="loss to minimise; the task's first by default")
    label_smoothing: Share = Field(0.0, description="share of a label spread over all classes")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: rare classes weigh as much as common ones"
    )
    ema: Share | None = Field(None, description="momentum of averaged weights, 0 for none")
    augment: tuple[Augmentation, ...] | None = Field(
        None, description="flip,shift,crop,rotate,scale,colour,cutout,mixup,mosaic; empty for none"
    )
    patience: Count | None = Field(
        None, description="stop after so many epochs without a better validation loss"
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="arithmetic of the layers"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        0, description="of weights, order, augmentation"
    )
    checkpoint_steps: Count | None = Field(
        None, description="also save every so many steps; always at the end of an epoch"
    )

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return the fields as options, for the command line."""
        return {
            name: Option(name, _annotation(field), field.default, field.description or "")
            for name, field in cls.model_fields.items()
        }

    @classmethod
    def parse(cls, given: dict[str, Any]) -> "TrainingSettings":
        """Check what the command line gave.

        Raises:
            UserError: naming the option and what it takes.
        """
        found = cls(**check_options(cls.options(), given, flag="--", owner="fit"))
        require_one(found.epochs, found.steps)
        return found

    def resolve(
        self,
        blueprint: ModuleType,
        task: str,
        augmentation: tuple[str, ...],
        *,
        fine_tuning: bool = False,
    ) -> "TrainingSettings":
        """Fill what was left open.

        Args:
            blueprint: module. Its `TRAINING` holds the defaults that suit the family, its
                `TASK_TRAINING`, if it has one, what else suits a task, its `FINE_TUNING` what else
                suits weights that were trained before, and its `RECIPES` what else belongs to one.
            task: str. The task's name.
            augmentation: tuple of str. What suits the task.
            fine_tuning: bool. Whether the model starts from weights that were trained before.

        Returns:
            TrainingSettings. Without open fields, but for those where `None` means "off".

        Raises:
            UserError: for a recipe that the blueprint does not have.
        """
        published = find_recipe(blueprint, self.recipe)["settings"]
        recipe = _usual(blueprint, task, fine_tuning) | published
        optimizer = self.optimizer or recipe["optimizer"]
        if optimizer != recipe["optimizer"]:
            for name in ("learning_rate", "weight_decay"):  # they were meant for another rule
                recipe.pop(name, None)
        defaults = {"learning_rate": LEARNING_RATES[optimizer], "augment": augmentation} | recipe
        opened = {
            name: value
            for name, value in defaults.items()
            if name != "min_steps"
            and (name not in self.model_fields_set or getattr(self, name) is None)
        }
        return self.model_copy(update=opened | {"optimizer": optimizer})

    def choose_duration(
        self, blueprint: ModuleType, task: str, examples: int, *, fine_tuning: bool = False
    ) -> Duration:
        """Choose epochs and batches where neither the user nor the recipe of a paper says them.

        Args:
            blueprint: module. As in `resolve`.
            task: str. The task's name.
            examples: int. In the training split.
            fine_tuning: bool. As in `resolve`.

        Returns:
            Duration.
        """
        published = find_recipe(blueprint, self.recipe)["settings"]
        return choose_duration(
            _usual(blueprint, task, fine_tuning),
            examples,
            epochs=self.epochs or (None if self.steps else published.get("epochs")),
            steps=self.steps,
            batch_size=self.batch_size or published.get("batch_size"),
        )


def _usual(blueprint: ModuleType, task: str, fine_tuning: bool) -> dict[str, Any]:
    """Return what suits a family, for a task, from new weights or from trained ones."""
    usual = blueprint.TRAINING | getattr(blueprint, "TASK_TRAINING", {}).get(task, {})
    return usual | (getattr(blueprint, "FINE_TUNING", {}) if fine_tuning else {})


def find_recipe(blueprint: ModuleType, name: str | None) -> dict[str, dict[str, Any]]:
    """Return a recipe of a blueprint.

    Args:
        blueprint: module. It may have `RECIPES`.
        name: str. Which, or `None` for none.

    Returns:
        dict. The `options` of the blueprint and the `settings` of the training that it sets.

    Raises:
        UserError: where the blueprint has no such recipe.
    """
    if name is None:
        return {"options": {}, "settings": {}}
    known = getattr(blueprint, "RECIPES", {})
    if name not in known:
        family = blueprint.__name__.rpartition(".")[2]
        hint = suggest(name, known) if known else "; it has none"
        raise UserError(f"blueprint '{family}' has no recipe '{name}'{hint}")
    return known[name]


def _annotation(field) -> Any:
    """Return a field's type with the constraints that pydantic moved into its metadata."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
