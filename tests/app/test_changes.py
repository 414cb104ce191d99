"""The stream of events by which pages hear that the store has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from feed import new_run
from stepscope.app import queries
from stepscope.app.routing import changes
from stepscope.storage.read import Reader
from stepscope.storage.read_marks import ALL, mark_of
from stepscope.storage.write import Writer

PATIENCE_S = 20.0


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.02)
    return store_url


def listening(news: changes.Changes, query: str, then: Callable[[str], Awaitable[bool]]) -> list[str]:
    """Open a stream as a server does; return the events until `then` has enough of it, or it ended."""
    sent: list[str] = []

    async def run() -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            text = message.get("body", b"").decode()
            sent.append(text)
            if text and not await then(text):
                gone.set()

        scope = {"type": "http", "method": "GET", "path": changes.PREFIX, "query_string": query.encode()}
        app = Starlette(routes=[news.route()])
        await asyncio.wait_for(app({**scope, "headers": [], "root_path": ""}, receive, send), PATIENCE_S)

    asyncio.run(run())
    return [text for text in sent if text.startswith("id:")]


def test_a_page_hears_of_the_runs_it_follows_and_of_no_others(store: str) -> None:
    with Writer.open(store) as writer:
        followed, other = new_run(writer).run_id, new_run(writer).run_id
        before = queries.mark([followed])

        async def change(text: str) -> bool:
            if text.startswith(": listening"):
                writer.update_run(other, {"notes": "of a run that still trains"})
                assert queries.mark([followed]) == before
                writer.update_run(followed, {"notes": "of ours"})
            return text.startswith(":")

        heard = listening(changes.Changes(), f"follow={followed}&mark={before}", change)
    assert heard == [f"id: {queries.mark([followed])}\ndata: {queries.mark([followed])}\n\n"]


def test_a_page_that_was_drawn_before_the_last_change_hears_at_once(store: str) -> None:
    with Writer.open(store) as writer:
        new_run(writer)

    async def first(text: str) -> bool:
        return text.startswith(":")

    assert len(listening(changes.Changes(), "mark=older", first)) == 1


@pytest.mark.usefixtures("store")
def test_the_streams_end_with_the_dashboard() -> None:
    news = changes.Changes()

    async def stop(text: str) -> bool:
        news.stop()
        return bool(text)

    assert listening(news, f"mark={queries.mark()}", stop) == []
    assert TestClient(Starlette(routes=[news.route()])).get(changes.PREFIX).status_code == 503


def test_what_names_no_runs_is_refused() -> None:
    answer = TestClient(Starlette(routes=[changes.Changes().route()])).get(f"{changes.PREFIX}?follow=a;b")
    assert answer.status_code == 400
    assert "expected ids of runs, separated by commas, or *, but got follow='a;b'" in answer.text


def test_the_mark_tells_of_the_list_and_of_what_is_followed(store: str) -> None:
    with Writer.open(store) as writer, Reader.open(store) as reader:
        run = new_run(writer).run_id
        alone, all_of_them = mark_of(reader, ()), mark_of(reader, [ALL])
        writer.update_run(run, {"notes": "edited"})
        assert mark_of(reader, ()) == alone
        assert mark_of(reader, [ALL]) != all_of_them
        writer.update_run(run, {"state": "finished", "finished_at": time.time()})
        finished = mark_of(reader, ())
        assert finished != alone
        writer.update_run(run, {"notes": "edited again"})
        assert mark_of(reader, ()) != finished
