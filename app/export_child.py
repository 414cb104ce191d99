"""One export for the dashboard, as a process of its own: `python -m stepscope.app.export_child`.

Turning millions of values into another format would keep Python's lock from the pages. The order comes as
one line of JSON on standard input, whose end also ends this process: the operating system sees to that even
when the dashboard is killed. Answers are lines of JSON on standard output: {"done": 3, "total": 10}, at last
{"result": PATH, "left_out": SENTENCES} or {"error": SENTENCE}.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from ..storage.errors import StepscopeError
from ..storage.read import Reader
from ..trackers import exports
from ..trackers.transfer import Exported, Progress

Tell: TypeAlias = Callable[[dict[str, Any]], None]

PIECES = 1000
"""The whole work, as the dashboard counts it."""
PACKING = 100
"""Of these, what is kept for packing the files."""
TELL_SECONDS = 0.1
_NICE = 5


def export_visdom(
    reader: Reader, runs: Sequence[str], folder: Path, progress: Progress | None = None
) -> Exported:
    """Write environment files, as the other exports write theirs."""
    return exports.export_visdom(reader, runs, folder=folder, progress=progress)


EXPORTS: dict[str, Callable[[Reader, Sequence[str], Path, Progress], Exported]] = {
    "tensorboard": exports.export_tensorboard,
    "visdom": export_visdom,
    "csv": exports.export_csv,
    "parquet": exports.export_parquet,
}


def main() -> None:
    """Do what the line says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    tell = _teller(sys.stdout)
    try:
        packed, done = export(order, tell)
        tell({"result": str(packed), "left_out": left_out(done)})
    except StepscopeError as error:
        tell({"error": str(error)})
    except OSError as error:
        tell({"error": f"The export could not be written: {error.strerror or error}. Make room on the disk."})


def export(order: dict[str, Any], tell: Tell) -> tuple[Path, Exported]:
    """Export runs, and pack the files into one.

    Args:
        order: "store", "form" (a key of EXPORTS), "runs" (ids), "folder" (an empty one), "name" (of the zip
            file that is made in it).
        tell: told about the progress.

    Returns:
        the zip file, and what was done.
    """
    files = Path(order["folder"]) / "files"

    def progress(done: int, total: int) -> None:
        tell({"done": (PIECES - PACKING) * done // max(total, 1), "total": PIECES})

    with Reader.open(order["store"]) as reader:
        done = EXPORTS[order["form"]](reader, order["runs"], files, _seldom(progress))
    packed = Path(order["folder"]) / order["name"]
    pack(
        files, packed, lambda share: tell({"done": PIECES - PACKING + int(PACKING * share), "total": PIECES})
    )
    return packed, done


def left_out(done: Exported) -> str:
    """Return in sentences what of the runs is not in the files, and why; "" when all is."""
    reasons: dict[str, list[str]] = {}
    for what, reason in done.declined.items():
        reasons.setdefault(reason, []).append(what)
    return " ".join(f"Left out: {', '.join(sorted(what))} ({reason})." for reason, what in reasons.items())


def pack(files: Path, packed: Path, progress: Callable[[float], None]) -> None:
    """Move all files of a folder into a zip file; each is removed once it is in, to spare the disk.

    Args:
        files: the folder.
        packed: the file to make.
        progress: told which share is done, 0 to 1.
    """
    every = sorted(path for path in files.rglob("*") if path.is_file())
    total = sum(path.stat().st_size for path in every) or 1
    done = 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in every:
            done += path.stat().st_size
            archive.write(path, path.relative_to(files))
            path.unlink()
            progress(done / total)
    shutil.rmtree(files, ignore_errors=True)


def _teller(stream: IO[str]) -> Tell:
    def tell(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=stream, flush=True)

    return tell


def _seldom(progress: Progress) -> Progress:
    last = 0.0

    def now_and_then(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > TELL_SECONDS:
            last = time.monotonic()
            progress(done, total)

    return now_and_then


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
