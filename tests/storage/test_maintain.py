"""What is done to whole runs, over a SQLite file and a real PostgreSQL."""

from __future__ import annotations

import platform
import time
from collections.abc import Generator

import numpy as np
import pytest
import sqlalchemy as sa

from contracts.filled_store import fill
from feed import Feed, new_run
from stepscope.storage.content import content_of
from stepscope.storage.drain import recover_orphans
from stepscope.storage.errors import BadInput, RunAlive, RunNotFound
from stepscope.storage.maintain import (
    archive_run,
    delete_run,
    journals_of,
    rename_run,
    restore_run,
    size_of,
    store_bytes,
)
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.schema import metadata
from stepscope.storage.write import Writer
from stepscope.trackers.media import Image


@pytest.fixture
def writer(each_store_url: str) -> Generator[Writer]:
    with Writer.open(each_store_url) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer) -> Generator[Reader]:
    with Reader.open(writer.location.url) as opened:
        yield opened


def rows_of(writer: Writer, run_id: str) -> dict[str, int]:
    """Return table -> how many rows a run has in it, where there are any."""

    def work(connection: sa.Connection) -> dict[str, int]:
        counts: dict[str, int] = {}
        for table in metadata.sorted_tables:
            query = sa.select(sa.func.count()).select_from(table).where(table.c.run_id == run_id)
            counts[table.name] = connection.execute(query).scalar() or 0
        return {name: count for name, count in counts.items() if count}

    return writer.transact(work)


def large_image() -> Image:
    return Image(np.random.default_rng(0).integers(0, 255, (900, 900, 3), np.uint8))


def test_a_run_gets_another_name(writer: Writer, reader: Reader) -> None:
    run = new_run(writer, name="first")
    version = reader.version()
    rename_run(writer, run.run_id, "second ä")
    renamed = reader.run(run.run_id)
    assert renamed.name == "second ä"
    # A page that polls sees it; a run whose process is gone does not look alive by it.
    assert reader.version() != version
    assert renamed.updated_at - run.updated_at == pytest.approx(0.001, abs=1e-4)
    with pytest.raises(BadInput, match="a run's name has at least one letter, but ' ' was given"):
        rename_run(writer, run.run_id, " ")
    with pytest.raises(RunNotFound, match="there is no run 'NOBODY'"):
        rename_run(writer, "NOBODY", "x")


def test_an_archived_run_is_hidden_and_comes_back(writer: Writer, reader: Reader) -> None:
    run, other = new_run(writer), new_run(writer)
    archive_run(writer, run.run_id)
    assert [found.run_id for found in reader.runs()] == [other.run_id]
    assert reader.run(run.run_id).archived_at == pytest.approx(time.time(), abs=60)
    with pytest.raises(BadInput, match=f"run {run.run_id} in .* is archived already"):
        archive_run(writer, run.run_id)
    restore_run(writer, run.run_id)
    assert len(reader.runs()) == 2
    with pytest.raises(BadInput, match=f"run {run.run_id} in .* is not archived"):
        restore_run(writer, run.run_id)
    with pytest.raises(RunNotFound):
        archive_run(writer, "NOBODY")


def test_a_deleted_run_leaves_nothing_and_others_stay(writer: Writer, reader: Reader) -> None:
    kept, gone = fill(writer.location.url, "kept"), fill(writer.location.url, "gone")
    feed = Feed(writer, gone)
    feed.value("large", 3, large_image())
    feed.end()
    before = reader.ask(lambda connection: content_of(connection, reader.location, kept))
    size = size_of(reader, gone)
    assert size.database_bytes > 1000
    assert size.total_bytes == size.database_bytes + size.file_bytes
    if writer.location.files is not None:
        assert size.files == 1
        assert (writer.location.files / gone).is_dir()
    assert len(rows_of(writer, gone)) > 8
    assert delete_run(writer, gone) == size
    assert rows_of(writer, gone) == {}
    if writer.location.files is not None:
        assert not (writer.location.files / gone).exists()
    assert reader.ask(lambda connection: content_of(connection, reader.location, kept)) == before
    with pytest.raises(RunNotFound, match=f"there is no run '{gone}'"):
        delete_run(writer, gone)


def test_a_living_run_is_deleted_only_by_force(writer: Writer) -> None:
    run = new_run(writer, name="alive", host=platform.node(), pid=4711)
    feed = Feed(writer, run.run_id)
    feed.points("loss", [1.0, 2.0])
    feed.store()
    with pytest.raises(
        RunAlive, match=rf"run {run.run_id} \(alive\) is still running: process 4711 on .* --force"
    ):
        delete_run(writer, run.run_id)
    assert rows_of(writer, run.run_id)
    delete_run(writer, run.run_id, force=True)
    assert rows_of(writer, run.run_id) == {}
    feed.points("loss", [3.0])
    with pytest.raises(RunNotFound, match=r"was deleted while"):
        feed.store()
    assert rows_of(writer, run.run_id) == {}
    feed.journal.close()


def test_the_journal_of_a_dead_process_goes_with_its_run(writer: Writer) -> None:
    run = new_run(writer, host=platform.node())
    feed = Feed(writer, run.run_id)
    feed.points("loss", [1.0, 2.0])
    feed.journal.close()
    assert [path.name for path in journals_of(writer.location, run.run_id)] == [feed.journal.folder.name]
    assert delete_run(writer, run.run_id).journals == 1
    assert journals_of(writer.location) == []
    assert recover_orphans(writer) == []


def test_a_run_of_another_machine_is_alive_while_it_gives_signs(writer: Writer, reader: Reader) -> None:
    run = new_run(writer, host="another-machine")
    with pytest.raises(RunAlive, match="on another-machine"):
        delete_run(writer, run.run_id)
    silent = new_run(writer, host="another-machine", updated_at=time.time() - 3600)
    assert reader.run(silent.run_id).state is RunState.KILLED
    delete_run(writer, silent.run_id)


def test_a_store_is_measured_with_all_its_files(writer: Writer) -> None:
    before = store_bytes(writer.location, writer.engine)
    assert before > 0
    feed = Feed(writer, new_run(writer).run_id)
    feed.value("large", 3, large_image())
    feed.store()
    assert store_bytes(writer.location, writer.engine) > before + 900 * 900
    feed.end()
