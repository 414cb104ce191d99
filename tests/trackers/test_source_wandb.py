"""W&B's folders, written by W&B itself: what comes over is compared value by value."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import made_wandb as made
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.console import console_of
from stepscope.storage.errors import BadInput, MissingPackage
from stepscope.storage.events import alerts_of
from stepscope.storage.metric_definitions import metric_definitions
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.trackers.imports import Imported, import_runs
from stepscope.trackers.sources.wandb.artifacts import Artifacts
from stepscope.trackers.sources.wandb.pieces import LogReader
from stepscope.trackers.sources.wandb.protos import load_protos
from stepscope.trackers.sources.wandb.source import WandbSource
from support import ROOT, run_python
from wandb_frames import framed


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that W&B has written into."""
    folder = tmp_path_factory.mktemp("wandb")
    run_python(ROOT / "tests" / "made_wandb.py", folder)
    return folder / "wandb"


@pytest.fixture(scope="module")
def log(written: Path) -> Path:
    """Return the first of the two logs, which has nearly all."""
    return sorted(written.glob("offline-run-*/*.wandb"))[0]


class Store:
    """What an import has brought into a store."""

    def __init__(self, place: Path, store: Path) -> None:
        self.done: Imported = import_runs(WandbSource(place), str(store))
        self.reader = Reader.open(str(store))
        [self.run] = self.reader.runs()

    def points(self, name: str) -> dict[int, float]:
        [one] = [one for one in self.reader.series(self.run.run_id, kind="scalar") if one.name == name]
        found = self.reader.points(one)
        return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))

    def values(self, name: str) -> list[tuple[int, Any]]:
        [one] = [
            one
            for one in self.reader.series(self.run.run_id)
            if one.name == name and one.kind not in ("scalar", "event")
        ]
        return [(record.step, self.reader.load(one, record)) for record in self.reader.records(one)]

    def value(self, name: str) -> Any:
        [(step, value)] = self.values(name)
        assert step == made.MEDIA_STEP
        return value


