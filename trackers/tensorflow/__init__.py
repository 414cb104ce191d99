"""The hooks for TensorFlow loops of one's own. `TensorFlowTracker(run, model, optimizer)` is the first."""

from ...storage.errors import MissingExtra

try:
    from .session_hook import SessionHook
    from .summary_writer import create_file_writer
    from .tracker import TensorFlowTracker
except ModuleNotFoundError as error:
    raise MissingExtra("TensorFlowTracker", "tensorflow") from error

__all__ = ["SessionHook", "TensorFlowTracker", "create_file_writer"]
