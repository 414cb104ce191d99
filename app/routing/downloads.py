"""Files of artifacts, to be saved from the Run page.

An address names a run, a token and a number, all of which are looked up in the store: nothing that comes
from a browser ever becomes part of a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ...storage.artifact_files import ArtifactFile
from ...storage.artifacts import ArtifactInfo, find_of_run
from ...storage.errors import StepscopeError
from ...storage.read import Reader

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = "/artifacts"
_RUN = re.compile(r"[0-9A-Z]{10}")
_TOKEN = re.compile(r"staged-[0-9a-f]{12}")


def address_of(artifact: ArtifactInfo, number: int) -> str:
    """Return where a file of an artifact can be saved from."""
    return f"{PREFIX}/{artifact.run_id}/{artifact.token}/{number}"


def downloads(store: str) -> Route:
    """Return the route that serves the files of the artifacts of a store."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_answer, store, **request.path_params)

    return Route(f"{PREFIX}/{{run_id}}/{{token}}/{{number:int}}", answer)


def _answer(store: str, run_id: str, token: str, number: int) -> Response:
    if not _RUN.fullmatch(run_id) or not _TOKEN.fullmatch(token):
        return PlainTextResponse("There is no such artifact.", status_code=404)
    try:
        with Reader.open(store) as reader:
            artifact = find_of_run(reader, run_id, token)
        file = artifact.files[number]
    except (StepscopeError, IndexError) as error:
        return PlainTextResponse(f"There is no such artifact. {error}", status_code=404)
    name = quote(PurePosixPath(file.path).name)
    headers = {
        "Content-Length": str(file.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        # It is saved, never shown: a page among the files must not become one of the dashboard's.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    media_type = "application/octet-stream"
    return StreamingResponse(_parts(store, run_id, file), headers=headers, media_type=media_type)


def _parts(store: str, run_id: str, file: ArtifactFile) -> Iterator[bytes]:
    with Reader.open(store) as reader:
        for digest in file.parts:
            yield reader.blob(run_id, digest)
