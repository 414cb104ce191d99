"""trackio's folder of databases as a source, or one of them. trackio need not be installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ....storage.errors import BadInput
from ..base import FoundRun, Part, Piece
from .database import TrackioDatabase

_DEFAULT = Path("~/.cache/huggingface/trackio")
_PARQUET_ONLY = "Its Parquet copies alone are not read."


class TrackioSource:
    """Finds the runs of all projects that trackio keeps in a folder."""

    name: ClassVar[str] = "trackio"

    def __init__(self, place: str | Path = "") -> None:
        """Take a folder of databases, or one; "" stands for TRACKIO_DIR, or trackio's own folder.

        Raises:
            BadInput: there is no database.
        """
        path = Path(place or os.environ.get("TRACKIO_DIR") or _DEFAULT).expanduser()
        self._folder, self._only = (path.parent, path) if path.is_file() else (path, None)
        self._of: dict[str, TrackioDatabase] = {}
        self.problems: list[str] = []
        """What could not be read of those that are there, in sentences."""
        if not self._paths():
            raise BadInput(self._missing())

    def runs(self) -> Sequence[FoundRun]:
        """Look which runs there are by now. Raises BadInput when no database can be read."""
        found: list[FoundRun] = []
        failed: list[BadInput] = []
        told: list[str] = []
        paths = self._paths()
        for path in paths:
            try:
                database = TrackioDatabase(path)
                mine = database.runs()
            except BadInput as error:
                failed.append(error)
                continue
            found += mine
            told += database.problems
            self._of |= {one.key: database for one in mine}
        if failed and len(failed) == len(paths):
            raise failed[0]
        self.problems = [*map(str, failed), *told]
        return found

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what lies in a part beyond a row."""
        yield from self._of[found.key].read(found, part, position)

    def _paths(self) -> list[Path]:
        return [self._only] if self._only else sorted(self._folder.glob("*.db"))

    def _missing(self) -> str:
        what = f"expected trackio's databases, such as <project>.db, in {self._folder}, but there are none."
        return f"{what} {_PARQUET_ONLY}" if list(self._folder.glob("*.parquet")) else what
