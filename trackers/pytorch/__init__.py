"""The hooks for PyTorch. `TorchTracker(run, model, optimizer)` is the one line that a loop needs."""

from ...storage.errors import MissingExtra

try:
    from .tracker import TorchTracker
except ModuleNotFoundError as error:
    raise MissingExtra("TorchTracker", "torch") from error

__all__ = ["TorchTracker"]
