"""The loop that imports, over a source that is made here: exactly once, whatever happens."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

import stepscope
from contracts.source_contract import following
from made_source import BEGAN, MadePart, MadeSource
from stepscope.app.cli import main
from stepscope.storage import maintain
from stepscope.storage.errors import StepscopeError
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from stepscope.trackers import imports
from stepscope.trackers.imports import import_runs
from stepscope.trackers.sinks.store import sink as store_sink
from stepscope.trackers.sources.base import FoundArtifact
from support import wait_until


def losses(store: str, name: str = "first", attempt: int | None = None) -> dict[int, float]:
    """Return step -> loss; nothing when there is no such run, or not yet."""
    with Reader.open(store) as reader:
        found: dict[int, float] = {}
        for run in reader.runs(archived=True):
            for series in reader.series(run.run_id, name="loss") if run.name == name else ():
                points = reader.points(series, attempt=attempt)
                found |= dict(zip(points.step.tolist(), points.last.tolist(), strict=True))
        return found


def stored(store: str, name: str = "first") -> Run:
    with Reader.open(store) as reader:
        return reader.find_run(name)


def notes(store: str, name: str = "first") -> list[int]:
    with Reader.open(store) as reader:
        [series] = reader.series(reader.find_run(name).run_id, name="note")
        return [record.step for record in reader.records(series)]


def assert_sound(store: str) -> None:
    with Reader.open(store) as reader:
        assert not verify(reader).faults


def counts(count: int) -> dict[int, float]:
    return {step: step for step in range(count)}


def test_everything_comes(store_url: str) -> None:
    done = import_runs(MadeSource({"first": [MadePart("a", 25)], "second": [MadePart("a", 5)]}), store_url)
    assert (done.runs, done.new, done.grown, done.points, done.records) == (2, 2, 0, 30, 4)
    assert losses(store_url) == counts(25)
    assert notes(store_url) == [0, 10, 20]


def test_a_run_has_the_times_of_its_values_and_does_not_look_killed(store_url: str) -> None:
    import_runs(MadeSource({"first": [MadePart("a", 25)]}), store_url)
    run = stored(store_url)
    assert (run.project, run.config, run.state) == ("made", {"lr": 0.5}, RunState.FINISHED)
    assert (run.created_at, run.updated_at, run.finished_at) == (BEGAN, BEGAN + 24, BEGAN + 24)
    with Reader.open(store_url) as reader:
        assert reader.environment(run.run_id)["imported"] == "Made: first"


def test_again_nothing_comes_and_then_only_what_is_new(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 25)]})
    import_runs(source, store_url)
    before = stored(store_url)
    again = import_runs(source, store_url)
    assert (again.runs, again.new, again.grown, again.points) == (1, 0, 0, 0)
    assert stored(store_url) == before
    source.made["first"][0].count = 40
    source.made["first"].append(MadePart("b", 3, first_step=40))
    more = import_runs(source, store_url)
    assert (more.new, more.grown, more.points) == (0, 1, 18)
    assert losses(store_url) == counts(43)
    assert stored(store_url).finished_at == BEGAN + 42


def test_both_databases_hold_the_same(each_store_url: str) -> None:
    parts = [MadePart("a", 25), MadePart("b", 10, first_step=20, attempt=1, offset=0.5)]
    source = MadeSource({"first": parts})
    import_runs(source, each_store_url)
    parts[0].edition, source.state = "second", RunState.FAILED
    done = import_runs(source, each_store_url)
    assert (done.grown, done.points) == (1, 25)
    assert losses(each_store_url) == {**counts(20), **{step: step + 0.5 for step in range(20, 30)}}
    run = stored(each_store_url)
    assert (run.state, run.updated_at, run.finished_at) == (RunState.FAILED, BEGAN + 29, BEGAN + 29)
    assert_sound(each_store_url)


def test_imports_at_once_store_every_value_once(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_sink, "_COMMIT_POINTS", 1)
    source = MadeSource({"first": [MadePart("a", 20)], "second": [MadePart("a", 20)]}, piece=1)
    Writer.open(store_url).close()
    refused: list[str] = []

    def run() -> None:
        try:
            import_runs(source, store_url)
        except StepscopeError as error:
            refused.append(str(error))

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all("another process" in text for text in refused), refused
    import_runs(source, store_url)
    for name in ("first", "second"):
        assert losses(store_url, name) == counts(20)
        assert len(notes(store_url, name)) == 20
    assert_sound(store_url)


def test_a_restart_replaces_what_it_logs_again(store_url: str) -> None:
    parts = [MadePart("a", 25), MadePart("b", 10, first_step=20, attempt=1, offset=0.5)]
    import_runs(MadeSource({"first": parts}), store_url)
    assert losses(store_url) == {**counts(20), **{step: step + 0.5 for step in range(20, 30)}}
    assert losses(store_url, attempt=0) == counts(25)
    run = stored(store_url)
    assert (run.attempt, run.host, run.pid) == (1, "there", 8)
    with Reader.open(store_url) as reader:
        attempts = reader.attempts(run.run_id)
    assert [(one.attempt, one.started_at, one.first_step) for one in attempts] == [
        (0, BEGAN, 0),
        (1, BEGAN + 20, 20),
    ]


def test_a_part_that_was_written_anew_replaces_what_was_there(store_url: str) -> None:
    part = MadePart("a", 25)
    source = MadeSource({"first": [part, MadePart("b", 5, first_step=25)]})
    import_runs(source, store_url)
    part.edition, part.offset, part.count = "second", 0.5, 12
    assert import_runs(source, store_url).points == 12
    assert losses(store_url) == {
        step: step + (0.5 if step < 12 else 0) for step in [*range(12), *range(25, 30)]
    }
    with Reader.open(store_url) as reader:
        [series] = reader.series(reader.find_run("first").run_id, name="loss")
        assert series.count == 17
    assert_sound(store_url)


def test_what_is_damaged_is_told_and_all_else_comes(store_url: str) -> None:
    torn = MadePart("a", 25, problems={3: "a: 7 bytes at 3 are damaged."}, breaks_at=20)
    source = MadeSource({"first": [torn, MadePart("b", 5, first_step=25)], "second": [MadePart("a", 5)]})
    done = import_runs(source, store_url)
    assert done.problems == {
        "a: 7 bytes at 3 are damaged.": 1,
        "a of first could not be read to its end: ValueError: it is torn": 1,
    }
    assert losses(store_url) == {step: step for step in [*range(20), *range(25, 30)]}
    assert losses(store_url, "second") == counts(5)
    assert stored(store_url).dropped == {"damage in what was imported": 1}


def test_an_import_that_is_interrupted_goes_on_where_it_stopped(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_sink, "_COMMIT_POINTS", 1 << 13)
    whole = 5 << 11
    source = MadeSource({"first": [MadePart("a", whole)]}, piece=1 << 10)

    def interrupt(done: imports.Imported) -> None:
        # By now, what is stored at once has been stored, and some more was read.
        if done.points > 1 << 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_runs(source, store_url, progress=interrupt)
    first = len(losses(store_url))
    assert first >= 1 << 13
    assert import_runs(source, store_url).points == whole - first
    assert losses(store_url) == counts(whole)
    assert len(notes(store_url)) == 10


def test_it_stops_when_it_is_asked_to(store_url: str) -> None:
    stop = Event()
    source = MadeSource({"first": [MadePart("a", 100)]})
    done = import_runs(source, store_url, stop=stop, progress=lambda _: stop.set())
    assert done.points == 10
    assert losses(store_url) == counts(10)


def test_it_follows_runs_that_grow_and_runs_that_come(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 5)]})
    with following(source, store_url) as results:
        wait_until(lambda: losses(store_url) == counts(5))
        source.made["first"][0].count = 8
        source.made["second"] = [MadePart("a", 3)]
        wait_until(lambda: losses(store_url) == counts(8) and losses(store_url, "second") == counts(3))
    assert (results[0].runs, results[0].new, results[0].points) == (2, 2, 11)


def test_compacting_meanwhile_does_not_disturb(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_sink, "_COMMIT_POINTS", 1)
    source = MadeSource({"first": [MadePart("a", 4096)]}, piece=1024)

    def compact(_: imports.Imported) -> None:
        assert main(["compact", "--store", store_url, "--json"]) == 0

    import_runs(source, store_url, progress=compact)
    assert losses(store_url) == counts(4096)
    assert_sound(store_url)


def test_what_the_source_changes_is_changed_and_what_was_edited_here_stays(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 5)]}, state=RunState.RUNNING)
    import_runs(source, store_url)
    run = stored(store_url)
    assert (run.state, run.finished_at) == (RunState.KILLED, None)  # nothing was heard of it for years
    with Writer.open(store_url) as writer:
        maintain.rename_run(writer, run.run_id, "mine")
    source.state = RunState.FINISHED
    done = import_runs(source, store_url)
    assert (done.grown, done.points) == (1, 0)
    run = stored(store_url, "mine")
    assert (run.state, run.finished_at) == (RunState.FINISHED, pytest.approx(BEGAN + 4, abs=1e-3))
    assert import_runs(source, store_url).grown == 0


def test_files_come_as_artifacts(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    source = MadeSource({"first": [MadePart("a", 5)]})
    files = [
        FoundArtifact(tmp_path / "model.bin", "my model", "model", BEGAN, {"epoch": 3}, ("best", "v7")),
        FoundArtifact(tmp_path / "gone.bin", "gone", "model", BEGAN),
    ]
    source.artifacts = files
    done = import_runs(source, store_url)
    assert (done.records, len(done.problems)) == (3, 1)
    assert "the artifact gone of a was left out" in next(iter(done.problems))
    assert import_runs(source, store_url).records == 0
    [artifact] = stepscope.open(store_url).run("first").artifacts
    assert (artifact.name, artifact.type, artifact.metadata) == ("my-model", "model", {"epoch": 3})
    assert set(artifact.aliases) == {"best", "latest"}
    assert Path(artifact.download(tmp_path / "there")).read_bytes() == b"weights"
    assert_sound(store_url)


def test_a_run_that_is_still_here_is_not_doubled(store_url: str) -> None:
    with stepscope.init(project="made", name="first", store=store_url) as run:
        run.log({"loss": 1.0}, step=0)
    done = import_runs(MadeSource({"first": [MadePart("a", 5)]}, run_id=run.id), store_url)
    [problem] = done.problems
    assert problem.startswith(f"run {run.id} (first) is in this store already, as it was recorded")
    assert losses(store_url) == {0: 1.0}


def test_a_run_that_is_found_twice_comes_once(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 5)], "copy": [MadePart("a", 5)]}, run_id="ABCDEFGH00")
    done = import_runs(source, store_url)
    assert list(done.problems) == ["run ABCDEFGH00 (copy) was found twice: first is taken, copy is left out."]


def test_what_is_half_written_is_told_only_if_it_stays_so(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 5, torn=True)]})
    with following(source, store_url) as results:
        wait_until(lambda: losses(store_url) == counts(5))
        source.made["first"][0].count = 8
        wait_until(lambda: losses(store_url) == counts(8))
    assert results[0].problems == {"a ends in the midst of record 8.": 1}
    assert stored(store_url).dropped == {}


def test_a_run_that_is_deleted_meanwhile_does_not_come_back(store_url: str) -> None:
    source = MadeSource({"first": [MadePart("a", 5)], "second": [MadePart("a", 1)]})
    with following(source, store_url) as results:
        wait_until(lambda: losses(store_url, "second") == counts(1))
        assert main(["rm", "--store", store_url, "first", "--yes"]) == 0
        source.made["first"][0].count = source.made["second"][0].count = 9
        wait_until(lambda: losses(store_url, "second") == counts(9))
    assert losses(store_url) == {}
    assert any("was deleted" in problem for problem in results[0].problems)


def test_a_project_of_ones_own(store_url: str) -> None:
    import_runs(MadeSource({"first": [MadePart("a", 5)]}), store_url, project="mine")
    assert stored(store_url).project == "mine"


def test_a_run_without_values_comes(store_url: str) -> None:
    done = import_runs(MadeSource({"first": [], "second": [MadePart("a", 0)]}), store_url)
    assert (done.new, done.points) == (2, 0)
    assert import_runs(MadeSource({"first": []}), store_url).new == 0


def test_imported_runs_are_kept_as_all_others_are(store_url: str, tmp_path: Path) -> None:
    import_runs(MadeSource({"first": [MadePart("a", 25), MadePart("b", 9, 20, 1)]}), store_url)
    run_id = stored(store_url).run_id
    other = str(tmp_path / "other.db")
    for command in (
        ["verify", "--store", store_url],
        ["compact", "--store", store_url],
        ["sync", store_url, other],
        ["backup", "--store", store_url, str(tmp_path / "copy.db")],
        ["archive", "--store", store_url, run_id],
        ["verify", "--store", other],
    ):
        assert main(command) == 0, command
    assert losses(other) == losses(store_url)
    # The copy knows how far the import was, too.
    assert import_runs(MadeSource({"first": [MadePart("a", 25), MadePart("b", 9, 20, 1)]}), other).points == 0
    assert main(["rm", "--store", store_url, run_id, "--yes"]) == 0
    assert import_runs(MadeSource({"first": [MadePart("a", 25)]}), store_url).new == 1
