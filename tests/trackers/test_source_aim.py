"""A repository of Aim's, written by Aim itself: what comes over is compared value by value."""

from __future__ import annotations

import hashlib
import math
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import made_aim as made
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.console import console_of
from stepscope.storage.errors import BadInput, MissingPackage
from stepscope.storage.events import alerts_of
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.trackers.imports import Imported, import_runs
from stepscope.trackers.sources.aim import source as aim_source
from stepscope.trackers.sources.aim.database import key_of, load_rocks, path_of
from stepscope.trackers.sources.aim.series import AimSeries
from stepscope.trackers.sources.aim.source import AimSource
from support import ROOT, run_python

ASSETS = ROOT / "tests" / "assets"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what Aim wrote once."""
    folder = tmp_path_factory.mktemp("aim")
    shutil.unpack_archive(ASSETS / "aim.zip", folder)
    return folder


@pytest.fixture
def copied(repository: Path, tmp_path: Path) -> Path:
    """Return a repository that may be changed."""
    return Path(shutil.copytree(repository, tmp_path / "copied"))


class Store:
    """What an import has brought into a store."""

    def __init__(self, place: Path, store: Path) -> None:
        self.done: Imported = import_runs(AimSource(place), str(store))
        self.reader = Reader.open(str(store))
        runs = self.reader.runs(archived=True)
        self.run: Run = next(run for run in runs if run.name == "everything")
        self.others = [run for run in runs if run is not self.run]

    def points(self, name: str, **context: str | int) -> dict[int, float]:
        [one] = [
            one
            for one in self.reader.series(self.run.run_id, kind="scalar")
            if (one.name, dict(one.context)) == (name, context)
        ]
        found = self.reader.points(one)
        return dict(zip(found.step.tolist(), found.last.tolist(), strict=True))

    def values(self, name: str) -> list[tuple[int, Any]]:
        [one] = [one for one in self.reader.series(self.run.run_id) if one.name == name]
        return [(record.step, self.reader.load(one, record)) for record in self.reader.records(one)]


@pytest.fixture(scope="module")
def stored(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return what was imported."""
    store = Store(repository, tmp_path_factory.mktemp("store") / "stepscope.db")
    yield store
    store.reader.close()


def _contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_numbers_come_over_with_their_contexts(stored: Store):
    _compare_numbers(stored)


