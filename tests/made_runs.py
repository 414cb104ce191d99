"""Runs with known curves, for tests of what compares them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import stepscope
from stepscope.app.comparison.compare import Comparison
from stepscope.app.comparison.reading import StoreSource, read
from stepscope.storage.kinds.graph import GraphData, Layer
from stepscope.storage.read import Reader

EPOCHS, BATCHES = 20, 10


def model(framework: str, width: int = 8) -> GraphData:
    """Return a small graph, as the hooks of a framework would tell it."""
    dense = "Linear" if framework == "torch" else "Dense"
    layers = (
        Layer("", "Net"),
        Layer("hidden", dense, 10 * width, 10 * width, (None, width), 20 * width),
        Layer("out", dense, 2 * width, 2 * width, (None, 2), 4 * width),
    )
    return GraphData("net", framework, "modules", layers=layers)


def train(
    store: str,
    name: str,
    framework: str = "torch",
    *,
    shift: float = 0.0,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    width: int = 8,
) -> str:
    """Log a training as the hook of a framework names it; its losses lie `shift` higher from epoch 10 on."""
    rng = np.random.default_rng(seed)
    keras = framework == "keras"
    with stepscope.init(store=store, project="made", name=name, config=config or {"lr": 0.1}) as run:
        run.set_framework(framework)
        run.log({"model": stepscope.Graph(model(framework, width))}, step=0)
        for epoch in range(1, EPOCHS + 1):
            level = math.exp(-epoch / 5) + (shift if epoch > 10 else 0.0)
            batches = level + 0.01 * rng.normal(size=BATCHES)
            for batch, loss in enumerate(batches.tolist(), (epoch - 1) * BATCHES + 1):
                measured = {"batch_loss" if keras else "loss/train": loss, "step_time": 0.01}
                run.log({**measured, "samples_per_second": 100.0 + 100 * keras}, step=batch)
            ended = {"epoch_loss": float(batches.mean())} if keras else {}
            value = level + 0.01 * rng.normal()
            ended |= {"epoch_val_loss" if keras else "loss/val": value}
            ended |= {"epoch_val_accuracy" if keras else "accuracy/val": 1 - value / 4, "epoch": epoch}
            run.log(ended, step=epoch * BATCHES)
        return run.id


def compared(store: str, run_ids: Sequence[str]) -> Comparison:
    """Read and compare some runs."""
    with Reader.open(store) as reader:
        runs = [reader.run(run_id) for run_id in run_ids]
        found = read(StoreSource(reader), runs, {run.run_id: run.name for run in runs})
    return found.comparison
