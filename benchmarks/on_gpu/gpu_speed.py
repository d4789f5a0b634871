"""The parts of `gpu.py` that take times: `speed` and `pipeline`."""

import gc
import math
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import gpu_cases
import keras
import numpy as np

from threefold.training.callbacks import Callbacks

# Dense products without sparsity, FLOP/s; that of float32 is TF32's, whether it is on or not.
PEAKS = {
    "H100": {"float32": 495e12, "mixed_float16": 989e12, "mixed_bfloat16": 989e12},
    "H200": {"float32": 495e12, "mixed_float16": 989e12, "mixed_bfloat16": 989e12},
}
SPEED = ("model", "precision", "as", "steps/s", "first step, s", "peak, MiB", "GFLOP/step", "MFU")
PIPELINE = ("model", "precision", "batch repeated, steps/s", "pipeline, steps/s", "waits for data")


class Repeated(keras.utils.PyDataset):
    """One batch, again and again: what a pipeline without cost would give."""

    def __init__(self, batch, steps: int):
        super().__init__(workers=1)
        self.batch, self.steps = batch, steps

    def __len__(self):
        return self.steps

    def __getitem__(self, position):
        return self.batch


class Clock(keras.callbacks.Callback):
    """Takes the time to the first finished step and that of each epoch after the first."""

    def __init__(self):
        super().__init__()
        self.first, self.epochs, self.started = None, [], time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        """Start."""
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Wait for the first step alone: steps are handed to the device ahead of their results."""
        if self.first is None:
            float(keras.ops.convert_to_numpy(logs["loss"]))
            self.first = time.perf_counter() - self.started

    def on_epoch_end(self, epoch, logs=None):
        """Stop; the metrics of the epoch are numbers by now, and so the steps are finished."""
        float(keras.ops.convert_to_numpy(logs["loss"]))
        if epoch > 0:
            self.epochs.append(time.perf_counter() - self.begun)


def time_steps(model, data, epochs: int = 3) -> tuple[float, float]:
    """Return steps a second (median of the epochs after the first), seconds to the first step."""
    clock = Clock()
    callbacks = Callbacks([clock], add_history=True, model=model)
    model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return len(data) / statistics.median(clock.epochs), clock.first


def speed_jobs(context) -> list:
    """Return what `speed` measures, the most telling first: a label and a function each."""
    usual = "eager" if context.backend == "torch" else "compiled"
    wanted = [(name, "mixed_bfloat16", usual) for name in gpu_cases.LARGE]
    wanted += [("rnn", "mixed_bfloat16", "unfused"), ("transformer", "mixed_bfloat16", "plain")]
    wanted += [(name, "float32", usual) for name in gpu_cases.LARGE]
    wanted += [("rnn", "float32", "unfused")]
    # Adversarial training refuses mixed_float16.
    wanted += [(name, "mixed_float16", usual) for name in gpu_cases.LARGE if name != "gan"]
    if context.backend == "torch":
        names = ("gpt", "transformer", "cnn", "gan")
        wanted += [(name, "mixed_bfloat16", "compiled") for name in names]
    if context.tiny:  # one of ours and the other; torch's compiler takes a minute for each
        wanted = [("rnn", "float32", "unfused"), ("transformer", "mixed_bfloat16", "plain")]
    return [
        (" ".join(words), lambda words=words: measure_speed(context, *words)) for words in wanted
    ]


def measure_speed(context, name: str, precision: str, mode: str):
    """Yield the row of one model."""
    case = gpu_cases.large_case(name, context.tiny)
    steps = 2 if context.tiny else 20
    start_peak = restart_peak(context)
    if mode == "plain":
        from gpu_plain import measure_transformer

        rate, first = measure_transformer(case, steps, context)
        peak = read_peak(context, start_peak) if context.backend == "torch" else "not read"
        name, mode = f"{name}, PyTorch's own", "eager" if context.tiny else "compiled"
    else:
        model = case.build(precision, 3 * steps)
        if mode == "unfused":
            for layer in model._flatten_layers():
                if hasattr(layer, "use_cudnn"):
                    layer.use_cudnn = False
        if mode == "compiled" and context.backend == "torch":
            model.jit_compile = True
        rate, first = time_steps(model, Repeated(case.batches(1)[0], steps))
        peak = read_peak(context, start_peak)
        del model
    operations = count_operations(case)
    clear(context)
    yield (
        name, precision, mode, f"{rate:.2f}", f"{first:.1f}", peak,
        f"{operations / 1e9:.4g}" if operations else "not counted",
        describe_utilisation(context.device_name, precision, operations, rate),
    )  # fmt: skip


def describe_utilisation(device: str, precision: str, operations: float | None, rate: float) -> str:
    """Return the share of the device's peak that the model's own operations make up."""
    peak = next((peaks[precision] for name, peaks in PEAKS.items() if name in device), None)
    if operations is None:
        return "not counted"
    return "peak unknown" if peak is None else f"{100 * operations * rate / peak:.1f}%"


def count_operations(case) -> float | None:
    """Return the floating-point operations of a training step: products of matrices alone.

    A multiplication and an addition are two; backwards costs twice as much as forwards. Masked
    scores of attention count, as the usual kernels compute them. Not counted for two networks
    against each other.
    """
    if case.blueprint == "gan":
        return None
    from threefold.training.building import build_model

    keras.config.set_dtype_policy("float32")
    model, _ = build_model(case.blueprint, case.task(), case.options, "float32")
    total = 0
    for layer in model._flatten_layers():
        kind = type(layer).__name__
        if kind in ("LSTM", "GRU", "SimpleRNN"):
            kernels = (layer.cell.kernel, layer.cell.recurrent_kernel)
            total += 2 * case.steps * sum(math.prod(kernel.shape) for kernel in kernels)
        elif kind in ("Dense", "Conv1D", "Conv2D"):
            places = [case.steps if n is None else n for n in layer.output.shape[1:-1]]
            total += 2 * math.prod(layer.kernel.shape) * math.prod(places)
        elif kind == "Attend":
            total += 4 * case.steps**2 * layer.output.shape[-1]
    if case.blueprint in ("gpt", "transformer") and not _has_head(model):
        table = next(x for x in model._flatten_layers() if type(x).__name__ == "TokenEmbedding")
        total += 2 * case.steps * math.prod(table.embeddings.shape)
    return 3.0 * total * case.batch_size


def _has_head(model) -> bool:
    return any(layer.name == "head" for layer in model._flatten_layers())


def restart_peak(context) -> int:
    """Start to watch the device's memory; return what is the peak already."""
    if context.device == "cpu":
        return 0
    if context.backend == "torch":
        import torch

        torch.cuda.reset_peak_memory_stats()
        return 0
    import jax

    return jax.devices()[0].memory_stats()["peak_bytes_in_use"]


