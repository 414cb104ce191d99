"""Make the runs that `stepscope demo --recorded` shows anew, on whatever machine this is.

    python sample_runs/record.py

It runs the samples named below, one after the other, and packs what they logged into sample_runs/recorded/,
with a note of where it comes from. On a machine with an NVIDIA GPU (and the extra `gpu`) they train on it,
and the store has its figures. Left out is what tells about the user (host, folders, account), and the models
that the samples save, which are larger than all the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
import zstandard
from tqdm import tqdm

from stepscope.storage.compact import compact
from stepscope.storage.model import Run
from stepscope.storage.read import Reader
from stepscope.storage.rebuild import rebuild
from stepscope.storage.record_checksum import record_checksum
from stepscope.storage.schema import attempts, blobs, records, runs, series
from stepscope.storage.write import Writer

SAMPLES = (
    "every_kind.py --steps 20",
    "seeds_pytorch.py --epochs 6 --seeds 3",
    "seeds_keras.py --epochs 6 --seeds 3",
    "goes_wrong_pytorch.py",
    "goes_wrong_keras.py",
    "network_visualisation_pytorch.py --epochs 3 --climb 40",
    "network_visualisation_keras.py --epochs 3 --climb 40",
    "gan_pytorch.py --epochs 30",
    "gan_keras.py --epochs 30",
    "digits_pytorch.py --epochs 120",
    "digits_keras.py --epochs 120",
)
"""What fills all pages in little room. Last, since the newest runs are shown first: twins that train long
enough for curves of what the machine did."""
HERE = Path(__file__).resolve().parent
FOLDERS = (str(HERE.parent), sys.prefix, str(Path.home()))
NAME = "recorded.db"
MOST_BYTES = 2_000_000
QUIET_PERCENT = 20
PRIVATE = ("host", "cwd", "executable", "pid")
NOTE = """# Recorded runs

`{name}` is the store of which `stepscope demo --recorded` opens a copy. It and this page were made by
`python sample_runs/record.py` on {day}: real runs of the samples,
on {machine},
under Python {python} with {versions}.
When it began, other programs took {busy:.0f} % of the processor{warning}.
{gpu}
Each run says so in its notes, and has a tag for it. Left out are the names of the host, the account and the
folders, what git said beyond the commit, and the models that the samples save.

| project | run | command | duration |
|---|---|---|---|
{runs}
"""
WITHOUT_GPU = """
**There is no figure of a GPU in it**, since that machine has none: the System page shows processor, memory,
disk and network. On a machine with an NVIDIA GPU, and with the extra `gpu` installed,
`python sample_runs/record.py` makes a store whose System page shows the use, memory, temperature and power of
each GPU as well.
"""


def main() -> None:
    """Run the samples and write the two files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=HERE / "recorded", help="folder (default: where they lie)")
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=3)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / NAME
        for sample in tqdm(SAMPLES, unit="sample"):
            train(sample, store)
        tidy(store)
        pack(store, options.to / f"{NAME}.zst")
        (options.to / "README.md").write_text(note(store, busy), encoding="utf-8")


def train(sample: str, store: Path) -> None:
    """Run one sample into the store."""
    name, *words = shlex.split(sample)
    print(f"\n== {sample}", flush=True)
    # Without TensorFlow's own words of the machine, which would be kept with the run.
    environment = {**os.environ, "STEPSCOPE_STRICT": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, HERE / name, *words, "--store", store], env=environment, check=True)


def tidy(store: Path) -> None:
    """Take out what tells of the user and the folders, and the saved models; say in each run what it is."""
    with Reader.open(store) as reader:
        found = [(run, reader.environment(run.run_id)) for run in reader.runs()]
    with Writer.open(store) as writer:
        for run, environment in found:
            writer.update_run(run.run_id, without_places(run, environment, store))
        compact(writer)
        writer.transact(leave_out)
        writer.transact(shorten_folders)


