"""The report's tables of small stores: only the same work is put beside each other, measured in one way."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import stepscope
from support import ROOT

sys.path.insert(0, str(ROOT / "sample_runs"))  # as it is for report.py itself

from reporting import costs, models, results
from reporting.measures import Measured, Process, read_runs
from reporting.tables import Table

STEPS = 22
Logged = Callable[[stepscope.Run], None]
Report = Callable[[Sequence[Measured]], Sequence[Table]]


def log_run(
    store: Path,
    project: str,
    name: str,
    *,
    values: Mapping[str, float] | None = None,
    summary: Mapping[str, float] | None = None,
    log: Logged | None = None,
    tags: Sequence[str] = (),
) -> Process:
    """Log a run whose steps all have the same values, and say what its program took."""
    began = time.time()
    with stepscope.init(
        project=project, name=name, config={"wrong_after": 50}, tags=tags, store=store, console=False
    ) as run:
        for _ in range(STEPS):
            run.log({"loss/train": 1.0, **(values or {})})
        run.summary.update(summary or {})
        if log is not None:
            log(run)
    framework = name.rpartition("-")[2]
    return Process(project, framework, 0, "finished", began, time.time() - began, 1.0, 100.0)


def rows_of(store: Path, processes: Sequence[Process], report: Report) -> dict[str, list[list[str]]]:
    """Return what is bold in the caption of each table -> its rows."""
    with stepscope.open(store) as opened:
        tables = report(read_runs(opened, processes))
        return {table.caption.split("**")[1]: [list(row) for row in table.rows] for table in tables}


def test_of_two_networks_counts_the_one_that_sees_each_sample_once(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    both = {
        "step_time/generator": 0.016,
        "step_time/discriminator": 0.016,
        "samples_per_second/generator": 4_000,
        "samples_per_second/discriminator": 12_000,
        "data_time/generator": 0.001,
        "data_time/discriminator": 0.005,
    }
    plain = {"step_time/generator": 0.008, "samples_per_second/generator": 8_000}
    processes = [
        log_run(store, "gan", "gan-pytorch", values=both),
        log_run(store, "gan", "gan-keras", values=plain),
    ]
    rows = rows_of(store, processes, costs.training)
    assert rows["Samples a second"] == [
        ["gan", "4,000 (1)", "8,000 (1)", "TensorFlow 2.00 times as much (of one run)"]
    ]
    assert rows["Waiting for data"] == [["gan", "1.00 ms (1)", "", ""]]


def test_unlike_work_is_not_put_beside_each_other(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    names = {
        "digits": "digits",
        "deployment": "deployment",
        "goes-wrong": "goes-wrong",
        "model-styles": "sequential",
        "style-transfer": "style",
    }
    processes = [
        log_run(store, project, f"{name}-{framework}", values={"step_time": 0.002})
        for project, name in names.items()
        for framework in ("pytorch", "keras")
    ]
    rows = {
        title: [row[0] for row in found] for title, found in rows_of(store, processes, costs.speed).items()
    }
    every = ["deployment", "digits", "goes-wrong", "model-styles: sequential", "style-transfer"]
    assert rows["One step"] == every
    # The first training of goes-wrong logs nothing: its first values come long after its first step.
    first = [task for task in every if task != "goes-wrong"]
    assert rows["Until the first step is done"] == first
    assert rows["Until the first step is done, from the start of the program"] == first
    assert rows["The whole program"] == rows["Memory"] == ["digits", "style-transfer"]


def test_rows_say_where_other_data_stood_in(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    processes = [
        log_run(store, "cifar10", f"cifar10-{framework}", tags=["mine", "digits instead of CIFAR-10"])
        for framework in ("pytorch", "keras")
    ]
    (row,) = rows_of(store, processes, costs.speed)["The whole program"]
    assert row[0] == "cifar10 (digits instead of CIFAR-10)"
    (rows,) = rows_of(store, processes, costs.all_runs).values()
    assert {row[0] for row in rows} == {"cifar10 (digits instead of CIFAR-10)"}


def test_ways_to_run_stand_beside_the_eager_one(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    seconds = {
        "eager-pytorch": 0.004,
        "graph-pytorch": 0.002,
        "eager-tensorflow": 0.02,
        "xla-tensorflow": 0.03,
    }
    processes = [
        log_run(
            store,
            "execution",
            name,
            summary={
                "seconds_a_step": taken,
                "seconds_to_first_step": 3.0,
                "memory_mib": 500.0,
                "seconds_for_4_new_lengths": 0.5,
            },
        )
        for name, taken in seconds.items()
    ]
    (rows,) = rows_of(store, processes, costs.execution).values()
    shared = ["500 MiB (1)", "0.500 s (1)"]
    assert rows == [
        ["PyTorch: eager", "3.00 s (1)", "4.00 ms (1)", *shared, ""],
        ["PyTorch: graph", "3.00 s (1)", "2.00 ms (1)", *shared, "2.00 times as fast"],
        ["TensorFlow: eager", "3.00 s (1)", "20.0 ms (1)", *shared, ""],
        ["TensorFlow: xla", "3.00 s (1)", "30.0 ms (1)", *shared, "1.50 times as slow"],
    ]


def test_shared_trainings_stand_beside_one_device(tmp_path: Path) -> None:
    store = tmp_path / "s.db"

    def ranks(run: stepscope.Run) -> None:
        for rank in (0, 1):
            run.log({"loss/train": 1.0}, context={"rank": rank})

    processes = [
        log_run(store, "distributed", "ddp-pytorch", summary={"steps_a_second": 150.0}, log=ranks),
        log_run(
            store,
            "distributed",
            "one-device-pytorch",
            summary={"steps_a_second": 100.0, "test_accuracy": 0.9},
            values={"step_time": 0.01},
        ),
    ]
    (rows,) = rows_of(store, processes, costs.distribution).values()
    told = [[*row[:5], row[6]] for row in rows]  # without how long the runs were
    assert told == [
        ["one-device-pytorch", "1", "10.0 ms (1)", "100 (1)", "90.0 % (1)", ""],
        ["ddp-pytorch", "2", "", "150 (1)", "", "1.50 times as fast"],
    ]


def test_who_found_what_went_wrong(tmp_path: Path) -> None:
    store = tmp_path / "s.db"

    def looked(run: stepscope.Run) -> None:
        run.alert("NaN in the forward pass of scale", "It began there.")
        columns = ["who looks", "step", "names the layer", "seconds a step"]
        rows = [["plain", None, "no", 0.001], ["watched", 51, "yes", 0.002]]
        run.log({"debuggers": stepscope.Table(columns, rows)})

    processes = [log_run(store, "goes-wrong", "goes-wrong-pytorch", log=looked)]
    rows = rows_of(store, processes, results.debugging)
    ((name, planted, _, alert, count),) = rows["What Stepscope's watchdog said, and when."]
    assert (name, planted, alert, count) == (
        "goes-wrong-pytorch",
        "51",
        "NaN in the forward pass of scale",
        "1",
    )
    assert rows["Who finds it, and what a step costs meanwhile"] == [
        ["goes-wrong-pytorch", "nobody", "", "no", "1.00 ms (1)"],
        ["goes-wrong-pytorch", "Stepscope's watchdog", "51", "yes", "2.00 ms (1)"],
    ]


@pytest.mark.parametrize("times", [1, 2])
def test_forms_to_serve_in(tmp_path: Path, times: int) -> None:
    store = tmp_path / "s.db"

    def served(run: stepscope.Run) -> None:
        columns = ["form", "bytes", "ms for 1", "ms for 64", "largest difference"]
        run.log({"deployment": stepscope.Table(columns, [["export", 2048, 0.5, 4.0, 0.0]])})

    processes = [log_run(store, "deployment", "deployment-pytorch", log=served) for _ in range(times)]
    (rows,) = rows_of(store, processes, models.deployment).values()
    spread = "(1)" if times == 1 else "({0} to {0}; 2)"
    assert rows == [
        [
            "deployment-pytorch: export",
            f"2.00 KiB {spread.format('2.00')}",
            f"0.500 ms {spread.format('0.500')}",
            f"4.00 ms {spread.format('4.00')}",
            f"0 {spread.format('0')}",
        ]
    ]
