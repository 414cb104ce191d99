"""trackio's databases: some that trackio itself made (tests/assets/make_trackio.py), and damaged ones."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import subprocess
import sys
import wave
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepscope.storage.artifacts import artifacts_of
from stepscope.storage.errors import BadInput
from stepscope.storage.events import alerts_of
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.trackers.imports import Imported, import_runs
from stepscope.trackers.sources.trackio import database as trackio_database
from stepscope.trackers.sources.trackio.source import TrackioSource

TESTS = Path(__file__).parents[1]
RECORDED = TESTS / "assets" / "trackio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder as trackio left it."""
    place = tmp_path / "trackio"
    shutil.copytree(RECORDED, place)
    with closing(sqlite3.connect(place / "digits.db")) as connection:
        connection.executescript((place / "digits.sql").read_text(encoding="utf-8"))
    return place


def _import(place: Path, store: str) -> Imported:
    return import_runs(TrackioSource(place), store)


def _named(reader: Reader, name: str) -> Run:
    return next(run for run in reader.runs() if run.name == name)


def _points(reader: Reader, run: Run, name: str) -> tuple[list[int], list[float]]:
    [series] = reader.series(run.run_id, name=name)
    points = reader.points(series)
    return points.step.tolist(), points.last.tolist()


def _value(reader: Reader, run: Run, name: str) -> tuple[int, Any]:
    [series] = reader.series(run.run_id, name=name)
    [record] = reader.records(series)
    return record.step, reader.load(series, record)


def _check(folder: Path, store: str) -> None:
    """Compare everything that make_trackio.py logged with what came over."""
    done = _import(folder, store)
    assert (done.runs, done.new, done.problems) == (2, 2, {})
    with Reader.open(store) as reader:
        first, second = _named(reader, "first"), _named(reader, "second")
        _check_run(first)
        _check_numbers(reader, first)
        _check_values(reader, first, folder)
        assert _points(reader, second, "train/loss") == ([0, 1], [3.0, 2.0])
        assert second.config == {"lr": 0.2}


def _check_run(run: Run) -> None:
    assert (run.project, run.group, run.state) == ("digits", "sweep", RunState.FINISHED)
    assert 0 <= run.duration < 600
    bad = run.config["bad"]
    others = {"lr": 0.1, "layers": [1, 2], "optimizer": {"name": "adam"}, "flag": True}
    assert dict(run.config) == {**others, "bad": bad}
    assert math.isnan(bad)


def _check_numbers(reader: Reader, run: Run) -> None:
    steps = list(range(0, 200, 10))
    assert _points(reader, run, "train/loss") == (steps, [1 / (1 + step) for step in range(20)])
    assert _points(reader, run, "nested.a") == (steps, list(range(20)))
    assert _points(reader, run, "nested.b.c") == (steps, [step * 2.5 for step in range(20)])
    assert _points(reader, run, "flag") == (steps, [1.0, 0.0] * 10)
    np.testing.assert_array_equal(_points(reader, run, "odd")[1], [math.nan, math.inf, -math.inf])
    assert _points(reader, run, "system/cpu.percent") == ([0], [12.5])
    assert _points(reader, run, "system/gpu/0/utilization") == ([0], [50.0])


def _check_values(reader: Reader, run: Run, folder: Path) -> None:
    assert _value(reader, run, "word")[1].text == "epoch 3"
    assert "[1, 2, 3]" in _value(reader, run, "list")[1].text
    step, picture = _value(reader, run, "picture")
    assert (step, picture.caption) == (210, "a ramp")
    np.testing.assert_array_equal(
        picture.array()[:, :, :3], np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    )
    histogram = _value(reader, run, "weights")[1]
    assert (list(histogram.edges), list(histogram.counts)) == ([0.0, 0.5, 1.0, 2.0], [1, 2, 3])
    table = _value(reader, run, "table")[1]
    assert (table.columns, table.rows) == (("x", "y", "z"), ((1, "a", "(image) dot"), (2, None, None)))
    assert _value(reader, run, "report")[1].text == "# hi"
    assert "<b>x</b>" in _value(reader, run, "page")[1].text
    _, sound = _value(reader, run, "sound")
    [path] = (folder / "media").rglob("*.wav")
    with wave.open(str(path)) as file:
        want = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    np.testing.assert_array_equal(np.rint(sound.array()[:, 0] * 32767), want)
    assert (sound.caption, sound.sample_rate) == ("noise", 8000)
    assert _value(reader, run, "chat")[1].text.startswith("**user**\n\nq\n\n**assistant**\n\na")
    [alert] = alerts_of(reader, [run.run_id])
    assert (alert.title, alert.text, alert.level, alert.step) == ("diverged", "the loss is up", "error", 215)
    [artifact] = artifacts_of(reader)
    assert (artifact.name, artifact.type, artifact.aliases) == ("weights", "model", ("best", "latest"))
    assert [(file.path, file.size) for file in artifact.files] == [("inside/a.txt", 10), ("inside/b.txt", 10)]
    assert artifact.metadata == {"accuracy": 0.5}


def test_everything_that_trackio_recorded_comes_over(folder: Path, store_url: str) -> None:
    _check(folder, store_url)


