"""TensorBoard's event files as PyTorch writes them."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from peers.base import Peer, Read


def without_tensorflow() -> None:
    """Have TensorBoard use its own code for files, as where there is no TensorFlow to load for seconds."""
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))


class EventFiles(Peer):
    """What both writers of event files share: the interface is the same, and so is TensorBoard's reader."""

    histograms = images = True
    writer: Any

    def log_all(self, values: Sequence[float]) -> None:
        writer = self.writer
        for step, value in enumerate(values):
            writer.add_scalar("loss", value, step)

    def log(self, step: int, value: float) -> None:
        self.writer.add_scalar("loss", value, step)

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        writer = self.writer
        for step, values in enumerate(dicts):
            for name, value in values.items():
                writer.add_scalar(name, value, step)

    def histogram(self, step: int, values: Any) -> None:
        self.writer.add_histogram("weights", values, step)

    def image(self, step: int, pixels: Any) -> None:
        self.writer.add_image("sample", pixels, step, dataformats="HWC")

    def close(self) -> None:
        self.writer.flush()
        self.writer.close()

    @classmethod
    def load(cls) -> None:
        without_tensorflow()
        super().load()

    @classmethod
    def reader(cls, folder: Path) -> Read:
        without_tensorflow()
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        def read(name: str) -> tuple[Any, Any]:
            accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
            events = accumulator.Scalars(name)
            return np.array([event.step for event in events]), np.array([event.value for event in events])

        return read


class SummaryWriter(EventFiles):
    """torch.utils.tensorboard, with its default queue of 10 and flush every 120 s."""

    title = "SummaryWriter"
    module = "torch.utils.tensorboard"
    versions_of = ("torch", "tensorboard")

    def __init__(self, folder: Path) -> None:
        without_tensorflow()
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder))
