"""A device whose memory is full, said in one line with what to do."""

import contextlib
from collections.abc import Iterator

from threefold.core.errors import Failure
from threefold.training.backend import device_name
from threefold.training.run import Run

# Keras may raise an error of a layer anew as a RuntimeError that holds the text of the first.
CLASSES = ("OutOfMemoryError", "ResourceExhaustedError")  # of torch; of TensorFlow
TEXTS = (
    "RESOURCE_EXHAUSTED",  # jax, whose errors are all of one class
    "OutOfMemoryError",
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",  # torch, where cuBLAS finds no room for its work space
    "DefaultCPUAllocator: can't allocate memory",  # torch without a GPU
    "ResourceExhaustedError",
)


class OutOfMemory(Failure):
    """A step needed more memory than the device has."""


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error of any backend, or what led to it, says that memory is full."""
    while error is not None:
        if any(kind.__name__ in CLASSES for kind in type(error).__mro__):
            return True
        if isinstance(error, RuntimeError) and any(text in str(error) for text in TEXTS):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def explain_full_memory(run: Run) -> Iterator[None]:
    """Turn an error of the backend about full memory into one line.

    The run stays as it was last saved: whoever has more memory can go on with it.

    Args:
        run: Run. What is trained.

    Raises:
        OutOfMemory: in place of the backend's own error.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(_advise(run)) from error


def _advise(run: Run) -> str:
    size = run.record.settings.batch_size
    found = f"out of memory on {device_name()} with --batch-size {size}"
    if size > 1:
        # The number of steps and their order hang on the size: no run goes on with another.
        advice = f"try a new fit: threefold fit --again {run.folder} --batch-size {size // 2}"
    else:
        advice = "try a smaller model, or --precision mixed_bfloat16"
    if any(run.checkpoints.glob("state-*")):
        advice += (
            "; what was saved goes on where there is more memory: "
            f"threefold fit --resume {run.folder}"
        )
    return f"{found}; {advice}"
