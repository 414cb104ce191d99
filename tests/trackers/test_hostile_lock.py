"""A store that another program holds: nothing waits for it, and everything arrives when it is let go."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import stepscope
from hostile import left, locked_by_another, lost, points, said, stored, until_ended
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import ROOT, wait_until


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")
    caplog.set_level(logging.WARNING, "stepscope")


def with_a_store(store: str) -> None:
    Writer.open(store).close()


def with_a_file_that_is_to_become_one(store: str) -> None:
    sqlite3.connect(store).close()
    Path(store).touch()


@pytest.mark.parametrize("begin", [with_a_store, with_a_file_that_is_to_become_one])
def test_a_run_begins_while_another_program_holds_the_store(
    store_url: str, begin: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    begin(store_url)
    with locked_by_another(store_url):
        run = stepscope.init(store=store_url, name="begun", config={"lr": 0.1}, tags=["a"])
        for step in range(1000):
            run.log({"loss": float(step)}, step=step)
        run.log({"words": stepscope.Text("x")})
        run.config["late"] = 1
    assert run.flush()
    run.finish()
    found = until_ended(store_url, run.id)
    assert (found.name, found.config, found.tags) == ("begun", {"lr": 0.1, "late": 1}, ("a",))
    assert (found.state, found.dropped) == (RunState.FINISHED, {})
    assert points(store_url, run.id) == {step: float(step) for step in range(1000)}
    (told,) = said(caplog)
    assert "locked" in told


def test_a_run_that_begins_and_ends_while_another_program_holds_the_store(store_url: str) -> None:
    with_a_store(store_url)
    with locked_by_another(store_url):
        run = stepscope.init(store=store_url, name="short", config={"lr": 0.1})
        for step in range(1000):
            run.log({"loss": float(step)}, step=step)
        run.finish("failed", "it was too short")
        assert left(store_url, run.id), "there is no journal to be recovered"
    found = until_ended(store_url, run.id)
    assert (found.name, found.config, found.state) == ("short", {"lr": 0.1}, RunState.FAILED)
    assert found.error == "it was too short"
    assert points(store_url, run.id) == {step: float(step) for step in range(1000)}


ENDS = """
import sys, stepscope
run = stepscope.init(store=sys.argv[1])
for step in range(1000):
    run.log({"loss": float(step)}, step=step)
print(run.id)
"""


def test_a_program_ends_while_another_one_holds_the_store(store_url: str) -> None:
    # It neither hangs at its end nor takes what it logged along.
    with_a_store(store_url)
    with locked_by_another(store_url):
        done = subprocess.run(
            [sys.executable, "-c", ENDS, store_url],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    run_id = done.stdout.strip()
    found = until_ended(store_url, run_id)
    assert found.state is RunState.FINISHED
    assert points(store_url, run_id) == {step: float(step) for step in range(1000)}
    assert "Traceback" not in done.stderr


def test_memory_stays_bounded_however_long_the_store_is_locked(
    store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STEPSCOPE_JOURNAL_MIB", "16")
    with_a_store(store_url)
    with locked_by_another(store_url):
        run = stepscope.init(store=store_url)
        log = run.log
        for step in range(400_000):
            log({"loss": 0.5}, step=step)
        before = psutil.Process().memory_info().rss
        for step in range(400_000, 600_000):
            log({"loss": 0.5}, step=step)
            if step % 1000 == 0:
                log({"words": stepscope.Text("x" * 10_000)}, step=step)
        grown = psutil.Process().memory_info().rss - before
    assert run.flush()
    run.finish()
    until_ended(store_url, run.id)
    counts = stored(store_url, run.id)
    assert 100_000 < counts["loss"] < 400_000
    assert counts["loss"] + counts.get("words", 0) + lost(store_url, run.id) == 600_200
    assert grown < 40 << 20, f"{grown >> 20} MiB were taken for values that were dropped"
    limit = [line for line in said(caplog) if "limit of 16 MiB" in line]
    assert len(limit) == 1


@pytest.mark.long
def test_a_store_that_is_locked_for_a_minute(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with_a_store(store_url)
    run = stepscope.init(store=store_url)
    step = 0
    with locked_by_another(store_url):
        end = time.monotonic() + 65.0
        while time.monotonic() < end:
            run.log({"loss": float(step), "words": stepscope.Text("x")}, step=step)
            step += 1
            time.sleep(0.001)
    wait_until(lambda: run.flush(1.0), 30, "everything")
    run.finish()
    assert points(store_url, run.id) == {at: float(at) for at in range(step)}
    with Reader.open(store_url) as reader:
        assert reader.run(run.id).dropped == {}
        assert reader.run(run.id).state is RunState.FINISHED
    (told,) = said(caplog)
    assert "locked" in told
