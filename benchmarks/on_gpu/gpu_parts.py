"""The parts of `gpu.py` that take no times: `losses`, `half`, `resume` and `memory`."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import gpu_cases
import keras
import numpy as np
from displays import quiet

from threefold.training import fit as fitting
from threefold.training.callbacks import CheckpointCallback, Interrupted
from threefold.training.checkpoints import load_checkpoint
from threefold.training.settings import TrainingSettings

LOSSES = ("family", "TF32", "first loss", "differs by", "five losses differ by", "tolerance", "")
HALF = ("family", "loss scaling", "steps", "losses not finite", "scale halved", "loss")
RESUME = ("family", "data", "switches", "arrays", "two whole runs differ in", "resumed differs in")
MEMORY = ("model", "exit code", "what fit says")

STEPS = 5
# Largest relative difference that is taken for rounding: TF32 keeps 10 bits of a factor.
TOLERANCES = {"off": 1e-3, "on": 3e-2}
# What resumes: data that need no file and no package but scikit-learn and tokenizers.
RUNS = {"dnn": "wine", "cnn": "digits", "rnn": "cylinder_bell_funnel", "ctc": "dtmf",
        "gpt": "stdlib_prose", "gan": "digits"}  # fmt: skip
SMALLER = {"gpt": {"num_layers": "2", "model_dim": "64"}}
DETERMINISTIC = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "XLA_FLAGS": "--xla_gpu_deterministic_ops=true",
}


def families(context) -> tuple[str, ...]:
    """Return the families that were asked for; one for a trial."""
    return context.families or (("dnn",) if context.tiny else gpu_cases.FAMILIES)


def step_losses(model, case, count: int, epochs: int = 1) -> list[float]:
    """Return the loss of each step; an epoch is one step, or the loss would be a running mean."""
    found = []
    for position in range(count):
        batches = case.batches(1, first=position)
        history = model.fit(batches, epochs=epochs, shuffle=False, verbose=0).history
        # Of two networks against each other, the discriminator's falls at first.
        found += [float(x) for x in history.get("discriminator_loss", history["loss"])]
    return found


def losses_jobs(context) -> list:
    """Return what `losses` measures."""
    return [
        (f"{name}, TF32 {state}", lambda name=name, state=state: compare(context, name, state))
        for state in TOLERANCES
        for name in families(context)
    ]


def compare(context, family: str, state: str):
    """Yield how far the first losses on the device are from those on the CPU."""
    start, wanted = losses_on_cpu(family, context.tiny)
    case = gpu_cases.small_case(family, context.tiny)
    with tensor_float(context.backend, state == "on"):
        # Without dropout: each kind of device draws in its own way.
        model = case.build("float32", STEPS, dropout=False)
        model.set_weights(start)
        found = step_losses(model, case, STEPS)
    gaps = [abs(a - b) / max(abs(b), 1e-6) for a, b in zip(found, wanted, strict=True)]
    worst, tolerance = max(gaps), TOLERANCES[state]
    yield (
        family, state, f"{found[0]:.6f}", f"{gaps[0]:.1e}", f"{worst:.1e}", f"{tolerance:.0e}",
        "agrees" if worst <= tolerance else "DIFFERS",
    )  # fmt: skip


@cache
def losses_on_cpu(family: str, tiny: bool) -> tuple[list[np.ndarray], list[float]]:
    """Return first weights, and the losses of a model of them on the CPU, in this process."""
    case = gpu_cases.small_case(family, tiny)
    # Keras on torch takes "cpu:0" for another device than "cpu", and copies the weights.
    with keras.device("cpu" if keras.config.backend() == "torch" else "cpu:0"):
        model = case.build("float32", STEPS, dropout=False)
        start = [np.array(array) for array in model.get_weights()]
        return start, step_losses(model, case, STEPS)


@contextlib.contextmanager
def tensor_float(backend: str, on: bool):
    """Allow products of float32 in TF32, or forbid them, for a while."""
    if backend == "jax":
        import jax

        with jax.default_matmul_precision("tensorfloat32" if on else "highest"):
            yield
        return
    import torch

    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = on
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def half_jobs(context) -> list:
    """Return what `half` measures."""
    return [(name, lambda name=name: train_in_half(context, name)) for name in families(context)]


def train_in_half(context, family: str):
    """Yield how a family fares in mixed_float16."""
    count, epochs = (2, 2) if context.tiny else (gpu_cases.STORED, 50)
    case = gpu_cases.small_case(family, context.tiny)
    model = case.build("mixed_float16", count * epochs)
    scaler = model.optimizer
    scaled = hasattr(scaler, "dynamic_scale")
    before = float(keras.ops.convert_to_numpy(scaler.dynamic_scale)) if scaled else 1.0
    losses = step_losses(model, case, count, epochs)
    after = float(keras.ops.convert_to_numpy(scaler.dynamic_scale)) if scaled else 1.0
    wrong = sum(not math.isfinite(loss) for loss in losses)
    # The scale grows after 2,000 steps at the earliest: until then it tells of each overflow.
    halved = str(round(math.log2(before / after))) if scaled else "no scale"
    course = f"{losses[0]:.3f} to {losses[-1]:.3f}"
    yield family, "on" if scaled else "OFF", len(losses), wrong, halved, course


def resume_jobs(context) -> list:
    """Return what `resume` measures; switches count only in a process that began with them.

    For a trial that process is enough: both do the same.
    """
    wanted = context.families or (("dnn",) if context.tiny else tuple(RUNS))
    names = [name for name in wanted if name in RUNS]
    if context.child:
        return [(name, lambda name=name: resume(name, "deterministic")) for name in names]
    jobs = [(name, lambda name=name: resume(name, "none")) for name in names]
    stated = ["--families", ",".join(names)]
    child = [("deterministic", lambda: run_child(context, "resume", DETERMINISTIC, stated))]
    return child if context.tiny else jobs + child


def resume(family: str, switches: str):
    """Yield in how many arrays two whole runs differ, and a whole one from one that was cut."""
    if switches == "deterministic" and keras.config.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
    with TemporaryDirectory() as folder:
        for name in ("whole", "again"):
            fitting.start(_command(family, f"{folder}/{name}"), quiet)
        with cut_after(step=2), contextlib.suppress(Interrupted):
            fitting.start(_command(family, f"{folder}/cut"), quiet)
            raise RuntimeError("the run ended before it was cut")
        fitting.resume(f"{folder}/cut", None, quiet)
        whole, again, cut = (_final(Path(folder, name)) for name in ("whole", "again", "cut"))
    yield (
        family,
        RUNS[family],
        switches,
        len(whole),
        _differing(whole, again),
        _differing(whole, cut),
    )


def _command(family: str, folder: str) -> fitting.Command:
    # As few examples for training as still make steps enough: the rest is for validation.
    data = {"validation_fraction": "0.2", "test_fraction": "0.5"}
    settings = TrainingSettings.parse(
        {"epochs": "1", "batch_size": "8" if family == "dnn" else "32"}
    )
    options = SMALLER.get(family, {})
    return fitting.Command(family, None, RUNS[family], data, options, settings, folder)


@contextlib.contextmanager
def cut_after(step: int):
    """Stop a run as SIGTERM does, after a step of its first epoch, counted from 0."""
    original = CheckpointCallback.on_train_batch_end

    def cut(self, batch, logs=None):
        if (self.progress.epoch, batch) == (0, step):
            signal.raise_signal(signal.SIGTERM)
        original(self, batch, logs)

    with mock.patch.object(CheckpointCallback, "on_train_batch_end", cut):
        yield


def _final(folder: Path) -> dict[str, np.ndarray]:
    arrays, _ = load_checkpoint(folder / "checkpoints", "state")
    return arrays


def _differing(one: dict, other: dict) -> int:
    same = [n for n in one if n in other and one[n].tobytes() == other[n].tobytes()]
    return len(one.keys() | other.keys()) - len(same)


def memory_jobs(context) -> list:
    """Return what `memory` measures; a small part of the memory is given to a child alone."""
    if context.device == "cpu" or context.child:
        return [("cnn", lambda: fill_memory(context))]
    given = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.02", "XLA_PYTHON_CLIENT_PREALLOCATE": "true"}
    return [("cnn", lambda: run_child(context, "memory", given, []))]


def fill_memory(context):
    """Yield what a fit says that needs too much memory; on a CPU, where the backend says it does.

    The network is wide and the batch is the whole of the data: more than 2 per cent of the memory.
    """
    options, faked = {"filters": "1024,1024"}, contextlib.nullcontext()
    if context.device == "cpu":
        options, faked = {"filters": "2"}, _raise_out_of_memory()
    elif context.backend == "torch":
        import torch

        torch.cuda.set_per_process_memory_fraction(0.02)
    settings = TrainingSettings.parse({"epochs": "1", "batch_size": "1024"})
    with TemporaryDirectory() as folder:
        run = f"{folder}/run"
        wanted = fitting.Command("cnn", None, "digits", {}, options, settings, run)
        try:
            with faked:
                fitting.start(wanted, quiet)
            code, said = 0, "nothing: it found room"
        except Exception as error:
            code, said = getattr(error, "exit_code", 1), f"{type(error).__name__}: {error}"
    said = " ".join(said.split())[:400].replace(run, "RUN").replace("|", "/")
    yield f"cnn {options['filters']}", code, said


def _raise_out_of_memory():
    if keras.config.backend() == "torch":
        import torch

        error = torch.OutOfMemoryError("CUDA out of memory.")
    else:
        import jax

        error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory.")
    return mock.patch.object(CheckpointCallback, "on_train_batch_begin", side_effect=error)


def run_child(context, part: str, environment: dict[str, str], more: list[str]):
    """Yield the rows that a part gives in a process of its own, which begins with an environment.

    Raises:
        RuntimeError: with the last line that it wrote, where it failed.
    """
    script = Path(__file__).parent.parent / "gpu.py"
    words = [sys.executable, str(script), "--parts", part, "--child", *context.words(), *more]
    flags = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), environment.get("XLA_FLAGS")]))
    changed = os.environ | environment | ({"XLA_FLAGS": flags} if flags else {})
    done = subprocess.run(
        words, env=changed, capture_output=True, text=True, timeout=max(context.left(), 60)
    )
    for line in done.stdout.splitlines():
        if line.startswith("["):
            yield tuple(json.loads(line))
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise RuntimeError(f"a process of its own ended with {done.returncode}: {said}")
