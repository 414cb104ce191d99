"""Tells a browser with the first answer what a page of charts will ask for, before any script asks for it.

Otherwise each comes after the other: Streamlit's script, its message with the first chart, the component
that holds charts, our script, plotly.js.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit
from starlette.datastructures import MutableHeaders

from . import browser_files

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHART_PAGES = frozenset({"/charts", "/distributions", "/curves", "/hyperparameters", "/system", "/compare"})
_CHUNKS = ("BidiComponent", "Slider", "ButtonGroup", "TextInput", "Checkbox", "Expander", "Html")
"""Parts of Streamlit's front end that it loads when a page first needs them."""
_IMPORT = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')


class Hints:
    """ASGI middleware that adds `Link` headers to pages that show charts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and add to the answer."""
        if scope["type"] != "http" or scope["path"] not in CHART_PAGES:
            await self._app(scope, receive, send)
            return

        async def hinting(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers["Link"] = links()
            await send(message)

        await self._app(scope, receive, hinting)


@cache
def links() -> str:
    """Return the value of the header."""
    ours = [browser_files.address_of(name) for name in browser_files.chart_scripts()]
    modules = [f"<{address}>; rel=modulepreload" for address in [*ours, *_chunks()]]
    return ", ".join(
        [f"<{browser_files.address_of(browser_files.PLOTLY)}>; rel=preload; as=script", *modules]
    )


def _chunks() -> list[str]:
    """Return where parts of Streamlit lie, with what they import; none where it names them otherwise."""
    folder = Path(streamlit.__file__).parent / "static" / "static" / "js"
    found: dict[str, None] = {}
    waiting = [path.name for name in _CHUNKS for path in folder.glob(f"{name}.*.js")]
    while waiting:
        name = waiting.pop()
        if name not in found and (folder / name).exists():
            found[name] = None
            waiting += _IMPORT.findall((folder / name).read_text(encoding="utf-8"))
    return [f"/static/js/{name}" for name in found if f"{name}" not in _first(folder)]


@cache
def _first(folder: Path) -> str:
    # What the page itself asks for at once.
    return (folder.parent.parent / "index.html").read_text(encoding="utf-8")
