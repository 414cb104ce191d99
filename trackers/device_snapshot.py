"""The value of a tensor on a device, as it was when it was logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_PENDING = 4096
"""Snapshots that may wait at once; each holds memory of the device."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The value of a device tensor at the moment it was logged."""

    ready: Callable[[], bool]
    """Whether reading it would not wait for the device."""
    read: Callable[[], Any]
    """Returns a number, what holds numbers, or a Payload that was made on the device."""
    histogram: bool = False
    """Whether it is a histogram even with one element, which is a number otherwise."""


def always() -> bool:
    """Return True: what TensorFlow holds may be read at any time."""
    return True


CAPTURING = Snapshot(always, lambda: None)
"""Stands for a value that was logged while a CUDA graph was captured: it cannot be had."""