@pytest.mark.long
def test_everything_that_trackio_records_today_comes_over(tmp_path: Path, store_url: str) -> None:
    code = "import sys; sys.path.insert(0, 'benchmarks'); import environments as e; "
    code += "print(e.python_of('trackio'))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=TESTS.parent, capture_output=True, text=True, check=True
    )
    python = found.stdout.splitlines()[-1]
    made = tmp_path / "trackio"
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [python, str(TESTS / "assets" / "make_trackio.py"), str(made)]
    subprocess.run(command, env=own | {"HOME": str(tmp_path)}, check=True, capture_output=True)
    _check(made, store_url)


def test_repeating_brings_nothing_twice_and_growing_is_followed(folder: Path, store_url: str) -> None:
    _import(folder, store_url)
    again = _import(folder / "digits.db", store_url)
    assert (again.runs, again.new, again.grown, again.points, again.records) == (2, 0, 0, 0, 0)
    with closing(sqlite3.connect(folder / "digits.db")) as connection, connection:
        connection.execute(
            "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) SELECT run_id, "
            "'2026-11-22T00:00:00+00:00', run_name, 500, ? FROM configs WHERE run_name = 'second'",
            (b'{"train/loss": 1.5, "far": 9}',),
        )
    grown = _import(folder, store_url)
    assert (grown.new, grown.grown, grown.points) == (0, 1, 2)
    with Reader.open(store_url) as reader:
        assert _points(reader, _named(reader, "second"), "train/loss") == ([0, 1, 500], [3.0, 2.0, 1.5])


def test_a_large_run_comes_in_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackio_database, "_ROWS", 4)
    monkeypatch.setattr(trackio_database, "PIECE_POINTS", 8)
    source = TrackioSource(folder)
    found = source.runs()[0]
    pieces = list(source.read(found, found.parts[0], 0))
    assert len(pieces) > 5
    whole = [
        step
        for piece in pieces
        for s, points in piece.points
        if s.name == "flag"
        for step in points.step.tolist()
    ]
    assert whole == list(range(0, 200, 10))
    # From the middle on, what comes is the rest.
    rest = list(source.read(found, found.parts[0], pieces[2].position))
    assert [one.position for one in rest] == [one.position for one in pieces[3:]]


def test_what_is_damaged_is_said_and_the_rest_comes(folder: Path, store_url: str) -> None:
    with closing(sqlite3.connect(folder / "digits.db")) as connection, connection:
        connection.execute("UPDATE metrics SET metrics = '[1, 2' WHERE id = 3")
        connection.execute("UPDATE metrics SET metrics = '[1, 2]' WHERE id = 4")
        connection.execute("UPDATE metrics SET timestamp = 'noon' WHERE id = 5")
        connection.execute("""UPDATE metrics SET metrics = '{"x": {"_type": "trackio.new"}}' WHERE id = 6""")
        outside = """{"x": {"_type": "trackio.image", "file_path": "../../secret.png"}}"""
        connection.execute("UPDATE metrics SET metrics = ? WHERE id = 7", (outside,))
        connection.execute("UPDATE configs SET config = '{' WHERE run_name = 'second'")
    for path in (folder / "media").rglob("*.png"):
        path.write_bytes(path.read_bytes()[:40])
    for path in (folder / "artifacts").rglob("a0*"):
        if path.is_file():
            path.unlink()
    (folder / "broken.db").write_bytes((folder / "digits.db").read_bytes()[:6000])
    done = _import(folder, store_url)
    said = "\n".join(done.problems)
    for part in (
        "digits.db, metrics, row 3 was left out: Expecting",
        "row 4 was left out: it holds list in place of names and values",
        "row 5 was left out: Invalid isoformat string: 'noon'",
        "x at step 50 was left out: it has no 'file_path'",
        "x at step 60 was left out: its file ../../secret.png lies outside of",
        "picture at step 210 was left out: the picture",
        "artifact weights lacks inside/b.txt: not in",
        "broken.db, but got: ",
    ):
        assert part in said
    assert done.points > 50
    with Reader.open(store_url) as reader:
        assert len(_points(reader, _named(reader, "first"), "train/loss")[0]) == 15
        assert _named(reader, "second").config == {}


def test_databases_of_the_time_when_runs_had_no_ids(tmp_path: Path, store_url: str) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE metrics "
            "(id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"
        )
        for name in ("a", "a/b"):
            rows = [("2025-08-01T12:00:00", name, step, f'{{"loss": {step}}}') for step in range(3)]
            connection.executemany(
                "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", rows
            )
    _import(tmp_path, store_url)
    assert _import(tmp_path, store_url).points == 0
    with Reader.open(store_url) as reader:
        assert sorted(run.name for run in reader.runs()) == ["a", "a/b"]
        assert _points(reader, _named(reader, "a/b"), "loss") == ([0, 1, 2], [0.0, 1.0, 2.0])


def test_a_place_without_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    with pytest.raises(
        BadInput, match=r"expected trackio's databases, such as <project>.db, in .*, but there are"
    ):
        TrackioSource()
    (tmp_path / "digits.parquet").touch()
    with pytest.raises(BadInput, match=r"Its Parquet copies alone are not read\."):
        TrackioSource()
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE metrics (x)")
    with pytest.raises(BadInput, match=r"other\.db, but it has no such table of metrics"):
        TrackioSource().runs()
    (tmp_path / "other.db").write_bytes(b"")
    with pytest.raises(BadInput, match="no such table of metrics"):
        TrackioSource(tmp_path / "other.db").runs()
