"""The program that began a run: the text of its main script, and what its process took. Never its data."""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from .redact import redacted

PROGRAM_LIMIT = 256 * 1024
"""Bytes of a script that are kept; the rest is cut off, and said so."""
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)
_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")

_begun = itertools.count()


def main_script() -> Path | None:
    """Return the file that this process runs; None in a notebook, a shell or a frozen program."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).resolve() if file else None


def read_program() -> dict[str, Any] | None:
    """Return the user's own script.

    Returns:
        `path`, `text` (at most PROGRAM_LIMIT bytes of it, without secrets: see redact.py) and `truncated`.
        None when there is no script, or when it is installed, as the one that starts pytest or a
        notebook's kernel is: it says nothing of the run.
    """
    script = main_script()
    # Of a pipe or a terminal the program itself is still to be read; a zip file has it inside.
    if script is None or not script.is_file() or script.suffix == ".pyc":
        return None
    if any(script.is_relative_to(folder) for folder in _installed()):
        return None
    with script.open("rb") as file:
        data = file.read(PROGRAM_LIMIT + 1)
    text = data[:PROGRAM_LIMIT].decode("utf-8", "replace")
    return {
        "path": str(script),
        "text": redacted(text),
        "truncated": len(data) > PROGRAM_LIMIT,
    }


def count_run() -> int:
    """Return how many runs this process has begun before; each call is one."""
    return next(_begun)


def process_start() -> float | None:
    """Return when this process began, in seconds since the epoch; None where the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        return psutil.Process().create_time()
    return None


def peak_memory_gb() -> float:
    """Return the most memory that this process had in use since it began, in GB of 10^9 bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 1e9
    # getrusage counts, on Linux, the peak of the program that started this one, too.
    if (kept := _kept_peak()) is not None:
        return kept
    import resource  # noqa: PLC0415 - Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _kept_peak() -> float | None:
    """Return what Linux kept of this program's own memory; None elsewhere."""
    with contextlib.suppress(OSError):
        if found := _PEAK.search(Path("/proc/self/status").read_text(encoding="ascii", errors="replace")):
            return int(found[1]) * 1024 / 1e9
    return None


def _installed() -> Iterator[Path]:
    """Yield the folders of what is installed; a folder that a project keeps inside of them is one, too."""
    paths = sysconfig.get_paths()
    for name in _INSTALLED:
        yield Path(paths[name]).resolve()
