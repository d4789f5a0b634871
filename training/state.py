"""Everything that the next step depends on, as plain arrays, and back.

Arrays are named by what they are, not by what a backend calls them, so that a run may go on under
another backend: `weights/...`, `optimizer/...`, `metrics/...`, `seeds/...`; and, from the middle of
an epoch, `generators/...`.
"""

import random

import keras
import numpy as np

SEED_STATE = "seed_generator_state"
CALIBRATION = "calibration/"  # of weights found after a training, by the task's `calibrate`
LORA_A, LORA_B = "/lora_kernel_a", "/lora_kernel_b"  # as Keras names them


def collect_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights that the model answers with: the averaged ones where there are such."""
    arrays = read_weights(model)
    for variable, average in averaged(model):
        arrays[f"weights/{variable.path}"] = _numpy(average)
    return arrays


def read_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights as they stand, averaged or not."""
    return {f"weights/{v.path}": _numpy(v) for v in _weights(model)}


def collect_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the whole state of a compiled model."""
    if keras.config.backend() == "jax":
        model.jax_state_sync()  # within an epoch, Keras keeps the values outside the variables
    arrays = read_weights(model)
    # Keras numbers seed generators through a process; their order in the model is what lasts.
    arrays |= {f"seeds/{i:04d}": _numpy(v) for i, v in enumerate(_seeds(model))}
    arrays |= {f"optimizer/{v.path}": _numpy(v) for v in model.optimizer.variables}
    return arrays | {f"metrics/{v.path}": _numpy(v) for v in model.metrics_variables}


def restore_weights(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Set the model's weights.

    Raises:
        ValueError: where a weight is missing or of another shape.
    """
    _assign({f"weights/{v.path}": v for v in _weights(model)}, arrays)


def merge_lora(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights with low-rank matrices added to the kernels that they were trained for."""
    found = {name: array for name, array in arrays.items() if not name.endswith((LORA_A, LORA_B))}
    for name in arrays:
        if name.endswith(LORA_A):
            layer = name.removesuffix(LORA_A)
            kernel = arrays[f"{layer}/kernel"]
            change = arrays[name].astype(np.float64) @ arrays[f"{layer}{LORA_B}"]
            found[f"{layer}/kernel"] = (kernel + change).astype(kernel.dtype)
    return found


def restore_state(model: keras.Model, arrays: dict[str, np.ndarray], *, same_backend: bool) -> None:
    """Set everything but the metrics: Keras resets those when an epoch begins.

    Args:
        model: keras.Model. Compiled, its optimizer built.
        arrays: dict. From `collect_state`.
        same_backend: bool. The seeds of another backend mean nothing to this one.
    """
    restore_weights(model, arrays)
    _assign({f"optimizer/{v.path}": v for v in model.optimizer.variables}, arrays)
    if same_backend:
        _assign({f"seeds/{i:04d}": v for i, v in enumerate(_seeds(model))}, arrays)


def restore_metrics(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Set the running means of a cut epoch."""
    _assign({f"metrics/{v.path}": v for v in model.metrics_variables}, arrays)


def all_finite(arrays: dict[str, np.ndarray]) -> bool:
    """Return whether every number of a state is one."""
    return all(np.isfinite(a).all() for a in arrays.values() if a.dtype.kind == "f")


def averaged(model: keras.Model) -> list[tuple[keras.Variable, keras.Variable]]:
    """Return each averaged variable with its moving average, or nothing without averaging."""
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # loss scaling wraps the rule
    return [
        pair
        for rule in getattr(optimizer, "optimizers", (optimizer,))
        if rule is not None and rule.use_ema and rule.built
        for pair in zip(
            rule._trainable_variables, rule._model_variables_moving_average, strict=True
        )
    ]


def _weights(model: keras.Model) -> list[keras.Variable]:
    return [v for v in model.variables if not v.path.endswith(SEED_STATE)]


def _seeds(model: keras.Model) -> list[keras.Variable]:
    return [v for v in model.variables if v.path.endswith(SEED_STATE)]


def _numpy(variable: keras.Variable) -> np.ndarray:
    # A copy: on CPU the array may be a view of memory that the next step writes to.
    return np.array(keras.ops.convert_to_numpy(variable.value))


def _assign(variables: dict[str, keras.Variable], arrays: dict[str, np.ndarray]) -> None:
    for name, variable in variables.items():
        if name not in arrays:
            raise ValueError(f"the checkpoint holds no {name}")
        if arrays[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{name} has the shape {arrays[name].shape} in the checkpoint and "
                f"{tuple(variable.shape)} in the model"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(keras.backend.standardize_dtype(variable.dtype)))


def collect_generators() -> dict[str, np.ndarray]:
    """Return the state of the process's own random generators, in the middle of an epoch.

    The layers and batches of this project draw from none of them; those of a user may.
    """
    numbers = np.random.get_state(legacy=True)
    arrays = {
        "generators/python": np.array(random.getstate()[1], np.uint64),
        "generators/numpy": np.append(numbers[1], np.uint32(numbers[2])),
    }
    if keras.config.backend() == "torch":
        import torch

        arrays["generators/torch"] = torch.get_rng_state().numpy().copy()
    return arrays


def restore_generators(arrays: dict[str, np.ndarray]) -> None:
    """Set the random generators, those that the checkpoint holds."""
    random.setstate((3, tuple(int(n) for n in arrays["generators/python"]), None))
    numbers = arrays["generators/numpy"]
    np.random.set_state(("MT19937", numbers[:-1].astype(np.uint32), int(numbers[-1])))
    if keras.config.backend() == "torch" and "generators/torch" in arrays:
        import torch

        torch.set_rng_state(torch.from_numpy(arrays["generators/torch"]))
