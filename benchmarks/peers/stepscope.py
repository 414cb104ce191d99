"""Stepscope, as the README shows it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.base import Peer, Read


class Stepscope(Peer):
    """One SQLite store."""

    title = "Stepscope"
    module = "stepscope"
    versions_of = ("stepscope",)
    histograms = images = True

    def __init__(self, folder: Path) -> None:
        import stepscope

        self._stepscope = stepscope
        self.run = stepscope.init(project="bench", store=folder / "runs.db")

    def log_all(self, values: Sequence[float]) -> None:
        run = self.run
        for step, value in enumerate(values):
            run.log({"loss": value}, step=step)

    def log(self, step: int, value: float) -> None:
        self.run.log({"loss": value}, step=step)

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        run = self.run
        for step, values in enumerate(dicts):
            run.log(values, step=step)

    def histogram(self, step: int, values: Any) -> None:
        self.run.log({"weights": values}, step=step)

    def image(self, step: int, pixels: Any) -> None:
        self.run.log({"sample": self._stepscope.Image(pixels)}, step=step)

    def close(self) -> None:
        self.run.finish()

    def rest(self) -> None:
        for thread in threading.enumerate():
            if thread.name == "stepscope-writer":
                thread.join()

    @classmethod
    def load(cls) -> None:
        from stepscope import init

        assert callable(init)

    @classmethod
    def reader(cls, folder: Path) -> Read:
        import stepscope

        (run,) = stepscope.open(folder / "runs.db").runs()

        def read(name: str) -> tuple[Any, Any]:
            columns = run.scalars(name).numpy()
            return columns["step"], columns["value"]

        return read
