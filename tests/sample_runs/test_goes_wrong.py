"""One layer gives NaN: the watchdog names it and the step; the other ways to find it say what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import Samples, finished_run, layers_of, metrics_of, names_of
from stepscope.storage.events import alerts_of
from stepscope.storage.read import Reader

GOOD = 14
"""Steps that go well."""
FRAMEWORKS = ["pytorch", "keras"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> Path:
    store = tmp_path_factory.mktemp("goes-wrong") / "samples.db"
    for framework in FRAMEWORKS:
        given = ["--epochs", "1", "--wrong-after", str(GOOD)]
        assert "NaN in the forward pass of scale" in samples.run(
            f"goes_wrong_{framework}", *given, store=store
        )
    return store


def said_by(reader: Reader, run_id: str, who: str) -> str:
    (text,) = [series for series in reader.series(run_id, kind="text") if series.name == f"said/{who}"]
    (record,) = reader.records(text)
    return reader.load(text, record).text


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_watchdog_names_layer_and_step(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        run = finished_run(reader, f"goes-wrong-{framework}")
        (alert,) = alerts_of(reader, [run.run_id])
        assert (alert.step, alert.title) == (GOOD + 1, "NaN in the forward pass of scale")
        assert said_by(reader, run.run_id, "watched").startswith(alert.title)
        assert names_of(reader, run.run_id, "graph") == {"model"}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_way_has_its_step_and_its_cost(store: Path, framework: str) -> None:
    with Reader.open(store) as reader:
        summary = finished_run(reader, f"goes-wrong-{framework}").summary
    for how in ("watched", "pdb", "debugger"):
        assert summary[f"found_step_{how}"] == GOOD + 1
    for how in ("plain", "watched", "pdb", "debugger"):
        assert summary[f"seconds_a_step_{how}"] > 0
    assert framework == "pytorch" or summary["dump_kib"] > 0


def test_the_debuggers_say_where(store: Path) -> None:
    with Reader.open(store) as reader:
        of_torch, of_keras = (finished_run(reader, f"goes-wrong-{each}").run_id for each in FRAMEWORKS)
        # The anomaly mode looks at gradients only: the first bad one on the way back is that of the loss.
        assert "LogSoftmaxBackward0" in said_by(reader, of_torch, "debugger")
        assert "cross_entropy" in said_by(reader, of_torch, "debugger")
        assert 'graph op "Log"' in said_by(reader, of_keras, "debugger")
        assert "scale" in said_by(reader, of_keras, "debugger")
        for run_id in (of_torch, of_keras):
            typed = said_by(reader, run_id, "pdb")
            assert typed.index("True") < typed.index("scale") < typed.index("False")


def test_both_hang_on_one_chart_per_metric(store: Path) -> None:
    with Reader.open(store) as reader:
        runs = [finished_run(reader, f"goes-wrong-{each}").run_id for each in FRAMEWORKS]
        of_torch, of_keras = (metrics_of(reader, run_id) for run_id in runs)
        assert layers_of(reader, runs[0]) == layers_of(reader, runs[1]) != set()
    assert ("loss", "train") in of_keras
    assert of_keras <= of_torch
