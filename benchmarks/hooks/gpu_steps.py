"""A network whose step takes about 10 ms on a GPU, with the hook at default settings and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import stepscope
from hooks.variants import NONE, Variant, step_costs
from plan import Measures
from stepscope.trackers.pytorch import TorchTracker

_WIDTH, _DEPTH, _WARM_UP, _STEP_S = 2048, 12, 20, 0.010
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def measure(folder: Path, blocks: int, block: int) -> Measures:
    """Return what the hook costs a step, and how often each variant waited for the GPU in a block."""
    rows = _rows_for(_STEP_S)
    variants = {NONE: _variant(rows, None), "default": _variant(rows, folder / "stepscope.db")}
    for variant in variants.values():
        variant.train(_WARM_UP)
    measures = step_costs(variants, blocks, block, block)
    return measures | {f"{name}_waits": _waits(variant.train, block) for name, variant in variants.items()}


def _rows_for(seconds: float) -> int:
    """Return how many rows make a step of so many seconds on this GPU."""
    rows = 256
    while True:
        train = _variant(rows, None).train
        train(_WARM_UP)
        begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begun.record()
        train(_WARM_UP)
        ended.record()
        torch.cuda.synchronize()
        if begun.elapsed_time(ended) / 1e3 / _WARM_UP >= seconds * 0.8:
            return rows
        rows *= 2


def _variant(rows: int, store: Path | None) -> Variant:
    torch.manual_seed(0)
    layers = [layer for _ in range(_DEPTH) for layer in (nn.Linear(_WIDTH, _WIDTH), nn.ReLU())]
    model = nn.Sequential(*layers).cuda()
    optimizer = torch.optim.Adam(model.parameters())
    run = None if store is None else stepscope.init(project="bench", store=store)
    if run is not None:
        TorchTracker(run, model, optimizer)
    x = torch.randn(rows, _WIDTH, device="cuda")

    def train(steps: int) -> None:
        for _ in range(steps):
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if run is not None:
                run.log({"loss/train": loss})
        torch.cuda.synchronize()  # at the end of a turn: the work of its steps is in its time

    return Variant(train)


def _waits(train: Callable[[int], None], steps: int) -> int:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        train(steps)
    return sum(event.count for event in profiler.key_averages() if event.key in _WAITS)
