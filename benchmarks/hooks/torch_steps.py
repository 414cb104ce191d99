"""A small CNN in PyTorch: without a tracker, with ours at two settings, and with wandb.watch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

import stepscope
from hooks.others import load
from hooks.variants import NONE, Variant, cpu_costs, step_costs
from plan import Measures
from stepscope.trackers.pytorch import TorchTracker

_OFTEN = 10
Log = Callable[[torch.Tensor], None]


def measure(folder: Path, blocks: int, block: int) -> Measures:
    """Return what each variant costs, and what torch.compile made with the hook and without."""
    torch.set_num_threads(1)
    store = folder / "stepscope.db"
    variants = {NONE: _without(), "default": _ours(store), "everything": _ours(store, everything=True)}
    wandb = load("wandb")
    if wandb is not None:
        variants["wandb"] = _watched(wandb, folder)
    for variant in variants.values():
        variant.train(block)  # a whole one, so that each block holds the same places of a hundred
    measures = step_costs(variants, blocks, block, 1) | cpu_costs(variants, max(1, blocks // 2), block)
    return measures | _compiled(store)


def _training() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 11 * 11, 10),
    )
    return model, torch.optim.Adam(model.parameters())


def _trainer(model: Any, optimizer: torch.optim.Optimizer, log: Log | None) -> Callable[[int], None]:
    x, y = torch.randn(32, 1, 28, 28), torch.randint(10, (32,))

    def train(steps: int) -> None:
        for _ in range(steps):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if log is not None:
                log(loss)

    return train


def _without() -> Variant:
    return Variant(_trainer(*_training(), None))


def _ours(store: Path, *, everything: bool = False) -> Variant:
    run = stepscope.init(project="bench", store=store)
    model, optimizer = _training()
    if everything:
        TorchTracker(
            run,
            model,
            optimizer,
            histogram_every=_OFTEN,
            gradient_norm_every=_OFTEN,
            memory_every=_OFTEN,
            histograms=("weights", "gradients", "activations"),
        )
    else:
        TorchTracker(run, model, optimizer)
    return Variant(_trainer(model, optimizer, lambda loss: run.log({"loss/train": loss})), run.flush)


def _watched(wandb: Any, folder: Path) -> Variant:
    run = wandb.init(project="bench", dir=folder, mode="offline")
    model, optimizer = _training()
    run.watch(model, log="all", log_freq=_OFTEN)
    return Variant(_trainer(model, optimizer, lambda loss: run.log({"loss/train": loss})))


def _compiled(store: Path) -> Measures:
    from torch._dynamo.utils import counters

    measures: Measures = {}
    for name in (NONE, "hook"):
        torch._dynamo.reset()
        counters.clear()
        model, optimizer = _training()
        run = None
        if name == "hook":
            run = stepscope.init(project="bench", store=store)
            TorchTracker(run, model, optimizer, histogram_every=_OFTEN)
        _trainer(torch.compile(model, backend="aot_eager"), optimizer, None)(3 * _OFTEN)
        if run is not None:
            run.finish()
        measures[f"graphs_{name}"] = counters["stats"]["unique_graphs"]
        measures[f"breaks_{name}"] = sum(counters["graph_break"].values())
    return measures
