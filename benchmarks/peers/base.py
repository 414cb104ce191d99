"""What the benchmarks ask of a tracker: one file for each, whose import loads no tracker."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Read = Callable[[str], tuple[NDArray[Any], NDArray[Any]]]
"""Name of a series -> steps (n,) and values (n,)."""


class Peer(ABC):
    """One tracker with one run open in a folder, set up to measure nothing but what it is given."""

    title: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    """What pip installs into an environment of its own; none: it runs in Stepscope's own."""
    module: ClassVar[str]
    """What a training program imports."""
    versions_of: ClassVar[tuple[str, ...]]
    """The distributions whose versions the results name."""
    variables: ClassVar[Mapping[str, str]] = {}
    """Environment variables that keep it quiet and offline."""
    calls: ClassVar[int] = 100_000
    """How many calls a trial takes; fewer where 100,000 would take minutes."""
    dicts: ClassVar[int] = 2_000
    costly: ClassVar[bool] = False
    """Whether a call takes so much longer than those of others that one trial tells enough."""
    histograms: ClassVar[bool] = False
    images: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, folder: Path) -> None:
        """Open a run in an empty folder."""

    @abstractmethod
    def log_all(self, values: Sequence[float]) -> None:
        """Log "loss" once a step, in the loop that its manual shows: no harness between loop and call."""

    @abstractmethod
    def log(self, step: int, value: float) -> None:
        """Log "loss" once, for what is timed call by call."""

    @abstractmethod
    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        """Log one dict a step, in the way that is quickest for this tracker."""

    @abstractmethod
    def close(self) -> None:
        """Return when everything is stored."""

    def rest(self) -> None:  # noqa: B027  only ours leaves work to the background
        """Return when work that closing left to the background is done."""

    @classmethod
    def load(cls) -> None:
        """Import what a training program imports."""
        importlib.import_module(cls.module)

    @classmethod
    @abstractmethod
    def reader(cls, folder: Path) -> Read:
        """Open what a closed run left in the folder."""

    def fill(self, values: Sequence[float]) -> None:
        """Log "loss" as `log_all` does, or quicker where its own way would take minutes."""
        self.log_all(values)

    def histogram(self, step: int, values: NDArray[np.float32]) -> None:
        """Log the histogram "weights"; called where `histograms` says there are some."""
        raise NotImplementedError(f"{self.title} has no histograms")

    def image(self, step: int, pixels: NDArray[np.uint8]) -> None:
        """Log the image "sample", shape (height, width, 3); called where `images` says there are some."""
        raise NotImplementedError(f"{self.title} has no images")
