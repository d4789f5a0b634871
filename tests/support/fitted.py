"""A cell with its data, and what is made of it once for all its tests: model, run, artifacts."""

from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pytest
from cells import Cell
from compiled_once import CompiledOnce
from displays import quiet
from forbidden import forbid

from threefold.core.options import Option, options_of
from threefold.datasets.dataset import Dataset, SubsetSource
from threefold.tasks.task import Task, find_task
from threefold.training import fit as fitting
from threefold.training.backend import choose_backend, seed_everything
from threefold.training.building import build_model, find_blueprint, resolve_options
from threefold.training.data import load_dataset
from threefold.training.run import Run
from threefold.training.settings import TrainingSettings

# Of the large backends: Keras and TensorFlow themselves import jax where it is installed.
OTHERS = {"tensorflow", "torch"} - {choose_backend()}
BATCH_SIZE = 16


class FittedCell:
    """One blueprint for one task, with its small data.

    Args:
        cell: Cell. Which.
        folder: Path. Where its data, runs and artifacts go.
        children: LastingChildren. Do the work of exports.
    """

    def __init__(self, cell: Cell, folder: Path, children):
        self.cell, self.folder, self.children = cell, folder, children
        self.blueprint, self.task_name = cell.blueprint, cell.task
        self.compiled = CompiledOnce()
        self.export = cache(self._export)

    def __str__(self) -> str:
        return str(self.cell)

    @cached_property
    def dataset(self) -> Dataset:
        reference, options = self.cell.data(self.folder)
        return load_dataset(reference, options, task=self.task_name)

    @cached_property
    def task(self) -> Task:
        given = resolve_options(self.blueprint, self.task_name, self.cell.options)
        return find_task(self.task_name)(self.dataset.facts, options=given)

    @cached_property
    def options(self) -> dict[str, Option]:
        return options_of(find_blueprint(self.blueprint).TASKS[self.task_name])

    def build(self, seed: int = 0, **options: str):
        seed_everything(seed)
        given = self.cell.options | options
        return build_model(self.blueprint, self.task, given, "float32")[0]

    def build_without_dropout(self):
        names = [name for name in self.options if "dropout" in name]
        return self.build(**dict.fromkeys(names, "0"))

    def predict_with(self, model, count: int):
        """Return raw outputs as an evaluation gets them."""
        examples = self.dataset.splits["train"][np.arange(count)]
        return self.task.predict_fn(model)(self.task.inference_inputs(examples))

    def model_inputs(self, count: int) -> dict[str, np.ndarray]:
        return self.task.model_inputs(self.dataset.splits["train"][np.arange(count)])

    def step_losses(self, model, positions: list[int]) -> list[float]:
        """Compile, take one step on each of some batches; return the losses before the steps."""
        from threefold.training.batches import Batches
        from threefold.training.loop import compile_model

        settings = TrainingSettings.parse({"schedule": "constant", "warmup": "0"})
        settings = settings.resolve(find_blueprint(self.blueprint), self.task_name, ())
        # A fit ends by putting averaged weights in place of the trained ones.
        settings = settings.model_copy(update={"ema": None})
        model = compile_model(model, self.task, settings, len(positions))
        source, losses = self.dataset.splits["train"], []
        for position in positions:
            rows = (np.arange(BATCH_SIZE) + position * BATCH_SIZE) % len(source)
            batches = Batches(SubsetSource(source, rows), self.task, BATCH_SIZE)
            # An epoch of one step: the loss that Keras reports is that of the step alone.
            history = model.fit(batches, shuffle=False, verbose=0).history
            # Of two networks that nothing holds to an image, the discriminator's falls at first.
            name = "discriminator_loss" if self.task.generates == "images" else "loss"
            losses.append(float(history[name][0]))
        return losses

    def command(self, name: str) -> fitting.Command:
        """Return what fits this cell into a folder of a name."""
        reference, data = self.cell.data(self.folder)
        return fitting.Command(
            blueprint=self.blueprint,
            task=self.task_name,
            dataset=reference,
            data_options=data,
            options=self.cell.options,
            settings=TrainingSettings.parse({"epochs": "3", "batch_size": "8"}),
            run=str(self.folder / f"{self.cell}-{name}"),
        )

    @cached_property
    def whole(self) -> Run:
        """A run that was never cut, fitted where no other large backend can be imported."""
        with pytest.MonkeyPatch.context() as patch:
            forbid(patch, OTHERS, "a fit on another backend needs none of it")
            self.compiled.stand_in(patch)
            return fitting.start(self.command("whole"), quiet).run

    def _export(self, format: str):
        from threefold.exporting import export

        output = str(self.folder / "artifacts" / f"{self.cell}-{format}")
        run = self.whole
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "run_child", self.children.run_child)
            patch.setattr(export, "rebuild_model", self.compiled.rebuild)
            return export.export_run(run, export.Request(format, output))