def _compare_numbers(stored: Store) -> None:
    steps = range(made.STEPS)
    assert stored.points("loss", split="train") == {step: 1 / (step + 1) for step in steps}
    assert stored.points("loss", split="val") == {step: 2 / (step + 1) for step in steps}
    assert stored.points("epoch", split="train") == {step: step // 10 for step in steps}
    odd = stored.points("odd")
    assert math.isnan(odd.pop(0))
    assert odd == {1: math.inf, 2: -math.inf, 3: 3}
    assert stored.points("whole", rank=1, deep='{"x": [1]}') == {5: 7}
    assert len(stored.points("system/cpu")) > 0


def test_other_values_come_over(stored: Store):
    _compare_values(stored)


def _compare_values(stored: Store) -> None:
    [(step, image)] = stored.values("image")
    assert (step, image.caption) == (3, "one")
    assert (image.array() == made.PICTURE).all()
    (_, first), (_, second) = stored.values("images")
    assert (first.array() == made.PICTURE).all()
    assert (second.array() == 255 - made.PICTURE).all()
    [(_, sound)] = stored.values("sound")
    np.testing.assert_array_equal(np.rint(sound.array()[:, 0] * 32_767), made.SOUND)
    assert (sound.sample_rate, sound.caption) == (8000, "beep")
    assert [value.text for _, value in stored.values("said")] == ["hello *world*"]
    (_, binned), (_, given) = stored.values("samples")
    counts, edges = np.histogram(made.SAMPLES, bins=16)
    np.testing.assert_allclose(binned.edges, edges)
    assert (binned.counts == counts).all()
    assert (given.edges.tolist(), given.counts.tolist()) == ([0, 1, 2, 3], [1, 2, 3])
    [(_, figure)] = stored.values("figure")
    assert figure.spec()["data"][0]["y"] == [3, 4]


def test_facts_come_over(stored: Store):
    run = stored.run
    assert (run.project, run.notes, set(run.tags)) == ("digits", "a description", {"a", "b"})
    assert run.config == {"hparams": made.PARAMS}
    assert run.state is RunState.FINISHED
    assert 0 < run.duration < 60
    [other] = stored.others
    assert other.project == "default"
    assert other.archived_at is not None


def test_console_and_alerts_come_over(stored: Store):
    [printed] = console_of(stored.reader, stored.run.run_id)
    assert "hello console" in [line.text for line in printed.lines]
    first, second = alerts_of(stored.reader, [stored.run.run_id])
    assert (first.title, first.level, second.title, second.level) == (
        "watch out",
        "warning",
        "too late",
        "error",
    )
    assert "degrees=90" in first.text


def test_an_artifact_that_is_elsewhere_is_named(stored: Store):
    [problem] = stored.done.problems
    assert "the artifact weights.bin is not to be had at file://" in problem


def test_the_repository_stays_as_it_is(repository: Path, tmp_path: Path):
    before = _contents(repository)
    import_runs(AimSource(repository / ".aim"), str(tmp_path / "stepscope.db"))
    assert _contents(repository) == before


def test_again_nothing_is_new(repository: Path, tmp_path: Path):
    place = str(tmp_path / "stepscope.db")
    first = import_runs(AimSource(repository), place)
    again = import_runs(AimSource(repository), place)
    assert first.points > 0
    assert (again.points, again.records, again.new) == (0, 0, 0)


def test_what_is_added_is_taken_once(copied: Path, tmp_path: Path):
    source, place = AimSource(copied), str(tmp_path / "stepscope.db")
    import_runs(source, place)
    [folder] = [path for path in copied.glob(".aim/seqs/chunks/*") if list(path.glob("*.sst"))]
    _track_more(folder)
    assert import_runs(source, place).points == 5
    assert import_runs(AimSource(copied), place).points == 0


def _writable(folder: Path) -> Any:
    rocks = load_rocks()
    return rocks.DB(str(folder), rocks.Options())


def _track_more(folder: Path) -> None:
    """Write five more losses where Aim would, which takes seconds to load."""
    database = _writable(folder)
    keys = database.iterkeys()
    keys.seek(key_of("seqs", "v2", "chunks", folder.name))
    path = next(path_of(key) for key in keys if path_of(key)[5:] == ["loss", "val"])
    for step in range(1000, 1005):
        for column, data in (
            ("step", b"\x02" + step.to_bytes(8, "little")),
            ("time", b"\x03" + np.float64(4e9 + step).tobytes()),
            ("val", b"\x03" + np.float64(step).tobytes()),
        ):
            database.put(key_of(*path[:6], column, step), data)
    del database


def test_one_damaged_run_costs_no_other(copied: Path, tmp_path: Path):
    for path in copied.glob(".aim/seqs/chunks/*/*.sst"):
        path.write_bytes(b"nonsense" * 1000)
    done = import_runs(AimSource(copied), str(tmp_path / "stepscope.db"))
    assert done.runs == 2
    assert any("cannot be read" in text for text in done.problems)
    for path in copied.glob(".aim/meta/chunks/*/CURRENT"):
        path.unlink()
    done = import_runs(AimSource(copied), str(tmp_path / "other.db"))
    assert any("is no database of Aim's: its file CURRENT is missing" in text for text in done.problems)


def test_names_that_cannot_be_read_cost_no_values(copied: Path, tmp_path: Path):
    (copied / ".aim" / "run_metadata.sqlite").write_bytes(b"nonsense" * 1000)
    done = import_runs(AimSource(copied), str(tmp_path / "stepscope.db"))
    assert any("the names and tags in" in text for text in done.problems)
    assert done.points > 2 * made.STEPS


def test_a_run_that_said_no_end_was_killed(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for path in copied.glob(".aim/meta/chunks/*"):
        database = _writable(path)
        database.delete(key_of("meta", "chunks", path.name, "end_time"))
        del database
    source, place = AimSource(copied), str(tmp_path / "stepscope.db")
    assert {found.run.state for found in source.runs()} == {RunState.RUNNING}
    import_runs(source, place)
    monkeypatch.setattr(aim_source, "_QUIET_SECONDS", -1)
    import_runs(source, place)
    with Reader.open(place) as reader:
        assert {run.state for run in reader.runs(archived=True)} == {RunState.KILLED}


@pytest.mark.parametrize(
    ("name", "context", "shown", "rest"),
    [
        ("loss", {"split": "train"}, "loss", {"split": "train"}),
        ("__system__gpu", {"gpu": 2}, "system/gpu2/utilization_percent", {}),
        ("__system__gpu_temp", {"gpu": 0}, "system/gpu0/temperature_c", {}),
        ("__system__gpu_memory_percent", {"gpu": 0}, "system/gpu_memory_percent", {"gpu": 0}),
    ],
)
def test_readings_of_gpus_have_the_names_of_our_own(
    name: str, context: dict[str, str | int], shown: str, rest: dict[str, str | int]
):
    series = AimSeries(name, 1, context, 2, "float", with_epochs=False)
    definition = series.definition("scalar")
    assert (definition.name, definition.context) == (shown, rest)


def test_places_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"Aim's runs lie in a folder called .aim, but .* Name the folder"):
        AimSource(tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "aimrocks", None)
    with pytest.raises(MissingPackage, match=r"Importing from Aim needs .* pip install aim"):
        load_rocks()


@pytest.mark.long
def test_aim_still_writes_so(tmp_path: Path):
    run_python(ROOT / "tests" / "made_aim.py", tmp_path)
    store = Store(tmp_path, tmp_path / "stepscope.db")
    _compare_numbers(store)
    _compare_values(store)
    [artifact] = artifacts_of_run(store.reader, store.run.run_id)
    assert [(file.path, file.size) for file in artifact.files] == [("weights.bin", 7)]
    assert not store.done.problems
    with sqlite3.connect(tmp_path / ".aim" / "run_metadata.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.reader.close()
