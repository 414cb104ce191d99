"""Make the trackio store of tests/assets/trackio anew.

`.bench/trackio/bin/python tests/assets/make_trackio.py FOLDER`: by the Python of trackio's own environment
(benchmarks/environments.py), since trackio needs another Pillow. A long test does so, too, and compares.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

OPTIONS = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
SPECIAL = (float("nan"), float("inf"), float("-inf"))


def first(trackio: Any, folder: Path) -> None:
    """Log one of everything."""
    rng = np.random.default_rng(0)
    config = {"lr": 0.1, "layers": [1, 2], "optimizer": {"name": "adam"}, "flag": True, "bad": float("nan")}
    trackio.init(project="digits", name="first", group="sweep", config=config, **OPTIONS)
    for step in range(20):
        nested = {"a": step, "b": {"c": step * 2.5}}
        trackio.log({"train/loss": 1 / (1 + step), "nested": nested, "flag": step % 2 == 0}, step=step * 10)
    for step, value in enumerate(SPECIAL):
        trackio.log({"odd": value}, step=step)
    trackio.log({"word": "epoch 3", "nothing": None, "list": [1, 2, 3]}, step=200)
    ramp = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    trackio.log({"picture": trackio.Image(ramp, caption="a ramp")}, step=210)
    counts = (np.array([1, 2, 3]), np.array([0.0, 0.5, 1.0, 2.0]))
    trackio.log({"weights": trackio.Histogram(np_histogram=counts)}, step=211)
    rows = [[1, "a", trackio.Image(np.zeros((4, 5, 3), np.uint8), caption="dot")], [2, None, None]]
    trackio.log({"table": trackio.Table(columns=["x", "y", "z"], data=rows)}, step=212)
    trackio.log({"report": trackio.Markdown("# hi"), "page": trackio.Html("<b>x</b>")}, step=213)
    sound = (rng.normal(size=80) * 8000).astype(np.int16)
    trackio.log({"sound": trackio.Audio(sound, caption="noise", sample_rate=8000)}, step=214)
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    trackio.log({"chat": trackio.Trace(messages, metadata={"session": 1})}, step=215)
    trackio.log_system({"gpu/0/utilization": 50, "cpu": {"percent": 12.5}})
    trackio.alert("diverged", "the loss is up", level=trackio.AlertLevel.ERROR)
    keep(trackio, folder)
    trackio.finish()


def keep(trackio: Any, folder: Path) -> None:
    """Log an artifact of two files."""
    made = trackio.Artifact("weights", type="model", metadata={"accuracy": 0.5})
    paths = [folder / "a.txt", folder / "b.txt"]
    for path in paths:
        path.write_text(f"file {path.name}")
        made.add_file(str(path), name=f"inside/{path.name}")
    trackio.log_artifact(made, aliases=["best"])
    for path in paths:
        path.unlink()


def second(trackio: Any) -> None:
    """Log a run without steps."""
    trackio.init(project="digits", name="second", config={"lr": 0.2}, **OPTIONS)
    for value in (3.0, 2.0):
        trackio.log({"train/loss": value})
    trackio.finish()


def as_text(database: Path) -> None:
    """Keep a database as the statements that make it."""
    with closing(sqlite3.connect(database)) as connection:
        database.with_suffix(".sql").write_text("\n".join(connection.iterdump()), encoding="utf-8")


def make(folder: Path) -> None:
    """Make the store."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"TRACKIO_DIR": str(folder), "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
    trackio: Any = import_module("trackio")  # which reads the environment
    first(trackio, folder)
    second(trackio)
    as_text(folder / "digits.db")


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
