"""Tensors on a device: taken as they are now, read later, without making the device wait.

PyTorch: see device_torch.py. TensorFlow: eager tensors never change, so the reference is enough, and the
writer's thread calls numpy(); a variable is read into a tensor first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .arrays import is_torch_tensor
from .device_snapshot import MOST_PENDING, Snapshot, always
from .device_torch import snapshot_torch


@dataclass(frozen=True, slots=True)
class PendingValue:
    """A snapshot with where it is to be logged."""

    name: str
    context: dict[str, str | int]
    step: int
    time: float
    snapshot: Snapshot


class PendingValues:
    """Snapshots in the order they were logged; the writer takes those that are ready."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: deque[PendingValue] = deque()
        # One thread at a time raises each of them.
        self._put = self._done = 0

    @property
    def under_way(self) -> int:
        """How many were put and are not done."""
        return self._put - self._done

    def done(self) -> None:
        """Count one that was taken as read, or as lost."""
        self._done += 1

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, value: PendingValue) -> bool:
        """Keep a value; False when too many wait already."""
        if len(self._waiting) >= MOST_PENDING:
            return False
        self._waiting.append(value)
        self._put += 1
        return True

    def put_back(self, values: Sequence[PendingValue]) -> None:
        """Return values to the front that were taken too early."""
        self._waiting.extendleft(reversed(values))

    def take_ready(self, *, wait: bool = False) -> list[PendingValue]:
        """Return the values at the front that are ready; all of them if `wait`.

        Order is kept: a value that is ready behind one that is not stays until its turn.
        """
        taken: list[PendingValue] = []
        while self._waiting and (wait or self._waiting[0].snapshot.ready()):
            taken.append(self._waiting.popleft())
        return taken


def snapshot(value: Any, *, histogram: bool = False) -> Snapshot | None:
    """Return a snapshot of a tensor on a device, or None when it lies in host memory.

    Args:
        value: a tensor of PyTorch or TensorFlow.
        histogram: whether it is one, however few elements it has.
    """
    if is_torch_tensor(value):
        if value.device.type == "cpu":
            return None
        return snapshot_torch(value, histogram=histogram)
    device = getattr(value, "device", None)
    if not isinstance(device, str) or not device or "CPU" in device.upper():
        return None
    read = getattr(value, "read_value", None)
    tensor = value if read is None else read()
    return Snapshot(always, lambda: tensor, histogram)
