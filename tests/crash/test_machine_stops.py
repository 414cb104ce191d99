"""The machine stops: pages of the journal that had not reached the disk are zeros, files end anywhere.

What was committed is there, what was whole is recovered, what is torn is dropped and counted, and nobody
who opens the store is held up. How a journal is read past its holes: tests/storage/test_journal_salvage.py.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

import stepscope
from feed import Feed, new_run
from killed import KILLS, SEED
from stepscope.storage import journal as journal_module
from stepscope.storage.drain import recover_orphans
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer

pytestmark = pytest.mark.crash

PAGE = 4096
POINTS, WORDS = 900, 60
TOTAL = POINTS + POINTS // 3 + WORDS


@pytest.fixture
def writer(store_url: str) -> Generator[Writer]:
    with Writer.open(store_url) as opened:
        yield opened


@pytest.fixture
def feed(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """A journal of small segments, not stored yet."""
    for name in ("_POINTS_BYTES", "_VALUES_BYTES", "_SERIES_BYTES"):
        monkeypatch.setattr(journal_module, name, 3 * PAGE)
    return Feed(writer, new_run(writer).run_id)


def log(feed: Feed, steps: range) -> None:
    for start in steps[::3]:
        feed.points("loss", np.arange(start, start + 3.0), range(start, start + 3))
        feed.points("acc", [-float(start)], [start])
        if start % (POINTS // WORDS) == 0:
            feed.value("words", start, stepscope.Text(text_at(start)))


def text_at(step: int) -> str:
    return f"at {step} " * (step % 50 + 1)


def stored(store: str, run_id: str) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Return the steps of each name, after a look at their values, and what was dropped."""
    steps: dict[str, list[int]] = {"loss": [], "acc": [], "words": []}
    with Reader.open(store) as reader:
        for series in reader.series(run_id):
            if series.kind == "scalar":
                points = reader.points(series)
                sign = 1.0 if series.name == "loss" else -1.0
                np.testing.assert_array_equal(points.last, sign * points.step)
                steps[series.name] = points.step.tolist()
            else:
                records = reader.records(series)
                steps[series.name] = [record.step for record in records]
                for record in records:
                    assert reader.load(series, record).text == text_at(record.step)
            assert steps[series.name] == sorted(set(steps[series.name]))
            assert len(steps[series.name]) == series.count
        return steps, dict(reader.run(run_id).dropped)


def damage(folder: Path, rng: random.Random) -> str:
    """Do to some of the files what the end of a machine does; return what it was."""
    done: list[str] = []
    for path in sorted(folder.glob("*.seg")):
        data = bytearray(path.read_bytes())
        how = rng.choice(["nothing", "pages", "pages", "an older page", "cut", "gone"])
        if how == "pages":
            for page in range(0, len(data), PAGE):
                if rng.random() < 0.4:
                    data[page : page + PAGE] = bytes(PAGE)
        elif how == "an older page":
            # What was appended to it later is not there.
            page = rng.randrange(0, len(data), PAGE)
            at = rng.randrange(page, page + PAGE, 8)
            data[at : page + PAGE] = bytes(page + PAGE - at)
        elif how == "cut":
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        if how == "gone" and rng.random() < 0.3:
            path.unlink()
        done.append(f"{path.name}: {how}")
    return ", ".join(done)


