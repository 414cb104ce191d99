"""dvclive: a text file for each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.base import Peer, Read


class Dvclive(Peer):
    """Without an experiment of DVC and without a report; read back by pandas."""

    title = "dvclive + pandas"
    packages = ("dvclive", "pandas", "pillow")
    module = "dvclive"
    versions_of = ("dvclive", "pandas")
    costly = True
    variables = {"DVC_NO_ANALYTICS": "true"}
    calls = 2_000
    dicts = 200
    images = True

    def __init__(self, folder: Path) -> None:
        import dvclive

        self.live = dvclive.Live(dir=str(folder / "dvclive"), save_dvc_exp=False, report=None, dvcyaml=None)

    def log_all(self, values: Sequence[float]) -> None:
        live = self.live
        for value in values:
            live.log_metric("loss", value)
            live.next_step()

    def log(self, step: int, value: float) -> None:  # noqa: ARG002  next_step() counts
        self.live.log_metric("loss", value)
        self.live.next_step()

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        live = self.live
        for values in dicts:
            for name, value in values.items():
                live.log_metric(name, value)
            live.next_step()

    def fill(self, values: Sequence[float]) -> None:
        # next_step() writes a summary each time and grows slower with every step.
        live = self.live
        for step, value in enumerate(values):
            live.step = step
            live.log_metric("loss", value)

    def image(self, step: int, pixels: Any) -> None:
        self.live.step = step
        self.live.log_image("sample.png", pixels)

    def close(self) -> None:
        self.live.end()

    @classmethod
    def reader(cls, folder: Path) -> Read:
        import pandas as pd

        def read(name: str) -> tuple[Any, Any]:
            table = pd.read_csv(folder / "dvclive" / "plots" / "metrics" / f"{name}.tsv", sep="\t")
            return table["step"].to_numpy(), table[name].to_numpy()

        return read
