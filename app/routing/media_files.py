"""What runs logged to look at or listen to, as the bytes that were stored.

An address names a run and the digest of the bytes, both of which are looked up in the store. What is behind
an address never changes, so that a browser asks once.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ...storage.errors import StepscopeError
from ...storage.location import locate
from ...storage.read import Reader

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = "/blobs"
_RUN = re.compile(r"[0-9A-Z]{10}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_FORMS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.S), "image/webp"),
    (re.compile(rb"RIFF....WAVE", re.S), "audio/wav"),
    (re.compile(rb"....ftyp", re.S), "video/mp4"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "video/webm"),
)
"""How files begin that a browser may show; any other is only saved."""
_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


def address_of(run_id: str, digest: str) -> str:
    """Return where the bytes of a run with that digest are served."""
    return f"{PREFIX}/{run_id}/{digest}"


def media_files(store: str) -> Route:
    """Return the route that serves the stored bytes of a store."""
    shelf = _Shelf(store)

    async def answer(request: Request) -> Response:
        asked = request.headers.get("range")
        return await run_in_threadpool(_answer, shelf, asked=asked, **request.path_params)

    return Route(f"{PREFIX}/{{run_id}}/{{digest}}", answer)


class _Shelf:
    """Keeps a reader open from one request to the next: a page asks for hundreds of pictures."""

    def __init__(self, store: str) -> None:
        self._location = locate(store)
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._file = 0

    def get(self, run_id: str, digest: str) -> bytes:
        """Return the bytes. Raises StoreError, StoreDamaged."""
        return self._current().blob(run_id, digest)

    def _current(self) -> Reader:
        file = _identity(self._location.path)
        with self._lock:
            if self._reader is None or file != self._file:
                # Not closed here: another thread may be reading. It goes when that is done.
                self._reader, self._file = Reader.open(self._location.url), file
            return self._reader


def _identity(path: Path | None) -> int:
    try:
        return path.stat().st_ino if path else 0
    except OSError:
        return 0


def _answer(shelf: _Shelf, run_id: str, digest: str, asked: str | None) -> Response:
    if not _RUN.fullmatch(run_id) or not _DIGEST.fullmatch(digest):
        return PlainTextResponse("There is no such file.", status_code=404)
    try:
        data = shelf.get(run_id, digest)
    except StepscopeError as error:
        return PlainTextResponse(str(error), status_code=404, headers={"Cache-Control": "no-store"})
    media_type = next((name for form, name in _FORMS if form.match(data)), None)
    headers = _HEADERS if media_type else {**_HEADERS, "Content-Disposition": "attachment"}
    return _part(data, asked, media_type or "application/octet-stream", headers)


def _part(data: bytes, asked: str | None, media_type: str, headers: dict[str, str]) -> Response:
    """Return what of the bytes was asked for: players look for places in a film by ranges."""
    found = _RANGE.fullmatch(asked or "")
    if found is None or found[0] == "bytes=-":
        return Response(data, media_type=media_type, headers=headers)
    size = len(data)
    first, last = int(found[1] or max(size - int(found[2] or 0), 0)), size - 1
    if found[1] and found[2]:
        last = min(int(found[2]), last)
    if not first <= last:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    there = {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}
    return Response(data[first : last + 1], status_code=206, media_type=media_type, headers=there)
