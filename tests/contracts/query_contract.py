"""What `stepscope.open` promises over every store. A subclass gives a fixture `url`: a store of its kind."""

from __future__ import annotations

import math
import time
from collections.abc import Generator

import numpy as np
import pytest
import sqlalchemy as sa

import stepscope
from contracts.store_contract import StoreContract
from feed import FIRST_TIME, Feed, new_run, time_of
from stepscope.storage.errors import BadInput, RunNotFound, SeriesNotFound
from stepscope.storage.query import Store
from stepscope.storage.schema import runs
from stepscope.storage.write import Writer
from stepscope.trackers.media import Text

BIG = 2**53 + 1


class QueryContract(StoreContract):
    """stepscope.open over a real store."""

    @pytest.fixture
    def store(self, writer: Writer) -> Generator[Store]:
        with stepscope.open(writer.location.url) as opened:
            yield opened

    @pytest.fixture
    def project(self) -> str:
        return f"project {time.time_ns()}"

    def logged(self, writer: Writer, project: str, **fields: object) -> str:
        """Enter a run with some of everything."""
        run_id = new_run(writer, project=project, **fields).run_id
        feed = Feed(writer, run_id)
        feed.points("loss", [4.0, 3.0, math.nan, 1.0], [0, 1, 2, BIG])
        feed.points("loss", [40.0], [1], context={"rank": 1})
        feed.points("val/loss", [9.0, math.inf], [1, 3])
        feed.points("acc", [0.5, math.nan], [0, 1])
        for step in range(5):
            feed.value("notes", step, Text(f"at {step}"))
        feed.end()
        return run_id

    # Runs

    def test_runs_are_chosen_by_project_filter_and_archive(
        self, writer: Writer, store: Store, project: str
    ) -> None:
        made = [
            new_run(
                writer, project=project, name=f"n{at}", created_at=FIRST_TIME + at, config={"lr": 10.0**-at}
            )
            for at in range(4)
        ]
        ids = [run.run_id for run in reversed(made)]
        writer.update_run(ids[0], {"state": "finished", "tags": ["baseline"]})
        assert [run.id for run in store.runs(project=project)] == ids
        assert project in store.projects()

        def chosen(text: str) -> list[str]:
            found = [run.id for run in store.runs(filter=f"project == {project!r} and ({text})")]
            assert found == [run.id for run in store.runs(project=project, filter=text)]
            return found

        assert chosen("config.lr < 0.05") == ids[:2]
        assert chosen('state == "finished" and "baseline" in tags') == ids[:1]
        assert chosen('state == "running"') == ids[1:]
        assert chosen("last.loss < 1") == []
        assert len(store.runs(project=project, filter=lambda run: run.name in ("n1", "n2"))) == 2
        assert len(store.runs(project="another", filter=f"project == {project!r}")) == 0
        archived = sa.update(runs).where(runs.c.run_id == ids[1]).values(archived_at=time.time())
        writer.transact(lambda connection: connection.execute(archived))
        assert [run.id for run in store.runs(project=project)] == [ids[0], *ids[2:]]
        assert [run.id for run in store.runs(project=project, archived=True)] == ids
        assert store.run(ids[1]).archived_at is not None

    def test_names_alone_are_entries_of_configs_or_metrics(
        self, writer: Writer, store: Store, project: str
    ) -> None:
        new_run(writer, project=project, config={"lr": 0.5})
        run_id = self.logged(writer, project, config={"lr": 0.001, "optimizer": {"name": "adam"}})
        for text in (
            'lr < 0.01 and optimizer.name == "adam"',
            "loss.min == 1 and loss.max == 4 and loss.last == 1",
            "validation/loss.min == 9 and val/loss == val_loss and acc.max < 1",
        ):
            assert [run.id for run in store.runs(project=project, filter=text)] == [run_id]
        assert store.run(run_id).metric("val_loss", "min") == 9
        with pytest.raises(BadInput, match="of a metric there is min, max, last, but 'mean' was asked for"):
            store.run(run_id).metric("loss", "mean")

    def test_a_name_that_no_run_of_the_store_has_is_a_mistake(
        self, writer: Writer, store: Store, project: str
    ) -> None:
        name = f"width_{project.rpartition(' ')[2]}"
        self.logged(writer, project, config={name: 8})
        told = rf"column 1: there is no field, config entry or metric 'x{name}'.*'{name}'"
        with pytest.raises(BadInput, match=told):
            store.runs(project=project, filter=f"x{name} > 3")
        assert len(store.runs(project="nothing here", filter=f"{name} > 3")) == 0

    def test_a_silent_run_is_found_as_killed(self, writer: Writer, store: Store, project: str) -> None:
        silent = new_run(writer, project=project, updated_at=time.time() - 3600).run_id
        assert [run.id for run in store.runs(project=project, filter='state == "killed"')] == [silent]
        assert len(store.runs(project=project, filter='state == "running"')) == 0

    def test_last_values_are_those_logged_last(self, writer: Writer, store: Store, project: str) -> None:
        empty = new_run(writer, project=project, created_at=FIRST_TIME - 1).run_id
        run_id = self.logged(writer, project)
        writer_of_more = Feed(writer, run_id, writer.resume_run(run_id, host="", pid=0))
        writer_of_more.points("resumed", [-math.inf], [7])
        writer_of_more.end()
        found = store.runs(project=project)
        assert [run.id for run in found] == [run_id, empty]
        last = dict(found[0].last)
        assert math.isnan(last.pop("acc"))
        assert last == {"loss": 1.0, "loss [rank=1]": 40.0, "resumed": -math.inf, "val/loss": math.inf}
        assert list(found[0].last) == sorted(found[0].last)
        assert found[1].last == {}
        assert dict(store.run(run_id).last) == pytest.approx(dict(found[0].last), nan_ok=True)
        assert [run.id for run in store.runs(project=project, filter='last["loss [rank=1]"] == 40')] == [
            run_id
        ]
        assert [run.id for run in store.runs(project=project, filter="last.acc < 1 or last.acc >= 1")] == []

    def test_a_run_tells_what_is_known_of_it(self, writer: Writer, store: Store, project: str) -> None:
        environment = {"python": "3.11", "packages": {"numpy": "2"}}
        run_id = self.logged(writer, project, name="one", environment=environment, tags=("b", "a"))
        run = store.run(run_id[:8].lower())
        assert (run.id, run.name, run.project, run.state, run.tags) == (
            run_id,
            "one",
            project,
            "running",
            ("a", "b"),
        )
        assert run.environment == environment
        assert [attempt.attempt for attempt in run.attempts] == [0]
        assert {(one.name, one.kind) for one in run.series()} == {
            ("loss", "scalar"), ("val/loss", "scalar"), ("acc", "scalar"), ("notes", "text")
        }  # fmt: skip
        assert [one.context for one in run.series("loss", kind="scalar")] == [{}, {"rank": 1}]
        assert run.series("nothing") == []
        with pytest.raises(RunNotFound, match=f"has the id or name '{project}'"):
            store.run(project)

    def test_near_names_of_runs_are_told(self, writer: Writer, store: Store, project: str) -> None:
        new_run(writer, project=project, name=f"baseline {project}")
        with pytest.raises(RunNotFound, match=rf"Near names: 'baseline {project}'"):
            store.run(f"Baselin {project}")

    # Scalars

    def test_one_scalar_as_numpy_pandas_and_arrow(self, writer: Writer, store: Store, project: str) -> None:
        run = store.run(self.logged(writer, project))
        table = run.scalars("loss")
        assert table.names == ("step", "time", "value")
        assert [table[name].dtype for name in table.names] == [np.int64, np.float64, np.float64]
        steps, times, values = (
            [0, 1, 2, BIG],
            [time_of(step) for step in (0, 1, 2, BIG)],
            [4.0, 3.0, math.nan, 1.0],
        )
        for columns in (
            table.numpy(),
            {name: column.to_numpy() for name, column in table.pandas().items()},
            {name: table.arrow()[name].to_numpy() for name in table.names},
        ):
            assert columns["step"].tolist() == steps
            assert columns["time"].tolist() == times
            np.testing.assert_array_equal(columns["value"], values)
        assert table.pandas()["step"].dtype == np.int64
        assert str(table.arrow().schema.field("step").type) == "int64"
        assert run.scalars("loss", context={"rank": 1})["value"].tolist() == [40.0]
        assert run.scalars("loss", first_step=1, last_step=2)["step"].tolist() == [1, 2]
        assert len(run.scalars("loss", first_step=BIG + 1)) == 0

    def test_an_older_attempt_stays_readable(self, writer: Writer, store: Store, project: str) -> None:
        run_id = self.logged(writer, project)
        feed = Feed(writer, run_id, writer.resume_run(run_id, host="", pid=0))
        feed.points("loss", [-1.0, -2.0], [1, 2])
        feed.end()
        run = store.run(run_id)
        assert [one.first_step for one in run.attempts] == [0, 1]
        assert run.scalars("loss")["value"].tolist() == [4.0, -1.0, -2.0]
        assert run.scalars("loss", attempt=0)["step"].tolist() == [0, 1, 2, BIG]
        assert run.scalars(["loss"], attempt=1)["loss"].tolist() == [-1.0, -2.0]

        with pytest.raises(BadInput, match=r"has the attempts \[0, 1\], but not 2"):
            run.scalars("loss", attempt=2)

    def test_a_label_names_a_series_as_well(self, writer: Writer, store: Store, project: str) -> None:
        run = store.run(self.logged(writer, project))
        for label, last in run.last.items():
            assert run.scalars(label)["value"][-1] == pytest.approx(last, nan_ok=True)

    def test_a_zero_character_is_refused(self, store: Store) -> None:
        with pytest.raises(BadInput, match=r"a run 'a.x00b' has a zero character"):
            store.run("a\0b")

    @pytest.mark.parametrize("name", ["x" * 100_000, "%", "", "DROP TABLE runs; --"])
    def test_odd_names_of_runs_are_only_unknown(self, store: Store, name: str) -> None:
        with pytest.raises(RunNotFound, match="has the id or name"):
            store.run(name)
        assert len(store.runs(project=name)) == 0

    def test_a_bounded_read_gives_buckets(self, writer: Writer, store: Store, project: str) -> None:
        run_id = new_run(writer, project=project).run_id
        feed = Feed(writer, run_id)
        feed.points("long", np.arange(1000.0))
        feed.end()
        table = store.run(run_id).scalars("long", max_points=10)
        assert table.names == ("step", "first_step", "time", "min", "max", "mean", "last", "count")
        assert len(table) <= 10
        assert table["count"].sum() == 1000
        assert (table["min"].min(), table["max"].max(), table["last"][-1]) == (0.0, 999.0, 999.0)
        assert table["count"].dtype == table["first_step"].dtype == np.int64

    def test_several_scalars_lie_side_by_side(self, writer: Writer, store: Store, project: str) -> None:
        run = store.run(self.logged(writer, project))
        table = run.scalars(["loss", "val/loss"])
        assert table.names == ("step", "loss", "val/loss")
        assert table["step"].tolist() == [0, 1, 2, 3, BIG]
        nan = math.nan
        np.testing.assert_array_equal(table["loss"], [4.0, 3.0, nan, nan, 1.0])
        np.testing.assert_array_equal(table["val/loss"], [nan, 9.0, nan, math.inf, nan])
        assert run.scalars([])["step"].tolist() == []
        with pytest.raises(BadInput, match=r"max_points takes one name.* but got \['loss', 'acc'\]"):
            run.scalars(["loss", "acc"], max_points=5)

    def test_history_is_everything_in_long_form(self, writer: Writer, store: Store, project: str) -> None:
        run = store.run(self.logged(writer, project))
        table = run.history(last_step=3)
        assert table.names == ("name", "context", "step", "time", "value")
        rows = list(zip(*(table[name].tolist() for name in ("name", "context", "step")), strict=True))
        assert rows == [
            ("acc", "", 0), ("acc", "", 1), ("loss", "", 0), ("loss", "", 1), ("loss", "", 2),
            ("loss", "rank=1", 1), ("val/loss", "", 1), ("val/loss", "", 3),
        ]  # fmt: skip
        assert run.history()["step"].max() == BIG
        nothing = store.run(new_run(writer, project=project).run_id).history()
        assert len(nothing) == 0
        assert len(nothing.pandas()) == nothing.arrow().num_rows == 0

    def test_an_unknown_series_is_told_with_near_names(
        self, writer: Writer, store: Store, project: str
    ) -> None:
        run = store.run(self.logged(writer, project))
        for name, message in (
            ("los", r"has no scalar 'los'\. Near names: 'loss', 'val/loss'\. run\.series\(\) lists"),
            ("qqqq", r"has no scalar 'qqqq'\. run\.series\(\) lists"),
            ("notes", r"has no scalar 'notes'\. Its 'notes' is of kind text"),
        ):
            with pytest.raises(SeriesNotFound, match=message):
                run.scalars(name)
        with pytest.raises(SeriesNotFound, match=r"has no record 'note'\. Near names: 'notes'"):
            run.records("note")
        with pytest.raises(SeriesNotFound, match=r"is 2 series, of which 0 fit\. Say which: .*'rank': 1"):
            run.scalars("loss", context={"rank": 2})

    def test_the_only_series_of_a_name_needs_no_context(
        self, writer: Writer, store: Store, project: str
    ) -> None:
        run_id = new_run(writer, project=project).run_id
        feed = Feed(writer, run_id)
        feed.points("one", [1.0], context={"rank": 3})
        for rank in (1, 2):
            feed.points("two", [1.0], context={"rank": rank})
        for rank in (0, 1):
            feed.points("both", [float(rank)], context={"rank": rank, "split": "val"})
        feed.end()
        run = store.run(run_id)
        assert len(run.scalars("one")) == 1
        # Where no rank is asked for, rank 0 stands for all.
        assert run.scalars("both", context={"split": "val"})["value"] == [0.0]
        assert run.last["both [split=val]"] == 0.0
        with pytest.raises(SeriesNotFound, match=r"'two' of .* is 2 series, of which 2 fit\. Say which"):
            run.scalars("two")

    # Records

    def test_records_are_loaded_when_asked(self, writer: Writer, store: Store, project: str) -> None:
        run = store.run(self.logged(writer, project))
        found = run.records("notes", first_step=1)
        assert [(one.step, one.kind, one.load().text) for one in found] == [
            (step, "text", f"at {step}") for step in range(1, 5)
        ]
        assert [one.step for one in run.records("notes", max_records=2)] == [0, 4]
        assert found[0].time == time_of(1)
        assert repr(found[0]) == "<text 'notes' at step 1>"

    # Tables of runs

    def test_a_table_has_one_row_a_run(self, writer: Writer, store: Store, project: str) -> None:
        self.logged(writer, project, name="old", created_at=FIRST_TIME, config={"lr": 1, "mixed": "a"})
        nested = {"lr": 0.5, "seed": 2**60 + 1, "mixed": 2, "optimizer": {"name": "adam"}}
        new_run(writer, project=project, name="new", config=nested, tags=("t",), summary={"best": True})
        found = store.runs(project=project)
        frame = found.pandas()
        assert frame["name"].tolist() == ["new", "old"]
        assert frame["config.lr"].tolist() == [0.5, 1.0]
        assert frame["config.seed"].dtype == "Int64"
        assert frame["config.seed"][0] == 2**60 + 1
        assert frame["config.optimizer.name"][0] == "adam"
        assert frame["config.mixed"].tolist() == [2, "a"]
        assert frame["last.loss"].isna().tolist() == [True, False]
        assert frame["last.val/loss"][1] == math.inf
        assert frame["last.loss [rank=1]"].dtype == np.float64
        assert frame["tags"].tolist() == [("t",), ()]
        arrow = found.arrow()
        assert arrow["config.seed"].to_pylist() == [2**60 + 1, None]
        assert arrow["config.mixed"].to_pylist() == ["2", '"a"']
        assert arrow["tags"].to_pylist() == [["t"], []]
        assert arrow.column_names == list(frame.columns)
        assert len(store.runs(project="nothing here").pandas()) == 0

    def test_what_a_notebook_shows(self, writer: Writer, store: Store, project: str) -> None:
        run_id = self.logged(writer, project, name="<b>bold</b>", config={"lr": 1})
        found = store.runs(project=project)
        assert repr(found) == "<1 runs: <b>bold</b>>"
        assert "&lt;b&gt;bold" in found._repr_html_()
        assert repr(found[0]) == f"<StoredRun {run_id} '<b>bold</b>' of {project!r}, running>"
        assert "config.lr" in found[0]._repr_html_()
        assert repr(found[0].scalars("acc")) == "<Table of 2 rows: step int64, time float64, value float64>"
        assert "<td>0.5</td>" in found[0].scalars("acc")._repr_html_()
        assert repr(store).startswith("<Store ")
        assert len(found[:1]) == 1
