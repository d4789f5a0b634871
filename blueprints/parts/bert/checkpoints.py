"""What BERT is called in files of Hugging Face's form: its config, its weights."""

from collections.abc import Mapping
from typing import Any

import keras

MODEL_TYPE = "bert"  # what a config.json calls the family
OPTIONAL = ("pooler", "masked_", "next_head")  # some checkpoints lack them


def read_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a `config.json` of Hugging Face's form decides.

    Raises:
        ValueError: for a variant of the network that is not built here.
    """
    for name, wanted in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(name, wanted) != wanted:
            raise ValueError(f"{name} must be {wanted}, got {config[name]}")
    return {
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "model_dim": config["hidden_size"],
        "feed_forward_dim": config["intermediate_size"],
        "max_positions": config["max_position_embeddings"],
    }


def name_weights(model: keras.Model) -> dict[str, tuple[str, bool]]:
    """Return what the weights of a network are called in a file of Hugging Face's form.

    Args:
        model: keras.Model. As built here.

    Returns:
        dict of str to (str, bool). From the paths of weights to names there, and whether the array
        must be transposed. Those of heads that were fine-tuned are
        not among them.
    """
    names = {
        "token_embedding/embeddings": ("embeddings.word_embeddings.weight", False),
        "position_embedding/embeddings": ("embeddings.position_embeddings.weight", False),
        "segment_embedding/embeddings": ("embeddings.token_type_embeddings.weight", False),
        **_name_layer("embedding_norm", "embeddings.LayerNorm"),
        **_name_layer("pooler", "pooler.dense"),
        **_name_layer("masked_dense", "cls.predictions.transform.dense"),
        **_name_layer("masked_norm", "cls.predictions.transform.LayerNorm"),
        "masked_bias/bias": ("cls.predictions.bias", False),
        **_name_layer("next_head", "cls.seq_relationship"),
    }
    paths = [weight.path for weight in model.weights]
    count = sum(path.endswith("_self_attention_query/kernel") for path in paths)
    for step in range(count):
        ours, theirs = f"encoder_{step + 1}", f"encoder.layer.{step}"
        for part, name in (
            ("self_attention_query", "attention.self.query"),
            ("self_attention_key", "attention.self.key"),
            ("self_attention_value", "attention.self.value"),
            ("self_attention_output", "attention.output.dense"),
            ("self_attention_norm", "attention.output.LayerNorm"),
            ("feed_forward_hidden", "intermediate.dense"),
            ("feed_forward_output", "output.dense"),
            ("feed_forward_norm", "output.LayerNorm"),
        ):
            names |= _name_layer(f"{ours}_{part}", f"{theirs}.{name}")
    return {path: names[path] for path in paths if path in names}


def _name_layer(ours: str, theirs: str) -> dict[str, tuple[str, bool]]:
    if ours.endswith("_norm"):
        return {
            f"{ours}/gamma": (f"{theirs}.weight", False),
            f"{ours}/beta": (f"{theirs}.bias", False),
        }
    return {
        f"{ours}/kernel": (f"{theirs}.weight", True),
        f"{ours}/bias": (f"{theirs}.bias", False),
    }
