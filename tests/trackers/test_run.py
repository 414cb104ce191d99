"""What a training loop does with a run: log, read back, finish; and what bad input costs it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import stepscope
from feed import series_of
from stepscope.storage import journal
from stepscope.storage.errors import BadInput
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.segments import MappedSegment
from stepscope.trackers import names


@pytest.fixture
def run(store_url: str) -> Generator[stepscope.Run]:
    with stepscope.init(store=store_url) as begun:
        yield begun


@pytest.fixture
def lenient(
    store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Generator[stepscope.Run]:
    """A run as users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")
    caplog.set_level(logging.WARNING, "stepscope")
    with stepscope.init(store=store_url) as begun:
        yield begun


@pytest.fixture
def look(store_url: str) -> Generator[Callable[[stepscope.Run], Stored]]:
    readers: list[Reader] = []

    def flush_and_look(run: stepscope.Run) -> Stored:
        assert run.flush()
        readers.append(Reader.open(store_url))
        return Stored(readers[-1], run.id)

    yield flush_and_look
    for reader in readers:
        reader.close()


class Stored:
    """What the store holds of a run."""

    def __init__(self, reader: Reader, run_id: str) -> None:
        self.reader = reader
        self.run: Run = reader.run(run_id)

    def points(self, name: str, **context: Any) -> dict[int, float]:
        points = self.reader.points(series_of(self.reader, self.run.run_id, name, context))
        return dict(zip(points.step.tolist(), points.last.tolist(), strict=True))

    def names(self) -> set[str]:
        return {s.name for s in self.reader.series(self.run.run_id) if not s.name.startswith("system/")}

    def value(self, name: str) -> Any:
        series = series_of(self.reader, self.run.run_id, name)
        (record,) = self.reader.records(series)
        return self.reader.load(series, record)


Look = Callable[[stepscope.Run], Stored]


def test_numbers_are_logged_at_their_steps(run: stepscope.Run, look: Look) -> None:
    assert run.step == -1
    run.log({"loss": 0.5, "acc": 1})
    run.log({"loss": 0.25}, step=10)
    run.log({"loss": np.float32(0.125)}, step=np.int64(11))
    run.log({"loss": 0.1}, context={"rank": 1})
    run.log({})
    assert run.step == 13
    found = look(run)
    assert found.points("loss") == {0: 0.5, 10: 0.25, 11: 0.125}
    assert found.points("loss", rank=1) == {12: 0.1}
    assert found.points("acc") == {0: 1.0}


def test_a_hook_that_counts_steps_fixes_them(run: stepscope.Run, look: Look) -> None:
    run.set_step(7)
    run.log({"a": 1.0})
    run.log({"b": 2.0})
    run.log({"c": 3.0}, step=9)
    run.set_step(8)
    run.log({"d": 4.0})
    found = look(run)
    assert [found.points(name) for name in "abcd"] == [{7: 1.0}, {7: 2.0}, {9: 3.0}, {8: 4.0}]
    assert run.step == 8


def test_values_of_every_kind(run: stepscope.Run, look: Look) -> None:
    array = np.arange(100.0)
    run.log({
        "weights": array,
        "image": stepscope.Image(np.ones((2, 3)), caption="white"),
        "tone": stepscope.Audio(np.zeros(10), 8000),
        "words": stepscope.Text("# ä"),
        "bins": stepscope.Histogram(counts=[1, 2], edges=[0, 1, 2]),
        "model": stepscope.Graph(stepscope.GraphData("net", "torch", "modules")),
    })  # fmt: skip
    array[:] = -1  # what was logged is what it was
    found = look(run)
    assert (found.value("weights").count, found.value("weights").min) == (100, 0.0)
    assert (found.value("image").width, found.value("image").caption) == (3, "white")
    assert found.value("tone").sample_rate == 8000
    assert found.value("words").text == "# ä"
    assert found.value("bins").count == 3
    assert found.value("model").name == "net"


