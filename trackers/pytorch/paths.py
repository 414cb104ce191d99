"""The parameters of a model under the names that their series have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..hooks.layers import Wanted
from .twin import named_modules

if TYPE_CHECKING:
    import torch
    from torch import nn

_REFRESH_STEPS = 100
_WRAPPERS = ("_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod.")


@dataclass(slots=True)
class Named:
    """A parameter, and the names of what is recorded of it."""

    path: str
    parameter: nn.Parameter
    gradients: str
    weights: str
    wanted: bool
    """Whether it lies in a layer that the user asked for."""


class Parameters:
    """The parameters of a model, listed anew now and then: a model may grow or lose some while it trains."""

    def __init__(self, model: nn.Module, wanted: Wanted) -> None:
        """List nothing yet: a lazy module has no parameters before its first call."""
        self._model, self._wanted = model, wanted
        self._listed: list[Named] = []
        self._listed_at = -_REFRESH_STEPS

    def at(self, step: int) -> list[Named]:
        """Return all parameters, as they were within the last hundred steps."""
        if step - self._listed_at >= _REFRESH_STEPS or step < self._listed_at:
            named: Any = self._model.named_parameters()
            self._listed = [self._name(path, parameter) for path, parameter in named]
            self._listed_at = step
        return self._listed

    def _name(self, path: str, parameter: nn.Parameter) -> Named:
        path = module_path(path)
        return Named(path, parameter, f"gradients/{path}", f"weights/{path}", self._wanted(path))


def module_path(path: str) -> str:
    """Write a path of PyTorch in the house's form: `blocks.0.conv` -> `blocks/0/conv`.

    Wrappers within the model are left out, so that a layer has one name whether it is wrapped or not.
    """
    for wrapper in _WRAPPERS:
        if wrapper in path:
            path = path.replace(wrapper, "")
    return path.replace(".", "/")


def wanted_modules(model: nn.Module, wanted: Wanted) -> list[tuple[str, nn.Module]]:
    """Return (path, module) of the innermost modules that the user asked for."""
    return [
        (module_path(path), module)
        for path, module in named_modules(model)
        if path and not cast("dict[str, Any]", module.__dict__["_modules"]) and wanted(module_path(path))
    ]


def local_part(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a tensor that FSDP shards, any other as it is."""
    to_local: Any = getattr(tensor, "to_local", None)
    return tensor if to_local is None else to_local()
