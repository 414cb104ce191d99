"""SQLite survives forks: children commit beside their parents, and outlive them."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from feed import Feed, new_run, series_of
from stepscope.storage import forks as forks_module
from stepscope.storage.errors import StoreError
from stepscope.storage.forks import forks
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import forked


def ended_well(child: int) -> bool:
    return os.waitpid(child, 0)[1] == 0


class Turns:
    """Lets a parent and its child act one after the other."""

    def __init__(self) -> None:
        self._to_child, self._to_parent = os.pipe(), os.pipe()

    def child_waits(self) -> None:
        os.write(self._to_parent[1], b".")
        os.read(self._to_child[0], 1)

    def parent_waits(self) -> None:
        os.read(self._to_parent[0], 1)

    def child_goes_on(self) -> None:
        os.write(self._to_child[1], b".")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks_module, "_PATIENCE_SECONDS", 0.05)


@pytest.fixture
def busy() -> Generator[None]:
    """Another thread uses a connection and does not end."""
    using, ended = threading.Event(), threading.Event()

    def use() -> None:
        with forks.connected():
            using.set()
            ended.wait()

    thread = threading.Thread(target=use)
    thread.start()
    using.wait()
    yield
    ended.set()
    thread.join()


def test_what_a_child_commits_survives_its_parents_end(store_url: str) -> None:
    # Nothing else is connected: the last one to close removes SQLite's log, which the child goes on using.
    turns = Turns()
    writer = Writer.open(store_url)
    run_id = new_run(writer).run_id

    def work() -> None:
        with Writer.open(store_url) as own:
            feed = Feed(own, run_id, main=False)
            feed.points("loss", [1.0])
            feed.store()
            turns.child_waits()
            feed.points("loss", [2.0], [1])
            feed.store()
            turns.child_waits()
            feed.points("loss", [3.0], [2])
            feed.end()

    child = forked(work)
    turns.parent_waits()
    writer.update_run(run_id, {"notes": "by the parent"})
    writer.close()
    turns.child_goes_on()
    turns.parent_waits()
    with Writer.open(store_url) as other:
        new_run(other)
    turns.child_goes_on()
    assert ended_well(child)
    with Reader.open(store_url) as reader:
        assert reader.points(series_of(reader, run_id, "loss")).last.tolist() == [1, 2, 3]
        assert reader.run(run_id).notes == "by the parent"


def test_a_child_inherits_no_connection(store_url: str) -> None:
    def work() -> None:
        links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
        assert not [link for link in links if link.exists() and os.readlink(link).startswith(store_url)]

    with Writer.open(store_url) as writer, Reader.open(store_url) as reader:
        new_run(writer)
        assert reader.runs()
        assert ended_well(forked(work))
        new_run(writer)
        assert len(reader.runs()) == 2


def test_a_child_uses_what_its_parent_opened(store_url: str) -> None:
    with Writer.open(store_url) as writer, Reader.open(store_url) as reader:
        assert ended_well(forked(lambda: new_run(writer)))
        assert len(reader.runs()) == 1
        assert ended_well(forked(reader.runs))


@pytest.mark.usefixtures("quick", "busy")
def test_a_child_of_a_busy_parent_refuses_to_connect(store_url: str) -> None:
    def refuse() -> None:
        with pytest.raises(StoreError, match=r"this process was forked while its parent used .* with spawn"):
            Writer.open(store_url)

    def work() -> None:
        refuse()
        assert ended_well(forked(refuse))

    Writer.open(store_url).close()
    assert ended_well(forked(work))
    Writer.open(store_url).close()


def test_a_fork_in_the_midst_of_a_transaction_is_not_waited_for(store_url: str) -> None:
    def refuse() -> None:
        with pytest.raises(StoreError, match="this process was forked while its parent used a SQLite store"):
            Writer.open(store_url)

    with Writer.open(store_url) as writer:
        assert writer.transact(lambda _: ended_well(forked(refuse)))
        new_run(writer)


def test_a_use_may_lie_within_another(store_url: str) -> None:
    with Writer.open(store_url) as writer, forks.connected(), forks.connected():
        new_run(writer)
    assert ended_well(forked(Writer.open(store_url).close))
