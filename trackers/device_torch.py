"""Torch tensors on a device: taken behind the work that makes them, brought over while training goes on.

On the training thread: a number is copied straight into pinned memory, all else is cloned, both on the
current stream, behind what makes the value and before what overwrites it; then an event. Nothing waits.
On the writer's thread, once the event has passed: a stream of its own waits for the event, bins what is a
histogram, and copies the result into pinned memory.
"""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from typing import Any

from .device_bins import FEWEST, count_on_device, payload_of
from .device_snapshot import CAPTURING, MOST_PENDING, Snapshot, always
from .raw import Payload


def snapshot_torch(value: Any, *, histogram: bool) -> Snapshot:
    """Return the value of a tensor at this moment; CAPTURING while a CUDA graph is captured."""
    torch = sys.modules["torch"]
    module = torch.get_device_module(value.device)
    if not hasattr(module, "Stream"):
        # A device with one queue: reading waits for it, on the writer's thread.
        copy = value.detach().clone()
        return Snapshot(always, lambda: copy, histogram)
    capturing = getattr(module, "is_current_stream_capturing", None)
    if capturing is not None and capturing():
        # A copy would become a part of the graph, and an event of a capture cannot be asked.
        return CAPTURING
    event = module.Event()
    slot = None
    if value.numel() == 1 and not histogram and not value.is_complex():
        slot = _take_slot(torch)
    if slot is not None:
        slot.number.copy_(value.detach().reshape(1), non_blocking=True)
        event.record(module.current_stream(value.device))
        return Snapshot(event.query, partial(_read_slot, slot, event))
    copy = value.detach().clone()
    event.record(module.current_stream(value.device))
    return Snapshot(event.query, partial(_bring, copy, event, module), histogram)


class _Slot:
    """A place for one number in pinned memory; free again when nobody refers to it."""

    __slots__ = ("_free", "_place", "number")

    def __init__(self, place: int, numbers: Any, free: deque[int]) -> None:
        self._place, self._free = place, free
        self.number: Any = numbers[place : place + 1]

    def __del__(self) -> None:
        self._free.append(self._place)


class _Pinned:
    """The numbers that are on their way, in one piece: to pin memory is slow, and may wait for the device."""

    def __init__(self) -> None:
        self.numbers: Any = None
        self.free: deque[int] = deque(range(MOST_PENDING))


_pinned = _Pinned()
_streams: dict[Any, Any] = {}


def _take_slot(torch: Any) -> _Slot | None:
    if _pinned.numbers is None:
        _pinned.numbers = torch.empty(MOST_PENDING, dtype=torch.float64, pin_memory=True)
    try:
        return _Slot(_pinned.free.popleft(), _pinned.numbers, _pinned.free)
    except IndexError:
        return None


def _read_slot(slot: _Slot, event: Any) -> float:
    event.synchronize()  # has passed, unless somebody flushes
    return float(slot.number)


def _bring(copy: Any, event: Any, module: Any) -> Any:
    """Return the numbers in host memory, or their histogram; on the writer's thread."""
    torch = sys.modules["torch"]
    side = _streams.get(copy.device)
    if side is None:
        side = _streams[copy.device] = module.Stream(copy.device)
    side.wait_event(event)
    with module.stream(side):
        binned = copy.numel() >= FEWEST and not copy.is_complex()
        found = count_on_device(copy) if binned else copy
        # Its memory is not given to the training stream again before this one is through with it.
        copy.record_stream(side)
        host = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
        host.copy_(found, non_blocking=True)
        done = module.Event()
        done.record(side)
    done.synchronize()
    return _as_payload(host) if binned else host


def _as_payload(host: Any) -> Payload:
    return payload_of(host.numpy())
