"""Who may see the dashboard: one check in front of everything that its port serves.

    of its own pages (origin.py) -> logged in (password.py, oidc.py) -> the application

Pages, websockets, TensorBoard, Visdom, pictures, artifacts and results of jobs are all behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.websockets import WebSocketClose

from .login_page import LOGIN, LOGOUT
from .origin import LOOPBACK_NAMES, why_refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REFUSED = 1008
"""Closes a websocket: its sender may not do this."""
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
_FRAMED_BY = "frame-ancestors 'self' http://localhost:* http://127.0.0.1:* vscode-webview: vscode-file:"
"""Which pages may show the dashboard in a frame: its own, and notebooks on the viewer's machine. A page of
another site could lay it under buttons of its own, and have the viewer delete runs."""
_OWN_PAGE = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    f"object-src 'none'; base-uri 'self'; form-action 'self'; {_FRAMED_BY}"
)
"""What Streamlit's page may do: everything, but with this server only."""
_STATIC_ONLY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; sandbox"
"""What a picture may do that a viewer opens in a tab of its own: an SVG is a page that could run scripts."""


class Login(Protocol):
    """A way to tell who asks."""

    open_paths: Collection[str]
    """What the application answers without a login, since it is part of logging in."""

    def knows(self, request: HTTPConnection) -> bool:
        """Return whether the request is of someone who has logged in and may see everything."""
        ...

    async def page(self, request: Request) -> Response:
        """Answer a request for LOGIN or LOGOUT."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """What the dashboard answers to, and whether it asks who it is."""

    names: frozenset[str] = LOOPBACK_NAMES
    any_address: bool = False
    login: Login | None = None
    """None: whoever reaches the port may see everything, which only this machine's users can."""


class AccessCheck:
    """ASGI middleware that lets through what may see the dashboard."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand in front of an application."""
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        access = self._access
        refusal = why_refused(Headers(scope=scope), access.names, any_address=access.any_address)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
        elif access.login is None:
            await self._app(scope, receive, _with_headers(scope, send))
        else:
            await self._for_those_known(access.login, scope, receive, _with_headers(scope, send))

    async def _for_those_known(self, login: Login, scope: Scope, receive: Receive, send: Send) -> None:
        request = HTTPConnection(scope)
        if scope["type"] == "http" and scope["path"] in (LOGIN, LOGOUT):
            await (await login.page(Request(scope, receive)))(scope, receive, send)
        elif login.knows(request):
            if scope["type"] == "websocket":
                guarded = _WhileKnown(login, request, receive, send)
                receive, send = guarded.receive, guarded.send
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in login.open_paths:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=_REFUSED, reason="Log in first.")(scope, receive, send)
        else:
            await _ask_to_log_in(Request(scope))(scope, receive, send)


async def _refuse(why: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(code=_REFUSED, reason=why)(scope, receive, send)
    else:
        await PlainTextResponse(why, status_code=403)(scope, receive, send)


def _ask_to_log_in(request: Request) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("Log in first: open the dashboard in a browser.", status_code=401)
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link on another site: the browser keeps the cookie back, and sends it when this page asks again.
        return HTMLResponse(f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(here)}">')
    return RedirectResponse(f"{LOGIN}?{urlencode({'next': here})}", status_code=303)


def _with_headers(scope: Scope, send: Send) -> Send:
    """Add what keeps a browser from guessing types, and from telling other sites what was looked at."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if scope["path"].startswith("/media/"):
                headers["Content-Security-Policy"] = _STATIC_ONLY
            elif _is_mount(scope["path"]):
                # Beside what TensorBoard says itself: browsers keep to both.
                headers.append("Content-Security-Policy", _FRAMED_BY)
            elif headers.get("content-type", "").startswith("text/html"):
                # TensorBoard alone, without the dashboard, has its own word at any path.
                spoken = "content-security-policy" in headers
                headers.append("Content-Security-Policy", _FRAMED_BY if spoken else _OWN_PAGE)
        await send(message)

    return send_with_headers


def _is_mount(path: str) -> bool:
    """Return whether TensorBoard or Visdom answers: their pages are their own matter."""
    return path.startswith(("/tensorboard", "/visdom"))


class _WhileKnown:
    """A websocket that ends at its next message once its viewer has logged out, or the login has expired."""

    def __init__(self, login: Login, request: HTTPConnection, receive: Receive, send: Send) -> None:
        self._login, self._request = login, request
        self._receive, self._send = receive, send
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive" and not self._login.knows(self._request):
            await self._end()
            return {"type": "websocket.disconnect", "code": _REFUSED}
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send" and not self._login.knows(self._request):
            await self._end()
        # What the application still says to a websocket that has ended goes nowhere.
        if not self._ended:
            await self._send(message)

    async def _end(self) -> None:
        if not self._ended:
            self._ended = True
            await self._send({"type": "websocket.close", "code": _REFUSED, "reason": "Log in again."})


# Streamlit runs the pages in this process, but hands them nothing.
_asks = False


@contextmanager
def serving(access: Access) -> Generator[None]:
    """Let the pages know whether their viewer has logged in, for as long as the dashboard runs."""
    global _asks
    _asks = access.login is not None
    try:
        yield
    finally:
        _asks = False


def asks_who() -> bool:
    """Return whether viewers log in, so that a page can show the way out."""
    return _asks
