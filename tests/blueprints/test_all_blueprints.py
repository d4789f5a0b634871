"""What every blueprint promises, for each of its tasks.

The cells are found, not listed: a new family is tested as soon as its file is there. Run as a
script, this file writes the first losses of every cell on another backend: see
`test_first_losses_agree_across_backends`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args, get_origin
from unittest.mock import MagicMock

import cells
import numpy as np
import pytest

from threefold.datasets import loading
from threefold.datasets.dataset import Dataset, Subset
from threefold.datasets.errors import UserError
from threefold.datasets.options import Option, options_of
from threefold.tasks.task import Task, find_task
from threefold.training.backend import BACKENDS, choose_backend, seed_everything
from threefold.training.building import build_model, find_blueprint, resolve_options
from threefold.training.checkpoints import load_checkpoint, save_checkpoint
from threefold.training.settings import TrainingSettings

BACKEND = choose_backend()
DATA = tempfile.TemporaryDirectory()
BATCH_SIZE, STEPS = 16, 5
# Measured: 2e-7; 2e-5 for image_regression, where Adam divides gradients that are zero but for
# rounding by their own size.
AGREEMENT = 5e-5


class Cell:
    """One blueprint for one task, with its small data."""

    def __init__(self, cell: cells.Cell):
        self.cell, self.blueprint, self.task_name = cell, cell.blueprint, cell.task

    def __str__(self) -> str:
        return str(self.cell)

    @cached_property
    def dataset(self) -> Dataset:
        reference, options = self.cell.data(Path(DATA.name))
        return loading.load(reference, options, task=self.task_name)

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

    def ask(self, model, count: int):
        """Return raw outputs as an evaluation gets them."""
        examples = self.dataset.splits["train"][np.arange(count)]
        return self.task.responder(model)(self.task.asked(examples))

    def inputs(self, count: int) -> dict[str, np.ndarray]:
        return self.task.inputs(self.dataset.splits["train"][np.arange(count)])


ALL = [Cell(cell) for cell in cells.CELLS]


def step_losses(cell: Cell, model, positions: list[int]) -> list[float]:
    """Compile a model, take one step on each batch, and return the losses before the steps."""
    from threefold.training.batches import Batches
    from threefold.training.loop import compile_model

    settings = TrainingSettings.parse({"schedule": "constant", "warmup": "0"})
    settings = settings.resolve(find_blueprint(cell.blueprint), cell.task_name, ())
    # A fit ends by putting averaged weights in place of the trained ones.
    settings = settings.model_copy(update={"ema": None})
    model = compile_model(model, cell.task, settings, len(positions))
    losses = []
    size = len(cell.dataset.splits["train"])
    for position in positions:
        rows = (np.arange(BATCH_SIZE) + position * BATCH_SIZE) % size
        batches = Batches(Subset(cell.dataset.splits["train"], rows), cell.task, BATCH_SIZE)
        # An epoch of one step: the loss that Keras reports is that of the step alone.
        history = model.fit(batches, shuffle=False, verbose=0).history
        # Of two networks against each other, the discriminator's is the one that falls at first.
        losses.append(float(history.get("discriminator_loss", history["loss"])[0]))
    return losses


@pytest.fixture(scope="module", params=ALL, ids=str)
def cell(request) -> Cell:
    return request.param


@pytest.fixture(scope="module")
def trained(cell):
    """A model after some steps on one batch, with the losses before each."""
    model = cell.build_without_dropout()
    return model, step_losses(cell, model, [0] * STEPS)


def test_raw_outputs_have_the_promised_shape(cell):
    model = cell.build()
    inputs = cell.inputs(3)
    assert set(model.input) == set(inputs) == {tensor.name for tensor in model.inputs}
    outputs = np.asarray(model.predict_on_batch(inputs))
    shape = [side or found for side, found in zip(model.output.shape, outputs.shape, strict=True)]
    assert list(outputs.shape) == shape and len(outputs) == 3
    assert outputs.dtype == np.float32 and np.isfinite(outputs).all()
    answers = cell.task.answer(cell.ask(model, 3))
    fields = {field.name: field for field in cell.task.output_fields()}
    assert set(answers) == set(fields)
    for name, array in answers.items():
        wanted = [3 if side == "batch" else side for side in fields[name].shape]
        found = [w if isinstance(w, str) else s for s, w in zip(array.shape, wanted, strict=True)]
        assert (array.dtype, found) == (fields[name].dtype, wanted)


def test_names_of_layers_and_weights_are_unique_and_lasting(cell):
    one, other = cell.build(), cell.build()
    paths = [weight.path for weight in one.weights]
    assert len(set(paths)) == len(paths)
    assert paths == [weight.path for weight in other.weights]
    layers = [layer.name for layer in one.layers]
    assert len(set(layers)) == len(layers)
    assert layers == [layer.name for layer in other.layers]


def test_the_seed_decides_the_first_weights(cell):
    one, same, other = cell.build(1), cell.build(1), cell.build(2)
    inputs = cell.inputs(3)
    answers = [np.asarray(model.predict_on_batch(inputs)) for model in (one, same, other)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_a_few_steps_on_one_batch_lower_the_loss(trained):
    _, losses = trained
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.99 * losses[0], losses


def test_a_saved_model_answers_as_before(cell, trained, tmp_path):
    from threefold.training import state

    model, _ = trained
    save_checkpoint(tmp_path, "best", state.collect_weights(model), {})
    other = cell.build(seed=1)
    inputs = cell.inputs(5)
    wanted = np.asarray(model.predict_on_batch(inputs))
    assert not np.array_equal(np.asarray(other.predict_on_batch(inputs)), wanted)
    state.restore_weights(other, load_checkpoint(tmp_path, "best")[0])
    np.testing.assert_array_equal(np.asarray(other.predict_on_batch(inputs)), wanted)


def test_an_answer_does_not_depend_on_the_rest_of_the_batch(cell, trained):
    model, _ = trained
    inputs = cell.inputs(6)
    together = np.asarray(model.predict_on_batch(inputs))
    rows = [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(6)]
    alone = [np.asarray(model.predict_on_batch(row)) for row in rows]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-4, atol=1e-5)


def test_dropout_is_for_training_alone(cell):
    given = dict.fromkeys((name for name in cell.options if "dropout" in name), "0.5")
    model, inputs = cell.build(**given), cell.inputs(6)
    one, other = (np.asarray(model.predict_on_batch(inputs)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    if given:
        from keras import ops

        once, again = (ops.convert_to_numpy(model(inputs, training=True)) for _ in range(2))
        assert not np.array_equal(once, again)


def test_every_option_is_honoured_or_refused(cell):
    """A value changes the model, or is refused in one line; none is ignored."""
    default = outline(cell.build())
    for name, option in cell.options.items():
        for value in other_values(option):
            if value == cell.cell.options.get(name):
                continue
            try:
                model = cell.build(**{name: value})
            except UserError as error:
                assert not option.choices, f"{name}={value}: {error}"
                assert_one_line(error, name)
            else:
                assert outline(model) != default, f"{name}={value} changes nothing"


def test_a_value_that_does_not_fit_names_the_option_and_what_it_takes(cell):
    for name, option in cell.options.items():
        for value, expected in bad_values(option):
            with pytest.raises(UserError) as error:
                cell.build(**{name: value})
            assert_one_line(error.value, f"{name}={value}", expected)


def test_an_unknown_option_suggests_the_closest(cell):
    for name in cell.options:
        with pytest.raises(UserError, match=f"'{name}_'; did you mean '{name}'"):
            cell.build(**{f"{name}_": "1"})


def outline(model) -> str:
    """Return all that a model is made of, but for the random seeds."""
    layers = [(layer.name, type(layer).__name__, layer.get_config()) for layer in model.layers]
    shapes = [weight.shape for weight in model.weights]
    rules = getattr(model, "rules", None)  # of a model that is not trained by one loss
    return re.sub(r"'seed': \d+", "", repr((layers, shapes, rules)))


def other_values(option: Option) -> list[str]:
    """Return values that differ from the default, as they are typed."""
    kinds = kinds_of(option)
    if option.choices:
        return [word for word in option.choices if word != str(option.default)]
    if bool in kinds:
        return [str(not option.default).lower()]
    if tuple in kinds and words_of(option):
        return [",".join(words) for words in (words_of(option)[:1], words_of(option)[1:])]
    if tuple in kinds:
        return ["3", "3,5,2"]
    if int in kinds:
        default = option.default or 0  # of those that are off, or follow from others
        return [str(default + 1), str(default + 6)]
    if float in kinds:
        return ["0.37"]
    return []  # a word of any kind, such as a preset's name: its own file tests it


def bad_values(option: Option) -> list[tuple[str, str]]:
    """Return values that cannot be, each with a part of the message that is wanted."""
    kinds = kinds_of(option)
    if option.choices:
        return [(f"{option.choices[0]}x", f"did you mean '{option.choices[0]}'")]
    if tuple in kinds and words_of(option):
        return [("3,x", f"'{words_of(option)[0]}'")]
    if tuple in kinds:
        return [("3,x", "integer"), ("0", "greater than")]
    if int in kinds:
        return [("many", "integer"), ("1.5", "integer"), ("0", "greater than")]
    if float in kinds:
        return [("much", "number"), ("nan", "number"), ("-0.1", "greater than")]
    return []


def words_of(option: Option) -> list[str]:
    """Return the words that an option's list may hold."""
    member = get_args(option.annotation)[0]
    return list(get_args(member)) if get_origin(member) is Literal else []


