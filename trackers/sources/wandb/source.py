"""Runs that W&B wrote to disk: its folder `wandb`, with a folder of each run, with a log and files.

The logs are read by themselves (log.py); of the package, only the definitions of the records are used.
Nothing is initialised, and nothing goes over the network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from ....storage.errors import BadInput
from ....storage.model import Run
from ..base import FoundRun, Part, Piece
from .facts import LogFacts
from .log import MAGIC
from .pieces import LogReader
from .protos import load_protos

_LOGS = ("*.wandb", "*/*.wandb", "wandb/*/*.wandb")
_QUIET_SECONDS = 10
"""A log that has not grown for so long is told to be cut off, if it is."""


class WandbSource:
    """A folder `wandb`, the folder that holds it, the folder of one run, or one log."""

    name: ClassVar[str] = "W&B"

    def __init__(self, place: str | Path) -> None:
        """Look at a place.

        Raises:
            MissingPackage: wandb is not installed.
            BadInput: there is no such place.
        """
        self.problems: list[str] = []
        self._place = Path(place).expanduser()
        self._protos = load_protos()
        self._facts: dict[Path, LogFacts] = {}
        self._readers: dict[Path, LogReader] = {}
        if not self._place.exists():
            raise BadInput(
                f"W&B's runs lie in a folder called wandb, but there is no {self._place}. "
                f"Name that folder, one of its run-... or offline-run-... folders, or a .wandb file."
            )

    def runs(self) -> Sequence[FoundRun]:
        """Return the runs that have a log; the logs of one that was resumed are its attempts.

        Raises:
            BadInput: there is none.
        """
        paths = self._logs()
        if not paths:
            raise BadInput(
                f"W&B's runs are .wandb files, but there is none in {self._place} or its run folders. "
                f"Name the folder called wandb that W&B made where the program ran."
            )
        self.problems = []
        of_runs: dict[str, list[LogFacts]] = {}
        for path in paths:
            facts = self._looked_at(path)
            if facts is not None:
                of_runs.setdefault(facts.key, []).append(facts)
        return [_found(key, sorted(logs, key=_order)) for key, logs in of_runs.items()]

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what a log has beyond a position, which is counted in bytes. Raises OSError."""
        path = next(facts.path for facts in self._facts.values() if _part_name(facts.path) == part.name)
        reader = self._readers.get(path)
        if reader is None or reader.position != position:
            reader = self._readers[path] = LogReader(path, found.run.created_at, self._protos)
            if position:
                reader.pass_over(position)
        yield from reader.pieces(is_quiet=time.time() - path.stat().st_mtime > _QUIET_SECONDS)

    def _logs(self) -> list[Path]:
        if self._place.is_file():
            return [self._place]
        found = {
            path.resolve()
            for pattern in _LOGS
            for path in self._place.glob(pattern)
            # `latest-run` is a link to a folder that is found by its own name.
            if path.is_file() and not path.parent.is_symlink()
        }
        return sorted(found)

    def _looked_at(self, path: Path) -> LogFacts | None:
        facts = self._facts.setdefault(path, LogFacts(path, self._protos.record))
        try:
            facts.update()
        except OSError as error:
            self.problems.append(f"{path} cannot be read: {error}")
            return None
        if facts.run is not None:
            return facts
        self.problems.append(_untold(path))
        # What has just been made may yet say what run it is of, and then is one.
        return facts if facts.is_quiet and path.stat().st_size > len(MAGIC) else None


def _untold(path: Path) -> str:
    if path.stat().st_size <= len(MAGIC):
        return f"{path} is empty: W&B has not written anything of the run, which it does in blocks of 32 KiB."
    return f"{path} does not say what run it is of. What can be read of it goes by the name of its folder."


def _found(key: str, logs: Sequence[LogFacts]) -> FoundRun:
    parts = [
        Part(
            name=_part_name(facts.path),
            attempt=attempt,
            started_at=facts.started_at,
            host=facts.host,
            end=facts.path.stat().st_size,
        )
        for attempt, facts in enumerate(logs)
    ]
    return FoundRun(key, _resumed([facts.stored(attempt) for attempt, facts in enumerate(logs)]), parts)


def _resumed(attempts: Sequence[Run]) -> Run:
    """Return a run as its newest log has it; what that does not say is as it was said before.

    W&B merges them on its server: a program that resumes a run need not know its config.
    """
    newest_first = list(reversed(attempts))
    newest = newest_first[0]
    return replace(
        newest,
        created_at=attempts[0].created_at,
        name=next((run.name for run in newest_first if run.name != _id_of(run)), newest.name),
        group=next((run.group for run in newest_first if run.group), None),
        notes=next((run.notes for run in newest_first if run.notes), ""),
        tags=tuple(dict.fromkeys(tag for run in attempts for tag in run.tags)),
        config={key: value for run in attempts for key, value in run.config.items()},
        summary={key: value for run in attempts for key, value in run.summary.items()},
        environment={key: value for run in attempts for key, value in run.environment.items()},
    )


def _id_of(run: Run) -> str:
    """Return W&B's id, by which a run goes that nobody named."""
    return str(run.environment["wandb"]["id"])


def _part_name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _order(facts: LogFacts) -> tuple[float, str]:
    return facts.started_at, str(facts.path)