def test_nan_and_infinity_are_stored_and_counted(run: stepscope.Run, look: Look) -> None:
    for value in (math.nan, math.inf, -math.inf, 1.0, math.nan):
        run.log({"loss": value})
    found = look(run)
    np.testing.assert_array_equal(
        list(found.points("loss").values()), [math.nan, math.inf, -math.inf, 1.0, math.nan]
    )
    series = series_of(found.reader, run.id, "loss")
    assert (series.nan_count, series.posinf_count, series.neginf_count) == (2, 1, 1)
    assert found.run.dropped == {}


@pytest.mark.parametrize("step", [-5, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_any_step_of_64_bits(run: stepscope.Run, look: Look, step: int) -> None:
    run.log({"loss": 1.0}, step=step)
    run.log({"words": stepscope.Text("x")}, step=step)
    found = look(run)
    assert found.points("loss") == {step: 1.0}
    assert found.reader.records(series_of(found.reader, run.id, "words"))[0].step == step


def test_config_summary_and_the_rest(run: stepscope.Run, look: Look) -> None:
    run.config["lr"] = np.float64(0.1)
    run.config.update(deep={"a": [1, math.nan]})
    run.summary["best"] = 0.9
    run.set_tags("a", "b")
    run.set_notes("# good")
    run.set_framework("torch")
    found = look(run).run
    assert found.config["lr"] == 0.1
    assert math.isnan(found.config["deep"]["a"][1])
    assert found.summary == {"best": 0.9}
    assert (found.tags, found.notes, found.framework) == (("a", "b"), "# good", "torch")


def test_finish(store_url: str, look: Look) -> None:
    ended = []
    run = stepscope.init(store=store_url)
    run.on_finish(lambda: ended.append(run.log({"last": 1.0})))
    run.log({"loss": 1.0})
    run.finish()
    run.finish()
    found = look(run)
    assert found.run.state is RunState.FINISHED
    assert found.run.finished_at is not None
    assert found.points("last") == {1: 1.0}
    assert len(ended) == 1
    assert not list(found.reader.location.spool.iterdir())


@pytest.mark.parametrize(("code", "state"), [(0, RunState.FINISHED), (1, RunState.FAILED)])
def test_an_exit_code_says_how_it_ended(store_url: str, look: Look, code: int, state: RunState) -> None:
    run = stepscope.init(store=store_url)
    run.finish(code)
    assert look(run).run.state is state


def test_tags_and_notes_are_told_and_changed(store_url: str, look: Look) -> None:
    run = stepscope.init(store=store_url, tags=["a"], notes="begun", group="sweep")
    assert (run.tags, run.notes, run.group) == (("a",), "begun", "sweep")
    run.tags += ("b",)
    run.notes = "better"
    run.finish()
    assert (run.tags, run.notes) == (("a", "b"), "better")
    assert (look(run).run.tags, look(run).run.notes) == (("a", "b"), "better")


def test_after_finish_nothing_is_taken(store_url: str) -> None:
    run = stepscope.init(store=store_url)
    run.finish()
    for late in (lambda: run.log({"loss": 1.0}), lambda: run.config.update(a=1), lambda: run.set_notes("x")):
        with pytest.raises(BadInput, match=rf"run {run.id} is finished\. Call stepscope\.init for a new one"):
            late()
    assert run.flush()


def test_an_end_that_is_none(lenient: stepscope.Run, look: Look, caplog: pytest.LogCaptureFixture) -> None:
    lenient.finish("done")
    assert 'a run ends as "finished", "failed" or "killed", but got \'done\'' in caplog.text
    assert look(lenient).run.state is RunState.FINISHED


def test_a_hook_that_raises_when_strict_does_not_keep_the_run_open(store_url: str, look: Look) -> None:
    run = stepscope.init(store=store_url)
    run.log({"loss": 1.0})
    run.on_finish(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.finish("failed", "why")
    found = look(run)
    assert (found.run.state, found.run.error) == (RunState.FAILED, "why")
    assert not list(found.reader.location.spool.iterdir())


def test_a_hook_that_fails_at_the_end_ends_nothing_else(lenient: stepscope.Run, look: Look) -> None:
    ended = []
    lenient.on_finish(lambda: 1 / 0)
    lenient.on_finish(lambda: ended.append(1))
    lenient.finish()
    assert ended == [1]
    assert look(lenient).run.state is RunState.FINISHED


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ValueError("out of memory"), RunState.FAILED),
        (KeyboardInterrupt(), RunState.KILLED),
        (SystemExit(0), RunState.FINISHED),
        (SystemExit(2), RunState.FAILED),
    ],
)
def test_what_ends_the_block_ends_the_run(
    store_url: str, look: Look, error: BaseException, state: RunState
) -> None:
    with pytest.raises(type(error)), stepscope.init(store=store_url) as run:
        raise error
    found = look(run).run
    assert found.state is state
    if state is RunState.FINISHED:
        assert found.error is None
    else:
        assert found.error is not None
        assert found.error.startswith("Traceback (most recent call last):")
        assert f"{type(error).__name__}" in found.error


