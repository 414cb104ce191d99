"""Tells open pages when the store has changed, so that they need not ask: a stream of server-sent events.

A page says which runs it follows and which mark it was drawn from. While any page listens, the store is
looked at every LOOK_SECONDS, once for all of them; while none does, never. A stream ends when its page
closes it, which a tab in the background does by itself, and when the dashboard stops.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ...storage.read_marks import ALL

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = "/changes"
LOOK_SECONDS = 0.5
QUIET_SECONDS = 15.0
"""After so long without news a stream says so: a proxy between would take it for dead."""
MOST_STREAMS = 64

_FOLLOWED = re.compile(r"\*|([0-9A-Za-z]{1,32}(,[0-9A-Za-z]{1,32}){0,99})?")


class Changes:
    """The streams of one dashboard."""

    def __init__(self) -> None:
        """Begin with nobody who listens."""
        self._streams = 0
        self._stopped = asyncio.Event()
        self._looking = asyncio.Lock()
        self._seen: dict[frozenset[str], tuple[float, str]] = {}

    def stop(self) -> None:
        """End all streams, and refuse new ones."""
        self._stopped.set()

    def route(self) -> Route:
        """Return the route of the streams: `/changes?follow=RUN,RUN&mark=MARK`."""
        return Route(PREFIX, self._answer)

    async def _answer(self, request: Request) -> Response:
        text = request.query_params.get("follow", "")
        if not _FOLLOWED.fullmatch(text):
            expected = f"expected ids of runs, separated by commas, or {ALL}"
            return PlainTextResponse(f"{expected}, but got follow={text!r}", status_code=400)
        if self._stopped.is_set() or self._streams >= MOST_STREAMS:
            return PlainTextResponse("Too many pages listen already.", status_code=503)
        # A browser that connects again says itself what it heard last.
        known = request.headers.get("last-event-id") or request.query_params.get("mark", "")
        follow = frozenset(filter(None, text.split(",")))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(follow, known), media_type="text/event-stream", headers=headers)

    async def _events(self, follow: frozenset[str], known: str) -> AsyncGenerator[str]:
        self._streams += 1
        told = time.monotonic()
        try:
            yield ": listening\n\n"
            while not self._stopped.is_set():
                mark = await self._look(follow)
                if mark != known:
                    known, told = mark, time.monotonic()
                    yield f"id: {mark}\ndata: {mark}\n\n"
                elif time.monotonic() - told > QUIET_SECONDS:
                    told = time.monotonic()
                    yield ": nothing new\n\n"
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), LOOK_SECONDS)
        finally:
            self._streams -= 1
            self._seen.pop(follow, None)

    async def _look(self, follow: frozenset[str]) -> str:
        async with self._looking:
            when, mark = self._seen.get(follow, (0.0, ""))
            if time.monotonic() - when >= LOOK_SECONDS / 2:
                # Loaded with the first page: the server starts without what it brings.
                from .. import queries  # noqa: PLC0415

                mark = await run_in_threadpool(queries.mark, follow)
                self._seen[follow] = time.monotonic(), mark
            return mark
