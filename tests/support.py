"""What several tests share. Imported as `support`: pytest puts tests/ on the path."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], deadline_s: float = 20.0, what: str = "") -> T:
    """Return the first truthy result of `predicate`; fail the test when the deadline passes without one."""
    end = time.monotonic() + deadline_s
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > end:
            wanted = what or getattr(predicate, "__name__", repr(predicate))
            raise AssertionError(f"waited {deadline_s:g} s for {wanted}, but the last answer was {result!r}")
        time.sleep(0.02)


def wait_for(wanted: T, read: Callable[[], T], what: str, deadline_s: float = 30.0) -> None:
    """Wait until `read` returns `wanted`; fail the test with what it returned last when the deadline passes.

    Args:
        wanted: anything that compares with ==, such as pytest.approx.
        read: called again and again.
        what: the name of what is read.
        deadline_s: how long to go on.
    """
    end = time.monotonic() + deadline_s
    while (found := read()) != wanted:
        assert time.monotonic() < end, f"waited {deadline_s:g} s for {what}: {wanted!r}, but it is {found!r}"
        time.sleep(0.02)


def forked(work: Callable[[], object]) -> int:
    """Run `work` in a forked child; return its pid. It exits with 0 when `work` raised nothing, and with no
    exit handlers, as multiprocessing ends its children.
    """
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def run_python(*arguments: str | Path, deadline_s: float = 120.0, **environment: str) -> str:
    """Run this interpreter in a process of its own; return what it printed, fail unless it exits with 0."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
