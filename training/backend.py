"""The backend switch: chosen once, before anything imports Keras."""

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from threefold.core.errors import UserError, suggest

BACKENDS = ("tensorflow", "jax", "torch")


def choose_backend(name: str | None = None) -> str:
    """Fix the backend for the life of this process.

    Args:
        name: str. What the user asked for; `None` for `KERAS_BACKEND`, then what Keras's own
            configuration file says, then `tensorflow`.

    Returns:
        str. The backend.

    Raises:
        UserError: for an unknown backend, one that is not installed (with the extra to install),
            or another one than this process already runs on.
    """
    wanted = name or os.environ.get("KERAS_BACKEND") or _configured() or "tensorflow"
    if wanted not in BACKENDS:
        raise UserError(f"no backend '{wanted}'{suggest(wanted, BACKENDS)}")
    if importlib.util.find_spec(wanted) is None:
        extra = "threefold" if wanted == "tensorflow" else f"threefold[{wanted}]"
        raise UserError(f"the backend {wanted} is not installed: pip install '{extra}'")
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != wanted:
        running = sys.modules["keras"].config.backend()
        raise UserError(f"this process runs on {running} already; start a new one for {wanted}")
    os.environ["KERAS_BACKEND"] = wanted
    # Libraries of TensorFlow and jax talk on stderr of their build and of the machine.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if wanted == "tensorflow":
        import_without_greeting(wanted)
    elif wanted == "torch":
        # Its threads spin while they wait, which costs ten times the work where another process
        # wants the same cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return wanted


def fix_configuration() -> None:
    """Set what layers take from Keras's own configuration, whatever its `keras.json` says.

    Images are (batch, height, width, channels) here, and an axis that a layer guesses must be so.
    """
    import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def seed_everything(seed: int) -> None:
    """Seed every generator that a fit may draw from.

    `keras.utils.set_random_seed` would import TensorFlow whatever the backend.
    """
    import keras

    seed_process(seed)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.random.set_seed(seed)


def seed_process(seed: int) -> None:
    """Seed the generators whose state a checkpoint holds.

    Not TensorFlow's: to set its seed throws away all that it has compiled, which takes seconds to
    make again.
    """
    import random

    import keras
    import numpy as np

    random.seed(seed)  # the initialisers of Keras draw their seeds here
    np.random.seed(seed)
    if keras.config.backend() == "torch":
        import torch

        torch.manual_seed(seed)


def device_name() -> str:
    """Return what the chosen backend computes on, such as `cpu` or `gpu: NVIDIA H200`."""
    import keras

    backend = keras.config.backend()
    if backend == "torch":
        import torch

        return f"gpu: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "cpu"
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return "cpu" if device.platform == "cpu" else f"{device.platform}: {device.device_kind}"
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return "cpu"
    return f"gpu: {tf.config.experimental.get_device_details(devices[0]).get('device_name')}"


def _configured() -> str | None:
    """Return the backend of Keras's configuration file, which `import keras` would follow."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def import_without_greeting(package: str) -> None:
    """Import TensorFlow, and hold back what its libraries say of their build as they are loaded."""
    with without_greeting():
        importlib.import_module(package)


@contextlib.contextmanager
def without_greeting() -> Iterator[None]:
    """Hold back what libraries say of themselves as they are loaded.

    They write past Python and before any level of theirs counts. Where something fails, all that
    was written comes through.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        except BaseException:
            written.seek(0)
            os.write(terminal, written.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
