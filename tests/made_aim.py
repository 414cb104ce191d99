"""Writes a repository of Aim's with everything in it, by Aim itself. Run as a program: `made_aim.py FOLDER`.

With --pack, tests/assets/aim.zip is made anew: Aim takes seconds to load. A long test does without it.
"""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

STEPS = 40
PICTURE = np.random.default_rng(7).integers(0, 255, (8, 10, 3), dtype=np.uint8)
SOUND = (np.sin(np.arange(800) / 5) * 30_000).astype(np.int16)
SAMPLES = np.random.default_rng(9).normal(size=100)
COUNTS = np.array([1, 2, 3])
PARAMS = {"lr": 0.1, "model": {"depth": 3, "widths": [1, 2]}, "fast": True, "nothing": None}


def fill(folder: Path) -> None:
    """Make the repository in a folder: one run with everything, one that has nothing."""
    aim: Any = import_module("aim")
    run = aim.Run(repo=str(folder), experiment="digits", system_tracking_interval=1)
    run["hparams"] = PARAMS
    run.name, run.description = "everything", "a description"
    run.add_tag("a")
    run.add_tag("b")
    for step in range(STEPS):
        for subset, weight in (("train", 1.0), ("val", 2.0)):
            run.track(
                weight / (step + 1), name="loss", step=step, epoch=step // 10, context={"subset": subset}
            )
    for step, value in enumerate((float("nan"), float("inf"), -float("inf"), 3)):
        run.track(value, name="odd", step=step)
    run.track(7, name="whole", step=5, context={"rank": 1, "deep": {"x": [1]}})
    run.track(aim.Image(PICTURE, caption="one"), name="image", step=3, context={"subset": "train"})
    run.track([aim.Image(PICTURE, caption="two"), aim.Image(255 - PICTURE)], name="images", step=4)
    run.track(aim.Audio(SOUND, rate=8000, format="wav", caption="beep"), name="sound", step=1)
    run.track(aim.Text("hello *world*"), name="said", step=1)
    run.track(aim.Distribution(SAMPLES, bin_count=16), name="samples", step=2)
    run.track(aim.Distribution(hist=COUNTS, bin_range=(0.0, 3.0)), name="samples", step=3)
    run.track(aim.Figure(go.Figure(go.Scatter(x=[1, 2], y=[3, 4]))), name="figure", step=2)
    run.log_warning("watch out", degrees=90)
    run.log_error("too late")
    print("hello console")
    run.set_artifacts_uri(f"file://{folder}/kept")
    (folder / "weights.bin").write_bytes(b"weights")
    run.log_artifact(str(folder / "weights.bin"), name="weights.bin", block=True)
    run.close()
    empty = aim.Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
    empty.archived = True
    empty.close()


def _pack(folder: Path) -> None:
    for log in folder.rglob("LOG"):
        log.unlink()  # what RocksDB did, with the name of the machine
    shutil.make_archive(str(Path(__file__).with_name("assets") / "aim"), "zip", folder)


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    fill(place)
    if "--pack" in sys.argv:
        _pack(place)
