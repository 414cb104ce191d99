"""The part that records how much memory of each device is taken."""

from __future__ import annotations

import torch
from torch import nn

from .part import Part, Step, Watched


class Memory(Part):
    """Records `memory/<device>/allocated`, `reserved` and `peak` in bytes, of the devices the model lies on.

    The peak is that since the training began. The host's memory is among the run's system metrics.
    """

    doing = "reading the memory of a device"

    def __init__(self, watched: Watched, every: int) -> None:
        """Record every so many steps, 0 for never."""
        self.periods = (every,)
        self._model, self._every = watched.model, every

    def after_step(self, step: Step) -> None:
        """Add the memory when it is due."""
        if step.due(self._every):
            for device in gpus_of(self._model):
                step.values.update(memory_of(device))


def gpus_of(model: nn.Module) -> list[torch.device]:
    """Return the GPUs that hold parameters of a model."""
    return sorted({p.device for p in model.parameters() if p.device.type == "cuda"}, key=str)


def memory_of(device: torch.device) -> dict[str, float]:
    """Return what PyTorch's allocator holds of a GPU, in bytes; asking does not wait for the device."""
    name = f"memory/gpu:{device.index or 0}"
    return {
        f"{name}/allocated": float(torch.cuda.memory_allocated(device)),
        f"{name}/reserved": float(torch.cuda.memory_reserved(device)),
        f"{name}/peak": float(torch.cuda.max_memory_allocated(device)),
    }
