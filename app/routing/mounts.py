"""What the two mounts, /tensorboard and /visdom, have in common, and paths that lead to others."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="color-scheme" content="light dark">
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 42rem; margin: 12vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.3rem; }}
p {{ white-space: pre-line; }}
</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""


def mount(prefix: str, app: ASGIApp) -> list[BaseRoute]:
    """Return the routes that serve `app` under `prefix`, with and without a slash at its end."""
    return [moved(prefix, f"{prefix}/"), Mount(prefix, app=_WithoutProbes(app))]


def moved(path: str, place: str) -> Route:
    """Return a route that leads from one path to another one."""

    async def lead(request: Request) -> Response:
        # Relative, and with the query: the page may be seen through a forwarded port, and a deep link
        # into TensorBoard keeps its filters there.
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{place}{query}")

    return Route(path, lead)


def notice(title: str, text: str) -> Response:
    """Return a page that says in a sentence why there is nothing to show, with status 503."""
    return HTMLResponse(_PAGE.format(title=escape(title), text=escape(text)), status_code=503)


class _WithoutProbes:
    """Says 404 to Streamlit's front end, which looks for its server under every prefix of a page's path.

    Any other answer there would make the front end take the mount for its server and stay blank.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "/_stcore/" in scope["path"]:
            await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
