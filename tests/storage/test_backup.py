"""Backups of SQLite stores: whole, consistent, and made beside a living writer."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import stepscope
from feed import Feed, new_run, series_of
from stepscope.storage.backup import backup_store, copy_database
from stepscope.storage.errors import BadInput, StoreDamaged, StoreError, StoreNotFound, StoreNotWritable
from stepscope.storage.location import locate
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer


def fill(store_url: str) -> str:
    """Log numbers and an image that is too large for the database."""
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)
    with stepscope.init(project="p", name="first", store=store_url) as run:
        run.log({"loss": 0.5, "noise": stepscope.Image(noise)}, step=3)
        return run.id


def test_a_backup_is_a_store_with_everything(store_url: str, tmp_path: Path) -> None:
    run_id = fill(store_url)
    made = backup_store(locate(store_url), tmp_path / "copy.db")
    assert made.path == tmp_path / "copy.db"
    assert made.files == 1
    assert made.database_bytes == made.path.stat().st_size
    assert made.file_bytes > 1 << 20
    assert sorted(path.name for path in tmp_path.glob("copy.db*")) == ["copy.db", "copy.db.files"]
    with Reader.open(made.path) as reader:
        (record,) = reader.records(series_of(reader, run_id, "noise"))
        assert reader.load(series_of(reader, run_id, "noise"), record) is not None
        assert reader.points(series_of(reader, run_id, "loss")).last.tolist() == [0.5]


def test_a_folder_or_nothing_gets_a_name_with_the_time(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    (tmp_path / "backups").mkdir()
    made = backup_store(locate(store_url), tmp_path / "backups")
    assert made.path.parent == tmp_path / "backups"
    assert made.path.name.startswith("stepscope-2")
    assert backup_store(locate(store_url)).path.parent == tmp_path


def test_a_backup_beside_a_living_writer_is_one_state(store_url: str, tmp_path: Path) -> None:
    ended = threading.Event()
    with Writer.open(store_url) as writer:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)

        def write() -> None:
            step = 0
            while not ended.is_set():
                feed.points("a", [float(step)], steps=[step])
                feed.points("b", [float(step)], steps=[step])
                feed.store()
                step += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for number in range(5):
                made = backup_store(locate(store_url), tmp_path / f"{number}.db")
                with closing(sqlite3.connect(made.path)) as connection:
                    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                with Reader.open(made.path) as reader:
                    found = {series.name: series.count for series in reader.series(run_id)}
                assert len(set(found.values())) <= 1
        finally:
            ended.set()
            thread.join()


def test_what_cannot_be_backed_up_is_said(store_url: str, tmp_path: Path) -> None:
    run_id = fill(store_url)
    location = locate(store_url)
    with pytest.raises(BadInput, match=r"a backup is a new file, but .* exists. Name another one"):
        backup_store(location, Path(store_url))
    with pytest.raises(BadInput, match="a backup needs an existing folder"):
        backup_store(location, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(StoreNotFound, match="there is no store at"):
        backup_store(locate(tmp_path / "other.db"))
    with pytest.raises(BadInput, match=r"is a database on a server. Use pg_dump, or copy .* stepscope sync"):
        backup_store(locate("postgresql://user:secret@host/db"))
    (blob,) = (tmp_path / "stepscope.db.files" / run_id).iterdir()
    blob.unlink()
    with pytest.raises(StoreDamaged, match=r"is missing: its run was deleted .*\n?.*stepscope verify"):
        backup_store(location, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy.db*"))


def test_what_is_no_store_is_not_backed_up(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE runs (a)")
    with pytest.raises(StoreDamaged, match=r"foreign\.db is not a Stepscope store: no such table: blobs"):
        backup_store(locate(foreign), tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.db"]


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    source.write_bytes(b"this is no database at all" * 1000)
    with pytest.raises(StoreError, match=r"source.db could not be copied to .*: file is not a database"):
        copy_database(source, tmp_path / "target.db")
    with pytest.raises(StoreNotWritable, match=r"needs a new file, but .* exists"):
        copy_database(source, source)
    assert [path.name for path in tmp_path.iterdir()] == ["source.db"]
