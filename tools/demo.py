"""What `make demo` does: open the dashboard, train both samples into one store, say what was logged.

The dashboard starts first, so that its charts move while the samples train. With --check everything ends
by itself, and the exit code tells whether the dashboard answered and both runs are complete.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from dashboard import answers, port_is_free, running_dashboard
from stepscope.storage.errors import StoreNotFound
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ("digits_pytorch.py", "digits_keras.py")


def main() -> int:
    """Run the demo and return its exit code."""
    options = parse_options()
    signal.signal(signal.SIGTERM, raise_interrupt)
    if not port_is_free(options.port):
        print(
            f"Port {options.port} is taken. Choose another: make demo PORT={options.port + 1}",
            file=sys.stderr,
        )
        return 2
    try:
        with running_dashboard(options.store, options.port) as address:
            return show(options, address)
    except RuntimeError as error:
        print(f"The demo stopped: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nThe dashboard is stopped. Open it again with: "
            f"{Path(sys.executable).with_name('stepscope')} ui --store {options.store}"
        )
        return 0


def parse_options() -> argparse.Namespace:
    """Read the command line; `make` fills it from PORT=, STORE=, EPOCHS= and CHECK=."""
    parser = argparse.ArgumentParser(description="Train the two samples with the dashboard open.")
    parser.add_argument("--check", action="store_true", help="stop when both samples are done, and report")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--store", default="stepscope.db")
    parser.add_argument("--epochs", type=int, help="epochs of each sample, when not its own default")
    return parser.parse_args()


def raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat the request to end like Ctrl-C, so that the dashboard is stopped too."""
    raise KeyboardInterrupt


def show(options: argparse.Namespace, address: str) -> int:
    """Train, report, and stay until Ctrl-C unless this is a check."""
    print(f"\nThe dashboard is open: {address}  (its charts move while the samples train)\n", flush=True)
    before = {run.run_id for run in runs_in(options.store)}
    for sample in SAMPLES:
        if not train(sample, options):
            print(f"The sample {sample} failed; what it printed is above.", file=sys.stderr)
            return 1
    runs = [run for run in runs_in(options.store) if run.run_id not in before]
    print_report(options.store, runs)
    problems = find_problems(runs, address)
    for problem in problems:
        print(f"Missing: {problem}", file=sys.stderr)
    if problems or options.check:
        return 1 if problems else 0
    print(f"\nThe dashboard stays open: {address}  (Ctrl-C stops it)", flush=True)
    signal.pause()
    return 0


def train(sample: str, options: argparse.Namespace) -> bool:
    """Run one sample into the store and return whether it succeeded."""
    command = [sys.executable, str(ROOT / "sample_runs" / sample), "--store", options.store]
    if options.epochs is not None:
        command += ["--epochs", str(options.epochs)]
    print(f"== {sample}", flush=True)
    return subprocess.run(command, check=False).returncode == 0


def runs_in(store: str) -> list[Run]:
    """Return the runs of the store, none when there is no store yet."""
    try:
        with Reader.open(store) as reader:
            return reader.runs()
    except StoreNotFound:
        return []


def print_report(store: str, runs: Sequence[Run]) -> None:
    """Print what each run logged and where it lies."""
    with Reader.open(store) as reader:
        print(f"\nLogged into {reader.url}:")
        for run in reversed(runs):
            series = reader.series(run.run_id)
            values = sum(one.count for one in series)
            print(
                f"\n  {run.run_id}  {run.name}  ({run.framework}, {run.state}, {run.duration:.1f} s):"
                f" {values} values in {len(series)} series"
            )
            for one in series:
                if one.kind == "scalar" and not one.name.startswith("system/"):
                    print(
                        f"    {one.name:<32} {one.last_value:<12.5g} step {one.last_step}, {one.count} points"
                    )


def find_problems(runs: Sequence[Run], address: str) -> list[str]:
    """Name whatever the demo should have made, but did not."""
    problems = [
        f"a run that finished, but {run.name} is {run.state}"
        for run in runs
        if run.state != RunState.FINISHED
    ]
    frameworks = {run.framework for run in runs}
    if "torch" not in frameworks:
        problems.append("a run of PyTorch")
    if not frameworks & {"keras", "tensorflow"}:
        problems.append("a run of Keras")
    problems += [
        f"an answer of the dashboard on {address}{path}"
        for path in ("", "/tensorboard/")
        if not answers(address + path)
    ]
    return problems


if __name__ == "__main__":
    sys.exit(main())
