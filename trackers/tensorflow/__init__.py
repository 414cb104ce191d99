"""The hooks for TensorFlow loops of one's own. `TensorFlowTracker(run, model, optimizer)` is the first."""

from ...storage.errors import MissingExtra

try:
    from .tracker import TensorFlowTracker
except ModuleNotFoundError as error:
    raise MissingExtra("TensorFlowTracker", "tensorflow") from error

__all__ = ["TensorFlowTracker"]
