"""The gradient of a function with respect to what it is given, by the backend that Keras runs on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import keras

from ...storage.errors import BadInput


def gradient_of(function: Callable[[Any], Any], given: Any) -> Any:
    """Return the gradient of a scalar function at a tensor; gradients of weights are left alone.

    Raises:
        BadInput: Keras runs on another backend than TensorFlow or PyTorch.
    """
    backend: str = cast("Any", keras).backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 - other backends' programs need not have it

        with cast("Any", tf).GradientTape() as tape:
            tape.watch(given)
            result = function(given)
        return tape.gradient(result, given)
    if backend == "torch":
        torch: Any = sys.modules["torch"]  # Keras has loaded it
        watched = given.detach().requires_grad_()
        return torch.autograd.grad(function(watched), watched)[0]
    raise BadInput(f"saliency needs Keras on TensorFlow or PyTorch, but it runs on {backend}")
