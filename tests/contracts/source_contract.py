"""What every source must do. A test file subclasses SourceContract and lets the other program write."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import ClassVar

import pytest

from stepscope.storage.errors import BadInput
from stepscope.storage.model import Run, RunState, Series
from stepscope.storage.read import Reader
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from stepscope.trackers import imports
from stepscope.trackers.imports import Imported, import_runs
from stepscope.trackers.sinks.store import sink as store_sink
from stepscope.trackers.sources.base import Source
from stepscope.trackers.sources.registry import SOURCES, open_source
from support import run_python, wait_until

KILLED = """
import os, signal, sys
from stepscope.trackers.imports import import_runs
from stepscope.trackers.sinks import store
from stepscope.trackers.sources.registry import open_source

store._COMMIT_POINTS = 1
what, place, into, pieces = sys.argv[1:]
left = int(pieces)


def kill(_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)


import_runs(open_source(what, place), into, progress=kill)
"""


def loss(step: int) -> float:
    """Return the value that is logged at a step; every format can hold it exactly."""
    return step / 2


@contextmanager
def following(source: Source, store: str) -> Generator[list[Imported]]:
    """Follow a source in a thread until the block ends; what was done is in the list then."""
    Writer.open(store).close()
    stop, results = Event(), list[Imported]()
    thread = Thread(target=lambda: results.append(import_runs(source, store, follow=True, stop=stop)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "LOOK_SECONDS", 0.05)
        thread.start()
        try:
            yield results
        finally:
            stop.set()
            thread.join(20)


class SourceContract:
    """Subclass it, override what raises NotImplementedError, and name the class Test..."""

    entry: ClassVar[str]
    """The key of SOURCES."""
    series: ClassVar[str] = "loss"
    """What the store calls the series of the losses."""
    states: ClassVar[frozenset[RunState]] = frozenset({RunState.FINISHED})
    """How the run may stand after an import."""

    def make(self, folder: Path, count: int) -> str:
        """Let the other program log `loss(step)` for the steps 0 to count - 1 of one run; return the place.

        Called again with a larger count, it goes on with the same run in the same place.
        """
        raise NotImplementedError("a subclass says how the other program writes")

    def damage(self, place: str) -> int:
        """Damage what lies there, as a broken disk would; return how many losses can still be read."""
        raise NotImplementedError("a subclass says what is damaged")

    def damage_wholly(self, place: str) -> None:
        """Overwrite whatever lies there with what is no such format at all."""
        path = Path(place)
        for one in [path] if path.is_file() else path.rglob("*"):
            if one.is_file():
                one.write_bytes(b"\x07no such format\xff" * 100)

    def open(self, place: str) -> Source:
        return open_source(self.entry, place)

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        return self.make(tmp_path / "there", 20)

    def run_of(self, store: str) -> Run:
        with Reader.open(store) as reader:
            [run] = reader.runs()
            return run

    def losses(self, store: str) -> dict[int, float]:
        """Return step -> loss; nothing when there is no run yet."""
        with Reader.open(store) as reader:
            return {
                int(step): float(value)
                for one in self._losses_of(reader)
                for points in [reader.points(one)]
                for step, value in zip(points.step, points.last, strict=True)
            }

    def count(self, store: str) -> int:
        """Return how many losses were stored, those that came twice counted twice."""
        with Reader.open(store) as reader:
            return sum(one.count for one in self._losses_of(reader))

    def _losses_of(self, reader: Reader) -> list[Series]:
        found = [one for run in reader.runs() for one in reader.series(run.run_id, name=self.series)]
        return [one for one in found if one.kind == "scalar"]

    def assert_there_once(self, store: str, count: int) -> None:
        assert self.losses(store) == {step: loss(step) for step in range(count)}
        assert self.count(store) == count
        with Reader.open(store) as reader:
            assert not verify(reader).faults

    def test_every_value_comes(self, place: str, store_url: str) -> None:
        done = import_runs(self.open(place), store_url)
        assert (done.runs, done.new, done.problems) == (1, 1, {})
        assert done.points >= 20
        self.assert_there_once(store_url, 20)

    def test_the_run_stands_as_it_did_there(self, place: str, store_url: str) -> None:
        import_runs(self.open(place), store_url)
        run = self.run_of(store_url)
        assert run.name
        assert run.project
        assert run.state in self.states
        assert 0 < run.created_at <= run.updated_at <= time.time()
        assert (run.finished_at is None) == (run.state is RunState.RUNNING) or run.state is RunState.KILLED

    def test_again_nothing_comes(self, place: str, store_url: str) -> None:
        import_runs(self.open(place), store_url)
        before = self.run_of(store_url)
        again = import_runs(self.open(place), store_url)
        assert (again.runs, again.new, again.grown, again.points, again.records) == (1, 0, 0, 0, 0)
        assert self.run_of(store_url) == before
        self.assert_there_once(store_url, 20)

    def test_what_was_logged_since_comes(self, place: str, store_url: str, tmp_path: Path) -> None:
        import_runs(self.open(place), store_url)
        self.make(tmp_path / "there", 30)
        more = import_runs(self.open(place), store_url)
        assert (more.new, more.grown) == (0, 1)
        self.assert_there_once(store_url, 30)

    def test_it_is_followed(self, tmp_path: Path, store_url: str) -> None:
        place = self.make(tmp_path / "there", 5)
        with following(self.open(place), store_url):
            wait_until(lambda: len(self.losses(store_url)) == 5)
            self.make(tmp_path / "there", 9)
            wait_until(lambda: len(self.losses(store_url)) == 9)
        self.assert_there_once(store_url, 9)

    def test_interrupted_and_repeated_it_comes_once(
        self, place: str, store_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store_sink, "_COMMIT_POINTS", 1)

        def interrupt(_: Imported) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            import_runs(self.open(place), store_url, progress=interrupt)
        import_runs(self.open(place), store_url)
        self.assert_there_once(store_url, 20)

    @pytest.mark.long
    @pytest.mark.crash
    @pytest.mark.parametrize("pieces", [1, 2, 3])
    def test_killed_and_repeated_it_comes_once(self, place: str, store_url: str, pieces: int) -> None:
        # Where there are fewer pieces, it is not killed at all.
        with pytest.raises(AssertionError, match="exit -9") if pieces == 1 else _whether_killed_or_not():
            run_python("-c", KILLED, self.entry, place, store_url, str(pieces))
        import_runs(self.open(place), store_url)
        self.assert_there_once(store_url, 20)

    def test_what_can_be_read_of_something_damaged_comes(self, place: str, store_url: str) -> None:
        readable = self.damage(place)
        done = import_runs(self.open(place), store_url)
        assert done.problems
        assert all(len(problem) > 20 for problem in done.problems)
        found = self.losses(store_url)
        assert len(found) >= readable
        assert found == {step: loss(step) for step in found}
        with Reader.open(store_url) as reader:
            assert not verify(reader).faults

    def test_what_is_no_such_format_is_told(self, place: str, store_url: str) -> None:
        self.damage_wholly(place)
        self._assert_told(place, store_url)

    def test_empty_files_are_told(self, place: str, store_url: str) -> None:
        path = Path(place)
        for one in [path] if path.is_file() else path.rglob("*"):
            if one.is_file():
                one.write_bytes(b"")
        self._assert_told(place, store_url)

    def _assert_told(self, place: str, store_url: str) -> None:
        try:
            done = import_runs(self.open(place), store_url)
        except BadInput as error:
            told = [str(error)]
        else:
            told = list(done.problems)
        assert told
        assert all(len(sentence) > 20 for sentence in told)

    def test_an_empty_folder(self, tmp_path: Path, store_url: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(BadInput, match="empty"):
            import_runs(self.open(str(tmp_path / "empty")), store_url)

    def test_a_place_that_is_not_there(self, tmp_path: Path, store_url: str) -> None:
        with pytest.raises(BadInput, match="nowhere"):
            import_runs(self.open(str(tmp_path / "nowhere")), store_url)

    def test_it_has_the_name_that_people_call_it(self, place: str) -> None:
        assert self.open(place).name == SOURCES[self.entry].title


@contextmanager
def _whether_killed_or_not() -> Generator[None]:
    try:
        yield
    except AssertionError as error:
        assert "exit -9" in str(error)  # noqa: PT017 - either is right
