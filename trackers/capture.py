"""What is captured with each run: code, command, packages and machine. Never environment variables."""

from __future__ import annotations

import logging
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import psutil

from .program import main_script, read_program
from .redact import redacted
from .system import gpu_names

DIFF_LIMIT = 256 * 1024
"""Bytes of a diff that are kept; the rest is cut off, and said so."""
_GIT_SECONDS = 1.0
_COMMAND_LIMIT = 4096
_SECRET = re.compile(r"-.*(?:password|passwd|secret|token|api[-_]?key)", re.IGNORECASE)

_log = logging.getLogger("stepscope")
_T = TypeVar("_T")


def capture_environment() -> dict[str, Any]:
    """Return what can be said about this process and its machine; takes milliseconds and never raises.

    Returns:
        JSON-able, with the keys `git` (commit, branch, root, diff, diff_truncated; None outside of a
        repository), `program` (path, text, truncated; None when no script was started), `command`,
        `python`, `executable`, `packages` (name -> version), `host`, `os`, `cpu` (model, cores, usable),
        `memory_gb`, `gpu` (list of names), `pid` and `cwd`. What cannot be found out is None. A git that
        takes longer than a second gives a commit without a diff.
    """
    finders: dict[str, Callable[[], Any]] = {
        "program": read_program,
        "git": _git,
        "command": _command,
        "python": platform.python_version,
        "executable": lambda: sys.executable,
        "packages": _packages,
        "host": platform.node,
        "os": platform.platform,
        "cpu": _cpu,
        "memory_gb": lambda: round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": gpu_names,
        "pid": os.getpid,
        "cwd": os.getcwd,
    }
    return {key: _attempt(key, find) for key, find in finders.items()}


def _attempt(what: str, find: Callable[[], _T]) -> _T | None:
    try:
        return find()
    except Exception as error:  # a fact less is no reason to stop a training run
        _log.debug("capture: %s: %s", what, error)
        return None


def _command() -> str:
    """Return the command line, without what is given to options named like a password."""
    words = list(sys.orig_argv)
    for i, word in enumerate(words):
        option, equals, _value = word.partition("=")
        if not _SECRET.fullmatch(option):
            continue
        if equals:
            words[i] = f"{option}=***"
        elif i + 1 < len(words) and not words[i + 1].startswith("-"):
            words[i + 1] = "***"
    return redacted(shlex.join(words))[:_COMMAND_LIMIT]


def _packages() -> dict[str, str]:
    """Read name and version off the folders that pip leaves; importlib.metadata opens every file in them."""
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        for entry in folder.glob("*.dist-info") if folder.is_dir() else ():
            name, _, version = entry.name.removesuffix(".dist-info").partition("-")
            found.setdefault(name.replace("_", "-").lower(), version)  # the first on the path is imported
    return dict(sorted(found.items()))


def _cpu() -> dict[str, Any]:
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    usable = len(affinity(0)) if affinity else os.cpu_count()
    return {"model": _attempt("cpu", _cpu_model), "cores": os.cpu_count(), "usable": usable}


def _cpu_model() -> str:
    if sys.platform == "darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"])
    if sys.platform == "linux":
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git() -> dict[str, Any] | None:
    script = main_script()
    folders = [Path.cwd(), *([script.parent] if script else [])]
    for folder in folders:
        found = _attempt("git", lambda folder=folder: _repository(folder))
        if found:
            return found
    return None


def _repository(folder: Path) -> dict[str, Any]:
    git = ["git", "--no-optional-locks", "-C", str(folder)]
    root = _output([*git, "rev-parse", "--show-toplevel"])
    commit = _attempt("git", lambda: _output([*git, "rev-parse", "--verify", "HEAD"]))
    # Empty on a detached HEAD; unlike rev-parse it also names a branch that has no commit yet.
    branch = _attempt("git", lambda: _output([*git, "symbolic-ref", "--short", "HEAD"]))
    # Neither colours nor programs that the user's configuration would start.
    diff = _attempt(
        "git", lambda: _diff([*git, "diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD"])
    )
    text, truncated = diff or (None, False)
    return {"commit": commit, "branch": branch, "root": root, "diff": text, "diff_truncated": truncated}


def _diff(command: list[str]) -> tuple[str, bool]:
    """Return at most DIFF_LIMIT bytes of a diff, without secrets, and whether there was more."""
    with tempfile.TemporaryFile() as out:  # a pipe would have to be read to its end, however long the diff
        _run(command, out)
        out.seek(0)
        data = out.read(DIFF_LIMIT + 1)
    return redacted(data[:DIFF_LIMIT].decode("utf-8", "replace")), len(data) > DIFF_LIMIT


def _output(command: list[str]) -> str:
    with tempfile.TemporaryFile() as out:
        _run(command, out)
        out.seek(0)
        return out.read().decode("utf-8", "replace").strip()


def _run(command: list[str], out: BinaryIO) -> None:
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.DEVNULL,
        timeout=_GIT_SECONDS,
        check=True,
    )
