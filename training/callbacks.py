"""What happens while Keras fits: saving, stopping, and telling the person."""

import math
import signal
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn, Protocol

import keras

from threefold.core.best_epoch import find_best, score_of
from threefold.core.errors import Failure
from threefold.tasks.metrics.images.adversarial_history import find_remedies
from threefold.tasks.task import Task
from threefold.training import state
from threefold.training.backend import seed_process
from threefold.training.batches import Batches
from threefold.training.checkpoints import CheckpointError, save_checkpoint
from threefold.training.run import Run

# What early stopping and the plateau schedule count; Keras resets them whenever a fit begins.
COUNTERS = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


class Interrupted(Failure):
    """A signal stopped the run after its state was saved; the exit code is the shell's own."""

    def __init__(self, signal_number: int, run: Run, progress: "Progress"):
        name = signal.Signals(signal_number).name
        super().__init__(
            f"{name} in epoch {progress.epoch + 1}, after step {progress.step}: the state is "
            f"saved; go on with: threefold fit --resume {run.folder}"
        )
        self.exit_code = 128 + signal_number


class Diverged(Failure):
    """The loss is not a number any more."""


@dataclass
class Progress:
    """Where a run stands: the next step to take, and all that is no array.

    `epoch` and `step` count finished ones: the run goes on with step `step` of epoch `epoch`.
    """

    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int | None = None
    counters: dict[str, dict[str, float]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    stopped_early: bool = False
    seconds: float = 0.0

    def done(self, epochs: int) -> bool:
        """Return whether nothing is left to train."""
        return self.stopped_early or self.epoch >= epochs

    def to_json(self) -> dict[str, Any]:
        """Return plain data; Python's JSON keeps every bit of a float."""
        return asdict(self)


class Display(Protocol):
    """Where a fit says how far it is; a context for the time of the training."""

    def __enter__(self) -> "Display":
        """Begin."""

    def __exit__(self, *error) -> None:
        """End, whatever happened."""

    def batch(self, epoch: int, step: int, logs: dict[str, float]) -> None:
        """Take the running metrics after a step, counted from 1."""

    def epoch(self, row: dict[str, float], improved: bool) -> None:
        """Take the metrics of a finished epoch."""


class CheckpointCallback(keras.callbacks.Callback):
    """Saves the state, follows the best epoch, and stops on signals and on a loss of NaN.

    It must be the last of the callbacks: it takes their counters when an epoch ends, and puts them
    back when a fit begins, after Keras has reset them.

    Args:
        run: Run. Where to save.
        task: type of Task. Knows which epochs are as good as each other.
        progress: Progress. Where the run stands; kept up to date.
        batches: Batches. Told the epoch before Keras asks for its first batch.
        counting: dict of str to callback. Those whose counters belong to the state.
        display: Display. Told of every step and epoch.
        cut: dict of str to array. The state in which an epoch was cut, to go on with; else empty.
    """

    def __init__(
        self,
        run: Run,
        task: type[Task],
        progress: Progress,
        batches: Batches,
        counting: dict[str, keras.callbacks.Callback],
        display: Display,
        cut: dict[str, Any],
    ):
        super().__init__()
        self.run, self.task, self.progress, self.batches = run, task, progress, batches
        self.counting, self.display, self.cut = counting, display, cut
        self.every = run.record.settings.checkpoint_steps
        self.arrays: dict[str, Any] = {}
        self.caught: int | None = None
        self.newest: tuple[int, Any] | None = None  # the last step, and its loss
        self.started = time.monotonic() - progress.seconds

    def on_train_begin(self, logs=None):
        """Put the counters of other callbacks back."""
        for name, values in self.progress.counters.items():
            vars(self.counting[name]).update(values)

    def on_epoch_begin(self, epoch, logs=None):
        """Set the epoch of the batches; go on with the metrics of a cut epoch."""
        self.batches.epoch = epoch
        if self.cut:
            state.restore_metrics(self.model, self.cut)

    def on_train_batch_begin(self, batch, logs=None):
        """Give the random generators of the process a state that only epoch and step decide.

        Torch's data loader, for one, draws from them whenever an iteration begins.
        """
        if batch == 0 and self.cut:
            state.restore_generators(self.cut)
            self.cut = {}
        elif batch == 0:
            seed_process(self.run.record.settings.seed + self.progress.epoch)

    def on_train_batch_end(self, batch, logs=None):
        """Stop on NaN; save when it is time, or when a signal came."""
        step = self.progress.step = self.batches.first_step + batch + 1
        # Of the step before: to wait for this one would cost small models a tenth of their time.
        self._check_loss()
        self.newest = step, logs["loss"]
        self.display.batch(self.progress.epoch, step, logs)
        if step == self.batches.steps:  # the epoch's end saves
            self._check_loss()
        elif self.caught is not None or (self.every and step % self.every == 0):
            self._check_loss()
            self._save()
            if self.caught is not None:
                raise Interrupted(self.caught, self.run, self.progress)

    def on_epoch_end(self, epoch, logs=None):
        """Save the state, and the weights where the epoch is the best so far."""
        row = {"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()}
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        self.progress.epoch, self.progress.step = epoch + 1, 0
        self.progress.history.append(row)
        improved = find_best(self.progress.history, self.task.loss_tolerance) == epoch
        if improved:
            self.progress.best, self.progress.best_epoch = score_of(row), epoch + 1
        self.progress.stopped_early = bool(self.model.stop_training)
        self._count()
        if improved:
            weights = state.collect_weights(self.model)
            self._require_finite(weights)
            save_checkpoint(self.run.checkpoints, "best", weights, {"epoch": epoch + 1})
        self._save()
        self.run.write_history(self.progress.history)
        self.display.epoch(row, improved)
        if self.caught is not None:
            raise Interrupted(self.caught, self.run, self.progress)

    def _check_loss(self) -> None:
        if self.newest is None:
            return
        step, loss = self.newest[0], float(keras.ops.convert_to_numpy(self.newest[1]))
        self.newest = None
        if not math.isfinite(loss):
            self._stop_for(
                f"the loss became {loss} in epoch {self.progress.epoch + 1}, step {step}"
            )

    def _count(self) -> None:
        self.progress.counters = {
            name: {key: float(value) for key, value in vars(callback).items() if key in COUNTERS}
            for name, callback in self.counting.items()
        }

    def _save(self) -> None:
        self.progress.seconds = time.monotonic() - self.started
        self.arrays = state.collect_state(self.model)
        if self.progress.step > 0:
            self.arrays |= state.collect_generators()
        self._require_finite(self.arrays)
        content = self.progress.to_json() | {"backend": keras.config.backend()}
        save_checkpoint(self.run.checkpoints, "state", self.arrays, content)

    def _require_finite(self, arrays: dict[str, Any]) -> None:
        if not state.all_finite(arrays):
            epoch = self.progress.epoch + (self.progress.step > 0)
            self._stop_for(f"a weight is not a number any more in epoch {epoch}")

    def _stop_for(self, reason: str) -> NoReturn:
        kept = any(self.run.checkpoints.glob("state-*"))
        left = f"the last good state is kept in {self.run.checkpoints}" if kept else (
            "nothing was saved yet"
        )  # fmt: skip
        remedies = ["a lower --learning-rate", "--clip-norm 1"]
        record = self.run.record
        if self.task.training_loop == "adversarial":
            remedies[1:1] = find_remedies(record.options)
        raise Diverged(f"{reason}; {left}; try {', '.join(remedies[:-1])} or {remedies[-1]}")


class Callbacks(keras.callbacks.CallbackList):
    """Keras's own list, which however does not wait for the metrics of every step."""

    def on_train_batch_end(self, batch, logs=None):
        """Hand the metrics on as the backend has them, perhaps not computed yet."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class Signals:
    """Catches SIGINT and SIGTERM for a while; the second of a kind acts as it always did.

    Args:
        checkpoint_callback: CheckpointCallback. Told which signal came; it saves and stops at the
            end of the step.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, checkpoint_callback: CheckpointCallback):
        self.checkpoint_callback = checkpoint_callback
        self.before: dict[int, Any] = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.before = {n: signal.signal(n, self._catch) for n in self.NUMBERS}
        return self

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _catch(self, number, frame):
        self.checkpoint_callback.caught = number
        signal.signal(number, self.before[number])


def read_progress(content: dict[str, Any]) -> Progress:
    """Return the progress that a checkpoint holds.

    Raises:
        CheckpointError: where it does not fit this version.
    """
    try:
        return Progress(**{k: v for k, v in content.items() if k != "backend"})
    except TypeError as error:
        raise CheckpointError(f"the checkpoint is of another version: {error}") from None
