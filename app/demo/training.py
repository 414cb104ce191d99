"""One network that is trained in PyTorch and in Keras into one store, while its dashboard is open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from threading import Lock

from ...storage.errors import MissingExtra, StoreNotFound
from ...storage.location import locate
from ...storage.model import Run, RunState
from ...storage.read import Reader
from . import SAMPLES

TWINS = (SAMPLES / "digits_pytorch.py", SAMPLES / "digits_keras.py")
PACKAGES = {"torch": "torch", "keras": "tensorflow", "tensorflow": "tensorflow"}
"""What the twins import -> the extra that brings it; the rest comes with Stepscope."""


class Training:
    """Trains the samples one after the other, each in a process of its own."""

    def __init__(self, store: str | None, epochs: int | None, samples: Sequence[Path]) -> None:
        """Choose what is trained and where to.

        Args:
            store: path or URL; None stands for STEPSCOPE_STORE or the default.
            epochs: of each sample, when not its own default.
            samples: programs that take --store and --epochs.
        """
        self._location = locate(store)
        self._options = [] if epochs is None else ["--epochs", str(epochs)]
        self._samples = samples
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self.missing: list[str] = []
        """What the training should have made but did not, in words."""
        self.complete = False
        """Whether all of it was made."""

    @property
    def store(self) -> str:
        """Where the runs lie, as a person calls it."""
        return self._location.display

    def run(self) -> None:
        """Train, and print what was logged. Called from one thread; `stop` ends it from another one."""
        before = {run.run_id for run in self._runs()}
        for sample in self._samples:
            print(f"== {sample.name}", flush=True)
            code = self._train(sample)
            if self._stopped:
                return
            if code:
                self.missing.append(f"{sample.name} to end well, but its exit code is {code}")
                return
        made = [run for run in self._runs() if run.run_id not in before]
        self._report(made)
        self.missing += _missing(made, len(self._samples))
        self.complete = not self.missing

    def stop(self) -> None:
        """End the sample that is being trained; none is begun any more."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.terminate()
            process.wait()

    def _train(self, sample: Path) -> int:
        with self._lock:
            if self._stopped:
                return 1
            # In a session of its own: Ctrl-C in the terminal reaches only this process, which ends it.
            self._process = subprocess.Popen(
                [sys.executable, str(sample), "--store", self._location.url, *self._options],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process.wait()

    def _runs(self) -> list[Run]:
        try:
            with Reader.open(self._location.url) as reader:
                return reader.runs()
        except StoreNotFound:
            return []

    def _report(self, runs: Sequence[Run]) -> None:
        with Reader.open(self._location.url) as reader:
            print(f"\nLogged into {self._location.display}:")
            for run in reversed(runs):
                print(f"\n  {run.run_id}  {run.name}  ({run.framework}, {run.state}, {run.duration:.1f} s)")
                for one in reader.series(run.run_id):
                    if one.kind == "scalar" and not one.name.startswith("system/"):
                        last = f"{one.last_value:<12.5g} step {one.last_step}"
                        print(f"    {one.name:<32} {last}, {one.count} points")


def check_packages() -> None:
    """Refuse to train without the frameworks. Raises MissingExtra."""
    extras = {extra: None for package, extra in PACKAGES.items() if util.find_spec(package) is None}
    if extras:
        raise MissingExtra(
            "Training in PyTorch and in Keras (all but stepscope demo --recorded)", ",".join(extras)
        )


def _missing(runs: Sequence[Run], expected: int) -> list[str]:
    unfinished = [
        f"{run.name} to finish, but it is {run.state}" for run in runs if run.state != RunState.FINISHED
    ]
    few = [] if len(runs) == expected else [f"{expected} runs in the store, but there are {len(runs)}"]
    return few + unfinished
