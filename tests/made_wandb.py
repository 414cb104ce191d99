"""Writes a folder of W&B's with everything in it, by W&B itself. Run as a program: `made_wandb.py FOLDER`."""

from __future__ import annotations

import os
import sys
import wave
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

ROWS = 30
PICTURE = np.random.default_rng(7).integers(0, 255, (8, 10, 3), dtype=np.uint8)
SOUND = (np.sin(np.arange(800) / 5) * 30_000).astype(np.int16)
CLOUD = np.random.default_rng(8).normal(size=(20, 6)) ** 2
COUNTS, EDGES = np.histogram(np.random.default_rng(9).normal(size=100), bins=12)
RUN_ID = "everything"
MEDIA_STEP = 100


def row(step: int) -> dict[str, object]:
    """Return what is logged at a step, but for media."""
    return {
        "loss": 1 / (step + 1),
        "step twice": step * 2,
        "even": step % 2 == 0,
        "odd numbers": float("nan") if step == 1 else float("inf") if step == 2 else -float("inf"),
        "nested": {"a": step, "b": {"c": 2.5}},
        "said": f"step {step}",
        "listed": [1, 2, step],
        "nothing": None,
        "large": 2**60,
    }


def _write(folder: Path) -> None:
    wandb: Any = import_module("wandb")
    run = wandb.init(
        project="digits",
        name="before",
        group="sweep",
        tags=["a", "b"],
        notes="some notes",
        job_type="train",
        config={"lr": 0.1, "model": {"depth": 3, "widths": [1, 2]}},
        dir=folder,
        id=RUN_ID,
        mode="offline",
    )
    run.define_metric("val/*", step_metric="epoch")
    run.define_metric("loss", summary="min,max")
    for step in range(ROWS):
        run.log(row(step))
    run.log({"val/accuracy": 0.5, "epoch": 1})
    run.log(_media(wandb, folder), step=MEDIA_STEP)
    run.alert("watch out", "it is hot", level=wandb.AlertLevel.ERROR)
    (folder / "weights.bin").write_bytes(b"weights")
    artifact = wandb.Artifact("model", "model", metadata={"k": 1})
    artifact.add_file(str(folder / "weights.bin"), name="inside/weights.bin")
    run.log_artifact(artifact, aliases=["best"])
    (folder / "notes.txt").write_text("keep me")
    run.save(str(folder / "notes.txt"), base_path=str(folder))
    run.summary["best"] = 0.9
    run.config.update({"later": True, "model": {"depth": 4}}, allow_val_change=True)
    print("hello console")
    print("to stderr", file=sys.stderr)
    print("drawn once", end="\rdrawn again\n")
    run.name = "after"
    run.tags += ("c",)
    run.finish()
    again = wandb.init(project="digits", dir=folder, id=RUN_ID, mode="offline", name="after")
    again.log({"loss": 7.0}, step=10)
    again.finish(exit_code=1)


def _media(wandb: Any, folder: Path) -> dict[str, object]:
    box = {"minX": 0.0, "maxX": 0.5, "minY": 0.25, "maxY": 1.0}
    boxes = {"box_data": [{"position": box, "class_id": 1}], "class_labels": {1: "cat"}}
    masks = {"mask_data": np.eye(8, 10, dtype=int), "class_labels": {1: "cat"}}
    _write_files(folder)
    return {
        "image": wandb.Image(PICTURE, caption="one"),
        "images": [wandb.Image(PICTURE, caption="two"), wandb.Image(255 - PICTURE)],
        "marked": wandb.Image(PICTURE, masks={"guess": masks}, boxes={"truth": boxes}),
        "distribution": wandb.Histogram(np_histogram=(COUNTS, EDGES)),
        "sound": wandb.Audio(str(folder / "sound.wav"), caption="beep"),
        "page": wandb.Html("<b>hi</b>", inject=False),
        "cloud": wandb.Object3D(CLOUD),
        "rows": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2.5, "y"]]),
        "film": wandb.Video(str(folder / "film.gif"), format="gif"),
        "figure": wandb.Plotly(go.Figure(go.Scatter(x=[1, 2], y=[3, 4]))),
        "molecule": wandb.Molecule(str(folder / "atom.pdb")),
        "odd object": wandb.Object3D(str(folder / "object.obj")),
    }


def _write_files(folder: Path) -> None:
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(SOUND.tobytes())
    frames = [Image.fromarray(np.roll(PICTURE, number, 1)) for number in range(3)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:], duration=250)
    (folder / "atom.pdb").write_text("ATOM      1  N   MET A   1      11.104  13.207   2.100\n")
    (folder / "object.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")


if __name__ == "__main__":
    # Else W&B keeps copies of artifacts, and a log of its own, in the user's home.
    for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        os.environ[variable] = sys.argv[1]
    os.environ |= {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    _write(Path(sys.argv[1]))
