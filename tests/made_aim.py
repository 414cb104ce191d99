"""Lets Aim itself write repositories. Run as a program: `made_aim.py FOLDER [everything | growing]`.

With --pack, tests/assets/aim.zip, or aim_growing.zip, is made anew: Aim takes seconds to load. Long tests do
without them.
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
COUNTS_OF_LOSSES = (5, 9, 20, 30)
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


def grow(folder: Path) -> None:
    """Make copies of a repository of one run, named as the number of losses that it had by then, in `at`."""
    aim: Any = import_module("aim")
    live = folder / "live"
    live.mkdir()
    run = aim.Run(
        repo=str(live),
        system_tracking_interval=None,
        log_system_params=False,
        capture_terminal_logs=False,
    )
    run.name = "first"
    done = 0
    for count in COUNTS_OF_LOSSES:
        for step in range(done, count):
            run.track(step / 2, name="loss", step=step)
        done = count
        shutil.copytree(live, folder / "at" / str(count))


def _pack(folder: Path, name: str) -> None:
    for told in (*folder.rglob("LOG"), *folder.rglob("*.softlock")):
        told.unlink()  # what RocksDB did, and who holds a lock, with the name of the machine
    shutil.make_archive(str(Path(__file__).with_name("assets") / name), "zip", folder)


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    name = "aim_growing" if "growing" in sys.argv else "aim"
    (grow if "growing" in sys.argv else fill)(place)
    if "--pack" in sys.argv:
        _pack(place / "at" if "growing" in sys.argv else place, name)