def read_peak(context, before: int) -> str:
    """Return the peak in MiB. JAX keeps one for the whole process: what is less than an earlier
    one is only bounded by it.
    """
    if context.device == "cpu":
        return "not read"
    if context.backend == "torch":
        import torch

        return f"{torch.cuda.max_memory_allocated() / 2**20:.0f}"
    import jax

    peak = jax.devices()[0].memory_stats()["peak_bytes_in_use"]
    return f"{'' if peak > before else 'at most '}{peak / 2**20:.0f}"


def clear(context) -> None:
    """Let go of what is not needed any more."""
    keras.utils.clear_session(free_memory=False)
    gc.collect()
    if context.device == "cpu":
        return
    if context.backend == "torch":
        import torch

        torch.cuda.empty_cache()
    else:
        import jax

        jax.clear_caches()


def pipeline_jobs(context) -> list:
    """Return what `pipeline` measures."""
    names = () if context.tiny else gpu_cases.LARGE
    jobs = [(name, lambda name=name: measure_pipeline(context, name)) for name in names]
    return [*jobs, ("cnn, JPEG files", lambda: measure_files(context))]


def measure_pipeline(context, name: str):
    """Yield how far the real pipeline of one model keeps up with the device."""
    case = gpu_cases.large_case(name, context.tiny)
    steps = 2 if context.tiny else 20
    batches = case.batches(steps, real=True)
    yield _compare_feeding(context, case, batches, name)


def measure_files(context):
    """Yield the same for images that are decoded from files and resized."""
    from PIL import Image

    from threefold.datasets import loading
    from threefold.training.batches import Batches

    side, count = (8, 24) if context.tiny else (224, 640)
    stored = np.random.default_rng(0).integers(0, 256, (8, 2 * side, 2 * side, 3), np.uint8)
    with TemporaryDirectory() as folder:
        for number in range(count):
            place = Path(folder, "abc"[number % 3])
            place.mkdir(exist_ok=True)
            Image.fromarray(stored[number % 8]).save(place / f"{number:04d}.jpg")
        given = {"image_size": str(side), "validation_fraction": "0", "test_fraction": "0"}
        dataset = loading.load(folder, given)
        like = gpu_cases.large_case("cnn", context.tiny)
        case = gpu_cases.Case(
            "cnn", dataset.task, dataset.facts, {}, like.batch_size, like.options,
            augment=like.augment,
        )  # fmt: skip
        batches = Batches(
            dataset.splits["train"], case.task(), case.batch_size, seed=0, augment=case.augment
        )
        yield _compare_feeding(context, case, batches, "cnn, JPEG files")


def _compare_feeding(context, case, batches, name: str):
    precision = "float32" if context.tiny else "mixed_bfloat16"
    model = case.build(precision, 6 * len(batches))
    repeated, _ = time_steps(model, Repeated(batches[0], len(batches)))
    real, _ = time_steps(model, batches)
    clear(context)
    waiting = max(0.0, 1 - real / repeated)
    return name, precision, f"{repeated:.2f}", f"{real:.2f}", f"{100 * waiting:.0f}%"
