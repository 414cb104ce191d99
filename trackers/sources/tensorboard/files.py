"""Folders with event files: on a disk of this machine, or wherever fsspec reaches (s3://, gs://, ...)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ....storage.errors import BadInput, MissingExtra

BLOCK = 4 << 20
"""Bytes that are read at once."""


class Found(NamedTuple):
    """One file."""

    folder: str
    """Below the place, its parts joined by "/"; "" is the place itself."""
    name: str
    size: int

    @property
    def path(self) -> str:
        """The file below the place."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


class Files:
    """The files of one place."""

    def __init__(self, place: str | Path) -> None:
        """Take a folder, the path of a single file, or a URL that fsspec knows.

        Raises:
            BadInput: there is no such place, or nothing here can read it.
            MissingExtra: it is a URL, and fsspec or what it needs for it is not installed.
        """
        self.place = str(place)
        self._remote: Any = None
        if "://" in self.place:
            self._remote, root = _remote(self.place)
            self._root = str(root).rstrip("/")
        else:
            self._root = str(Path(self.place).expanduser().resolve())
        self._only = ""
        if not self._exists():
            raise BadInput(
                f"expected a folder with event files or one of them, but there is no {self.place}. "
                f"Name what you would give to `tensorboard --logdir`."
            )
        if self._is_file():
            self._root, _, self._only = self._root.rpartition("/")

    @property
    def root(self) -> str:
        """The folder as an absolute path, or as a URL without what logs in."""
        return f"{self.place.partition('://')[0]}://{self._root}" if self._remote is not None else self._root

    @property
    def name(self) -> str:
        """The last part of the folder."""
        return self._root.rpartition("/")[2] or self._root

    def walk(self) -> list[Found]:
        """Return all files, ordered by folder and name; one alone if it is the place."""
        if self._only:
            return [Found("", self._only, self.size(self._only))]
        return sorted(self._walk_local() if self._remote is None else self._walk_remote())

    def size(self, path: str) -> int:
        """Return how many bytes a file has by now; 0 when it is gone."""
        try:
            if self._remote is not None:
                self._remote.invalidate_cache()
                return int(self._remote.size(self._at(path)) or 0)
            return os.path.getsize(self._at(path))
        except OSError:
            return 0

    def open(self, path: str) -> Any:
        """Return a file to read bytes of. Raises OSError."""
        if self._remote is not None:
            return self._remote.open(self._at(path), "rb", block_size=BLOCK)
        return open(self._at(path), "rb", buffering=0)

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return the beginning of a file, or all of it. Raises OSError."""
        with self.open(path) as file:
            return bytes(file.read(-1 if most is None else most))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _is_file(self) -> bool:
        if self._remote is not None:
            return bool(self._remote.isfile(self._root))
        return os.path.isfile(self._root)

    def _exists(self) -> bool:
        if self._remote is None:
            return os.path.exists(self._root)
        try:
            return bool(self._remote.exists(self._root))
        except Exception as error:  # every backend has errors of its own: no rights, no network
            raise BadInput(f"expected to read {self.place}, but got: {error!r}") from error

    def _walk_local(self) -> Iterator[Found]:
        # Links are followed, as TensorBoard does, but a folder that was seen is not entered again.
        seen: set[tuple[int, int]] = set()
        for folder, folders, names in os.walk(self._root, followlinks=True):
            facts = os.stat(folder)
            if (facts.st_dev, facts.st_ino) in seen:
                folders.clear()
                continue
            seen.add((facts.st_dev, facts.st_ino))
            inside = Path(folder).relative_to(self._root).as_posix()
            for name in names:
                try:
                    file = os.stat(os.path.join(folder, name))
                except OSError:  # gone since, or a link to nothing
                    continue
                if stat.S_ISREG(file.st_mode):  # to open a pipe would wait for its writer
                    yield Found("" if inside == "." else inside, name, file.st_size)

    def _walk_remote(self) -> Iterator[Found]:
        self._remote.invalidate_cache()
        for path, facts in self._remote.find(self._root, detail=True).items():
            inside = path.rstrip("/").removeprefix(self._root).strip("/")
            folder, _, name = inside.rpartition("/")
            yield Found(folder, name, int(facts.get("size") or 0))


def _remote(place: str) -> tuple[Any, Any]:
    try:
        # Any file system that the user has a package for is one of fsspec's.
        core: Any = import_module("fsspec.core")
    except ImportError as error:
        raise MissingExtra(f"Reading {place}", "tensorboard") from error
    try:
        return core.url_to_fs(place)
    except (ImportError, ValueError, OSError) as error:
        raise BadInput(f"expected a path or a URL that fsspec can read, but got {place}: {error}") from error
