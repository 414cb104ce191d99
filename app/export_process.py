"""Starts an export as a process of its own (see export_child.py), and follows it for a job."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ..storage.errors import ExportRefused
from .jobs import Progress, Work

LOOK_SECONDS = 0.2
"""How soon a cancelled export ends."""


def export(store: str, form: str, run_ids: Sequence[str], name: str) -> Work:
    """Return the work of a job: export runs and pack the files into a zip file.

    Args:
        store: URL of the store.
        form: "tensorboard", "visdom", "csv" or "parquet".
        run_ids: which runs.
        name: of the zip file.
    """

    def work(progress: Progress) -> Path:
        folder = progress.folder
        order = {"store": store, "form": form, "runs": list(run_ids), "folder": str(folder), "name": name}
        with _child(order) as process:
            return _follow(process, progress)

    return work


@contextmanager
def _child(order: dict[str, Any]) -> Generator[subprocess.Popen[str]]:
    # -P keeps the folder that the dashboard was started in off the child's path.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "stepscope.app.export_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None  # noqa: S101 - a pipe, as asked for above
    try:
        # One that is gone already is told by the end of its answer.
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        yield process
    finally:
        # Whatever it has written lies in the job's folder, which goes with the job.
        process.kill()
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()


def _follow(process: subprocess.Popen[str], progress: Progress) -> Path:
    answer = process.stdout
    assert answer is not None  # noqa: S101 - a pipe, as asked for above
    done = total = 0
    with answer:
        while True:
            progress(done, total)
            if not select.select([answer], [], [], LOOK_SECONDS)[0]:
                continue
            message = _message(answer)
            if "result" in message:
                progress.say(message["left_out"])
                return Path(message["result"])
            if "error" in message:
                raise ExportRefused(message["error"])
            done, total = message["done"], message["total"]


def _message(answer: IO[str]) -> dict[str, Any]:
    line = answer.readline()
    if not line:
        raise ExportRefused(
            "The process of the export ended before it was done. What it printed is in the terminal of "
            "`stepscope ui`; if there is nothing, the system may have ended it for want of memory."
        )
    return json.loads(line)
