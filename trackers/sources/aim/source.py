"""Runs of an Aim repository, read without Aim's own software, which would write into it and take its locks.

Of Aim's packages, only the library of its databases (database.py) is used. What lies where in them is
told by runs.py for the runs, and by series.py for their values.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast
from urllib.parse import urlparse

from ....storage.errors import BadInput
from ..base import FoundArtifact, FoundRun, Part, Piece
from .database import AimDatabase, Custom, key_of, load_rocks
from .runs import AimProperties, read_properties, read_run, read_series
from .series import AimSeries, SeriesReader

_FOLDER = ".aim"
_ARTIFACTS = "artifacts"
_QUIET_SECONDS = 300
"""A run that said no end, and of which nothing was written for so long, is gone."""


class _Seen(NamedTuple):
    """A run as it was when its files were as they were then."""

    files: tuple[tuple[str, int, int], ...]
    is_quiet: bool
    told: AimProperties
    found: FoundRun
    series: Mapping[str, AimSeries]
    artifacts: Sequence[Any]


class AimSource:
    """A folder `.aim`, or the folder that holds it."""

    name: ClassVar[str] = "Aim"

    def __init__(self, place: str | Path) -> None:
        """Look at a place.

        Raises:
            MissingPackage: aim is not installed.
            BadInput: there is no repository of Aim's.
        """
        self.problems: list[str] = []
        load_rocks()
        given = Path(place).expanduser()
        self._repository = given / _FOLDER if (given / _FOLDER).is_dir() else given
        self._seen: dict[str, _Seen] = {}
        self._open: tuple[Path, Any, AimDatabase] | None = None
        if not (self._repository / "meta").is_dir():
            raise BadInput(
                f"Aim's runs lie in a folder called {_FOLDER}, but {given} is none, and holds none. "
                f"Name the folder in which `aim init` was called, or the program ran."
            )

    def runs(self) -> Sequence[FoundRun]:
        """Return the runs that can be read; `problems` tells of the others."""
        self.problems = []
        try:
            properties = read_properties(self._repository)
        except (sqlite3.Error, KeyError, IndexError, ValueError) as error:
            self.problems.append(f"the names and tags in {self._repository} cannot be read: {error}")
            properties = {}
        found: list[FoundRun] = []
        for folder in sorted(self._repository.glob("meta/chunks/*")):
            try:
                found.append(self._look_at(folder, properties.get(folder.name, AimProperties())).found)
            except (BadInput, OSError) as error:
                self.problems.append(f"run {folder.name}: {error}")
        return found

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what a series has beyond a position, which counts values. Raises BadInput."""
        run_hash = found.key.rpartition("/")[2]
        seen = self._seen[run_hash]
        if part.name == _ARTIFACTS:
            yield _artifacts(seen.artifacts, position, found.run.created_at, run_hash)
            return
        database = self._series_of(run_hash)
        reader = SeriesReader(database, run_hash, seen.series[part.name], found.run.created_at)
        yield from reader.pieces(position)

    def _look_at(self, folder: Path, told: AimProperties) -> _Seen:
        series_folder = self._repository / "seqs" / "chunks" / folder.name
        files = (*_files(folder), *_files(series_folder))
        changed_at = max((changed for _, _, changed in files), default=0) / 1e9
        is_quiet = time.time() - changed_at > _QUIET_SECONDS
        seen = self._seen.get(folder.name)
        if seen is None or seen[:3] != (files, is_quiet, told):
            seen = self._seen[folder.name] = _Seen(files, is_quiet, told, *_read(folder, told, is_quiet))
        return seen

    def _series_of(self, run_hash: str) -> AimDatabase:
        """Return the database of a run's series, opened again when something was added to it."""
        folder = self._repository / "seqs" / "chunks" / run_hash
        files = _files(folder)
        if self._open is None or self._open[:2] != (folder, files):
            self._open = None  # one at a time: each holds files open
            self._open = (folder, files, AimDatabase(folder))
        return self._open[2]


def _read(
    folder: Path, told: AimProperties, is_quiet: bool
) -> tuple[FoundRun, Mapping[str, AimSeries], Sequence[Any]]:
    meta, run_hash = AimDatabase(folder), folder.name
    series = {one.part_name: one for one in read_series(meta, run_hash)}
    run = read_run(meta, run_hash, told, is_quiet=is_quiet)
    kept = cast("dict[Any, Any]", meta.collect(key_of("meta", "chunks", run_hash, _ARTIFACTS)) or {})
    parts = [Part(name, started_at=run.created_at) for name in series]
    if kept:
        parts.append(Part(_ARTIFACTS, started_at=run.created_at, end=len(kept)))
    return FoundRun(f"aim/{run_hash}", run, parts), series, list(kept.values())


def _files(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever something is written into a database."""
    found: list[tuple[str, int, int]] = []
    # The folder too: a run that has just begun has no files yet.
    for path in (folder, *sorted(folder.iterdir())) if folder.is_dir() else ():
        status = path.stat()
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _artifacts(kept: Sequence[Any], position: int, began: float, run_hash: str) -> Piece:
    piece = Piece(len(kept))
    for one in kept[position:]:
        fields = one.fields if isinstance(one, Custom) else {}
        name, uri = str(fields.get("name", "")), str(fields.get("uri", ""))
        path = Path(urlparse(uri).path)
        # Only what lies in the folder that Aim made for this run.
        inside = urlparse(uri).scheme == "file" and run_hash in path.parts[: -len(Path(name).parts)]
        if inside and ".." not in path.parts and path.is_file():
            metadata = {str(key): value for key, value in fields.items() if key not in ("base_uri",)}
            piece.artifacts.append(FoundArtifact(path, name.replace("/", "-"), "files", began, metadata))
        else:
            piece.problems.append(f"run {run_hash}: the artifact {name} is not to be had at {uri}")
    return piece
