"""Opening a store: made once by many at a time, and what stands in the way is said in words."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from feed import new_run
from stepscope.storage import engine
from stepscope.storage.backup import backup_store
from stepscope.storage.errors import (
    StoreDamaged,
    StoreNotFound,
    StoreNotWritable,
    StoreTooNew,
    StoreTooOld,
    StoreUnavailable,
)
from stepscope.storage.location import locate
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import ROOT, forked, run_python

NOBODY = 65534


@pytest.fixture
def folder() -> Generator[Path]:
    # Not tmp_path, whose parents are closed to other accounts.
    made = Path(tempfile.mkdtemp(prefix="stepscope-"))
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def read_only(folder: Path, work: Callable[[], None]) -> None:
    """Run `work` in a process to which the folder is read-only, as nothing is to root."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def drop_rights() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work()

    assert os.waitpid(forked(drop_rights), 0)[1] == 0


def set_revision(path: str, revision: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    database.close()


def test_a_store_that_is_not_there_is_not_made_by_a_reader(store_url: str) -> None:
    with pytest.raises(StoreNotFound, match=r"there is no store at .*stepscope\.db\. Log a run with"):
        Reader.open(store_url)
    assert not Path(store_url).exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreNotWritable, match=r"needs an existing folder, but .*gone is none\. Create it"):
        Writer.open(tmp_path / "gone" / "runs.db")


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreNotWritable, match=r"needs an existing folder, but .*file is none"):
        Writer.open(tmp_path / "file" / "runs.db")


def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreNotWritable, match=r"the store must be a file, but .* is a folder\. Name a file"):
        Writer.open(tmp_path)
    for read in (Reader.open, lambda path: backup_store(locate(path))):
        with pytest.raises(
            StoreNotFound, match=r"is a folder\. Name a file. In there, it could be .*/stepscope\.db$"
        ):
            read(tmp_path)


def test_a_folder_that_refuses_writes(folder: Path) -> None:
    def work() -> None:
        with pytest.raises(
            StoreNotWritable, match=rf"must be writable, but {folder} refuses writes\. Change"
        ):
            Writer.open(folder / "runs.db")

    read_only(folder, work)


def test_a_store_that_refuses_writes(folder: Path) -> None:
    Writer.open(folder / "runs.db").close()

    def work() -> None:
        with pytest.raises(StoreNotWritable, match=r"must be writable, but .*runs\.db refuses writes"):
            Writer.open(folder / "runs.db")

    read_only(folder, work)


def test_a_store_that_may_only_be_read_is_backed_up(folder: Path) -> None:
    with Writer.open(folder / "runs.db") as writer:
        new_run(writer)

    def work() -> None:
        with tempfile.TemporaryDirectory() as target:
            copy = backup_store(locate(folder / "runs.db"), Path(target, "copy.db")).path
            with Reader.open(copy) as reader:
                assert len(reader.runs()) == 1

    read_only(folder, work)


def test_a_store_that_may_only_be_read_is_read(folder: Path) -> None:
    store = folder / "a store?.db"
    with Writer.open(store) as writer:
        run = new_run(writer)

    def work() -> None:
        with Reader.open(store) as reader:
            assert [found.run_id for found in reader.runs()] == [run.run_id]

    read_only(folder, work)
    folder.chmod(0o755)
    store.chmod(0o644)
    with Writer.open(store) as writer:
        # What was written last lies in the log beside the file, which a living writer keeps open.
        later = new_run(writer)

        def see_both() -> None:
            with Reader.open(store) as reader:
                assert {found.run_id for found in reader.runs()} == {run.run_id, later.run_id}

        read_only(folder, see_both)
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)


def test_a_log_that_cannot_be_read_is_not_passed_over(folder: Path) -> None:
    store = folder / "runs.db"
    with Writer.open(folder / "living.db") as writer:
        new_run(writer)
        for end in ("", "-wal"):  # as somebody copies the files of a store that is open
            shutil.copy(folder / f"living.db{end}", f"{store}{end}")

    def work() -> None:
        with tempfile.TemporaryDirectory() as target:
            said = r"the newest part of .*runs\.db lies in its log runs\.db-wal, .* Copy both files"
            with pytest.raises(StoreNotWritable, match=said):
                Reader.open(store)
            with pytest.raises(StoreNotWritable, match=said):
                backup_store(locate(store), Path(target, "copy.db"))
            for end in ("", "-wal"):
                shutil.copyfile(f"{store}{end}", f"{target}/runs.db{end}")
            with Reader.open(Path(target, "runs.db")) as reader:
                assert len(reader.runs()) == 1

    read_only(folder, work)


@pytest.mark.parametrize(
    "content", [b"This is a text, and no database at all." * 50, b"SQLite format 3\0" + bytes(500)]
)
def test_a_file_that_is_no_database(store_url: str, content: bytes) -> None:
    Path(store_url).write_bytes(content)
    for opener in (Writer.open, Reader.open):
        with pytest.raises(StoreDamaged, match=r"stepscope\.db is not a sound Stepscope store: "):
            opener(store_url)
    assert Path(store_url).read_bytes() == content


def test_an_empty_file_becomes_a_store(store_url: str) -> None:
    Path(store_url).touch()
    with pytest.raises(StoreNotFound, match=r"stepscope\.db is empty\. Log a run with"):
        Reader.open(store_url)
    Writer.open(store_url).close()
    Reader.open(store_url).close()


