"""Only this machine's own browser pages may talk to the dashboard.

Listening on 127.0.0.1 keeps other machines out, but not other web sites: a page of any site may make
the browser that shows it send requests to 127.0.0.1, and a name under that site's control may resolve to
127.0.0.1 as well. Both give themselves away in the headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


class LoopbackOnly:
    """ASGI middleware that answers 403 to whatever another site's page sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        refusal = None if scope["type"] == "lifespan" else why_refused(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008, reason=refusal)(scope, receive, send)
        else:
            await PlainTextResponse(refusal, status_code=403)(scope, receive, send)


def why_refused(headers: Headers) -> str | None:
    """Return why a request with these headers is refused, None when it is not."""
    host = headers.get("host", "")
    if _hostname(f"//{host}") not in LOOPBACK_NAMES:
        return f"The dashboard answers requests for 127.0.0.1 or localhost only; this one was for {host!r}."
    origin = headers.get("origin")
    if origin is not None and not _same_place(origin, host):
        return f"The dashboard answers its own pages only; this request came from {origin!r}."
    return None


def _same_place(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
