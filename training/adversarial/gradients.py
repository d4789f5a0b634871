"""The gradient of a pure function, on each backend: of a value with respect to some tensors.

It nests, on all three: a function may take the gradient of another inside, as the gradient
penalties of adversarial networks do.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import keras


def differentiate(
    function: Callable[[list], tuple[Any, Any]], tensors: list, *, nested: bool = False
) -> tuple[Any, Any, list]:
    """Return what a function answers, and its gradient.

    Args:
        function: function. From a list of tensors to a scalar and anything else.
        tensors: list of tensors. Where the gradient is taken.
        nested: bool. Whether the gradient will be differentiated itself.

    Returns:
        (scalar, anything else, list of tensors): the last are the gradients, zeros where the
        scalar does not depend on a tensor.
    """
    return _BY_BACKEND[keras.config.backend()](function, tensors, nested)


def without_gradients() -> contextlib.AbstractContextManager:
    """Return a context in which nothing is noted for a gradient: weights are updated in it."""
    if keras.config.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def _differentiate_on_jax(function, tensors, nested):
    import jax

    (value, auxiliary), gradients = jax.value_and_grad(function, has_aux=True)(tensors)
    return value, auxiliary, gradients


def _differentiate_on_tensorflow(function, tensors, nested):
    import tensorflow as tf

    # Copies, for variables may be among the tensors, and change before the gradient is taken.
    copies = [tf.identity(tensor) for tensor in tensors]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(copies)
        value, auxiliary = function(copies)
    zero = tf.UnconnectedGradients.ZERO
    return value, auxiliary, tape.gradient(value, copies, unconnected_gradients=zero)


def _differentiate_on_torch(function, tensors, nested):
    import torch

    copies = [
        tensor.view_as(tensor)
        if nested and tensor.requires_grad
        else tensor.detach().requires_grad_()
        for tensor in tensors
    ]
    with torch.enable_grad():
        value, auxiliary = function(copies)
        gradients = torch.autograd.grad(value, copies, create_graph=nested, allow_unused=True)
    gradients = [
        torch.zeros_like(copy) if gradient is None else gradient
        for copy, gradient in zip(copies, gradients, strict=True)
    ]
    return value, auxiliary, gradients


_BY_BACKEND = {
    "jax": _differentiate_on_jax,
    "tensorflow": _differentiate_on_tensorflow,
    "torch": _differentiate_on_torch,
}
