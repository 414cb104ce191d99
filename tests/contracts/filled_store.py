"""A store with every kind of data, for tests of what reads one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

import stepscope
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer

STEPS = 12

GRAPH = GraphData(
    name="net",
    framework="torch",
    source="torch.export",
    nodes=(
        GraphNode("x", "placeholder", "", (), ((None, 8),)),
        GraphNode("linear", "aten.linear", "body/fc1", ("x",), ((None, 4),), {"bias": "True"}),
        GraphNode("relu:0", "aten.relu", "body", ("linear",), ((None, 4),)),
        GraphNode("body/fc2/linear", "aten.linear", "body/fc2", ("relu:0",), ((None, 2),)),
    ),
    layers=(
        Layer("", "Net"),
        Layer("body", "Sequential"),
        Layer("body/fc1", "Linear", 36, 36, (None, 4)),
        Layer("body/fc2", "Linear", 10, 10, (None, 2)),
    ),
)

CONFIG = {"lr": 0.125, "epochs": 3, "augment": True, "optimizer": {"name": "sgd", "betas": [0.9, 0.99]}}


HOSTILE = "<script>alert('x')</script>"


def media(rng: np.random.Generator) -> dict[str, Any]:
    """Return a value of each kind that is made of several parts."""
    labels = rng.random(60) > 0.5
    vectors = rng.normal(size=(20, 4)) + np.arange(20)[:, None]
    rows = [[str(number), f"class {number % 3}"] for number in range(20)]
    bars = {"data": [{"type": "bar", "x": ["a", "b"], "y": [1, 2]}], "layout": {"title": {"text": HOSTILE}}}
    corners = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    return {
        "film": stepscope.Video(rng.random((5, 16, 18, 3)), fps=5, caption="five <frames>"),
        "surest": stepscope.Table(["name", "score"], [["a | b", 0.5], [HOSTILE, math.nan], [None, 1]]),
        "bars": stepscope.Figure(go.Figure(bars), caption="two bars"),
        "precision": stepscope.PrCurve(labels, 0.5 * rng.random(60) + 0.5 * labels),
        "vectors": stepscope.Embedding(vectors, rows, rng.random((20, 6, 6, 1)), ["number", "class"]),
        "corner": stepscope.Mesh(corners, [[0, 1, 2], [0, 1, 3]], [[255, 0, 0]] * 4, {"camera": {"fov": 75}}),
        "trial": stepscope.HParams({"width": 8, "norm": "batch"}, {"best": 0.25}),
    }


def fill(store: str, name: str = "baseline", project: str = "digits", seed: int = 0) -> str:
    """Log one run with every kind of data; return its id."""
    rng = np.random.default_rng(seed)
    with stepscope.init(project=project, name=name, config=CONFIG, store=store) as run:
        for step in range(STEPS):
            run.log({"train/loss": math.exp(-step) + rng.random() * 0.1, "lr": 0.125}, step=step)
            run.log({"train/loss": rng.random()}, step=step, context={"rank": 1})
        run.log({"odd": math.nan}, step=0)
        run.log({"odd": math.inf}, step=1)
        run.log({"odd": -math.inf}, step=2)
        run.log({"odd": 1e300}, step=3)
        run.log({"both": 1.5}, step=0)
        for step in (2, 5, 7):
            run.log(
                {
                    "weights/fc1": rng.normal(size=500),
                    "both": rng.normal(size=20),
                    "digit": stepscope.Image(rng.random((8, 8)), caption=f"<digit> {step}"),
                    "tone": stepscope.Audio(np.sin(np.arange(800) / 10), 8000, caption="a & b"),
                    "notes/first": stepscope.Text(f"# step {step}\n\n<script>alert('ä')</script>"),
                },
                step=step,
            )
        run.log(media(rng), step=5)
        run.log({"empty": stepscope.Histogram(np.array([math.nan, math.nan]))}, step=1)
        run.log({"model": stepscope.Graph(GRAPH)}, step=0)
        return run.id
