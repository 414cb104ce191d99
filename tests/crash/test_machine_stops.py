"""The machine stops: pages of the journal that had not reached the disk are zeros, files end anywhere.

What was whole is recovered, what is torn is dropped, and nobody who opens the store is held up.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

import stepscope
from feed import Feed, new_run
from stepscope.storage.drain import recover_orphans
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer

pytestmark = pytest.mark.crash

POINTS, WORDS = 60, 20


@pytest.fixture
def writer(store_url: str) -> Generator[Writer]:
    with Writer.open(store_url) as opened:
        yield opened


@pytest.fixture
def left(writer: Writer, tmp_path: Path) -> Path:
    """A journal as a dead process leaves it, out of the way of recovery."""
    feed = Feed(writer, new_run(writer).run_id)
    for start in range(0, POINTS, 3):
        feed.points("loss", np.arange(start, start + 3.0), range(start, start + 3))
        feed.points("acc", [-float(start)], [start])
        feed.value("words", start, stepscope.Text(f"at {start}" * (start + 1)))
    feed.journal.append_run(1.0, {"notes": "written last", "state": "failed"})
    feed.journal.close()
    return Path(shutil.move(feed.journal.folder, tmp_path / "left"))


def used(path: Path) -> int:
    return len(path.read_bytes().rstrip(b"\0"))


def copy_of(left: Path, writer: Writer) -> tuple[str, Path]:
    """Make a run of its own out of the journal; return the run and the folder."""
    run_id = new_run(writer).run_id
    folder = writer.location.spool / f"{run_id}-copy"
    shutil.copytree(left, folder)
    info = json.loads((folder / "journal.json").read_text())
    (folder / "journal.json").write_text(json.dumps({**info, "run_id": run_id, "name": folder.name}))
    return run_id, folder


def check(reader: Reader, run_id: str) -> None:
    names = {series.name: series for series in reader.series(run_id)}
    for name, factor, stride in (("loss", 1.0, 1), ("acc", -1.0, 3)):
        if name in names:
            points = reader.points(names[name])
            assert points.step.tolist() == list(range(0, len(points) * stride, stride))
            np.testing.assert_array_equal(points.last, factor * points.step)
    if "words" in names:
        records = reader.records(names["words"])
        assert [record.step for record in records] == list(range(0, 3 * len(records), 3))
        for record in records[:-1]:
            assert reader.load(names["words"], record).text == f"at {record.step}" * (record.step + 1)
    # The last one may have been torn within its text, which nothing checks.


@pytest.mark.parametrize("lane", ["points", "values", "series"])
@pytest.mark.parametrize("how", ["ends", "zeros", "a page of zeros"])
def test_what_was_whole_is_recovered(writer: Writer, left: Path, lane: str, how: str) -> None:
    rng = random.Random(0)
    name = f"{lane}-00000000.seg"
    whole = (left / name).read_bytes()
    size = used(left / name)
    cuts = sorted({0, 7, 64, 65, size, size - 1, *(rng.randrange(size) for _ in range(12))})
    with Reader.open(writer.location.url) as reader:
        for cut in cuts:
            run_id, folder = copy_of(left, writer)
            kept = {"ends": b"", "zeros": bytes(len(whole) - cut), "a page of zeros": None}[how]
            if kept is None:
                kept = bytes(min(256, len(whole) - cut)) + whole[cut + 256 :]
            (folder / name).write_bytes(whole[:cut] + kept)
            recovered = recover_orphans(writer)
            if recovered:
                check(reader, run_id)
                assert reader.run(run_id).state in (RunState.KILLED, RunState.FAILED)
            else:
                assert cut < 64, "only a segment without its header cannot be read"
                shutil.rmtree(folder)


def test_a_whole_one_is_recovered_whole(writer: Writer, left: Path) -> None:
    run_id, folder = copy_of(left, writer)
    assert recover_orphans(writer) == [run_id]
    assert not folder.exists()
    with Reader.open(writer.location.url) as reader:
        check(reader, run_id)
        counts = {series.name: series.count for series in reader.series(run_id)}
        assert counts == {"loss": POINTS, "acc": WORDS, "words": WORDS}
        run = reader.run(run_id)
        assert (run.notes, run.state, run.dropped) == ("written last", RunState.FAILED, {})