def test_a_whole_one_is_recovered_whole(writer: Writer, feed: Feed) -> None:
    log(feed, range(POINTS))
    feed.journal.append_run(1.0, {"notes": "written last", "state": "failed"})
    feed.journal.close()
    run_id = feed.journal.info.run_id
    assert recover_orphans(writer) == [run_id]
    assert not feed.journal.folder.exists()
    steps, dropped = stored(writer.location.url, run_id)
    counts = {name: len(found) for name, found in steps.items()}
    assert (counts, dropped) == ({"loss": POINTS, "acc": POINTS // 3, "words": WORDS}, {})
    with Reader.open(writer.location.url) as reader:
        run = reader.run(run_id)
        assert (run.notes, run.state) == ("written last", RunState.FAILED)


@pytest.mark.parametrize("number", range(KILLS))
def test_what_was_whole_is_recovered_and_the_rest_counted(writer: Writer, feed: Feed, number: int) -> None:
    rng = random.Random(f"{SEED} {number}")
    committed = rng.choice([0, 300, 600])
    log(feed, range(committed))
    feed.store()
    run_id = feed.journal.info.run_id
    before, _ = stored(writer.location.url, run_id)
    log(feed, range(committed, POINTS))
    feed.journal.close()
    done = f"CRASH_SEED={SEED}: {damage(feed.journal.folder, rng)}"
    assert recover_orphans(writer) == [run_id], done
    assert not feed.journal.folder.exists()
    steps, dropped = stored(writer.location.url, run_id)
    for name, found in before.items():
        assert steps[name][: len(found)] == found, done
    assert sum(map(len, steps.values())) + sum(dropped.values()) <= TOTAL, done


def test_a_hole_is_counted_exactly(writer: Writer, feed: Feed) -> None:
    log(feed, range(POINTS))
    feed.journal.close()
    path = feed.journal.folder / "points-00000000.seg"
    data = path.read_bytes()
    path.write_bytes(data[:PAGE] + bytes(PAGE) + data[2 * PAGE :])
    recover_orphans(writer)
    steps, dropped = stored(writer.location.url, feed.journal.info.run_id)
    assert dropped == {"damaged in the journal": PAGE // 32}
    assert sum(map(len, steps.values())) == TOTAL - PAGE // 32


def test_the_description_is_cut_at_any_byte(writer: Writer, feed: Feed, tmp_path: Path) -> None:
    # What a small file that is new looks like after a machine stopped: empty, most often.
    log(feed, range(6))
    feed.journal.close()
    left = Path(shutil.move(feed.journal.folder, tmp_path / "left"))
    whole = (left / "journal.json").read_bytes()
    cuts = [whole[:cut] for cut in (*range(0, len(whole), 7), len(whole) - 1)]
    for torn in (*cuts, bytes(len(whole)), None):
        run_id = new_run(writer).run_id
        folder = Path(shutil.copytree(left, writer.location.spool / f"{run_id}-c0ffee00"))
        (folder / "journal.json").unlink()
        if torn is not None:
            (folder / "journal.json").write_bytes(torn)
        assert recover_orphans(writer) == [run_id]
        assert not folder.exists()
        steps, dropped = stored(writer.location.url, run_id)
        assert (steps["loss"], dropped) == ([0, 1, 2, 3, 4, 5], {})
        with Reader.open(writer.location.url) as reader:
            assert reader.run(run_id).state is RunState.KILLED


def test_a_journal_that_nobody_knows_is_left_and_holds_up_nobody(writer: Writer, feed: Feed) -> None:
    spool, run_id = writer.location.spool, feed.journal.info.run_id
    newer = json.dumps({"run_id": run_id, "format": 9})
    for name, text in {"of-none": "", "garbage": "not JSON", "a-list": "[1, 2]", "newer-1234": newer}.items():
        shutil.copytree(feed.journal.folder, spool / name)
        (spool / name / "journal.json").write_text(text)
    (spool / "notes").mkdir()
    (spool / "notes" / "of the user.txt").write_text("not a journal")
    (spool / "a file").write_text("not a folder")
    os.utime(spool / "notes", (1, 1))
    other = Feed(writer, new_run(writer).run_id)
    for name in ("points", "series"):
        (other.journal.folder / f"{name}-00000000.seg").write_bytes(b"STEPJRN9" * 2000)
    other.journal.close()
    log(feed, range(6))
    feed.journal.close()
    before = {path.name for path in spool.iterdir()}
    for _ in range(2):
        recover_orphans(writer)
        assert stored(writer.location.url, run_id)[0]["loss"] == [0, 1, 2, 3, 4, 5]
    assert {path.name for path in spool.iterdir()} == before - {feed.journal.folder.name}
    assert (spool / "notes" / "of the user.txt").exists()


def test_a_journal_that_may_not_be_read_holds_up_nobody(writer: Writer, feed: Feed) -> None:
    log(feed, range(6))
    closed = Feed(writer, new_run(writer).run_id)
    closed.journal.close()
    feed.journal.close()
    # Not by permissions: whoever runs the tests as root may read everything.
    for name in ("points", "values"):
        segment = closed.journal.folder / f"{name}-00000000.seg"
        segment.unlink()
        segment.symlink_to(segment.name)
    assert recover_orphans(writer) == [feed.journal.info.run_id]
    assert closed.journal.folder.exists()
