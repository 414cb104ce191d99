"""SIGKILL while a store is cared for: it stays sound, and nothing of what it held changes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from feed import Feed, new_run
from stepscope.storage.backup import backup_store
from stepscope.storage.compact import compact
from stepscope.storage.content import RunContent, content_of
from stepscope.storage.location import locate
from stepscope.storage.maintain import delete_run
from stepscope.storage.read import Reader
from stepscope.storage.schema import runs
from stepscope.storage.sync import sync_run
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from stepscope.trackers.media import Image
from support import forked, wait_until

KILLS = max(4, int(os.environ.get("CRASH_KILLS", "8")) // 10)

pytestmark = [pytest.mark.crash, pytest.mark.timeout(120 + 3 * KILLS)]


def fill(store: Path) -> list[str]:
    """Store two runs in pieces, with images in files, and no journal that could be recovered."""
    rng = np.random.default_rng(0)
    run_ids: list[str] = []
    with Writer.open(store) as writer:
        for _ in range(2):
            run_ids.append(new_run(writer).run_id)
            feed = Feed(writer, run_ids[-1])
            for start in range(0, 60_000, 3000):
                for name in ("a", "b"):
                    feed.points(name, rng.normal(size=3000), steps=range(start, start + 3000))
                feed.value("large", start, Image(rng.integers(0, 255, (650, 650, 3), np.uint8)))
                feed.store()
            feed.journal.close()
            shutil.rmtree(feed.journal.folder)
        quiet = sa.update(runs).values(updated_at=time.time() - 3600)
        writer.transact(lambda connection: connection.execute(quiet))
    return run_ids


def contents(store: Path) -> dict[str, RunContent]:
    """Return what a store holds; fail unless it is sound."""
    with Reader.open(store) as reader:
        assert [str(fault) for fault in verify(reader).faults] == []
        return {
            run.run_id: reader.ask(lambda c, run=run: content_of(c, reader.location, run.run_id))
            for run in reader.runs()
        }


def killed(work: Callable[[], object], longest_s: float, rng: random.Random) -> bool:
    """Kill a child that does the work, within that time; return whether it was still at it."""
    child = forked(work)
    end = time.monotonic() + rng.random() * longest_s
    wait_until(lambda: time.monotonic() >= end)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def duration_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    assert os.waitpid(forked(work), 0)[1] == 0
    return time.monotonic() - began


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("filled") / "filled.db"
    fill(store)
    return store


def copy_of(filled: Path, store: Path) -> Path:
    backup_store(locate(filled), store)
    return store


def compact_it(store: Path) -> None:
    with Writer.open(store) as writer:
        compact(writer)


def test_compacting_is_killed(filled: Path, tmp_path: Path) -> None:
    before, rng = contents(filled), random.Random(0)
    longest = duration_of(lambda: compact_it(copy_of(filled, tmp_path / "whole.db")))
    for number in range(KILLS):
        store = copy_of(filled, tmp_path / f"{number}.db")
        killed(lambda store=store: compact_it(store), longest, rng)
        assert contents(store) == before
        compact_it(store)
        assert contents(store) == before


def test_a_sync_is_killed(filled: Path, tmp_path: Path) -> None:
    before, rng = contents(filled), random.Random(1)
    store = tmp_path / "there.db"

    def copy() -> None:
        with Reader.open(filled) as reader, Writer.open(store) as writer:
            for run in reader.runs():
                sync_run(reader, writer, run)

    Writer.open(store).close()
    longest = duration_of(copy)
    for _ in range(KILLS):
        with Writer.open(store) as writer:
            for run_id in before:
                delete_run(writer, run_id, force=True)
        killed(copy, longest, rng)
        found = contents(store)
        assert found.items() <= before.items()
        copy()
        assert contents(store) == before
        # What was written before the kill and belongs to nothing is cleared away.
        compact_it(store)
        assert contents(store) == before
        assert sum(path.is_file() for path in (tmp_path / "there.db.files").rglob("*")) == 40


def test_deleting_is_killed(filled: Path, tmp_path: Path) -> None:
    before, rng = contents(filled), random.Random(2)
    kept, gone = before

    def delete(store: Path) -> None:
        with Writer.open(store) as writer:
            delete_run(writer, gone, force=True)

    longest = duration_of(lambda: delete(copy_of(filled, tmp_path / "whole.db")))
    for number in range(KILLS):
        store = copy_of(filled, tmp_path / f"{number}.db")
        killed(lambda store=store: delete(store), longest, rng)
        found = contents(store)
        assert found in (before, {kept: before[kept]})
        compact_it(store)
        assert contents(store) == found
        files = store.with_name(store.name + ".files")
        assert {path.name for path in files.iterdir()} == set(found)


def test_a_backup_that_is_killed_is_no_store(filled: Path, tmp_path: Path) -> None:
    before, rng = contents(filled), random.Random(3)
    longest = duration_of(lambda: copy_of(filled, tmp_path / "whole.db"))
    for number in range(KILLS):
        store = tmp_path / f"{number}.db"
        killed(lambda store=store: copy_of(filled, store), longest, rng)
        assert not store.exists() or contents(store) == before
