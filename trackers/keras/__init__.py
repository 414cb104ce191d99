"""The hooks for `model.fit`. `callbacks=[KerasTracker(run)]` is all that a program needs."""

from ...storage.errors import MissingExtra

try:
    from .tracker import KerasTracker
except ModuleNotFoundError as error:
    raise MissingExtra("KerasTracker", "tensorflow") from error

__all__ = ["KerasTracker"]
