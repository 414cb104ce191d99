"""The loop that imports, over a source that is made here: exactly once, whatever happens."""

from __future__ import annotations

from made_source import BEGAN, MadePart, MadeSource
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.trackers.imports import import_runs


def losses(store: str, name: str = "first") -> dict[int, float]:
    with Reader.open(store) as reader:
        [series] = reader.series(reader.find_run(name).run_id, name="loss")
        points = reader.points(series)
        return dict(zip(points.step.tolist(), points.last.tolist(), strict=True))


def test_everything_comes(store_url: str) -> None:
    done = import_runs(MadeSource({"first": [MadePart("a", 25)], "second": [MadePart("a", 5)]}), store_url)
    assert (done.runs, done.new, done.grown, done.points, done.records) == (2, 2, 0, 30, 4)
    assert losses(store_url) == {step: step for step in range(25)}
    with Reader.open(store_url) as reader:
        run = reader.find_run("first")
        assert (run.project, run.config, run.host, run.pid) == ("made", {"lr": 0.5}, "", 0)
        assert (run.created_at, run.updated_at, run.finished_at) == (BEGAN, BEGAN + 24, BEGAN + 24)
        assert run.state is RunState.FINISHED


def test_again_nothing_comes_and_then_only_what_is_new(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 25)]})
    import_runs(source, store_url)
    again = import_runs(source, store_url)
    assert (again.runs, again.new, again.grown, again.points) == (1, 0, 0, 0)
    source.made["first"][0].count = 40
    source.made["first"].append(MadePart("b", 3, first_step=40))
    more = import_runs(source, store_url)
    assert (more.new, more.grown, more.points) == (0, 1, 18)
    assert losses(store_url) == {step: step for step in range(43)}
