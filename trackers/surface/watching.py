"""From a model to its hook, told without importing a framework."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ...storage.errors import BadInput

_HISTOGRAMS = {
    "gradients": ("gradients",),
    "parameters": ("weights",),
    "all": ("gradients", "weights"),
    None: (),
}


def watch_model(
    run: Any, model: Any, log: str | None, every: int, graph: bool, number: int
) -> Callable[[], None]:
    """Attach a hook to a model; return what takes it off.

    Raises:
        BadInput: it is no model of PyTorch or Keras, or `log` is unknown.
    """
    if log not in _HISTOGRAMS:
        raise BadInput(f'watch takes log as "gradients", "parameters", "all" or None, but got {log!r}.')
    wanted: dict[str, Any] = {
        "histograms": _HISTOGRAMS[log],
        "histogram_every": every,
        "graph": graph,
        "name": f"model_{number}" if number else None,
    }
    if _is(model, "torch", "nn", "Module"):
        from ..pytorch import TorchTracker  # noqa: PLC0415 - torch is loaded by now

        return TorchTracker(run, model, **wanted).close
    if _is(model, "keras", "Model"):
        from ..keras.watching import watch_fit  # noqa: PLC0415 - keras is loaded by now

        return watch_fit(run, model, **wanted)
    raise BadInput(
        f"watch needs a torch.nn.Module or a Keras model, but got {type(model).__name__}. "
        f"A loop with tf.GradientTape takes TensorFlowTracker."
    )


def _is(model: Any, package: str, *path: str) -> bool:
    found: Any = sys.modules.get(package)
    for name in path:
        found = getattr(found, name, None)
    return isinstance(found, type) and isinstance(model, found)
