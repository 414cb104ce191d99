"""An export that follows its run shows to a TensorBoard that runs what the store shows, at every moment."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stepscope
from event_files import accumulator, read_events, served
from stepscope.app.cli import main
from stepscope.storage.chunks import Columns
from stepscope.storage.errors import BadInput, ExportRefused
from stepscope.storage.journal_read import Position, SeriesDefinition
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Batch, Writer
from stepscope.storage.write_points import NewPoints
from stepscope.storage.write_series import NewRecord
from stepscope.trackers.exports import export_tensorboard, follow_tensorboard
from stepscope.trackers.sinks.tensorboard.follow import FollowedRun
from stepscope.trackers.sinks.tensorboard.records import framed
from stepscope.trackers.sinks.tensorboard.sink import STATE
from stepscope.trackers.sources.base import record
from support import wait_until

BEGAN = 1_700_000_000.0
LOSS, ACCURACY = (SeriesDefinition(name, "scalar", {}) for name in ("loss", "accuracy"))
PART = SeriesDefinition("loss", "scalar", {"split": "train"})


class Growing:
    """A store with one run that grows as a test says."""

    def __init__(self, folder: Path, name: str = "grows") -> None:
        self.logs = folder / "logs"
        self.store = str(folder / "stepscope.db")
        self.run_id = "AB" + f"{abs(hash(folder.name)) % 10**8:08}"
        self.writer = Writer.open(self.store)
        self.writer.create_run(Run(self.run_id, "p", name, RunState.RUNNING, BEGAN, BEGAN))
        self.reader = Reader.open(self.store)
        self.folder = self.logs / f"{name}-{self.run_id}"
        self._cursors: dict[int, Any] = {}
        self._logged = 0

    def log(self, *points: tuple[SeriesDefinition, int, float], attempt: int = 0) -> None:
        number = {id(one): place for place, one in enumerate((LOSS, ACCURACY, PART))}
        self._logged += 1
        columns = Columns(
            np.array([step for _, step, _ in points], np.int64),
            BEGAN + self._logged + np.zeros(len(points)),
            np.array([value for _, _, value in points], np.float64),
        )
        definitions = dict(enumerate((LOSS, ACCURACY, PART)))
        numbers = np.array([number[id(one)] for one, _, _ in points], np.uint32)
        self._commit(attempt, points=NewPoints(numbers, columns, definitions))

    def log_text(self, *steps: int, attempt: int = 0) -> None:
        new = [record("said", stepscope.Text(f"{step} of {attempt}"), step, BEGAN) for step in steps]
        self._commit(attempt, records=[NewRecord(*one) for one in new])

    def _commit(self, attempt: int, **what: Any) -> None:
        if attempt not in self._cursors:
            name = f"{self.run_id}-{attempt}"
            self._cursors[attempt] = self.writer.open_journal(self.run_id, name, attempt)
        position = Position(self._logged, 0)
        self.writer.commit(self._cursors[attempt], Batch(position, Position(), **what))

    def follow(self) -> FollowedRun:
        return FollowedRun(self.reader, self.reader.run(self.run_id), self.logs)

    def shown(self, definition: SeriesDefinition) -> list[tuple[int, float]]:
        """Return what the store shows."""
        for one in self.reader.series(self.run_id, name=definition.name):
            if one.context == definition.context:
                points = self.reader.points(one)
                return list(zip(points.step.tolist(), points.last.tolist(), strict=True))
        return []

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Growing]:
    made = Growing(tmp_path)
    yield made
    made.close()


def curve(events: Any, tag: str) -> list[tuple[int, float]]:
    """Return what a TensorBoard that runs has by now."""
    from tensorboard.util import tensor_util

    events.Reload()
    if tag not in events.Tags()["tensors"]:
        return []
    return [(one.step, float(tensor_util.make_ndarray(one.tensor_proto))) for one in events.Tensors(tag)]


logged = st.tuples(st.sampled_from([LOSS, ACCURACY, PART]), st.integers(0, 9), st.integers(0, 9).map(float))
looks = st.lists(
    st.tuples(st.lists(logged, min_size=1, max_size=6), st.integers(0, 2), st.sampled_from("    rkt")),
    min_size=1,
    max_size=6,
)


@given(looks=looks)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_tensorboard_that_runs_shows_what_the_store_shows(
    tmp_path_factory: pytest.TempPathFactory, looks: Sequence[Any]
) -> None:
    """Steps that go back, newer attempts, and processes that stop or are killed on the way."""
    growing = Growing(tmp_path_factory.mktemp("follow"))
    followed, note = growing.follow(), growing.folder / STATE / "state.json"
    running = {sub: accumulator(growing.folder / sub) for sub in ("", "train")}
    for points, attempt, what in looks:
        growing.log(*points, attempt=attempt)
        if what == "k" and note.exists():
            shutil.copy(note, note.with_name("older"))
        followed.update()
        for sub, definition in (("", LOSS), ("", ACCURACY), ("train", PART)):
            if growing.shown(definition):
                assert curve(running[sub], definition.name) == growing.shown(definition)
        if what in "rkt":  # stops; is killed before it could note how far it came; in the midst of a record
            followed.close()
            if note.with_name("older").exists():
                note.with_name("older").replace(note)
            if what == "t":
                for file in growing.folder.rglob("events*"):
                    with file.open("ab") as stream:
                        stream.write(framed(b"of which the end is missing")[:-5])
            followed = growing.follow()
    followed.close()
    growing.close()


def test_what_is_new_is_appended(growing: Growing) -> None:
    growing.log((LOSS, 0, 1.0), (LOSS, 1, 0.5))
    growing.log_text(0)
    followed = growing.follow()
    followed.update()
    [file] = growing.folder.glob("events*")
    before = file.read_bytes()
    followed.update()
    assert file.read_bytes() == before
    growing.log((LOSS, 2, 0.25))
    growing.log_text(1, 2)
    followed.update()
    assert file.read_bytes().startswith(before)
    assert (followed.points, followed.records) == (3, 3)
    followed.close()


def test_a_newer_attempt_replaces_other_kinds_too(growing: Growing) -> None:
    from tensorboard.util import tensor_util

    growing.log_text(0, 1, 2, 3)
    followed = growing.follow()
    running = accumulator(growing.folder)
    followed.update()
    growing.log_text(2, attempt=1)
    followed.update()
    found = running.Reload().Tensors("said")
    texts = [tensor_util.make_ndarray(one.tensor_proto).item().decode() for one in found]
    assert texts == ["0 of 0", "1 of 0", "2 of 1"]
    followed.close()


def test_it_ends_with_its_runs(store_url: str, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata

    run = stepscope.init(store=store_url, name="live", config={"lr": 0.5})
    run.log({"loss": 1.0}, step=0)
    assert run.flush()
    stop, told, done = threading.Event(), list[int](), list[Any]()

    def follow() -> None:
        with Reader.open(store_url) as reader:
            done.append(follow_tensorboard(reader, [run.id], tmp_path / "logs", stop, told.append))

    thread = threading.Thread(target=follow)
    thread.start()
    folder = tmp_path / "logs" / f"live-{run.id}"
    wait_until(lambda: list(folder.glob("events*")), what="the first look")
    events = read_events(folder)
    run.log({"loss": 0.5, "vectors": stepscope.Embedding(np.eye(3))}, step=1)
    run.flush()
    wait_until(lambda: len(events.Reload().Scalars("loss")) == 2, what="the second point")
    assert metadata.SESSION_END_INFO_TAG not in events.Tags()["tensors"]
    run.finish()
    thread.join(20)
    assert not thread.is_alive()
    assert metadata.SESSION_END_INFO_TAG in events.Reload().Tags()["tensors"]
    assert (folder / "projector_config.pbtxt").exists()
    assert done[0].points + done[0].records == told[-1] >= 3
    assert list(served(tmp_path / "logs").data_provider._multiplexer.Runs()) == [f"live-{run.id}"]


def test_it_ends_when_it_is_asked_to(growing: Growing) -> None:
    stop = threading.Event()
    stop.set()
    growing.log((LOSS, 0, 1.0))
    done = follow_tensorboard(growing.reader, [growing.run_id], growing.logs, stop)
    assert (done.runs, done.points) == (1, 1)


def test_two_do_not_follow_one_run_into_one_folder(growing: Growing) -> None:
    followed = growing.follow()
    with pytest.raises(
        ExportRefused, match=r"expected to be the only one that follows .* another process does"
    ):
        growing.follow()
    followed.close()
    growing.follow().close()


def test_an_export_that_replaces_the_files_ends_what_was_followed(growing: Growing) -> None:
    growing.log((LOSS, 0, 1.0))
    first = growing.follow()
    first.update()
    first.close()
    export_tensorboard(growing.reader, [growing.run_id], growing.logs)
    growing.log((LOSS, 1, 0.5))
    again = growing.follow()
    again.update()
    again.close()
    assert curve(accumulator(growing.folder), "loss") == [(0, 1.0), (1, 0.5)]


def test_no_runs(growing: Growing) -> None:
    with pytest.raises(BadInput, match="at least one run"):
        follow_tensorboard(growing.reader, [], growing.logs, threading.Event())


def test_the_command_follows_and_says_what_is_lost(
    growing: Growing, capsys: pytest.CaptureFixture[str]
) -> None:
    growing.log((LOSS, 0, 0.1))
    growing.writer.update_run(growing.run_id, {"state": RunState.FINISHED, "finished_at": BEGAN + 9})
    arguments = [growing.run_id, "--to", str(growing.logs), "--store", growing.store]
    main(["export", "tensorboard", *arguments, "--follow"])
    said = capsys.readouterr().out
    assert said.startswith(f"Exported 1 run with 1 value to:\n  {growing.logs}\n")
    assert "float32" in said
