"""mlflow over a SQLite file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from peers.base import Peer, Read

_BATCH = 1_000
"""The most metrics that log_batch takes."""


class Mlflow(Peer):
    """With its defaults: every call is a transaction."""

    title = "mlflow"
    packages = ("mlflow", "pillow")
    module = "mlflow"
    versions_of = ("mlflow",)
    costly = True
    variables = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    calls = 2_000
    dicts = 200
    images = True

    def __init__(self, folder: Path) -> None:
        import mlflow

        self._mlflow = mlflow
        mlflow.set_tracking_uri(_url(folder))
        artifacts = (folder / "artifacts").as_uri()
        self.run = mlflow.start_run(
            experiment_id=mlflow.create_experiment("bench", artifact_location=artifacts)
        )

    def log_all(self, values: Sequence[float]) -> None:
        mlflow = self._mlflow
        for step, value in enumerate(values):
            mlflow.log_metric("loss", value, step=step)

    def log(self, step: int, value: float) -> None:
        self._mlflow.log_metric("loss", value, step=step)

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        mlflow = self._mlflow
        for step, values in enumerate(dicts):
            mlflow.log_metrics(dict(values), step=step)

    def fill(self, values: Sequence[float]) -> None:
        from mlflow.entities import Metric

        client, run_id = self._mlflow.MlflowClient(), self.run.info.run_id
        for start in range(0, len(values), _BATCH):
            now = int(time.time() * 1000)
            part = enumerate(values[start : start + _BATCH], start)
            client.log_batch(run_id, metrics=[Metric("loss", value, now, step) for step, value in part])

    def image(self, step: int, pixels: Any) -> None:
        self._mlflow.log_image(pixels, key="sample", step=step, synchronous=True)

    def close(self) -> None:
        self._mlflow.end_run()

    @classmethod
    def reader(cls, folder: Path) -> Read:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=_url(folder))
        experiment = client.get_experiment_by_name("bench")
        assert experiment is not None
        (run,) = client.search_runs([experiment.experiment_id])

        def read(name: str) -> tuple[Any, Any]:
            history = client.get_metric_history(run.info.run_id, name)
            return np.array([one.step for one in history]), np.array([one.value for one in history])

        return read


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"
