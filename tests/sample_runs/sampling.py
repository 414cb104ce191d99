"""Runs samples as programs of their own that need not load their framework: forks of a process that has.

python sampling.py MODULE [MODULE ...]

Such a process imports the modules, and then reads orders, one JSON object a line: which sample, with which
arguments and variables, in which folder, and the file that takes what it prints. It answers with the exit
code. What a sample sets (threads, devices, seeds, handlers at exit) is gone with its fork.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stepscope.app.graphs.layer_names import shared_name
from stepscope.storage.names import parse_name
from stepscope.storage.read import Reader

SAMPLES = Path(__file__).resolve().parents[2] / "sample_runs"
FRAMEWORKS = {"pytorch": "torch", "keras": "tensorflow", "tensorflow": "tensorflow"}
"""What a sample's name ends with -> the package that is loaded for it."""
ALSO_LOADED = {
    # torch loads the compiler with the first optimizer
    "torch": ["stepscope.trackers.pytorch", "torch._dynamo"],
    "tensorflow": ["keras", "stepscope.trackers.keras"],
}
LOADED_FOR_ALL = ["sklearn.datasets", "sklearn.model_selection", "stepscope.storage.write", "tqdm"]

PARTS_OF_A_STEP = {(f"{part}_time", None) for part in ("data", "forward", "backward", "optimizer")}
"""The charts that PyTorch alone has: a step of model.fit, or of a tf.function, is one traced function."""


class Samples:
    """Runs samples; has a process for each framework from its first sample on."""

    def __init__(self) -> None:
        self._loaded: dict[str, subprocess.Popen[str]] = {}

    def run(
        self,
        sample: str,
        *options: str | Path,
        store: Path,
        deadline_s: float = 120.0,
        exit_code: int = 0,
        **environment: str,
    ) -> str:
        """Run e.g. "digits_keras" on the CPU, strictly, in an empty folder; return what it printed.

        The test fails, and shows what was printed, unless the sample exits as it should; it is skipped where
        the framework is not installed.
        """
        framework = FRAMEWORKS[sample.rsplit("_", 1)[1]]
        if importlib.util.find_spec(framework) is None:
            pytest.skip(f"{framework} is not installed")
        folder = _new_folder(store.parent / "ran" / sample)
        order = {
            "arguments": [str(SAMPLES / f"{sample}.py"), "--store", str(store), "--device", "cpu"]
            + [str(option) for option in options],
            "environment": {"STEPSCOPE_STRICT": "1", **environment},
            "folder": str(folder),
            "printed": str(folder.with_suffix(".txt")),
        }
        code = self._answer(framework, json.dumps(order), deadline_s)
        printed = folder.with_suffix(".txt").read_text()
        assert code == exit_code, f"{sample} {' '.join(map(str, options))}: exit {code}\n{printed}"
        return printed

    def _answer(self, framework: str, order: str, deadline_s: float) -> int | str:
        process = self._process(framework)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{order}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], deadline_s)
        if not ready:
            self._end(framework)
            return f"code unknown: ended after {deadline_s:g} s"
        answer = process.stdout.readline()
        return int(answer) if answer else f"code unknown: {framework}'s process has ended"

    def _process(self, framework: str) -> subprocess.Popen[str]:
        process = self._loaded.get(framework)
        if process is None or process.poll() is not None:
            modules = [framework, *ALSO_LOADED[framework], *LOADED_FOR_ALL]
            process = self._loaded[framework] = subprocess.Popen(
                [sys.executable, __file__, *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("STEPSCOPE_")},
                start_new_session=True,  # so that _end reaches what a sample has started, too
            )
        return process

    def _end(self, framework: str) -> None:
        process = self._loaded.pop(framework)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def close(self) -> None:
        """End the processes."""
        for framework in list(self._loaded):
            self._end(framework)


def _new_folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    folder = place / str(len(list(place.glob("*.txt"))))
    folder.mkdir()
    return folder


def finished_run(reader: Reader, name: str) -> Any:
    """Return the run of that name, which is to be finished with everything kept."""
    run = reader.find_run(name)
    assert (run.state, run.dropped) == ("finished", {}), name
    return run


def metrics_of(reader: Reader, run_id: str) -> set[tuple[str, str | None]]:
    """Return metric and split of each chart on which the run's numbers hang, without those of the machine."""
    series = [s for s in reader.series(run_id, kind="scalar") if not s.name.startswith("system/")]
    parsed = [parse_name(each.name, each.context) for each in series]
    return {(name.metric, name.split) for name in parsed}


def names_of(reader: Reader, run_id: str, kind: str) -> set[str]:
    """Return the names of the run's series of a kind."""
    return {series.name for series in reader.series(run_id, kind=kind)}


def layers_of(reader: Reader, run_id: str) -> set[str]:
    """Return which histograms of weights and gradients there are, by the names layers have in both twins."""
    names = names_of(reader, run_id, "histogram")
    return {shared_name(name) for name in names if name.startswith(("weights/", "gradients/"))}


def images_of(reader: Reader, run_id: str) -> dict[str, dict[int, int]]:
    """Return of each of the run's series of images how many it has at which step."""
    found = {series.name: reader.records(series) for series in reader.series(run_id, kind="image")}
    return {name: dict(Counter(record.step for record in records)) for name, records in found.items()}


def _serve(modules: list[str]) -> None:
    """Fork for each order; the fork returns from here, and ends as any program does."""
    for module in modules:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answers.close()
            return _become(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    return None


def _become(arguments: list[str], environment: dict[str, str], folder: str, printed: str) -> None:
    file = os.open(printed, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = arguments
    sys.path[0] = str(SAMPLES)  # as for a program that is run by its name
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _serve(sys.argv[1:])