BAD_VALUES: list[tuple[dict[Any, Any], str]] = [
    ({5: 1.0}, r"a name must be a string that is not empty, but got int 5"),
    ({"": 1.0}, r"a name must be a string that is not empty, but got str ''"),
    ({None: np.zeros(3)}, r"a name must be a string that is not empty, but got NoneType None"),
    ({"x" * 501: 1.0}, r"a name has at most 500 characters, but 'x{40}'\.\.\. has 501\. Put long text into"),
    ({"loss": "0.5"}, r"'loss' needs a number, .*but got str '0\.5'\. Wrap text in stepscope\.Text"),
    ({"loss": None}, r"'loss' needs a number, .*but got NoneType None"),
    (
        {"img": stepscope.Image(np.zeros((2, 2, 2)))},
        r"'img': an image needs shape .*but got \(2, 2, 2\)\. Pass",
    ),
    ({"snd": stepscope.Audio(np.zeros(5), 0)}, r"'snd': a sound needs sample_rate as a positive .*but got 0"),
    ({"h": stepscope.Histogram(counts=[1], edges=[1])}, r"'h': a histogram needs one more edge than counts"),
    ({"e": []}, r"'e': an array needs at least one number, but its shape is \(0,\)"),
]


@pytest.mark.parametrize(("values", "message"), BAD_VALUES)
def test_a_bad_value_raises_when_strict(run: stepscope.Run, values: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run.log(values)


@pytest.mark.parametrize(("values", "message"), BAD_VALUES)
def test_a_bad_value_costs_only_itself(
    lenient: stepscope.Run, look: Look, caplog: pytest.LogCaptureFixture, values: Any, message: str
) -> None:
    for _ in range(3):
        lenient.log({"before": 1.0, **values, "after": 2.0})
    found = look(lenient)
    assert list(found.points("before")) == list(found.points("after")) == [0, 1, 2]
    assert sum(found.run.dropped.values()) == 3
    assert found.names() == {"before", "after"}
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("stepscope: while logging ")
    assert pytest.importorskip("re").search(message, said)


BAD_CALLS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((5,), {}, r"log needs a dict of names and values, but got int\. Write run\.log\(\{\"loss\": value\}\)"),
    (([("loss", 1.0)],), {}, r"log needs a dict of names and values, but got list"),
    ((None,), {}, r"log needs a dict of names and values, but got NoneType"),
    (({"x": 1.0},), {"step": 1.5}, r"a step must be a whole number, but got float 1\.5\. Use int\(step\)"),
    (({"x": 1.0},), {"step": "3"}, r"a step must be a whole number, but got str '3'"),
    (({"x": 1.0},), {"step": 2**63}, r"a step must fit into 64 bits, but got 9223372036854775808"),
    (({"x": np.zeros(3)},), {"step": -(2**63) - 1}, r"a step must fit into 64 bits, but got -92"),
    (({"x": 1.0},), {"context": "train"}, r"a context needs a dict of names and .*, but got train\. Write"),
    (({"x": 1.0},), {"context": {"rank": [1]}}, r"a context needs a dict .*, but got \{'rank': \[1\]\}"),
    (({"x": 1.0},), {"context": {1: "a"}}, r"a context needs a dict .*, but got \{1: 'a'\}"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), BAD_CALLS)
