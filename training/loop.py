"""The training loop: Keras's own `fit`, cut and continued at any step."""

import keras

from threefold.core.files import remove_parts
from threefold.datasets.dataset import Dataset
from threefold.tasks.task import Task
from threefold.training import state
from threefold.training.adversarial.trainer import check_adversarial, compile_adversarial
from threefold.training.batches import Batches
from threefold.training.callbacks import (
    Callbacks,
    CheckpointCallback,
    Display,
    Progress,
    Signals,
    read_progress,
)
from threefold.training.checkpoints import CheckpointError, clean, load_checkpoint
from threefold.training.optimizers.layer_rates import layer_factors
from threefold.training.optimizers.optimizers import make_optimizer
from threefold.training.run import Run
from threefold.training.settings import TrainingSettings

# A plateau is half of the usual patience for stopping; the rate then falls to a third.
PLATEAU_EPOCHS = 5
PLATEAU_FACTOR = 0.3


def train(
    model: keras.Model,
    task: Task,
    dataset: Dataset,
    run: Run,
    display: Display,
    *,
    resume: bool = False,
) -> Progress:
    """Train a model and keep its state in the run folder.

    Args:
        model: keras.Model. Uncompiled.
        task: Task. Gives loss, metrics, inputs and targets.
        dataset: Dataset. Needs a `train` split; without `validation` the training loss decides
            which epoch is the best.
        run: Run. Its record holds the settings.
        display: Display. Told of every step and epoch.
        resume: bool. Whether to go on from the run's last checkpoint.

    Returns:
        Progress. Where the run stands at the end.

    Raises:
        Interrupted: after a signal; the state is saved.
        Diverged: when the loss is NaN or infinite; the last good state is kept.
        CheckpointError: when the state cannot be read or written.
    """
    settings = run.record.settings
    batches = Batches(
        dataset.splits["train"],
        task,
        settings.batch_size,
        seed=settings.seed,
        augment=settings.augment,
    )
    model = compile_model(model, task, settings, settings.epochs * batches.steps)
    clean(run.checkpoints)
    remove_parts(run.folder)
    progress, arrays = _restore(model, run) if resume else (Progress(), {})
    validation = None
    if "validation" in dataset.splits:
        validation = Batches(dataset.splits["validation"], task, settings.batch_size)
    while not progress.done(settings.epochs):
        # A cut epoch has fewer steps than the others: it is a fit of its own.
        cut = progress.step > 0
        batches.first_step = progress.step
        counting = _counting(settings, validation)
        checkpoint_callback = CheckpointCallback(
            run, type(task), progress, batches, counting, display, arrays if cut else {}
        )
        if cut:
            # Metrics exist from their first batch on. On torch, Keras hands them what it is given.
            model.test_on_batch(*keras.tree.map_structure(keras.ops.convert_to_tensor, batches[0]))
        with Signals(checkpoint_callback):
            model.fit(
                batches.for_keras(),
                validation_data=None if validation is None else validation.for_keras(),
                initial_epoch=progress.epoch,
                epochs=progress.epoch + 1 if cut else settings.epochs,
                shuffle=False,
                verbose=0,
                callbacks=Callbacks(
                    [
                        *_averaging(settings),
                        *counting.values(),
                        *_watching(run, task, progress),
                        checkpoint_callback,
                    ],
                    add_history=True,
                    model=model,
                ),
            )
        if cut:
            # Every fit ends by putting averaged weights in place of the trained ones.
            state.restore_state(model, checkpoint_callback.arrays, same_backend=True)
    return progress


def compile_model(
    model: keras.Model, task: Task, settings: TrainingSettings, total_steps: int
) -> keras.Model:
    """Give a model its loss, metrics and optimizer.

    Returns:
        keras.Model. What Keras fits: the same, or two networks of it against each other.
    """
    model = LOOPS[task.training_loop](model, task, settings, total_steps)
    model.optimizer.build(model.trainable_variables)
    return model


def check_settings(model: keras.Model, task: Task, settings: TrainingSettings) -> None:
    """Refuse settings that the task's way to train cannot use, before a run is made for them."""
    if task.training_loop == "adversarial":
        check_adversarial(model, task, settings)


def _compile_supervised(
    model: keras.Model, task: Task, settings: TrainingSettings, total_steps: int
) -> keras.Model:
    decay = settings.layer_decay
    factors = layer_factors(model, decay) if decay is not None else None
    model.compile(
        optimizer=make_optimizer(settings, total_steps, factors),
        **task.compile_arguments(),
        # Eager is torch's fast way for models of this size; its compiler takes most of a minute.
        jit_compile=False if keras.config.backend() == "torch" else "auto",
    )
    return model


LOOPS = {"supervised": _compile_supervised, "adversarial": compile_adversarial}  # what a task names


def _restore(model: keras.Model, run: Run) -> tuple[Progress, dict]:
    arrays, content = load_checkpoint(run.checkpoints, "state")
    try:
        state.restore_state(
            model, arrays, same_backend=content.get("backend") == keras.config.backend()
        )
    except ValueError as error:
        raise CheckpointError(f"{run.folder} cannot go on: {error}") from error
    progress = read_progress(content)
    run.write_history(progress.history)  # a kill may have come between the two
    return progress, arrays


def _counting(
    settings: TrainingSettings, validation: Batches | None
) -> dict[str, keras.callbacks.Callback]:
    """Return the callbacks that count epochs."""
    monitor = "loss" if validation is None else "val_loss"
    found = {}
    if settings.schedule == "plateau":
        found["plateau"] = keras.callbacks.ReduceLROnPlateau(
            monitor, factor=PLATEAU_FACTOR, patience=PLATEAU_EPOCHS, mode="min"
        )
    if settings.patience is not None:
        found["early_stopping"] = keras.callbacks.EarlyStopping(
            monitor, patience=settings.patience, mode="min"
        )
    return found


def _averaging(settings: TrainingSettings) -> list[keras.callbacks.Callback]:
    """Validate with averaged weights where there are such."""
    return [keras.callbacks.SwapEMAWeights()] if settings.ema else []


def _watching(run: Run, task: Task, progress: Progress) -> list[keras.callbacks.Callback]:
    """Show what a generator makes while it is trained, and what goes wrong."""
    if task.generates != "images":
        return []
    from threefold.training.adversarial.watching import WatchCallback

    return [WatchCallback(run, task, progress)]
