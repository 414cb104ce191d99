"""One of each kind of data that Stepscope records, made with numpy alone.

python sample_runs/every_kind.py
stepscope ui
"""

from __future__ import annotations

import argparse
import math

import numpy as np

import stepscope

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--steps", type=int, default=50)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--store", help="path or URL (default: STEPSCOPE_STORE, or ./stepscope.db)")
options = parser.parse_args()
random = np.random.default_rng(options.seed)


def picture(step: int) -> np.ndarray:
    """Return a ring that grows: uint8 (64, 64, 3)."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    ring = np.exp(-((np.hypot(x, y) - step / options.steps) ** 2) * 50)
    return (np.stack([ring, 0.5 * ring, 1 - ring], axis=-1) * 255).astype(np.uint8)


def tone(step: int, rate: int = 8000) -> np.ndarray:
    """Return half a second of a tone that rises: float32 (4000,)."""
    time = np.arange(rate // 2) / rate
    return (0.3 * np.sin(2 * np.pi * (220 + 8 * step) * time)).astype(np.float32)


def network() -> stepscope.GraphData:
    """Return the graph of a network of two layers, written by hand."""
    nodes = (
        stepscope.GraphNode("x", "input", output_shapes=((None, 4),)),
        stepscope.GraphNode("hidden", "matmul", "hidden", ("x",), ((None, 8),)),
        stepscope.GraphNode("relu", "relu", "hidden", ("hidden",), ((None, 8),)),
        stepscope.GraphNode("scores", "matmul", "out", ("relu",), ((None, 2),)),
    )
    layers = (
        stepscope.Layer("", "Network", output_shape=(None, 2)),
        stepscope.Layer("hidden", "Dense", 40, 40, (None, 8)),
        stepscope.Layer("out", "Dense", 18, 18, (None, 2)),
    )
    return stepscope.GraphData("two layers", "numpy", "by hand", nodes, layers)


with stepscope.init(
    project="every-kind", name="every-kind", config=vars(options), tags=["sample"], store=options.store
) as run:
    best = math.inf
    run.log({"model": stepscope.Graph(network())}, step=0)
    for step in range(options.steps):
        loss = math.exp(-step / 15) + random.normal(0, 0.02)
        if step == options.steps // 2:
            loss = math.nan  # one value went bad
        best = min(best, loss)  # never the NaN, which is less than nothing
        run.log(
            {
                "loss": loss,
                "weights": random.normal(step / 50, 1 + step / 50, 2000),
            },
            step=step,
        )
        if step % 10 == 0:
            run.log(
                {
                    "ring": stepscope.Image(picture(step), caption=f"step {step}"),
                    "tone": stepscope.Audio(tone(step), sample_rate=8000, caption=f"{220 + 8 * step} Hz"),
                    "notes": stepscope.Text(f"**Step {step}**: the loss is `{loss:.3f}`."),
                },
                step=step,
            )
    run.summary["best_loss"] = best
print(f"One of each kind lies in run {run.name}. Look at it with: stepscope ui")
