"""Two clocks for the parts of a step: the host's, and the device's own, which nobody waits for.

A mark is a moment. One less an earlier one is the time between them: in seconds, or what gives them later.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import torch

from ..device_snapshot import Snapshot

Span = tuple[Any, Any]
"""Two marks of one clock: the beginning and the end of something."""


class HostClock:
    """Where the host does the work itself, its time is that of the work; a mark is a float."""

    mark = staticmethod(perf_counter)
    """Returns this moment."""
    stands: Callable[[], bool] | None = None
    """Never, so that nobody has to ask."""

    def seconds(self, spans: list[Span]) -> float:
        """Return the seconds of all spans together."""
        return sum(end - begin for begin, end in spans)


class Mark:
    """An event on the current stream, behind the work that was queued so far."""

    __slots__ = ("event",)

    def __init__(self) -> None:
        """Queue it."""
        self.event = torch.cuda.Event(enable_timing=True)
        self.event.record()

    def __sub__(self, earlier: Mark) -> Snapshot:
        """Return what the writer's thread reads once this event has passed."""
        return _snapshot([(earlier, self)])


class CudaClock:
    """Events on the current stream: the time between two is that of the device's work."""

    mark = Mark
    """Makes a mark."""

    def stands(self) -> bool:
        """Whether there is no time: what is captured into a CUDA graph runs later, and without hooks."""
        return torch.cuda.is_current_stream_capturing()

    def seconds(self, spans: list[Span]) -> Snapshot:
        """Return the seconds of all spans together, once the last event has passed."""
        return _snapshot(spans)


Clock = HostClock | CudaClock


def _snapshot(spans: list[Span]) -> Snapshot:
    return Snapshot(spans[-1][1].event.query, partial(_elapsed, spans))


def _elapsed(spans: list[Span]) -> float:
    return sum(begin.event.elapsed_time(end.event) for begin, end in spans) / 1000


def clock_of(device: torch.device) -> Clock:
    """Return the clock of the device that a model lies on."""
    return CudaClock() if device.type == "cuda" else HostClock()
