"""Hands /visdom on to the Visdom child, so that one public port serves everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from ..routing.mounts import notice
from .process import VisdomUnavailable
from .server import VisdomServer

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Receive, Scope, Send
    from tornado.httpclient import AsyncHTTPClient
    from tornado.websocket import WebSocketClientConnection

MAX_BODY_BYTES = 1 << 30
"""The largest body or message either way: Visdom's own limit."""
REQUEST_SECONDS = 600.0
# One connection's own matters, and what describes the form of a body on it.
NOT_FORWARDED = frozenset(
    {
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "date",
        "server",
        "accept-encoding",
        "content-encoding",
        "content-length",
    }
)


class VisdomProxy:
    """ASGI application: the HTTP requests and websockets of Visdom. Uses tornado, which Visdom brings."""

    def __init__(self, server: VisdomServer) -> None:
        self._server = server
        self._client: AsyncHTTPClient | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request under the mount."""
        if scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
        else:
            response = await self._http(Request(scope, receive))
            await response(scope, receive, send)

    async def _http(self, request: Request) -> Response:
        try:
            origin = await asyncio.to_thread(self._server.origin)
        except VisdomUnavailable as error:
            return notice("Visdom is not there", str(error))
        from tornado.httpclient import HTTPClientError, HTTPRequest  # noqa: PLC0415 - not there without Visdom

        forwarded = HTTPRequest(
            _target(origin, request.scope),
            method=request.method,
            headers=_forwarded(request.headers),
            body=await request.body() or None,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            request_timeout=REQUEST_SECONDS,
        )
        try:
            answer = await self._tornado().fetch(forwarded, raise_error=False)
        except (HTTPClientError, OSError) as error:
            return notice("Visdom does not answer", f"Visdom's server ended or is busy: {error}. Try again.")
        response = Response(answer.body, status_code=answer.code)
        for name, value in answer.headers.get_all():
            if name.lower() not in NOT_FORWARDED:
                response.headers.append(name, value)
        return response

    async def _websocket(self, browser: WebSocket) -> None:
        try:
            origin = await asyncio.to_thread(self._server.origin)
        except VisdomUnavailable as error:
            await browser.close(code=1011, reason=str(error)[:120])
            return
        from tornado.httpclient import HTTPClientError  # noqa: PLC0415 - not there without Visdom
        from tornado.websocket import websocket_connect  # noqa: PLC0415

        target = _target(origin, browser.scope).replace("http:", "ws:", 1)
        try:
            visdom = await websocket_connect(target, max_message_size=MAX_BODY_BYTES)
        except (HTTPClientError, OSError):
            await browser.close(code=1011, reason="Visdom's server does not answer")
            return
        await browser.accept()
        directions = {
            asyncio.create_task(_to_visdom(browser, visdom)),
            asyncio.create_task(_to_browser(visdom, browser)),
        }
        # Whichever side closes first ends the other direction too.
        _, unfinished = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in unfinished:
            direction.cancel()
        visdom.close()

    def _tornado(self) -> AsyncHTTPClient:
        # Made at the first request, since it belongs to the event loop that is running then.
        if self._client is None:
            from tornado.httpclient import AsyncHTTPClient  # noqa: PLC0415 - not there without Visdom

            self._client = AsyncHTTPClient(
                force_instance=True,
                max_clients=100,
                max_buffer_size=MAX_BODY_BYTES,
                max_body_size=MAX_BODY_BYTES,
            )
        return self._client


def _target(origin: str, scope: Scope) -> str:
    # The raw path: an environment's name may hold an encoded slash, which decoding would lose.
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return f"{origin}{path.decode('ascii')}{'?' if query else ''}{query.decode('ascii')}"


def _forwarded(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in NOT_FORWARDED}


async def _to_visdom(browser: WebSocket, visdom: WebSocketClientConnection) -> None:
    while (message := await browser.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is not None:
            await visdom.write_message(text)
        else:
            await visdom.write_message(message["bytes"], binary=True)


async def _to_browser(visdom: WebSocketClientConnection, browser: WebSocket) -> None:
    while (message := await visdom.read_message()) is not None:
        if isinstance(message, str):
            await browser.send_text(message)
        else:
            await browser.send_bytes(message)
    await browser.close()
