"""The hooks for PyTorch. `TorchTracker(run, model, optimizer)` is the one line that a loop needs."""

from ...storage.errors import MissingExtra

try:
    from .images import log_feature_maps, log_filters, log_predictions, log_saliency
    from .save import save_model
    from .tracker import TorchTracker
except ModuleNotFoundError as error:
    raise MissingExtra("TorchTracker", "torch") from error

__all__ = ["TorchTracker", "log_feature_maps", "log_filters", "log_predictions", "log_saliency", "save_model"]
