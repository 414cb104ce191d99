"""Two clocks for the parts of a step: the host's, and the device's own, which nobody waits for."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

import torch

from ..device import Snapshot

Span = tuple[Any, Any]
"""Two marks of one clock: the beginning and the end of something."""


class HostClock:
    """Where the host does the work itself, its time is that of the work."""

    mark = staticmethod(perf_counter)
    """Returns this moment."""

    def runs(self) -> bool:
        """Return True."""
        return True

    def between(self, begin: float, end: float) -> float:
        """Return the seconds from one mark to another."""
        return end - begin

    def seconds(self, spans: list[Span]) -> float:
        """Return the seconds of all spans together."""
        return sum(end - begin for begin, end in spans)


class CudaClock:
    """Events on the current stream: the time between two is that of the device's work."""

    def mark(self) -> torch.cuda.Event:
        """Queue an event behind the work that was queued so far."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def runs(self) -> bool:
        """Whether there is a time: what is captured into a CUDA graph runs later, and without hooks."""
        return not torch.cuda.is_current_stream_capturing()

    def between(self, begin: Any, end: Any) -> Snapshot:
        """Return what the writer's thread reads once the last event has passed."""
        return self.seconds([(begin, end)])

    def seconds(self, spans: list[Span]) -> Snapshot:
        """Return the same of all spans together."""
        return Snapshot(spans[-1][1].query, partial(_elapsed, spans))


Clock = HostClock | CudaClock


def _elapsed(spans: list[Span]) -> float:
    return sum(begin.elapsed_time(end) for begin, end in spans) / 1000


def clock_of(device: torch.device) -> Clock:
    """Return the clock of the device that a model lies on."""
    return CudaClock() if device.type == "cuda" else HostClock()
