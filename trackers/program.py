"""The program that began a run: the text of its main script, and what its process took. Never its data."""

from __future__ import annotations

import itertools
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

PROGRAM_LIMIT = 256 * 1024
"""Bytes of a script that are kept; the rest is cut off, and said so."""
_SECRET = re.compile(
    r"""(password|passwd|secret|api_?key|(?:access|auth|api|hf)_token|(?<!\w)token)"""
    r"""(["']?\s*[=:]\s*)(["'])(?:(?!\3)[^\n])+\3""",
    re.IGNORECASE,
)
_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")

_begun = itertools.count()


def main_script() -> Path | None:
    """Return the file that this process runs; None in a notebook, a shell or a frozen program."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).resolve() if file else None


def read_program() -> dict[str, Any] | None:
    """Return the user's own script.

    Returns:
        `path`, `text` (at most PROGRAM_LIMIT bytes of it; literals given to names like a password are
        left out) and `truncated`. None when there is no script, or when it is installed, as the one
        that starts pytest or a notebook's kernel is: it says nothing of the run.
    """
    script = main_script()
    if script is None or any(script.is_relative_to(folder) for folder in _installed()):
        return None
    with script.open("rb") as file:
        data = file.read(PROGRAM_LIMIT + 1)
    text = data[:PROGRAM_LIMIT].decode("utf-8", "replace")
    return {
        "path": str(script),
        "text": _SECRET.sub(r"\1\2\3***\3", text),
        "truncated": len(data) > PROGRAM_LIMIT,
    }


def count_run() -> int:
    """Return how many runs this process has begun before; each call is one."""
    return next(_begun)


def process_start() -> float:
    """Return when this process began, in seconds since the epoch."""
    return psutil.Process().create_time()


def peak_memory_gb() -> float:
    """Return the most memory that this process had in use since it began, in GB of 10^9 bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 1e9
    import resource  # noqa: PLC0415 - Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def _installed() -> Iterator[Path]:
    """Yield the folders of what is installed; a folder that a project keeps inside of them is one, too."""
    paths = sysconfig.get_paths()
    for name in _INSTALLED:
        yield Path(paths[name]).resolve()
