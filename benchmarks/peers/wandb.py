"""wandb, offline: a file of protocol buffers, written by a process beside the program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from peers.base import Peer, Read

_BLOCK, _HEAD = 32_768, 7


class Wandb(Peer):
    """With nothing printed; its own monitors of the machine are on, as they are by default."""

    title = "wandb offline"
    packages = ("wandb", "pillow")
    module = "wandb"
    versions_of = ("wandb",)
    costly = True
    variables = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    histograms = images = True

    def __init__(self, folder: Path) -> None:
        import wandb

        self._wandb = wandb
        settings = wandb.Settings(console="off")
        self.run = wandb.init(project="bench", mode="offline", dir=str(folder), settings=settings)

    def log_all(self, values: Sequence[float]) -> None:
        run = self.run
        for step, value in enumerate(values):
            run.log({"loss": value}, step=step)

    def log(self, step: int, value: float) -> None:
        self.run.log({"loss": value}, step=step)

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        run = self.run
        for step, values in enumerate(dicts):
            run.log(dict(values), step=step)

    def histogram(self, step: int, values: Any) -> None:
        self.run.log({"weights": self._wandb.Histogram(values)}, step=step)

    def image(self, step: int, pixels: Any) -> None:
        self.run.log({"sample": self._wandb.Image(pixels)}, step=step)

    def close(self) -> None:
        self.run.finish()

    @classmethod
    def reader(cls, folder: Path) -> Read:
        from wandb.proto.wandb_internal_pb2 import Record

        (path,) = folder.rglob("*.wandb")

        def read(name: str) -> tuple[Any, Any]:
            steps: list[int] = []
            values: list[float] = []
            for data in _records(path.read_bytes()):
                record = Record.FromString(data)
                if not record.HasField("history"):
                    continue
                row = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
                if name in row:
                    steps.append(record.history.step.num)
                    values.append(json.loads(row[name]))
            return np.array(steps), np.array(values)

        return read


def _records(data: bytes) -> Iterator[bytes]:
    # It has no reader for offline runs. The file is a LevelDB log: blocks of 32 KiB, and in them pieces
    # with checksum, length and type (1 whole, 2 first, 3 middle, 4 last).
    at, parts = _HEAD, b""
    while at + _HEAD <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + _HEAD : at + _HEAD + length]
        at += _HEAD + length
        if kind in (1, 4):
            yield parts
            parts = b""
