"""Numbers of a device, read when it has come to them, without waiting for it."""

from __future__ import annotations

import torch


class Later:
    """A copy to host memory that was queued on the current stream."""

    def __init__(self, host: torch.Tensor, event: torch.Event | None) -> None:
        """Hold the memory that is copied to, and what is queued behind the copy; None when it is there."""
        self._host, self._event = host, event

    def ready(self) -> bool:
        """Whether the copy is through."""
        return self._event is None or self._event.query()

    def read(self) -> list[float]:
        """Return the numbers; waits if it is not ready."""
        if self._event is not None:
            self._event.synchronize()
        return [float(number) for number in self._host]


def is_on_host(tensor: torch.Tensor) -> bool:
    """Whether the host does the work on a tensor, so that reading it waits for nobody."""
    return tensor.device.type == "cpu"


def later(values: torch.Tensor) -> Later:
    """Queue a copy of a few numbers, shape (n,)."""
    if values.device.type == "cpu":
        return Later(values.clone(), None)
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=values.device.type == "cuda")
    host.copy_(values, non_blocking=True)
    event = torch.Event(values.device)
    event.record()
    return Later(host, event)
