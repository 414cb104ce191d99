"""Processes that are killed at random moments. Imported as `killed`: pytest puts tests/ on the path.

CRASH_KILLS is how often (`make crash` kills much more often than `make test` has time for), CRASH_SEED where
the random moments begin: a failure names it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import sqlalchemy as sa

from stepscope.storage.drain import recover_orphans
from stepscope.storage.write import Writer
from support import wait_until

KILLS = int(os.environ.get("CRASH_KILLS", "8"))
SEED = int(os.environ.get("CRASH_SEED", "0"))


def random_moments(name: str) -> random.Random:
    """Return the source of a test's random moments; say how to have the same again."""
    print(f"CRASH_SEED={SEED} CRASH_KILLS={KILLS} {name}")
    return random.Random(f"{SEED} {name}")


def ended_well(child: int) -> bool:
    """Wait for a child; return whether it ended without a fault."""
    return os.waitpid(child, 0)[1] == 0


def kill(child: int) -> bool:
    """Kill a child; return whether it was still at work."""
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"it failed before it was killed: status {status}"
    return status != 0


def kill_after(child: int, seconds: float) -> bool:
    """Kill a child after a while; return whether it was still at work."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end)
    return kill(child)


def end_if_there(child: int) -> None:
    """Kill a child that a failed test left."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(child, os.WNOHANG) == (0, 0):
            kill(child)


def journals_left(store: str) -> list[Path]:
    """Return the journals in the spool. Without its description, a kill came before one began."""
    return list(Path(f"{store}.spool").glob("*/journal.json"))


def recover_all(store: str) -> None:
    """Store all that is left, and see that the database is sound and no journal is left."""
    with Writer.open(store) as writer:
        recover_orphans(writer)
        with writer.engine.connect() as connection:
            assert connection.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
    assert not journals_left(store)
