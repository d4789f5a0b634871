"""What this machine has: backends and devices, versions, extras; and what to do about the rest.

Each backend is tried in a process of its own: nothing stays imported, and a crash of one is news
about that one.
"""

import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from threefold.core.errors import suggest
from threefold.training.backend import BACKENDS, fix_configuration

# What comes with `pip install 'threefold[EXTRA]'`.
EXTRAS = {
    "jax": "the backend jax",
    "torch": "the backend torch",
    "hf": "hf: references to data",
    "litert": "export to litert",
}
TIMEOUT_SECONDS = 120
LITTLE_DISK_GB = 2

# A fit that runs at this moment must be left its share of an accelerator's memory.
PROBE_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}


def examine(asked: str | None = None) -> dict[str, Any]:
    """Look at the machine.

    Args:
        asked: str. The backend that the user named; `None` for the configured one.

    Returns:
        dict. Plain data, ready for JSON: versions, `backends`, the `chosen` one, `extras`, the
        machine, and `problems`, each a line that says what to do. `healthy` says whether the
        chosen backend works.
    """
    chosen, origin, problems = _choose(asked)
    with ThreadPoolExecutor(len(BACKENDS)) as pool:
        backends = dict(zip(BACKENDS, pool.map(examine_backend, BACKENDS), strict=True))
    extras = {name: _examine_extra(name) for name in EXTRAS}
    healthy = chosen in backends and backends[chosen]["works"]
    if chosen in backends and not backends[chosen]["installed"]:
        extra = f"[{chosen}]" if chosen in EXTRAS else ""
        problems.append(f"{chosen} is chosen but not installed: pip install 'threefold{extra}'")
    problems += _unfit_packages()
    for name, found in backends.items():
        if found["error"]:
            problems.append(f"{name} does not work: {found['error']}")
    machine = _examine_machine()
    if machine["disk_free_gb"] < LITTLE_DISK_GB:
        problems.append(f"only {machine['disk_free_gb']:.1f} GB are free in {machine['folder']}")
    if not machine["folder_writable"]:
        problems.append(f"{machine['folder']} cannot be written: runs need --run DIR elsewhere")
    return {
        "threefold": _version("threefold"),
        "python": platform.python_version(),
        "keras": _version("keras"),
        "platform": platform.platform(terse=True),
        "chosen": {"backend": chosen, "by": origin},
        "healthy": healthy,
        "backends": backends,
        "extras": extras,
        "machine": machine,
        "problems": problems,
    }


def examine_backend(name: str) -> dict[str, Any]:
    """Try a backend: import it, ask for its devices, compute something through Keras.

    Args:
        name: str. The backend.

    Returns:
        dict. `installed`, `version`, `works`, `devices`, and `error`, a line or `None`.
    """
    found = {
        "installed": importlib.util.find_spec(name) is not None,
        "version": _version(name),
        "works": False,
        "devices": [],
        "error": None,
    }
    if not found["installed"]:
        return found
    # -P: a file of the current folder that is called keras.py is not what is meant.
    command = [sys.executable, "-P", "-m", __name__, name]
    environment = os.environ | PROBE_ENVIRONMENT | {"KERAS_BACKEND": name}
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return found | {"error": f"no answer within {TIMEOUT_SECONDS} seconds"}
    if ended.returncode != 0:
        return found | {"error": _reason(ended.returncode, ended.stderr)}
    # A backend may print lines of its own; ours is the last.
    found["devices"] = json.loads(ended.stdout.splitlines()[-1])
    return found | {"works": not _unfit(name)}


def probe(name: str) -> list[str]:
    """Compute a convolution on the backend of this process and return its devices.

    Args:
        name: str. The backend; `KERAS_BACKEND` says the same.

    Returns:
        list of str. Such as `cpu` or `gpu: NVIDIA H200`.
    """
    import keras
    import numpy as np

    fix_configuration()
    image, kernel = np.ones((1, 4, 4, 1), "float32"), np.ones((3, 3, 1, 1), "float32")
    total = float(keras.ops.sum(keras.ops.conv(image, kernel, padding="valid")))
    if total != 36:
        raise ArithmeticError(f"a convolution that gives 36 gave {total}")
    return _devices(name)


def _devices(name: str) -> list[str]:
    if name == "torch":
        import torch

        cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return [*(f"gpu: {card}" for card in cards), "cpu"]
    if name == "jax":
        import jax

        return [
            "cpu" if device.platform == "cpu" else f"{device.platform}: {device.device_kind}"
            for device in jax.devices()
        ]
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    cards = [details(card).get("device_name") for card in tf.config.list_physical_devices("GPU")]
    return [*(f"gpu: {card}" for card in cards), "cpu"]


def _choose(asked: str | None) -> tuple[str, str, list[str]]:
    """Return the chosen backend, who chose it, and what is odd about the configuration."""
    path, configured, problems = _read_keras_json()
    environment = os.environ.get("KERAS_BACKEND")
    choices = {
        "--backend": asked,
        "KERAS_BACKEND": environment,
        str(path): configured.get("backend"),
        "default": "tensorflow",
    }
    origin, chosen = next((who, what) for who, what in choices.items() if what)
    if chosen not in BACKENDS:
        problems.append(f"{origin} names the backend '{chosen}'{suggest(str(chosen), BACKENDS)}")
    return str(chosen), origin, problems


def _read_keras_json() -> tuple[Path, dict[str, Any], list[str]]:
    """Return Keras's own configuration, and what is wrong with its file."""
    path = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return path, {}, []
    except (OSError, ValueError, RecursionError) as error:
        return path, {}, [f"{path} cannot be read ({error}): fix or remove it"]
    if not isinstance(content, dict):
        return path, {}, [f"{path} holds no JSON object: fix or remove it"]
    return path, content, []


def _reason(code: int, stderr: str) -> str:
    """Return in one line why a process failed."""
    if code < 0:
        return f"it crashed with {signal.Signals(-code).name}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"it ended with exit code {code}"


def _requirements() -> list[Requirement]:
    """Return what threefold needs, that of its extras included."""
    wanted = [Requirement(line) for line in requires("threefold") or []]
    return [
        one for one in wanted
        if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in EXTRAS)
    ]  # fmt: skip


def _unfit(package: str) -> Requirement | None:
    """Return the requirement that an installed package's version breaks, if any."""
    installed = _version(package)
    for wanted in _requirements():
        if wanted.name == package and installed is not None:
            if not wanted.specifier.contains(installed, prereleases=True):
                return wanted
    return None


def _unfit_packages() -> list[str]:
    """Return a line for each package that is missing, too old, or known to fail."""
    found = []
    for wanted in _requirements():
        installed = _version(wanted.name)
        advice = f"pip install '{wanted.name}{wanted.specifier}'"
        if installed is None and not wanted.marker:
            found.append(f"{wanted.name} is not installed: {advice}")
        elif _unfit(wanted.name):
            found.append(f"{wanted.name} {installed} is too old or known to fail: {advice}")
    return found


def _examine_extra(name: str) -> dict[str, Any]:
    wanted = [r for r in _requirements() if r.marker and r.marker.evaluate({"extra": name})]
    return {
        "for": EXTRAS[name],
        "installed": all(_version(requirement.name) is not None for requirement in wanted),
        "install": f"pip install 'threefold[{name}]'",
    }


def _examine_machine() -> dict[str, Any]:
    folder = Path.cwd()
    return {
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "folder": str(folder),
        "folder_writable": os.access(folder, os.W_OK),
        "disk_free_gb": shutil.disk_usage(folder).free / 1e9,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1])))
