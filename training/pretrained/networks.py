"""Networks that were trained elsewhere: a folder of Hugging Face's form to start from.

What its `config.json` decides, and what its weights are called, is said by the blueprint
(`read_config`, `name_weights`). Weights are read as plain arrays; nothing is unpickled.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.core.files import parse_json
from threefold.datasets import loading
from threefold.training.run import Run

WEIGHTS = "model.safetensors"
PICKLED = "pytorch_model.bin"
NOT_SHARED = ("pretrained", "embeddings", "freeze", "lora_rank")  # of one fit alone
CONVERT = (
    "from transformers import AutoModel; "
    "AutoModel.from_pretrained('FOLDER').save_pretrained('NEW', safe_serialization=True)"
)


def read_options(blueprint: ModuleType, folder: str) -> dict[str, Any]:
    """Return the options of a blueprint that a folder decides.

    Args:
        blueprint: module. Of the family that the folder is to be of.
        folder: str. With `config.json` and `model.safetensors`.

    Returns:
        dict of str to value. The sizes of the network.

    Raises:
        UserError: for a folder that holds no such network, or one of another family.
    """
    root, flag = Path(folder).expanduser(), f"-o pretrained={folder}"
    if not root.is_dir():
        raise UserError(f"{flag}: no such folder; expected one with config.json and {WEIGHTS}")
    try:
        config = parse_json((root / "config.json").read_text(encoding="utf-8"))
        found = config["model_type"]
    except OSError:
        raise UserError(f"{flag} has no config.json") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{flag}: its config.json names no model_type") from None
    wanted = blueprint.PRETRAINED.MODEL_TYPE
    if found != wanted:
        raise UserError(f"{flag} holds a network of the family {found}; this is for {wanted}")
    if not (root / WEIGHTS).is_file():
        hint = ""
        if (root / PICKLED).exists():
            hint = f"; reading {PICKLED} can run code that is in it: convert it with {CONVERT}"
        raise UserError(f"{flag} has no {WEIGHTS}{hint}")
    try:
        return blueprint.PRETRAINED.read_config(config)
    except (KeyError, ValueError) as error:
        raise UserError(f"{flag}: config.json: {error}") from None


def load_weights(blueprint: ModuleType, model, folder: str) -> str:
    """Start a model from the weights of a folder.

    Args:
        blueprint: module. Knows what the weights are called.
        model: keras.Model. Built with the options that the folder decides; changed in place.
        folder: str. With `model.safetensors`.

    Returns:
        str. How many weights were taken, in a person's words.

    Raises:
        UserError: for weights that are not there, or do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = Path(folder).expanduser() / WEIGHTS
    try:
        arrays = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read {file}: {error}") from None
    form = blueprint.PRETRAINED
    # A checkpoint with a head keeps the network under the family's name.
    arrays = {name.removeprefix(f"{form.MODEL_TYPE}."): array for name, array in arrays.items()}
    names, taken = form.name_weights(model), 0
    for weight in model.weights:
        if weight.path not in names:
            continue
        name, transposed = names[weight.path]
        array = _find(arrays, name)
        if array is None and weight.path.startswith(form.OPTIONAL):
            continue
        weight.assign(_fit(array, name, transposed, tuple(weight.shape), file))
        taken += 1
    return f"{file}: {taken} of {len(model.weights)} weights; the others start at random"


def _find(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray | None:
    """Return an array by its name, or by the one that early checkpoints gave it."""
    early = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    return arrays.get(name, arrays.get(early.replace("LayerNorm.bias", "LayerNorm.beta")))


def _fit(
    array: np.ndarray | None, name: str, transposed: bool, shape: tuple[int, ...], file: Path
) -> np.ndarray:
    """Return an array in the shape of a weight; of more tokens than there are, the first."""
    if array is None:
        raise UserError(f"{file} does not hold {name}, which its config.json promises")
    array = array.astype(np.float32)
    array = array.T if transposed else array
    if "word_embeddings" in name and array.ndim == 2:
        if len(array) < shape[0]:
            raise UserError(
                f"{file}: its tokenizer has {shape[0]:,} tokens, {name} {len(array):,} vectors"
            )
        array = array[: shape[0]]
    if array.shape != shape:
        raise UserError(f"{file}: {name} is {array.shape}, where config.json promises {shape}")
    return array


def options_of_run(init: Run | None, family: str) -> dict[str, Any]:
    """Return the options of the run to start from, so that its weights fit.

    Args:
        init: Run. Whose weights are borrowed, if any.
        family: str. The blueprint's name; a run of another has none to give.

    Returns:
        dict of str to value. Without those that name files, of which the run holds the weights,
        and those that say what is trained.
    """
    if init is None or init.record.blueprint != family:
        return {}
    return {name: v for name, v in init.record.options.items() if name not in NOT_SHARED}


def share_tokenizer(
    reference: str, given: Mapping[str, Any], task: str | None, folder: str | None, init: Run | None
) -> dict[str, Any]:
    """Return a dataset's options, with the tokenizer that the weights to start from were made for.

    Args:
        reference: str. The dataset.
        given: mapping of str to value. What the user set; a tokenizer of the user's own stays.
        task: str. The task that the user named, if any.
        folder: str. Of pretrained weights, if any.
        init: Run. Whose weights are borrowed, if any.
    """
    source = folder
    if source is None and init is not None and hasattr(init.record.facts, "tokenizer"):
        source = str(init.folder)
    if source is None or "tokenizer" in given:
        return dict(given)
    option = loading.loader_options(loading.find_loader(reference, task)[0]).get("tokenizer")
    takes_files = option is not None and not option.choices
    return dict(given) | ({"tokenizer": source} if takes_files else {})
