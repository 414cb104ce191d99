"""run_all.py over samples of the tests' own, which need no framework, in a folder with a copy of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import stepscope
from stepscope.storage.errors import StoreNotFound
from support import ROOT, run_python, wait_until

SAMPLES = ROOT / "sample_runs"
OPTIONS = """
import argparse, sys, time
import stepscope
parser = argparse.ArgumentParser()
for name in ("--store", "--device", "--epochs"):
    parser.add_argument(name)
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
"""
GOOD = """
run = stepscope.init(project="good", name="good-{framework}", config=vars(options), store=options.store)
for step in range(30):
    run.log({{"loss/train": 1 / (step + 1), "step_time": {step_time}}}, step=step)
run.summary["test_accuracy"] = 0.75
run.finish()
"""
BAD = """
print("before", file=sys.stderr)
sys.exit("no data: give --data")
"""
WAITS = """
with stepscope.init(project="waits", name="waits-pytorch", store=options.store) as run:
    time.sleep(600)
"""


SEEDS = 'stepscope.init(project="seeds", name="seed-0-pytorch", store=options.store).finish()'
Ran = tuple[Path, "subprocess.CompletedProcess[str]"]


def put(folder: Path, **samples: str) -> None:
    shutil.copytree(SAMPLES / "reporting", folder / "reporting", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SAMPLES / "run_all.py", folder)
    for name, body in samples.items():
        (folder / f"{name}.py").write_text(OPTIONS + body)


def good(framework: str, step_time: float) -> str:
    return GOOD.format(framework=framework, step_time=step_time)


def lines_of(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()[1:]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Return a store, and what was printed where the package transformers cannot be found."""
    folder = tmp_path_factory.mktemp("samples")
    twins = {"good_pytorch": good("pytorch", 0.002), "good_keras": good("keras", 0.004)}
    put(folder, bad_pytorch=BAD, **twins, seeds_pytorch=SEEDS, transformer_pytorch=BAD)
    program = folder / "started.py"
    program.write_text(
        "import runpy, sys\nsys.modules['transformers'] = None\n"
        f"sys.argv[0] = {str(folder / 'run_all.py')!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    options = ["--store", folder / "s.db", "--seeds", "2", "--epochs", "7", "--device", "cpu"]
    done = subprocess.run([sys.executable, program, *options], capture_output=True, text=True, check=False)
    return folder / "s.db", done


def test_twins_run_beside_each_other_under_each_seed(ran: Ran) -> None:
    store, done = ran
    with stepscope.open(store) as opened:
        runs = list(reversed(opened.runs(project="good")))
        # The second time the other one goes first.
        assert [(run.name.rpartition("-")[2], run.config["seed"]) for run in runs] == [
            ("pytorch", 0),
            ("keras", 0),
            ("keras", 1),
            ("pytorch", 1),
        ], done.stderr
        assert {(run.config["epochs"], run.config["device"]) for run in runs} == {("7", "cpu")}


def test_it_says_of_each_run_what_it_took(ran: Ran) -> None:
    store, done = ran
    first = next(row for row in lines_of(done.stdout) if row[0] == "good")
    assert first[:4] == ["good", "good-pytorch", "0", "finished"]
    assert first[-3:-1] == ["2.00", "0.750"]  # ms of a step, accuracy
    with stepscope.open(store) as opened:
        (record,) = opened.run("all samples").records("processes")
    table = record.load()
    assert table.columns[:4] == ("pair", "framework", "seed", "state")
    finished = [row for row in table.rows if row[3] == "finished"]
    assert min(row[5] for row in finished) > 0  # wall seconds
    assert min(row[7] for row in finished) > 10  # MiB


def test_it_goes_on_after_a_sample_that_fails_and_says_why(ran: Ran) -> None:
    _, done = ran
    assert done.returncode == 1
    assert "bad_pytorch.py failed: exit status 1\nbefore\nno data: give --data" in done.stderr
    assert [row[3] for row in lines_of(done.stdout) if row[0] in ("bad", "good")] == [
        "failed",
        "finished",
        "finished",
        "failed",
        "finished",
        "finished",
    ]


def test_it_skips_what_needs_a_package_that_is_not_installed(ran: Ran) -> None:
    _, done = ran
    assert "transformer_pytorch.py skipped: transformers not installed" in done.stderr
    assert {row[-1] for row in lines_of(done.stdout) if row[0] == "transformer"} == {"skipped"}


def test_a_pair_that_has_its_own_seeds_runs_once(ran: Ran) -> None:
    _, done = ran
    assert [row[1] for row in lines_of(done.stdout) if row[0] == "seeds"] == ["seed-0-pytorch"]


def test_ctrl_c_stops_the_sample_and_prints_what_there_is(tmp_path: Path) -> None:
    put(tmp_path, good_pytorch=good("pytorch", 0.002), waits_pytorch=WAITS)
    store = tmp_path / "s.db"
    command = [sys.executable, tmp_path / "run_all.py", "--store", store]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def waiting() -> int:
        with suppress(StoreNotFound), stepscope.open(store) as opened:
            return next((run.environment.get("pid", 0) for run in opened.runs(project="waits")), 0)
        return 0

    child = wait_until(waiting, deadline_s=60)
    program.send_signal(signal.SIGINT)
    printed, said = program.communicate(timeout=60)
    assert program.returncode == 130, said
    assert "Stopped. What there is:" in said
    states = {row[1]: row[3] for row in lines_of(printed)}
    assert states == {"good-pytorch": "finished", "pytorch": "stopped"}  # no finished run: no name
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_every_real_sample_is_half_of_a_pair() -> None:
    printed = run_python(
        "-c",
        f"import sys; sys.path.insert(0, {str(SAMPLES)!r})\n"
        "from reporting.samples import find_samples\n"
        "for pair, both in find_samples().items(): print(pair, *(one.framework for one in both))",
    )
    pairs = {line.split()[0]: line.split()[1:] for line in printed.splitlines()}
    assert len(pairs) == 12
    assert all(both[0] == "pytorch" and len(both) == 2 for both in pairs.values())
