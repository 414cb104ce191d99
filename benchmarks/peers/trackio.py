"""trackio: a SQLite file for each project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from peers.base import Peer, Read


class Trackio(Peer):
    """Without its monitors of the machine."""

    title = "trackio"
    packages = ("trackio",)
    module = "trackio"
    versions_of = ("trackio",)
    variables = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    histograms = images = True

    def __init__(self, folder: Path) -> None:
        # It reads this when it is imported.
        os.environ["TRACKIO_DIR"] = str(folder)
        import trackio

        self._trackio = trackio
        trackio.init(project="bench", name="run", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log_all(self, values: Sequence[float]) -> None:
        trackio = self._trackio
        for step, value in enumerate(values):
            trackio.log({"loss": value}, step=step)

    def log(self, step: int, value: float) -> None:
        self._trackio.log({"loss": value}, step=step)

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        trackio = self._trackio
        for step, values in enumerate(dicts):
            trackio.log(dict(values), step=step)

    def histogram(self, step: int, values: Any) -> None:
        self._trackio.log({"weights": self._trackio.Histogram(values)}, step=step)

    def image(self, step: int, pixels: Any) -> None:
        self._trackio.log({"sample": self._trackio.Image(pixels)}, step=step)

    def close(self) -> None:
        self._trackio.finish()

    @classmethod
    def reader(cls, folder: Path) -> Read:
        os.environ["TRACKIO_DIR"] = str(folder)
        from trackio.sqlite_storage import SQLiteStorage

        def read(name: str) -> tuple[Any, Any]:
            rows = SQLiteStorage.get_metric_values("bench", "run", name)
            return np.array([row["step"] for row in rows]), np.array([row["value"] for row in rows])

        return read
