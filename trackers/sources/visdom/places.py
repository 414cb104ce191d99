"""Where Visdom keeps environments: a file, a folder of them, a running server, or a log of its client."""

from __future__ import annotations

import json
import mmap
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ....storage.errors import BadInput
from .json_files import Buffer
from .log import is_log, replayed
from .server import VisdomHttp

_IN_MEMORY = 16 << 20


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment, before its windows are looked at."""

    name: str
    key: str
    """The same whenever it is looked at."""
    place: str
    """Names it in sentences."""
    changed_at: float
    """Seconds since the epoch: of a file, its own time; of a server, now."""
    stamp: object
    """Equal to that of an earlier look when nothing changed; None when that cannot be told."""
    copy: Callable[[], Buffer]
    """Returns its JSON text as it is now. Raises OSError and BadInput."""
    bare: bool = False
    """The text is that of the windows alone."""
    problems: Sequence[str] = ()
    """What could not be read on the way to it."""


def environments(place: str) -> Sequence[Environment]:
    """Return the environments at a place: a path, or the URL of a server.

    Raises:
        BadInput: there is nothing of Visdom there.
    """
    if place.startswith(("http://", "https://")):
        return _of_server(place)
    path = Path(place).expanduser()
    if path.is_dir():
        files = sorted(one for one in path.glob("*.json") if one.is_file())
        if not files:
            raise BadInput(
                f"expected environments of Visdom in {path}, but it holds no .json file. Name "
                f"Visdom's folder, which is ~/.visdom if its server was told no other, a file in it, or the "
                f"URL of a server."
            )
        return [_of_file(one) for one in files]
    if not path.is_file():
        raise BadInput(
            f"expected an environment of Visdom, a folder of them or a server's URL such as "
            f"http://localhost:8097, but there is no {path}."
        )
    return _of_log(path) if is_log(path) else [_of_file(path)]


def _of_log(path: Path) -> list[Environment]:
    facts = path.stat()
    stamp, found = (facts.st_mtime_ns, facts.st_size), replayed(path)
    if found.problems and not found.environments:
        raise BadInput(
            f"expected {path} to be an environment of Visdom or a log of its client, but {found.problems[0]}."
        )

    def environment(name: str) -> Environment:
        text = json.dumps(found.environments[name]).encode()
        key, problems = f"{path.resolve().as_posix()}#{name}", tuple(found.problems)
        return Environment(name, key, str(path), facts.st_mtime, stamp, lambda: text, True, problems)

    return [environment(name) for name in found.environments]


def _of_file(path: Path) -> Environment:
    facts = path.stat()
    key = path.resolve().as_posix()
    stamp = (facts.st_mtime_ns, facts.st_size)
    return Environment(path.stem, key, str(path), facts.st_mtime, stamp, lambda: _copied(path))


def _of_server(url: str) -> list[Environment]:
    server = VisdomHttp(url)

    def environment(name: str) -> Environment:
        place = f"{server.url}/env/{name}"
        return Environment(name, place, place, time.time(), None, lambda: _answered(server, name), bare=True)

    return [environment(name) for name in server.environments()]


def _copied(path: Path) -> Buffer:
    # Visdom writes a file anew in its place: a mapping of it would end this process then, a copy does not.
    with path.open("rb") as file, tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        return _mapped(copy)


def _answered(server: VisdomHttp, name: str) -> Buffer:
    with tempfile.TemporaryFile() as copy:
        server.windows(name, copy)
        return _mapped(copy)


def _mapped(file: IO[Any]) -> Buffer:
    file.flush()
    size = file.tell()
    if size < _IN_MEMORY:
        file.seek(0)
        return file.read()
    return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
