"""A store with every kind of data, for tests of what reads one."""

from __future__ import annotations

import math

import numpy as np

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
        run.log({"empty": stepscope.Histogram(np.array([math.nan, math.nan]))}, step=1)
        run.log({"model": stepscope.Graph(GRAPH)}, step=0)
        return run.id
