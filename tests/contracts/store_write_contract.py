"""What writing promises of every store.

A subclass gives two fixtures: `url`, a store of its kind, and `new_url`, one that does not exist yet.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from contracts.store_contract import StoreContract
from feed import FIRST_TIME, Feed, new_run, series_of
from stepscope.storage.chunks import CHUNK_POINTS, point_count
from stepscope.storage.drain import recover_orphans
from stepscope.storage.errors import RunNotFound, StoreError
from stepscope.storage.journal_read import Position
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.schema import chunks, runs, streams, tails
from stepscope.storage.write import Batch, Writer
from stepscope.trackers.media import Audio, Graph, Histogram, Image, Text
from stepscope.trackers.run_id import new_run_id


class StoreWriteContract(StoreContract):
    """Writer and Drain over a real store."""

    def test_a_run_comes_back_whole(self, writer: Writer, reader: Reader) -> None:
        given = Run(
            run_id=new_run_id(),
            project="digits",
            name="baseline",
            state=RunState.RUNNING,
            created_at=FIRST_TIME + 0.123456,
            updated_at=FIRST_TIME + 1e9,
            group="sweep",
            tags=("b", "a", "b"),
            notes="# ä €\n😀",
            host="node-1",
            pid=2**31 - 1,
            framework="torch",
            config={"lr": 0.1, "nan": math.inf, "deep": {"list": [1, None, "x"]}},
            summary={"best": -math.inf},
            environment={"git": {"commit": "abc"}},
        )
        stored = writer.create_run(given)
        assert reader.run(given.run_id) == replace(stored, tags=("a", "b"), environment={})
        assert reader.environment(given.run_id) == given.environment
        assert stored == given
        (attempt,) = reader.attempts(given.run_id)
        assert (attempt.attempt, attempt.started_at, attempt.first_step) == (0, given.created_at, None)

    def test_runs_without_a_name_are_counted_within_their_project(self, writer: Writer) -> None:
        one, two = f"project {new_run_id()}", f"project {new_run_id()}"
        names = [new_run(writer, project=project).name for project in (one, one, two, one)]
        assert names == ["run-1", "run-2", "run-1", "run-3"]

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("name", "new"),
            ("group", "g"),
            ("group", None),
            ("notes", "n"),
            ("tags", ("x", "y")),
            ("tags", ()),
            ("state", RunState.FAILED),
            ("framework", "keras"),
            ("finished_at", FIRST_TIME),
            ("error", "Traceback ..."),
            ("config", {"a": 1}),
            ("summary", {"a": 1}),
            ("environment", {"a": 1}),
        ],
    )
    def test_each_field_can_change(self, writer: Writer, reader: Reader, key: str, value: Any) -> None:
        run = new_run(writer, tags=("old",), group="old", config={"old": 1})
        writer.update_run(run.run_id, {key: value, "unknown": 1})
        found = reader.run(run.run_id)
        found = replace(found, environment=reader.environment(run.run_id))
        assert found.updated_at > run.updated_at
        assert replace(found, updated_at=run.updated_at) == replace(run, **{key: value})

    @pytest.mark.parametrize("text", ["nul \0 inside", "half \ud800 letter", "ä€😀"])
    def test_any_text_can_be_stored(self, writer: Writer, reader: Reader, text: str) -> None:
        texts = {"project": text, "name": text, "group": text, "notes": text, "host": text}
        run = new_run(writer, **texts, tags=(text,), config={text: [text]})
        writer.update_run(run.run_id, {"error": text, "summary": {"t": text}, "notes": text})
        feed = Feed(writer, run.run_id)
        feed.journal.append_run(1.0, {"name": text, "environment": {"command": text}, "tags": [text]})
        feed.journal.append_drops(1.0, {text: 2})
        feed.store()
        found = reader.run(run.run_id)
        clean = text if text.startswith("ä") else found.name
        assert len(clean) == len(text)
        assert (found.name, found.group, found.notes, found.error, found.tags, found.dropped) == (
            clean, clean, clean, clean, (clean,), {clean: 2}
        )  # fmt: skip
        assert reader.find_run(clean) == found
        feed.end()

    def test_a_resumed_run_runs_again(self, writer: Writer, reader: Reader) -> None:
        run = new_run(writer)
        writer.update_run(run.run_id, {"state": "failed", "finished_at": 5.0, "error": "out of memory"})
        assert writer.resume_run(run.run_id, host="other", pid=7) == 1
        found = reader.run(run.run_id)
        assert (found.state, found.attempt, found.finished_at, found.error) == ("running", 1, None, None)
        assert (found.host, found.pid) == ("other", 7)
        assert [(a.attempt, a.host, a.pid) for a in reader.attempts(run.run_id)] == [
            (0, "", 0),
            (1, "other", 7),
        ]
        with pytest.raises(RunNotFound, match=r"there is no run 'NOSUCH' in .* to resume"):
            writer.resume_run("NOSUCH", host="", pid=0)

    def test_only_a_running_run_is_ended(self, writer: Writer, reader: Reader) -> None:
        run, done = new_run(writer), new_run(writer)
        writer.update_run(done.run_id, {"state": "finished", "finished_at": 5.0})
        for run_id in (run.run_id, done.run_id):
            writer.end_if_running(run_id, 0, RunState.KILLED, 7.0)
        killed, finished = reader.run(run.run_id), reader.run(done.run_id)
        assert (killed.state, killed.finished_at) == (RunState.KILLED, 7.0)
        assert killed.updated_at > run.updated_at
        assert (finished.state, finished.finished_at) == (RunState.FINISHED, 5.0)

    def test_an_older_attempt_does_not_end_a_newer_one(self, writer: Writer, reader: Reader) -> None:
        run = new_run(writer)
        writer.resume_run(run.run_id, host="", pid=0)
        writer.end_if_running(run.run_id, 0, RunState.KILLED, 7.0)
        assert reader.run(run.run_id).state is RunState.RUNNING

    @pytest.mark.parametrize(("heartbeat", "ended"), [(FIRST_TIME, FIRST_TIME + 0.5), (FIRST_TIME + 60,) * 2])
    def test_a_recovered_run_ended_at_its_last_sign_of_life(
        self, writer: Writer, reader: Reader, heartbeat: float, ended: float
    ) -> None:
        run = new_run(writer, created_at=FIRST_TIME, updated_at=heartbeat)
        feed = Feed(writer, run.run_id)
        feed.points("loss", np.zeros(6))
        feed.journal.close()
        recover_orphans(writer)
        found = reader.run(run.run_id)
        assert (found.state, found.finished_at) == (RunState.KILLED, ended)
        assert found.duration == ended - FIRST_TIME

    def test_a_journal_keeps_its_number_and_its_place(self, writer: Writer) -> None:
        run_id = new_run(writer).run_id
        first = writer.open_journal(run_id, "one", 0)
        second = writer.open_journal(run_id, "two", 0)
        assert (first.journal_no, second.journal_no) == (0, 1)
        writer.commit(first, Batch(Position(3, 64), Position(5, 128)))
        again = writer.open_journal(run_id, "one", 0)
        assert (again.journal_no, again.points_position, again.values_position) == (
            0, Position(3, 64), Position(5, 128)
        )  # fmt: skip
        with pytest.raises(RunNotFound, match="run NOSUCH was deleted while its journal three was not yet"):
            writer.open_journal("NOSUCH", "three", 0)

    def test_values_of_every_kind_come_back(self, writer: Writer, reader: Reader) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        pixels = np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8)  # more than 1 MiB as PNG
        graph = GraphData("net", "torch", "modules", (GraphNode("x", "input"),), (Layer("", "Net", 5),))
        feed.points("loss", [0.5, 0.25])
        feed.value("weights", 3, Histogram(np.arange(10.0)))
        feed.value("picture", 3, Image(pixels, "a caption"))
        feed.value("sound", 3, Audio(np.zeros(80), 8000))
        feed.value("words", 3, Text("# ä"))
        feed.value("model", 3, Graph(graph))
        feed.end()
        loaded = {}
        for series in reader.series(run_id):
            if series.kind == "scalar":
                assert reader.points(series).last.tolist() == [0.5, 0.25]
                continue
            (record,) = reader.records(series)
            assert (record.step, record.time, record.attempt) == (3, FIRST_TIME + 0.3, 0)
            assert (series.count, series.last_step, series.last_time) == (1, 3, FIRST_TIME + 0.3)
            loaded[series.kind] = reader.load(series, record)
        assert loaded["histogram"].counts.sum() == 10
        np.testing.assert_array_equal(loaded["image"].array(), pixels)
        assert loaded["image"].caption == "a caption"
        assert loaded["audio"].seconds == 0.01
        assert loaded["text"].text == "# ä"
        assert loaded["graph"] == graph

    def test_totals_of_a_series(self, writer: Writer, reader: Reader) -> None:
        run_id = new_run(writer).run_id
        feed, child = Feed(writer, run_id), Feed(writer, run_id, main=False)
        feed.points("odd", [math.nan, math.nan])
        feed.store()
        series = series_of(reader, run_id, "odd")
        assert (series.count, series.min_value, series.max_value, series.nan_count) == (2, None, None, 2)
        assert math.isnan(series.last_value or 0)
        feed.points("odd", [math.inf, 3.0, -math.inf, -5.0], [5, 6, 7, 8])
        feed.store()
        child.points("odd", [-7.0, math.inf], [90, 91])
        child.end()
        feed.points("odd", [4.0], [9])
        feed.end()
        series = series_of(reader, run_id, "odd")
        assert (series.count, series.min_value, series.max_value) == (9, -7.0, 4.0)
        assert (series.nan_count, series.posinf_count, series.neginf_count) == (2, 2, 1)
        # Of what several journals logged, the last by the time of the call.
        assert (series.last_step, series.last_value, series.last_time) == (91, math.inf, FIRST_TIME + 9.1)

    def test_small_chunks_become_full_ones_in_order(self, writer: Writer, reader: Reader) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        rng = np.random.default_rng(0)
        total = 0
        for flush in range(120):
            size = int(rng.integers(1, 150)) if flush % 40 else 5000
            feed.points("loss", np.arange(total, total + size, dtype=float), range(total, total + size))
            total += size
            feed.store()
            if flush == 60:
                # As after an error, or in another process: what is known comes from the store.
                feed.drain._cursor = None
        feed.end()
        with writer.engine.connect() as connection:
            query = sa.select(streams).where(streams.c.run_id == run_id)
            (stream,) = connection.execute(query)
            query = sa.select(chunks.c.data).where(chunks.c.run_id == run_id).order_by(chunks.c.chunk_no)
            sizes = [point_count(data) for data in connection.execute(query).scalars()]
            assert not connection.execute(sa.select(tails.c.data).where(tails.c.run_id == run_id)).all()
        full, rest = divmod(total, CHUNK_POINTS)
        assert sizes == [CHUNK_POINTS] * full + [rest]
        assert (stream.full_chunks, json.loads(stream.parts)) == (full, [rest])
        points = reader.points(series_of(reader, run_id, "loss"))
        np.testing.assert_array_equal(points.last, np.arange(total))
        np.testing.assert_array_equal(points.step, np.arange(total))

    def test_what_was_dropped_is_added_up(self, writer: Writer, reader: Reader) -> None:
        run_id = new_run(writer).run_id
        feed, child = Feed(writer, run_id), Feed(writer, run_id, main=False)
        feed.journal.append_drops(1.0, {"disk full": 3, "bad name": 1})
        feed.journal.append_drops(1.0, {"disk full": 2})
        feed.store()
        feed.journal.append_drops(1.0, {"disk full": 10})
        feed.end()
        child.journal.append_drops(1.0, {"disk full": 100})
        child.end()
        assert reader.run(run_id).dropped == {"disk full": 115, "bad name": 1}

    def test_a_value_that_cannot_be_encoded_costs_only_itself(self, writer: Writer, reader: Reader) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        picture, sound = feed.number("picture", "image"), feed.number("sound", "audio")
        feed.value("picture", 1, Image(np.zeros((2, 2))))
        for meta in ({}, {"layout": "HWC", "dtype": "no type", "shape": [1]}, {"layout": 5, "dtype": "<f4"}):
            feed.journal.append_value(picture, 2, 1.0, meta, b"1234")
        wrong_rate = {"dtype": "<f4", "shape": [1], "sample_rate": 2**40}
        feed.journal.append_value(sound, 2, 1.0, wrong_rate, b"1234")
        feed.journal.append_value(feed.number("new", "hologram"), 2, 1.0, {}, b"1234")
        feed.journal.append_value(999, 2, 1.0, {}, b"1234")
        feed.journal.append_number(998, 2, 1.0, 0.0)
        feed.value("picture", 3, Image(np.zeros((2, 2))))
        feed.end()
        assert [r.step for r in reader.records(series_of(reader, run_id, "picture"))] == [1, 3]
        dropped = reader.run(run_id).dropped
        assert sum(dropped.values()) == 7, dropped
        assert sum("could not be encoded" in reason for reason in dropped) >= 3

    @pytest.mark.parametrize("first", [True, False])
    def test_a_commit_that_fails_anywhere_is_repeated_without_a_trace(
        self, writer: Writer, reader: Reader, first: bool
    ) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        if not first:
            self._append_something(feed, 0)
            feed.store()
        self._append_something(feed, 100)
        failures = 0
        while not self._store_failing_at(feed, writer.engine, failures):
            failures += 1
        assert failures > 8
        feed.end()
        count = 10 if first else 20
        assert reader.points(series_of(reader, run_id, "loss")).total == count
        assert series_of(reader, run_id, "loss").count == count
        assert reader.count_records(series_of(reader, run_id, "picture")) == count // 10
        assert reader.run(run_id).dropped == {"reason": count // 10}
        assert reader.run(run_id).notes == "changed"

    def _append_something(self, feed: Feed, at: int) -> None:
        feed.points("loss", np.arange(10.0), range(at, at + 10))
        feed.value("picture", at, Image(np.full((2, 2), at / 100)))
        feed.journal.append_run(1.0, {"notes": "changed"})
        feed.journal.append_drops(1.0, {"reason": 1})

    def _store_failing_at(self, feed: Feed, engine: sa.Engine, statement: int) -> bool:
        """Drain with an error before the n-th statement; return whether there were fewer."""
        seen = [0]

        def fail(*_: Any) -> None:
            seen[0] += 1
            if seen[0] > statement:
                raise sa.exc.OperationalError("statement", None, Exception("the disk fell off"))

        sa.event.listen(engine, "before_cursor_execute", fail)
        try:
            feed.store()
        except StoreError:
            return False
        finally:
            sa.event.remove(engine, "before_cursor_execute", fail)
        return True

    def test_two_that_store_one_journal_store_it_once(self, writer: Writer, reader: Reader) -> None:
        # The lock keeps it from happening; the store would notice if it did.
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        feed.points("loss", [1.0, 2.0])
        other = Feed.__new__(Feed)
        other.drain = type(feed.drain)(writer, feed.journal.folder)
        other.store()
        feed.points("loss", [3.0], [2])
        feed.store()
        feed.points("loss", [4.0], [3])
        with pytest.raises(StoreError, match="was stored by another process meanwhile"):
            other.store()
        other.store()
        feed.points("loss", [5.0], [4])
        with pytest.raises(StoreError, match="was stored by another process meanwhile"):
            feed.store()
        feed.end()
        assert reader.points(series_of(reader, run_id, "loss")).last.tolist() == [1, 2, 3, 4, 5]

    def test_a_writer_notices_that_somebody_merged_its_chunks(self, writer: Writer, reader: Reader) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        for step in range(3):
            feed.points("loss", [1.0], [step])
            feed.store()
        assert writer.seal(run_id, 0)
        feed.points("loss", [2.0], [3])
        with pytest.raises(StoreError, match="was stored by another process meanwhile"):
            feed.store()
        feed.end()
        assert reader.points(series_of(reader, run_id, "loss")).last.tolist() == [1, 1, 1, 2]

    def test_what_a_dead_process_left_is_recovered_once(self, writer: Writer, reader: Reader) -> None:
        run, other = new_run(writer), new_run(writer)
        living, dead, child = (
            Feed(writer, other.run_id),
            Feed(writer, run.run_id),
            Feed(writer, run.run_id, main=False),
        )
        dead.points("loss", [1.0, 2.0])
        dead.store()
        for feed in (dead, child, living):
            feed.points("loss", [3.0], [2])
            feed.journal.append_number(feed.number("loss"), 3, FIRST_TIME, 4.0)
        child.journal.close()
        assert recover_orphans(writer) == [run.run_id]
        assert reader.run(run.run_id).state is RunState.RUNNING
        dead.journal.close()
        assert recover_orphans(writer) == [run.run_id]
        assert recover_orphans(writer) == []
        assert reader.run(run.run_id).state is RunState.KILLED
        assert reader.run(other.run_id).state is RunState.RUNNING
        assert reader.points(series_of(reader, run.run_id, "loss")).last.tolist() == [1, 2, 3, 4]
        assert series_of(reader, run.run_id, "loss").count == 6
        assert not dead.journal.folder.exists()
        living.end()

    def test_a_journal_that_cannot_be_read_stands_in_nobodys_way(
        self, writer: Writer, reader: Reader
    ) -> None:
        runs_of = [new_run(writer).run_id for _ in range(3)]
        feeds = [Feed(writer, run_id) for run_id in runs_of]
        for feed in feeds:
            feed.points("loss", [1.0, 2.0])
            feed.journal.close()
        (feeds[0].journal.folder / "points-00000000.seg").write_bytes(b"not a segment")
        (feeds[1].journal.folder / "series-00000000.seg").write_bytes(b"not a segment")
        assert recover_orphans(writer) == runs_of[2:]
        assert reader.points(series_of(reader, runs_of[2], "loss")).total == 2
        # They are left as they are, for `stepscope verify`.
        assert [feed.journal.folder.exists() for feed in feeds] == [True, True, False]

    def test_what_a_kill_left_of_a_folder_is_removed(self, writer: Writer) -> None:
        feed = Feed(writer, new_run(writer).run_id)
        spool = writer.location.spool
        for name in ("A-1.done", "B-2", "C-3"):
            (spool / name).mkdir()
            (spool / name / "lock").touch()
        (spool / "A-1.done" / "journal.json").write_text("{}")
        os.utime(spool / "B-2", (FIRST_TIME, FIRST_TIME))
        assert recover_orphans(writer) == []
        # A folder that was made just now may become a journal.
        assert sorted(path.name for path in spool.iterdir()) == sorted(["C-3", feed.journal.folder.name])
        shutil.rmtree(spool / "C-3")
        feed.end()

    def test_a_run_that_was_deleted_takes_its_journal_along(self, writer: Writer) -> None:
        run_id = new_run(writer).run_id
        feed = Feed(writer, run_id)
        feed.points("loss", [1.0])
        writer.transact(lambda connection: connection.execute(sa.delete(runs)))
        with pytest.raises(RunNotFound, match="was deleted while its journal"):
            feed.store()
        feed.journal.close()
        assert recover_orphans(writer) == [run_id]
        assert not feed.journal.folder.exists()

    def test_many_processes_log_into_a_new_store_at_once(self, new_url: str, tmp_path: Path) -> None:
        children = [os.fork() or self._log_alone(new_url, tmp_path) for _ in range(6)]
        (tmp_path / "go").touch()
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
        with Reader.open(new_url) as reader:
            found = reader.runs()
            assert len(found) == 6
            for run in found:
                assert reader.points(series_of(reader, run.run_id, "loss")).total == 200

    def _log_alone(self, url: str, folder: Path) -> int:
        try:
            while not (folder / "go").exists():
                pass
            with Writer.open(url) as writer:
                feed = Feed(writer, new_run(writer).run_id)
                for start in range(0, 200, 20):
                    feed.points("loss", np.arange(20.0), range(start, start + 20))
                    feed.store()
                feed.end()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
