"""What one log call costs on the training thread, beside torch's SummaryWriter in the same run.

    python benchmarks/log_call.py [--calls 100000] [--rounds 5]

Rounds of both alternate, each with a fresh run; medians over the rounds are printed in microseconds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import stepscope

Log = Callable[[int, float], None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    noise = random.Random(0)
    values = [noise.gauss(0.0, 1.0) for _ in range(arguments.calls)]
    measured: dict[str, list[float]] = {}
    for number in range(arguments.rounds):
        for name, measure in (
            ("run.log, one number a call", one_number),
            ("run.log, 50 numbers a call, each", fifty_numbers),
            ("SummaryWriter.add_scalar", summary_writer),
        ):
            with tempfile.TemporaryDirectory() as folder:
                cost = measure(Path(folder), values)
            if cost is not None:
                measured.setdefault(name, []).append(cost)
        print(f"round {number + 1} of {arguments.rounds} done")
    for name, costs in measured.items():
        print(f"{name:36} {statistics.median(costs):8.3f} us   ({min(costs):.3f} to {max(costs):.3f})")


def one_number(folder: Path, values: list[float]) -> float:
    """Return the mean cost of `run.log({"loss": x}, step=i)`, microseconds."""
    with stepscope.init(store=folder / "runs.db") as run:
        return timed(lambda step, value: run.log({"loss": value}, step=step), values)


def fifty_numbers(folder: Path, values: list[float]) -> float:
    """Return the mean cost of a number in a dict of 50, microseconds."""
    names = [f"metric/{number}" for number in range(50)]
    dicts = [dict(zip(names, values[at : at + 50], strict=True)) for at in range(0, len(values) - 49, 50)]
    with stepscope.init(store=folder / "runs.db") as run:
        return timed(lambda step, _: run.log(dicts[step], step=step), values[: len(dicts)]) / 50


def summary_writer(folder: Path, values: list[float]) -> float | None:
    """Return the mean cost of `add_scalar`, microseconds, or None without torch."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    with SummaryWriter(str(folder)) as writer:
        return timed(lambda step, value: writer.add_scalar("loss", value, step), values)


def timed(log: Log, values: list[float]) -> float:
    """Return microseconds a call, the calling lambda included."""
    started = time.perf_counter()
    for step, value in enumerate(values):
        log(step, value)
    return (time.perf_counter() - started) / len(values) * 1e6


if __name__ == "__main__":
    main()
