"""What pages load beside Streamlit's own files: our scripts, plotly.js and dagre.js out of their packages.

Each lies under an address that names its content, so that a browser asks for it once and keeps it, with
what it compiled of it, until it changes.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = "/assets"
PLOTLY = "plotly.min.js"
DAGRE = "dagre.js"
"""Out of the package netron: places the boxes of a graph."""
_OURS = Path(__file__).parents[1] / "widgets" / "browser"
_IMPORT = re.compile(r'from "\./(\w+\.js)";')
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    # Streamlit would compress it anew for each request, which takes longer than sending it to this machine.
    "Content-Encoding": "identity",
}


def route() -> Route:
    """Return the route that serves the files. Raises nothing: what is not one of them is not found."""

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        path = _files().get(name)
        if path is None or address_of(name) != request.url.path:
            return PlainTextResponse("There is no such file. Reload the page.", status_code=404)
        return FileResponse(path, media_type=mimetypes.guess_type(name)[0], headers=_HEADERS)

    return Route(f"{PREFIX}/{{version}}/{{name}}", answer)


def address_of(name: str) -> str:
    """Return the path under which a file is served. Raises KeyError: there is none of that name."""
    return f"{PREFIX}/{_version(name)}/{_files()[name].name}"


def starts(name: str) -> str:
    """Return a script for a component of Streamlit's that hands all it is given to a script of ours.

    When a component is told something new before its script has come, Streamlit calls it for both, and then
    the clean-up of the first call, as if that one had been alone: only the last call is handed on, and it
    alone is cleaned up after.
    """
    return (
        f"const script = import(location.origin + {address_of(name)!r});\n"
        "const calls = new WeakMap();\n"
        "export default async (given) => {\n"
        "  const { parentElement } = given;\n"
        "  calls.set(parentElement, given);\n"
        "  const isLast = () => calls.get(parentElement) === given;\n"
        "  const { default: show } = await script;\n"
        "  if (!isLast()) return undefined;\n"
        "  const cleanUp = show(given);\n"
        "  return () => isLast() && cleanUp?.();\n"
        "};\n"
    )


def chart_scripts() -> list[str]:
    """Return the names of the scripts that draw charts: chart.js and what it imports."""
    found, waiting = list[str](), ["chart.js"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += _IMPORT.findall(_files()[name].read_text(encoding="utf-8"))
    return found


@cache
def _files() -> dict[str, Path]:
    # Found without importing the packages, which takes its time.
    import importlib.util  # noqa: PLC0415

    found = {path.name: path for path in _OURS.iterdir() if path.suffix == ".js"}
    for package, name, folder in (("plotly", PLOTLY, "package_data"), ("netron", DAGRE, "")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            found[name] = Path(spec.origin).parent / folder / name
    return found


@cache
def _version(name: str) -> str:
    """Return what changes with the file. Scripts import one another: one version stands for all."""
    if name == PLOTLY:
        return version("plotly")
    content = b"".join(path.read_bytes() for name, path in sorted(_files().items()) if name != PLOTLY)
    return hashlib.sha256(content).hexdigest()[:12]
