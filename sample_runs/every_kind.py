"""One of each kind of data that Stepscope records, made with numpy and plotly alone.

python sample_runs/every_kind.py
stepscope ui
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import plotly.graph_objects as go

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


def classified(step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 300 samples of two classes: classes (300,), scores from 0 to 1 (300,), vectors (300, 8)."""
    classes = random.integers(0, 2, 300)
    apart = 4 * step / options.steps
    vectors = random.normal(0, 1, (300, 8)) + apart * (classes[:, None] - 0.5)
    return classes, 1 / (1 + np.exp(-vectors.mean(axis=1) * 2)), vectors


def torus(step: int) -> stepscope.Mesh:
    """Return a ring of triangles that grows thicker."""
    around, across = np.meshgrid(np.arange(24), np.arange(12), indexing="ij")
    u, v = around.ravel() * 2 * np.pi / 24, across.ravel() * 2 * np.pi / 12
    radius = 0.15 + 0.3 * step / options.steps
    far = 1 + radius * np.cos(v)
    vertices = np.stack([far * np.cos(u), far * np.sin(u), radius * np.sin(v)], axis=1)
    a, b = around * 12 + across, (around + 1) % 24 * 12 + across
    c, d = around * 12 + (across + 1) % 12, (around + 1) % 24 * 12 + (across + 1) % 12
    faces = np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, b, c), (b, d, c))])
    colors = np.stack([(1 + np.cos(u)) / 2, (1 + np.sin(u)) / 2, (1 + np.cos(v)) / 2], axis=1)
    return stepscope.Mesh(vertices, faces, colors)


def look_back(step: int) -> dict[str, object]:
    """Return what a validation every few steps could log."""
    classes, scores, vectors = classified(step)
    sure = np.argsort(-scores)[:5]
    rows = [[int(i), f"sample {i}", bool(classes[i]), float(scores[i])] for i in sure]
    counts = [[int(((scores > 0.5) == p)[classes == c].sum()) for p in (0, 1)] for c in (0, 1)]
    confusion = go.Figure(go.Heatmap(z=counts, x=["no", "yes"], y=["no", "yes"], colorscale="Blues"))
    confusion.update_layout(title="Confusion", xaxis_title="predicted", yaxis_title="true", height=320)
    return {
        "film": stepscope.Video(np.stack([picture(frame) for frame in range(0, step + 2)]), fps=12),
        "surest": stepscope.Table(["number", "name", "positive", "score"], rows),
        "confusion": stepscope.Figure(confusion, caption=f"step {step}"),
        "precision": stepscope.PrCurve(classes, scores),
        "samples": stepscope.Embedding(vectors, [f"class {c}" for c in classes]),
        "torus": torus(step),
    }


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
        if step % 25 == 0:
            run.log(look_back(step), step=step)
    run.log({"trial": stepscope.HParams({"steps": options.steps, "seed": options.seed}, {"best_loss": best})})
    run.summary["best_loss"] = best
print(f"One of each kind lies in run {run.name}. Look at it with: stepscope ui")
