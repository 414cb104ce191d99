"""The machine stops while SQLite's log is not on the disk yet: the journal still has what the log loses.

Commits in SQLite's log outlive a process at once and the machine only when they were synchronised. What the
disk has for sure is what was there at the last synchronisation; the journal's segments that are removed after
it were stored before it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

import stepscope
from feed import Feed, new_run, series_of
from killed import random_moments, recover_all
from stepscope.storage import drain, durable
from stepscope.storage import journal as journal_module
from stepscope.storage.errors import StoreError
from stepscope.storage.location import StoreLocation, locate
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer

pytestmark = pytest.mark.crash

PARTS = 4
MEMBERS = ("", "-wal")


class Disk:
    """What a disk has for sure of a store: what was there when it was last asked to confirm."""

    def __init__(self, store: str, kept: Path) -> None:
        self.store = Path(store)
        self.kept = kept
        self.logged = 0
        self.stops: list[tuple[str, int]] = []
        """Stores as they were just before the disk was asked, and how many points were logged by then."""

    def sync(self, location: StoreLocation) -> None:
        place = self.kept.with_name(f"before {len(self.stops)}")
        self.stops.append((self.after_the_stop(place), self.logged))
        durable.sync(location)
        self.keep()

    def keep(self) -> None:
        shutil.rmtree(self.kept, ignore_errors=True)
        self.kept.mkdir()
        for end in MEMBERS:
            path = Path(f"{self.store}{end}")
            if path.exists():
                shutil.copy(path, self.kept / path.name)
        if Path(f"{self.store}.files").exists():
            shutil.copytree(f"{self.store}.files", self.kept / f"{self.store.name}.files")

    def after_the_stop(self, place: Path) -> str:
        """Return a store as a stop of the machine leaves it now: database of then, journals of now."""
        shutil.copytree(self.kept, place)
        spool = f"{self.store.name}.spool"
        shutil.copytree(self.store.parent / spool, place / spool)
        return str(place / self.store.name)


@pytest.fixture
def disk(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(store_url, tmp_path / "kept")
    monkeypatch.setattr(drain, "sync", made.sync)
    # Everything may be removed as soon as it is stored.
    monkeypatch.setattr(drain, "_SYNC_SECONDS", 0.0)
    for name in ("_POINTS_BYTES", "_VALUES_BYTES"):
        monkeypatch.setattr(journal_module, name, 16 << 10)
    return made


@pytest.fixture
def writer(store_url: str) -> Generator[Writer]:
    with Writer.open(store_url) as opened:
        yield opened


def log(feed: Feed, steps: range) -> None:
    feed.points("loss", np.array(steps) / 3, steps)
    for step in steps[::50]:
        feed.value("words", step, stepscope.Text(f"at {step}" * 100))
    # Larger than what lies in the database.
    noise = np.random.default_rng(steps.start).integers(0, 255, (600, 600, 3), np.uint8)
    feed.value("image", steps.start, stepscope.Image(noise))


def check(store: str, run_id: str, count: int) -> None:
    recover_all(store)
    with Reader.open(store) as reader:
        loss = reader.points(series_of(reader, run_id, "loss"))
        np.testing.assert_array_equal(loss.step, np.arange(count))
        np.testing.assert_array_equal(loss.last, np.arange(count) / 3)
        for name, every in (("words", 50), ("image", 500)):
            series = series_of(reader, run_id, name)
            records = reader.records(series)
            assert [record.step for record in records] == list(range(0, count, every))
            for record in records:
                reader.load(series, record)
        assert reader.run(run_id).dropped == {}


def test_what_the_log_loses_is_still_in_the_journal(writer: Writer, disk: Disk, tmp_path: Path) -> None:
    rng = random_moments("power")
    run_id = new_run(writer).run_id
    disk.keep()
    feed = Feed(writer, run_id)
    for part in range(PARTS):
        log(feed, range(part * 500, (part + 1) * 500))
        disk.logged = (part + 1) * 500
        while rng.random() < 0.8 and feed.drain.step():
            pass
        disk.stops.append((disk.after_the_stop(tmp_path / f"after {part}"), disk.logged))
    assert min(int(path.stem[-8:]) for path in feed.journal.folder.glob("points-*.seg")) > 1
    feed.end()
    disk.stops.append((disk.after_the_stop(tmp_path / "at the end"), disk.logged))
    assert len(disk.stops) > PARTS
    for store, logged in disk.stops:
        check(store, run_id, logged)


def test_stored_segments_stay_until_it_pays_to_ask_the_disk(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[StoreLocation] = []
    monkeypatch.setattr(drain, "sync", asked.append)
    monkeypatch.setattr(journal_module, "_POINTS_BYTES", 16 << 10)
    feed = Feed(writer, new_run(writer).run_id)
    segments = 0
    for part in range(10):
        feed.points("loss", np.zeros(600), range(part * 600, part * 600 + 600))
        feed.store()
        segments = len(list(feed.journal.folder.glob("points-*.seg")))
    assert len(asked) == 1, "at most every five seconds"
    assert segments > 5
    feed.end()
    assert len(asked) == 2
    assert not feed.journal.folder.exists()


def test_a_journal_that_is_half_full_asks_at_once(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_POINTS_BYTES", 64 << 10)
    monkeypatch.setattr(journal_module, "_VALUES_BYTES", 64 << 10)
    run_id = new_run(writer).run_id
    feed = Feed(writer, run_id, limit=1 << 20)
    for part in range(30):
        # More than the limit allows all together.
        feed.points("loss", np.zeros(2000), range(part * 2000, part * 2000 + 2000))
        feed.store()
    feed.end()
    with Reader.open(writer.location.url) as reader:
        (series,) = reader.series(run_id)
    assert series.count == 60_000


def test_a_disk_that_does_not_confirm_keeps_the_journal(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    feed = Feed(writer, new_run(writer).run_id)
    log(feed, range(500))
    feed.store()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(
            StoreError, match=r"the disk did not confirm what was written to .*stepscope\.db: Inp"
        ):
            feed.drain.remove()
        assert feed.journal.folder.exists()
    feed.end()
    assert not feed.journal.folder.exists()


def test_a_store_without_a_log_or_on_a_server_is_asked_for_nothing(tmp_path: Path) -> None:
    durable.sync(locate(tmp_path / "not there.db"))
    durable.sync(locate("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    assert list(tmp_path.iterdir()) == []
