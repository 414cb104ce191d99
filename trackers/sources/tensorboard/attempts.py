"""Which event files of a run were written by a process that took over from another one.

The files of one process are one attempt. A process that began when another one had written its last event is
a restart, and a newer attempt; those that wrote side by side, such as the ranks of a training, are of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .files import Found
from .heads import FileName, Head


@dataclass(frozen=True, slots=True)
class Written:
    """One file."""

    file: Found
    name: FileName
    head: Head


@dataclass(slots=True)
class _Process:
    files: list[Written] = field(default_factory=list[Written])

    @property
    def began(self) -> float:
        """When its first file was; TensorFlow writes whole seconds there, rounded down."""
        return min(one.head.began for one in self.files)


def attempts_of(written: Sequence[Written], last_time: Callable[[Found], float]) -> dict[str, int]:
    """Return path -> attempt for the files of one run.

    Args:
        written: the files.
        last_time: tells when the last event of a file was written; asked only where there are several
            processes.
    """
    processes = sorted(_processes(written), key=lambda process: process.began)
    attempts: dict[str, int] = {}
    attempt, until = 0, 0.0
    for number, process in enumerate(processes):
        if number and until <= process.began + (1.0 if process.began.is_integer() else 0.0):
            attempt, until = attempt + 1, 0.0
        if len(processes) > 1:
            until = max([until, *(last_time(one.file) for one in process.files)])
        attempts.update({one.file.path: attempt for one in process.files})
    return attempts


def _processes(written: Sequence[Written]) -> list[_Process]:
    """Return the files by the process that wrote them.

    A process number may come again, in a container say: then the files are counted from 0 again. Where the
    name tells no process, the first files of all folders are of one, the second ones of another.
    """
    found: dict[tuple[object, ...], _Process] = {}
    newest: dict[tuple[str, int], tuple[int, int]] = {}
    in_folder: dict[str, int] = {}
    for one in sorted(written, key=lambda one: (one.head.began, one.name.number, one.file.path)):
        name, folder = one.name, one.file.folder
        if name.pid:
            life, last = newest.get((name.host, name.pid), (0, -1))
            life += int(name.number <= last or (one.head.restarts and last >= 0))
            newest[name.host, name.pid] = (life, name.number)
            key: tuple[object, ...] = (name.host, name.pid, life)
        else:
            in_folder[folder] = in_folder.get(folder, -1) + 1
            key = (in_folder[folder],)
        found.setdefault(key, _Process()).files.append(one)
    return list(found.values())
