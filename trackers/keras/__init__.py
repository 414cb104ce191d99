"""The hooks for `model.fit`. `callbacks=[KerasTracker(run)]` is all that a program needs."""

from ...storage.errors import MissingExtra

try:
    from .images import log_feature_maps, log_filters, log_predictions, log_saliency
    from .save import save_model
    from .tracker import KerasTracker
except ModuleNotFoundError as error:
    raise MissingExtra("KerasTracker", "tensorflow") from error

__all__ = [
    "KerasTracker",
    "log_feature_maps",
    "log_filters",
    "log_predictions",
    "log_saliency",
    "save_model",
]