def test_a_bad_call_raises_when_strict(
    run: stepscope.Run, arguments: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        run.log(*arguments, **options)


@pytest.mark.parametrize(("arguments", "options", "message"), BAD_CALLS)
def test_a_bad_call_never_stops_the_training(
    lenient: stepscope.Run,
    look: Look,
    caplog: pytest.LogCaptureFixture,
    arguments: Any,
    options: dict[str, Any],
    message: str,
) -> None:
    lenient.log({"x": 0.0})
    for _ in range(3):
        lenient.log(*arguments, **options)
    lenient.log({"x": 1.0})
    found = look(lenient)
    assert list(found.points("x").values()) == [0.0, 1.0]
    assert sum(found.run.dropped.values()) == 3
    assert len(caplog.records) == 1
    assert pytest.importorskip("re").search(message, caplog.text)


def test_other_bad_calls_never_stop_the_training(lenient: stepscope.Run, look: Look) -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    lenient.set_step("three")  # type: ignore[arg-type]
    lenient.config["circle"] = circle
    lenient.summary["circle"] = circle
    lenient.set_notes(5)  # type: ignore[arg-type]
    lenient.set_tags(1, None)  # type: ignore[arg-type]
    lenient.log_system({5: 1.0})  # type: ignore[dict-item]
    lenient.log({"x": 1.0})
    assert look(lenient).points("x") == {0: 1.0}


class Hostile:
    """An object whose every use fails."""

    def __array__(self, *_: object, **__: object) -> Any:
        raise RuntimeError("no array")

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(codec=None, categories=["L", "N", "C"]), max_size=5)
    | st.binary(max_size=5)
    | st.builds(Hostile)
    | hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
        | st.builds(stepscope.Image, inner, inner, layout=inner)
        | st.builds(stepscope.Audio, inner, inner, inner, layout=inner)
        | st.builds(stepscope.Text, inner)
        | st.builds(stepscope.Histogram, inner, counts=inner, edges=inner)
        | st.builds(stepscope.Graph, inner)
    ),
    max_leaves=5,
)
NAMES = st.none() | st.integers() | st.text(st.characters(codec=None), max_size=5) | st.just("loss")


@given(
    calls=st.lists(
        st.tuples(
            st.dictionaries(NAMES, ANYTHING, max_size=4) | ANYTHING,
            st.none() | ANYTHING,
            st.none() | ANYTHING | st.dictionaries(st.text(max_size=3), ANYTHING, max_size=2),
        ),
        max_size=6,
    )
)
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
def test_whatever_is_logged_the_training_goes_on(
    lenient: stepscope.Run, store_url: str, calls: list[tuple[Any, Any, Any]]
) -> None:
    for values, step, context in calls:
        lenient.log(values, step, context=context)
        lenient.config["any"] = values
        lenient.summary["any"] = step
    assert lenient.flush()
    with Reader.open(store_url) as reader:
        for series in reader.series(lenient.id):
            if series.kind == "scalar":
                reader.points(series)
            else:
                for record in reader.records(series)[-1:]:
                    reader.load(series, record)
        reader.run(lenient.id)