@pytest.fixture(scope="module")
def stored(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return what was imported."""
    store = Store(written, tmp_path_factory.mktemp("store") / "stepscope.db")
    yield store
    store.reader.close()


def test_numbers_come_over_with_their_steps(log: Path, tmp_path: Path):
    alone = Store(log, tmp_path / "alone.db")
    rows = {step: made.row(step) for step in range(made.ROWS)}
    assert alone.points("loss") == {step: row["loss"] for step, row in rows.items()}
    assert alone.points("step twice") == {step: row["step twice"] for step, row in rows.items()}
    assert alone.points("even") == {step: float(step % 2 == 0) for step in rows}
    assert alone.points("nested.a") == {step: float(step) for step in rows}
    assert alone.points("nested.b.c") == dict.fromkeys(rows, 2.5)
    assert alone.points("large") == dict.fromkeys(rows, float(2**60))
    odd = alone.points("odd numbers")
    assert math.isnan(odd.pop(1))
    assert odd.pop(2) == math.inf
    assert set(odd.values()) == {-math.inf}
    assert alone.points("val/accuracy") == {made.ROWS: 0.5}
    names = {one.name for one in alone.reader.series(alone.run.run_id)}
    assert not names & {"nothing", "_step", "_timestamp", "_runtime", "image.width"}
    assert alone.run.state is RunState.FINISHED
    assert alone.run.duration < 60
    alone.reader.close()


def test_texts_and_lists_become_texts(stored: Store):
    said = [(step, value.text) for step, value in stored.values("said")]
    listed = [(step, json.loads(value.text)) for step, value in stored.values("listed")]
    assert said[:2] == [(0, "step 0"), (1, "step 1")]
    assert listed[:2] == [(0, [1, 2, 0]), (1, [1, 2, 1])]


def test_media_come_over(stored: Store):
    image = stored.value("image")
    assert (image.array() == made.PICTURE).all()
    assert image.caption == "one"
    first, second = [value for _, value in stored.values("images")]
    assert (first.array() == made.PICTURE).all()
    assert first.caption == "two"
    assert (second.array() == 255 - made.PICTURE).all()
    assert second.caption is None
    assert (stored.value("marked").array() == made.PICTURE).all()
    mask = stored.value("marked/masks/guess")
    assert (mask.array()[:, :, 0] == 255 * np.eye(8, 10)).all()
    assert mask.caption == "classes times 255"
    boxes = stored.value("marked/boxes/truth")
    assert boxes.rows == ((1, "cat", 0, 0.5, 0.25, 1, "share", None, None),)
    histogram = stored.value("distribution")
    assert (histogram.edges == made.EDGES).all()
    assert (histogram.counts == made.COUNTS).all()
    sound = stored.value("sound")
    np.testing.assert_array_equal(np.rint(sound.array()[:, 0] * 32_767), made.SOUND)
    assert (sound.sample_rate, sound.caption) == (8000, "beep")
    assert "<b>hi</b>" in stored.value("page").text
    cloud = stored.value("cloud")
    np.testing.assert_allclose(cloud.vertices, made.CLOUD[:, :3], rtol=1e-6)
    assert (cloud.colors == np.clip(made.CLOUD[:, 3:], 0, 255).astype(np.uint8)).all()
    table = stored.value("rows")
    assert (table.columns, table.rows) == (("a", "b"), ((1, "x"), (2.5, "y")))
    assert len(stored.value("film").array()) == 3
    assert stored.value("figure").spec()["data"][0]["y"] == [3, 4]
    assert "MET A" in stored.value("molecule").text


def test_what_has_no_kind_is_said_and_kept_as_an_artifact(stored: Store):
    [problem] = [text for text in stored.done.problems if "odd object" in text]
    assert "no place for a 3D object of the form .obj. Its file is kept as an artifact" in problem
    kept = artifacts_of_run(stored.reader, stored.run.run_id)
    assert "media" in {one.type for one in kept}


def test_artifacts_come_over_with_their_files(stored: Store):
    kept = {one.name: one for one in artifacts_of_run(stored.reader, stored.run.run_id)}
    model = kept["model"]
    assert (model.type, model.metadata, "best" in model.aliases) == ("model", {"k": 1}, True)
    assert [(file.path, file.size) for file in model.files] == [("inside/weights.bin", 7)]
    assert (kept["notes.txt"].type, [file.size for file in kept["notes.txt"].files]) == ("files", [7])


def test_facts_come_over(stored: Store):
    run = stored.run
    assert (run.project, run.name, run.host != "") == ("digits", "after", True)
    assert run.attempt == 1
    assert run.state is RunState.FAILED
    assert run.error == "The program ended with code 1."
    assert run.summary["best"] == 0.9


def test_the_first_log_has_the_facts_of_its_time(log: Path, tmp_path: Path):
    store = Store(log, tmp_path / "first.db")
    run: Run = store.run
    assert (run.name, run.group, run.notes) == ("after", "sweep", "some notes")
    assert run.tags == ("a", "b", "c", "job_type:train")
    assert run.config == {"lr": 0.1, "model": {"depth": 4}, "later": True}
    assert run.summary == {"best": 0.9, "loss.min": 1 / made.ROWS, "loss.max": 1}
    environment = store.reader.environment(run.run_id)
    assert environment["packages"]["wandb"]
    assert environment["wandb"] == {"id": made.RUN_ID}
    assert environment["command"].endswith("made_wandb.py " + str(log.parents[2]))
    store.reader.close()


def test_console_alerts_and_definitions_come_over(stored: Store):
    lines = [line for printed in console_of(stored.reader, stored.run.run_id) for line in printed.lines]
    told = [(line.stream, line.text) for line in lines if line.text]
    assert sorted(told) == [
        ("stderr", "to stderr"),
        ("stdout", "drawn again"),
        ("stdout", "hello console"),
    ]
    [alert] = alerts_of(stored.reader, [stored.run.run_id])
    assert (alert.title, alert.text, alert.level) == ("watch out", "it is hot", "error")
    definitions = metric_definitions(stored.reader, stored.run.run_id)
    assert definitions["val/*"].step_metric == "epoch"
    assert definitions["loss"].summary == ("min", "max")


def test_readings_of_gpus_have_the_names_of_our_own(tmp_path: Path):
    record: Any = load_protos().record(b"")
    for key in ("gpu.0.gpu", "gpu.12.temp", "gpu.0.memory", "cpu"):
        record.stats.item.add(key=key, value_json="50")
    record.stats.timestamp.seconds = 107
    path = tmp_path / "run-a.wandb"
    path.write_bytes(framed([record.SerializeToString()]))
    [piece] = LogReader(path, 100.0, load_protos()).pieces(is_quiet=True)
    assert {definition.name: points.step.tolist() for definition, points in piece.points} == {
        "system/gpu0/utilization_percent": [7],
        "system/gpu12/temperature_c": [7],
        "system/gpu.0.memory": [7],
        "system/cpu": [7],
    }


def test_a_resumed_run_has_attempts(stored: Store):
    assert [one.attempt for one in stored.reader.attempts(stored.run.run_id)] == [0, 1]
    assert stored.points("loss") == {**{step: 1 / (step + 1) for step in range(10)}, 10: 7.0}


def test_a_resumed_run_keeps_what_was_said_before(stored: Store):
    run = stored.run
    assert (run.group, run.notes, run.tags) == ("sweep", "some notes", ("a", "b", "c", "job_type:train"))
    assert run.config == {"lr": 0.1, "model": {"depth": 4}, "later": True}


def test_again_nothing_is_new(written: Path, tmp_path: Path):
    place = str(tmp_path / "stepscope.db")
    first = import_runs(WandbSource(written), place)
    again = import_runs(WandbSource(written), place)
    assert first.points > 0
    assert (again.points, again.records, again.new) == (0, 0, 0)


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9])
def test_a_log_that_was_cut_short_is_taken_on_where_it_was_cut(log: Path, tmp_path: Path, share: float):
    place = tmp_path / log.parent.name
    shutil.copytree(log.parent, place)
    cut, data = place / log.name, log.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    store = str(tmp_path / "stepscope.db")
    first = import_runs(WandbSource(place), store)
    cut.write_bytes(data)
    second = import_runs(WandbSource(place), store)
    whole = import_runs(WandbSource(log), str(tmp_path / "whole.db"))
    assert first.points + second.points == whole.points
    assert first.records + second.records >= whole.records  # what was printed may come in more pieces
    with Reader.open(store) as pieces, Reader.open(str(tmp_path / "whole.db")) as at_once:
        [one], [other] = pieces.runs(), at_once.runs()
        counts = [
            {(s.name, s.kind): s.count for s in reader.series(run.run_id) if s.kind != "event"}
            for reader, run in ((pieces, one), (at_once, other))
        ]
        printed = [
            [line.text for piece in console_of(reader, run.run_id) for line in piece.lines]
            for reader, run in ((pieces, one), (at_once, other))
        ]
        assert counts[0] == counts[1]
        assert "".join(printed[0]) == "".join(printed[1])
        assert (one.summary, one.config, one.tags) == (other.summary, other.config, other.tags)


def test_one_source_goes_on_as_its_log_grows(log: Path, tmp_path: Path):
    place, data = tmp_path / log.name, log.read_bytes()
    shutil.copytree(log.parent / "files", tmp_path / "files")
    source, store, points = WandbSource(tmp_path), str(tmp_path / "stepscope.db"), 0
    for end in range(2000, len(data) + 4000, 4000):
        place.write_bytes(data[:end])
        points += import_runs(source, store).points
    assert points == import_runs(WandbSource(log), str(tmp_path / "whole.db")).points


def test_what_follows_damage_is_read(log: Path, tmp_path: Path):
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shutil.copytree(log.parent / "files", tmp_path / "files")
    (tmp_path / log.name).write_bytes(data)
    whole = import_runs(WandbSource(log), str(tmp_path / "whole.db"))
    done = import_runs(WandbSource(tmp_path), str(tmp_path / "stepscope.db"))
    [problem] = [text for text in done.problems if "damaged" in text]
    assert f"{tmp_path / log.name}: bytes " in problem
    assert 0 < whole.points - done.points < 20 or 0 < whole.records - done.records < 20


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty: W&B has not written anything"),
        (b":W&", "is empty: W&B has not written anything"),
        (b":W&B\xe1\xbe\x00", "is empty: W&B has not written anything"),
        (b"nonsense" * 1000, "does not begin as W&B's logs do"),
    ],
)
def test_a_log_that_says_nothing_is_named(tmp_path: Path, data: bytes, text: str):
    folder = tmp_path / "wandb" / "run-20260101_000000-abc"
    folder.mkdir(parents=True)
    log = folder / "run-abc.wandb"
    log.write_bytes(data)
    assert WandbSource(log).runs() == []
    os.utime(log, (1e9, 1e9))
    done = import_runs(WandbSource(tmp_path), str(tmp_path / "stepscope.db"))
    assert all(str(log) in problem for problem in done.problems)
    assert any(text in problem for problem in done.problems), done.problems


def test_a_run_that_said_no_end_runs_as_long_as_it_writes(log: Path, tmp_path: Path):
    cut = tmp_path / log.name
    cut.write_bytes(log.read_bytes()[:8000])
    source = WandbSource(tmp_path)
    assert [found.run.state for found in source.runs()] == [RunState.RUNNING]
    os.utime(cut, (1e9, 1e9))
    [found] = source.runs()
    assert found.run.state is RunState.KILLED
    pieces = list(source.read(found, found.parts[0], 0))
    assert "ends within a record: its last " in pieces[-1].problems[-1]


def test_places_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"a folder called wandb, but there is no .*Name that folder"):
        WandbSource(tmp_path / "missing")
    with pytest.raises(BadInput, match=r"W&B's runs are .wandb files, but there is none in"):
        WandbSource(tmp_path).runs()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("wandb.")]:
        monkeypatch.delitem(sys.modules, name)  # a test before may have loaded all of it
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingPackage, match=r"Importing from W&B needs .* pip install wandb"):
        load_protos()


def test_the_package_itself_is_not_loaded():
    before = "wandb" in sys.modules
    load_protos()
    assert ("wandb" in sys.modules) == before


def test_a_log_gets_at_no_other_files(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    entry = SimpleNamespace(path="x", ref="", local_path=str(secret), digest="AAAA")
    listed = SimpleNamespace(contents=[entry])
    artifact = SimpleNamespace(name="a", type="model", manifest=listed)
    found, problems = Artifacts().found(artifact, 0.0)
    assert found is None
    assert problems == [f"the artifact a lacks x: {secret} is not the file any more that was logged"]
