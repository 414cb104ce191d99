"""One model in each mode of execution: costs, losses and the graph of every run; the modes learn the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import PARTS_OF_A_STEP, Samples, finished_run, metrics_of, names_of
from stepscope.storage.read import Reader

EPOCHS, BATCHES, LENGTHS = 1, 22, 4
"""Epochs that are measured; an epoch's batches; batches of new lengths. One more epoch is watched."""
COSTS = {
    "seconds_to_import",
    "seconds_to_first_step",
    "seconds_a_step",
    "seconds_a_step_spread",
    "memory_mib",
    "seconds_for_4_new_lengths",
}
MODES = {"pytorch": ["eager", "graph"], "tensorflow": ["graph", "session"]}
NO_COMPILER = {"PATH": "/nonexistent"}  # torch.compile traces then, and writes no C++: that takes a minute


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("execution") / "samples.db"
    for framework, modes in MODES.items():
        for mode in modes:
            given = ["--epochs", str(EPOCHS), "--mode", mode]
            samples.run(f"execution_{framework}", *given, store=store, **NO_COMPILER)
    return store


def check_mode(reader: Reader, name: str) -> None:
    run = finished_run(reader, name)
    assert set(run.summary) == COSTS | {"train_loss", "train_accuracy", "test_loss", "test_accuracy"}
    assert all(run.summary[cost] > 0 for cost in COSTS)
    assert run.summary["seconds_to_first_step"] > run.summary["seconds_a_step"]
    assert run.summary["test_accuracy"] > 0.5
    assert names_of(reader, run.run_id, "graph") == {"model"}
    (lengths,) = reader.series(run.run_id, kind="table")
    (record,) = reader.records(lengths)
    assert [row[0] for row in reader.load(lengths, record).rows] == [60, 61, 62, 63]
    (losses,) = [each for each in reader.series(run.run_id, kind="scalar") if each.name == "loss/train"]
    assert losses.count == (EPOCHS + 1) * BATCHES + LENGTHS


@pytest.mark.parametrize(
    ("framework", "mode"), [(framework, mode) for framework, modes in MODES.items() for mode in modes]
)
def test_a_mode_has_its_costs_its_losses_and_its_graph(store: Path, framework: str, mode: str) -> None:
    with Reader.open(store) as reader:
        check_mode(reader, f"{mode}-{framework}")


def test_eager_and_graph_learn_the_same(store: Path) -> None:
    with Reader.open(store) as reader:
        eager, graph = (finished_run(reader, f"{mode}-pytorch").summary for mode in ("eager", "graph"))
    assert eager["test_loss"] == pytest.approx(graph["test_loss"], rel=0.02)


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        of_torch, of_tensorflow = (
            metrics_of(reader, finished_run(reader, f"graph-{framework}").run_id) for framework in MODES
        )
    # A traced step of TensorFlow's is one call, whose parts have no times of their own. TensorFlow's hook
    # has an update ratio each 10 steps, PyTorch's each 100.
    assert of_torch - of_tensorflow == PARTS_OF_A_STEP
    assert of_tensorflow - of_torch == {("update_ratio", None)}


@pytest.mark.long
def test_all_modes_run_one_after_the_other(tmp_path: Path, samples: Samples) -> None:
    for framework in MODES:
        samples.run(f"execution_{framework}", "--epochs", "1", store=tmp_path / "s.db", deadline_s=300)
    with Reader.open(tmp_path / "s.db") as reader:
        for mode in ("eager", "graph"):
            check_mode(reader, f"{mode}-pytorch")
        for mode in ("eager", "graph", "xla", "session"):
            check_mode(reader, f"{mode}-tensorflow")