def kinds_of(option: Option) -> set[type]:
    """Return the plain types of an annotation."""
    found, left = set(), [option.annotation]
    while left:
        annotation = left.pop()
        origin = get_origin(annotation)
        if origin is Literal:
            continue
        if origin in (tuple, list):
            found.add(tuple)
        elif origin is None:
            found.add(annotation)
        else:
            parts = get_args(annotation)
            left += [part for part in parts if isinstance(part, type) or get_origin(part)]
    return found


def assert_one_line(error: Exception, *words: str) -> None:
    text = str(error)
    assert "\n" not in text and len(text) < 400, text
    for word in words:
        assert word in text, f"'{word}' is not in: {text}"


# The other backends run once, in the job of one backend: compiling every cell takes a while.
if BACKEND == "torch":

    @pytest.fixture(scope="module")
    def reports(tmp_path_factory):
        """What `report` found on each backend, all from the weights of this process."""
        folder = tmp_path_factory.mktemp("backends")
        weights = {}
        for cell in ALL:
            for weight in cell.build_without_dropout().weights:
                weights[f"{cell}/{weight.path}"] = np.asarray(weight.numpy())
        np.savez(folder / "weights.npz", **weights)
        found = {}
        for backend in BACKENDS:
            ended = subprocess.run(
                [sys.executable, __file__, str(folder)],
                env=os.environ
                | {"KERAS_BACKEND": backend, "PYTHONPATH": str(Path(cells.__file__).parent)},
                capture_output=True,
                text=True,
            )
            assert ended.returncode == 0, ended.stderr
            found[backend] = json.loads((folder / f"{backend}.json").read_text())
        return found

    @pytest.mark.parametrize("cell", ALL, ids=str)
    def test_first_losses_agree_across_backends(cell, reports):
        losses = {backend: found["losses"][str(cell)] for backend, found in reports.items()}
        assert all(len(found) == STEPS for found in losses.values())
        for backend in BACKENDS[1:]:
            np.testing.assert_allclose(losses[backend], losses[BACKENDS[0]], rtol=AGREEMENT)

    def test_a_fit_imports_no_other_backend(reports):
        """Of the large ones: Keras and TensorFlow themselves import jax where it is installed."""
        assert "torch" not in reports["tensorflow"]["imported"] + reports["jax"]["imported"]
        assert "tensorflow" not in reports["jax"]["imported"] + reports["torch"]["imported"]