def test_the_database_of_another_program_is_left_alone(store_url: str) -> None:
    with sqlite3.connect(store_url) as database:
        database.execute("CREATE TABLE users (name TEXT)")
    database.close()
    for opener in (Writer.open, Reader.open):
        with pytest.raises(StoreDamaged, match="is not a Stepscope store"):
            opener(store_url)
    with sqlite3.connect(store_url) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]
    database.close()


def test_a_store_of_a_newer_version(store_url: str) -> None:
    Writer.open(store_url).close()
    set_revision(store_url, "999")
    for opener in (Writer.open, Reader.open):
        with pytest.raises(
            StoreTooNew,
            match=r"has schema 999, but this Stepscope knows up to \d+\. Install a newer Stepscope: pip",
        ):
            opener(store_url)


def test_a_reader_never_upgrades(store_url: str) -> None:
    Writer.open(store_url).close()
    set_revision(store_url, "000")
    with pytest.raises(
        StoreTooOld, match=r"has schema 000, this Stepscope reads \d+\. Run: stepscope upgrade"
    ):
        Reader.open(store_url)


def test_a_store_that_somebody_locks(store_url: str) -> None:
    writer = Writer.open(store_url, patience=0.2)
    other = sqlite3.connect(store_url, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"locked by another program for too long\. Close that"):
        new_run(writer)
    other.execute("ROLLBACK")
    other.close()
    new_run(writer)
    writer.close()


def test_a_reader_may_not_write_and_does_not_wait_for_writers(store_url: str) -> None:
    with Writer.open(store_url) as writer:
        run = new_run(writer)
        with Reader.open(store_url) as reader, writer.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE runs SET name = 'other'")
            assert reader.run(run.run_id).name == run.name
            with pytest.raises(StoreNotWritable, match="readonly"):
                engine.translate_errors(reader.location, lambda: _write_through(reader))


def _write_through(reader: Reader) -> None:
    with engine.open_for_reading(reader.location).begin() as connection:
        connection.exec_driver_sql("DELETE FROM runs")


@pytest.mark.parametrize(
    "name", ["a b.db", "ä€.db", "what?.db", "50%.db", "a#b.db", "it's.db", "x@y:z.db", "-q.db"]
)
def test_any_file_name(tmp_path: Path, name: str) -> None:
    with Writer.open(tmp_path / name) as writer:
        run = new_run(writer)
    assert (tmp_path / name).is_file()
    with Reader.open(tmp_path / name) as reader, Reader.open(reader.url) as again:
        assert again.run(run.run_id).run_id == run.run_id


def test_a_file_uses_a_write_ahead_log(store_url: str) -> None:
    with Writer.open(store_url) as writer, writer.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_eight_processes_make_one_new_store_at_once(store_url: str) -> None:
    readable, writable = os.pipe()

    def work() -> None:
        os.close(writable)
        os.read(readable, 1)  # returns in all of them when the parent closes its end
        with Writer.open(store_url) as writer:
            new_run(writer, project=f"of {os.getpid()}")

    children = [forked(work) for _ in range(8)]
    os.close(readable)
    os.close(writable)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    with Reader.open(store_url) as reader:
        assert sorted(run.project for run in reader.runs()) == sorted(f"of {child}" for child in children)


def test_eight_processes_upgrade_one_store_at_once_after_one_backup(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    shutil.copy(ROOT / "tests" / "upgrade_assets" / "schema_001.db", store)
    readable, writable = os.pipe()

    def work() -> None:
        os.close(writable)
        os.read(readable, 1)  # returns in all of them when the parent closes its end
        with Writer.open(store) as writer:
            new_run(writer, project=f"of {os.getpid()}")

    children = [forked(work) for _ in range(8)]
    os.close(readable)
    os.close(writable)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    with Reader.open(store) as reader:
        projects = {run.project for run in reader.runs()}
    assert {f"of {child}" for child in children} <= projects
    (backup,) = [path for path in tmp_path.iterdir() if ".backup-" in path.name]
    assert re.fullmatch(r"runs\.db\.backup-001-\d{8}-\d{6}", backup.name)
    with pytest.raises(StoreTooOld, match="has schema 001"):
        Reader.open(backup)
    shutil.copy(backup, tmp_path / "again.db")
    with Writer.open(tmp_path / "again.db"), Reader.open(tmp_path / "again.db") as reader:
        assert {run.project for run in reader.runs()} == {p for p in projects if not p.startswith("of ")}


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://nobody@/none?host={tmp_path}"
    with pytest.raises(StoreUnavailable, match=r"cannot be used now: .*No such file or directory"):
        Writer.open(url)


def test_the_driver_of_postgresql_is_an_extra() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from stepscope.storage.errors import MissingExtra\n"
        "from stepscope.storage.write import Writer\n"
        "try: Writer.open('postgresql://host/runs')\n"
        "except MissingExtra as error: print(error)"
    )
    assert 'Install them with: pip install "stepscope[postgres]"' in run_python("-c", code)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_a_closed_store_holds_no_file(store_url: str) -> None:
    def open_files() -> list[str]:
        links = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        return [
            os.readlink(link) for link in links if link.exists() and os.readlink(link).startswith(store_url)
        ]

    with Writer.open(store_url) as writer, Reader.open(store_url) as reader:
        new_run(writer)
        assert reader.runs()
        assert open_files()
    assert not open_files()