def without_places(run: Run, environment: Mapping[str, Any], store: Path) -> dict[str, Any]:
    """Return what to change of a run, by the names of Writer.update_run."""
    told = {key: value for key, value in environment.items() if key not in PRIVATE}
    change = {
        "config": {key: value for key, value in run.config.items() if key != "store"},
        "environment": {
            **told,
            "git": environment["git"] and {"commit": environment["git"]["commit"]},
            "os": platform.system(),
        },
        "error": run.error,
    }
    text = json.dumps(change)
    for place, instead in ((f" --store {store}", ""), (sys.executable, "python"), (f"{HERE.parent}/", "")):
        text = text.replace(place, instead)
    said = f"A recording that comes with Stepscope, made on {machine(environment)}."
    return {
        **json.loads(text),
        "tags": [*run.tags, "recorded-on-gpu" if environment["gpu"] else "recorded-on-cpu"],
        "notes": f"{run.notes}\n\n{said}".strip(),
    }


def leave_out(connection: sa.Connection) -> None:
    """Delete from all runs the name of the machine, and the artifacts with their files."""
    for table in (runs, attempts):
        connection.execute(sa.update(table).values(host="", pid=0))
    artifacts = sa.select(series.c.series_id).where(series.c.name.startswith("system/artifacts/"))
    connection.execute(sa.delete(records).where(records.c.series_id.in_(artifacts)))
    connection.execute(sa.delete(series).where(series.c.series_id.in_(artifacts.scalar_subquery())))
    named = sa.select(records.c.digest).where(records.c.digest.is_not(None))
    connection.execute(sa.delete(blobs).where(blobs.c.digest.not_in(named)))
    rebuild(connection)


def shorten_folders(connection: sa.Connection) -> None:
    """Put dots for the folders in tracebacks and the like: as many, since places in a text are counted."""
    query = sa.select(records).where(records.c.payload.is_not(None))
    for row in connection.execute(query).all():
        payload = row.payload
        for folder in map(os.fsencode, FOLDERS):
            payload = payload.replace(folder, (b"./" * len(folder))[: len(folder)])
        if payload != row.payload:
            checksum = record_checksum(row.step, row.time, row.meta, payload, row.digest)
            same = [column == getattr(row, column.name) for column in records.primary_key]
            connection.execute(sa.update(records).where(*same).values(payload=payload, checksum=checksum))


def machine(environment: Mapping[str, Any]) -> str:
    """Return what a run was made on, as the note has it."""
    cpu, gpus = environment["cpu"], environment["gpu"]
    return f"{', '.join(gpus) or 'a processor alone, without a GPU'} ({cpu['model']}, {cpu['usable']} cores)"


def note(store: Path, busy: float) -> str:
    """Return the text of the file that lies beside the store.

    Args:
        store: that was tidied.
        busy: percent of the processor that other programs took when the recording began.
    """
    with Reader.open(store) as reader:
        made = [(run, reader.environment(run.run_id)) for run in reversed(reader.runs())]
    facts = made[0][1]
    versions = ", ".join(f"{name} {facts['packages'][name]}" for name in ("torch", "tensorflow", "keras"))
    lines = [
        f"| {run.project} | {run.name} | `{facts['command']}` | {run.duration:.0f} s |" for run, facts in made
    ]
    gpu = "" if facts["gpu"] else WITHOUT_GPU
    return NOTE.format(
        name=f"{NAME}.zst",
        machine=machine(facts),
        day=datetime.now(UTC).date(),
        versions=versions,
        python=facts["python"],
        busy=busy,
        warning=": the times in it measure no framework" if busy > QUIET_PERCENT else "",
        gpu=gpu,
        runs="\n".join(lines),
    )


def pack(store: Path, target: Path) -> None:
    """Write the store compressed, without what was deleted; refuse one that is too large or names folders."""
    clean = store.with_name("clean.db")
    with closing(sqlite3.connect(store)) as database:
        database.execute("VACUUM INTO ?", [str(clean)])
    data = clean.read_bytes()
    told = [folder for folder in (*FOLDERS, str(store.parent)) if folder.encode() in data]
    packed = zstandard.ZstdCompressor(level=19).compress(data)
    if told or len(packed) > MOST_BYTES:
        sys.exit(
            f"The store names {told}, or its {len(packed):,} bytes are more than {MOST_BYTES:,}: not written."
        )
    target.write_bytes(packed)
    print(f"{target}: {len(packed):,} bytes, {len(data):,} unpacked")


if __name__ == "__main__":
    main()
