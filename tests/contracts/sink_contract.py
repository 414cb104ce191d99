"""What every sink must do. A test file subclasses SinkContract and says how to make and to read its sink."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import stepscope
from contracts.filled_store import fill
from stepscope.storage.backup import copy_database
from stepscope.storage.errors import BadInput
from stepscope.storage.kinds import KINDS
from stepscope.storage.model import Run
from stepscope.storage.read import Reader
from stepscope.storage.schema import chunks, records, series
from stepscope.storage.write import Writer
from stepscope.trackers.sinks.base import Sink
from stepscope.trackers.transfer import Exported, export_runs

Curves = Mapping[tuple[str, str], Mapping[int, float]]
"""(run id, a part of the name under which it is shown) -> step -> value."""


class SinkContract:
    """Subclass it, override `make_sink` and `curve`, and name the class Test..."""

    def make_sink(self) -> Sink:
        raise NotImplementedError("a subclass says which sink")

    def curve(self, run: Run, name: str) -> Mapping[int, float]:
        """Return step -> value of a scalar series as the other program reads it."""
        raise NotImplementedError("a subclass says how the other program reads a curve")

    def leftovers(self) -> list[Path]:
        """Return files that a failed export left behind; a sink without files has none."""
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def filled_once(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("filled") / "stepscope.db"
        fill(str(path))
        return path

    @pytest.fixture
    def reader(self, filled_once: Path, store_url: str):
        copy_database(filled_once, Path(store_url))
        with Reader.open(store_url) as reader:
            yield reader

    def export(self, reader: Reader, runs: list[Run] | None = None) -> Exported:
        return export_runs(reader, reader.runs() if runs is None else runs, self.make_sink())

    def test_every_kind_is_carried_or_declined_with_a_reason(self) -> None:
        sink = self.make_sink()
        kinds = {kind.name for kind in KINDS}
        assert sink.carries | set(sink.declines) == kinds
        assert not sink.carries & set(sink.declines)
        assert all(len(reason) > 10 for reason in sink.declines.values())

    def test_everything_that_it_carries_is_sent(self, reader: Reader) -> None:
        sent = self.export(reader)
        series = reader.series(reader.runs()[0].run_id)
        carried = self.make_sink().carries
        assert sent.runs == 1
        assert sent.points == sum(one.count for one in series if one.kind == "scalar")
        assert sent.records == sum(one.count for one in series if one.kind in carried - {"scalar"})
        assert sent.places

    def test_numbers_are_those_of_the_store(self, reader: Reader) -> None:
        self.export(reader)
        run = reader.runs()[0]
        [series] = [one for one in reader.series(run.run_id, name="train/loss") if not one.context]
        points = reader.points(series)
        shown = self.curve(run, "train/loss")
        assert list(shown) == points.step.tolist()
        np.testing.assert_allclose(list(shown.values()), points.last, rtol=1e-6)

    def test_exporting_again_doubles_nothing(self, reader: Reader) -> None:
        self.export(reader)
        run = reader.runs()[0]
        before = self.curve(run, "train/loss")
        self.export(reader)
        assert self.curve(run, "train/loss") == before

    def test_runs_that_are_exported_later_stand_beside_the_first(
        self, reader: Reader, store_url: str
    ) -> None:
        first = reader.runs()[0]
        self.export(reader)
        fill(store_url, name="wider", seed=1)
        [second] = [run for run in reader.runs() if run.run_id != first.run_id]
        self.export(reader, [second])
        assert self.curve(first, "train/loss") != self.curve(second, "train/loss")
        assert len(self.curve(first, "train/loss")) == len(self.curve(second, "train/loss"))

    def test_a_run_without_data(self, store_url: str) -> None:
        stepscope.init(store=store_url).finish()
        with Reader.open(store_url) as reader:
            sent = export_runs(reader, [*reader.runs(), *reader.runs()], self.make_sink())
        assert sent.runs == 1

    def test_no_runs(self, reader: Reader) -> None:
        with pytest.raises(BadInput, match="at least one run"):
            self.export(reader, [])

    def test_a_value_that_is_damaged_costs_itself_alone(self, reader: Reader, store_url: str) -> None:
        run_id = reader.runs()[0].run_id
        with Writer.open(store_url) as writer, writer.engine.begin() as connection:
            of_run = series.c.run_id == run_id
            [text] = connection.execute(sa.select(series.c.series_id).where(of_run, series.c.kind == "text"))
            [rate] = connection.execute(sa.select(series.c.series_id).where(of_run, series.c.name == "lr"))
            step_5 = (records.c.series_id == text.series_id) & (records.c.step == 5)
            connection.execute(sa.update(records).where(step_5).values(payload=b"\xff\xfe"))
            spoilt = {"data": b"no chunk"}
            connection.execute(sa.update(chunks).where(chunks.c.series_id == rate.series_id).values(spoilt))
        sent = self.export(reader)
        lost = {what: reason for what, reason in sent.declined.items() if " " in what}
        assert set(lost) == {"text notes/first at step 5", "points of lr"}
        assert all(len(reason) > 10 for reason in lost.values())
        assert self.curve(reader.runs()[0], "train/loss")

    def test_a_failed_export_leaves_nothing_half_written(self, reader: Reader) -> None:
        def stop(done: int, total: int) -> None:
            assert 0 < done <= total
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export_runs(reader, reader.runs(), self.make_sink(), stop)
        assert self.leftovers() == []