def report(folder: Path) -> None:
    """Write the losses of every cell's first steps, and which backends fits have imported."""
    weights, losses = np.load(folder / "weights.npz"), {}
    for cell in ALL:
        model = cell.build_without_dropout()
        for weight in model.weights:
            weight.assign(weights[f"{cell}/{weight.path}"])
        losses[str(cell)] = step_losses(cell, model, list(range(STEPS)))
    for cell in cells.CELLS if BACKEND != "tensorflow" else ():
        fit_briefly(cell, folder / f"{BACKEND}-{cell}")
    imported = [backend for backend in BACKENDS if backend in sys.modules]
    (folder / f"{BACKEND}.json").write_text(json.dumps({"losses": losses, "imported": imported}))


def fit_briefly(cell: cells.Cell, folder: Path) -> None:
    from threefold.training import fit as fitting

    reference, data_options = cell.data(Path(DATA.name))
    fitting.start(
        fitting.Command(
            blueprint=cell.blueprint,
            task=cell.task,
            dataset=reference,
            data_options=data_options,
            options=cell.options,
            settings=TrainingSettings.parse({"epochs": "1", "batch_size": "512"}),
            run=str(folder),
        ),
        lambda run, dataset, model: MagicMock(),
    )


if __name__ == "__main__":
    report(Path(sys.argv[1]))