def test_a_step_that_goes_back_is_said_once(
    lenient: stepscope.Run, look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (5, 6, 3, 4, 1):
        lenient.log({"loss": float(step)}, step=step)
    assert [record.getMessage() for record in caplog.records] == [
        "stepscope: step went back from 6 to 3 in run run-1. Both are stored; "
        "charts sort by step, and of one step show the last value."
    ]
    assert look(lenient).points("loss") == {step: float(step) for step in (1, 3, 4, 5, 6)}


def test_contexts_take_their_own_turns(lenient: stepscope.Run, caplog: pytest.LogCaptureFixture) -> None:
    for rank in range(2):
        for step in range(5):
            lenient.log({"loss": 0.5}, step=step, context={"rank": rank})
    for step in range(3):
        lenient.log({"loss": 0.5}, step=step)
    assert not caplog.records
    lenient.log({"loss": 0.5}, step=1)
    assert "step went back from 2 to 1" in caplog.text


def test_a_name_for_each_step_is_stopped(
    lenient: stepscope.Run, look: Look, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST_SERIES", 300)
    for step in range(1000):
        lenient.log({f"loss at {step}": 1.0})
    found = look(lenient)
    assert len(found.names()) == 300
    assert sum(found.run.dropped.values()) == 700
    assert len(found.run.dropped) <= 101
    assert len(caplog.records) == 1
    assert "a run has at most 300 different names, and 'loss at 300' is one more" in caplog.text


def test_threads_log_at_once(run: stepscope.Run, look: Look) -> None:
    def work(thread: int) -> None:
        for step in range(2000):
            run.log({f"of {thread}": float(step), "of all": float(thread)}, step=step)
            if step % 500 == 0:
                run.log({f"words of {thread}": stepscope.Text(str(step))}, step=step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = look(run)
    for number in range(4):
        assert found.points(f"of {number}") == {step: float(step) for step in range(2000)}
        assert series_of(found.reader, run.id, f"words of {number}").count == 4
    assert series_of(found.reader, run.id, "of all").count == 8000


def test_what_is_logged_in_the_midst_of_a_change_of_segments_waits_its_turn(
    store_url: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = MappedSegment.place
    calls: list[int] = []

    def as_a_handler_does(segment: MappedSegment, path: Path) -> None:
        for moment in ("before", "after"):
            step = len(calls)
            calls.append(step)
            begun[0].log({"loss": -1.0 - step, moment: 2.0, f"new {step}": 3.0}, step=10_000 + step)
            begun[0].log({f"words {moment}": stepscope.Text(str(step))}, step=step)
            if moment == "before":
                place(segment, path)

    monkeypatch.setattr(journal, "_POINTS_BYTES", 4096)
    with stepscope.init(store=store_url) as run:
        begun = [run]
        run.log({"loss": 0.0}, step=0)
        monkeypatch.setattr(MappedSegment, "place", as_a_handler_does)
        for step in range(1, 1000):
            run.log({"loss": float(step)}, step=step)
        stored = look(run)
        assert len(calls) > 10
        expected = {step: float(step) for step in range(1000)}
        assert stored.points("loss") == expected | {10_000 + step: -1.0 - step for step in calls}
        assert [*stored.points("before"), *stored.points("after")] == [
            10_000 + step for start in (0, 1) for step in calls[start::2]
        ]
        assert all(stored.points(f"new {step}") == {10_000 + step: 3.0} for step in calls)
        for start, moment in enumerate(("before", "after")):
            records = stored.reader.records(series_of(stored.reader, run.id, f"words {moment}"))
            assert [record.step for record in records] == calls[start::2]
    assert stored.run.dropped == {}


def test_a_million_numbers_arrive(run: stepscope.Run, look: Look) -> None:
    log = run.log
    for step in range(300_000):
        log({"loss": step * 0.5}, step=step)
    found = look(run)
    points = found.reader.points(series_of(found.reader, run.id, "loss"))
    np.testing.assert_array_equal(points.last, np.arange(300_000) * 0.5)
    assert series_of(found.reader, run.id, "loss").count == 300_000


def test_two_runs_of_one_process(run: stepscope.Run, store_url: str, look: Look) -> None:
    with stepscope.init(store=store_url) as other:
        for step in range(10):
            run.log({"loss": 1.0}, step=step)
            other.log({"loss": 2.0}, step=step)
        assert set(look(other).points("loss").values()) == {2.0}
    assert set(look(run).points("loss").values()) == {1.0}
    assert look(run).run.state is RunState.RUNNING
