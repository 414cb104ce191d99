"""Whatever users log by mistake or on purpose: it costs itself, it is counted, and memory stays bounded."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

import stepscope
from hostile import lost, points, said, stored, until_ended
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.trackers import names


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")
    caplog.set_level(logging.WARNING, "stepscope")


def a_name_for_each_step(store: str, most: int, count: int) -> tuple[stepscope.Run, int]:
    """Log under `count` names; return the run and the bytes that the process grew by beyond `most` names."""
    run = stepscope.init(store=store)
    for step in range(most):
        run.log({f"loss at {step}": 1.0}, step=step)
    before = psutil.Process().memory_info().rss
    for step in range(most, count):
        run.log({f"loss at {step}": 1.0}, step=step)
    return run, psutil.Process().memory_info().rss - before


def check_names(store: str, run: stepscope.Run, most: int, count: int, told: list[str]) -> None:
    run.finish()
    found = until_ended(store, run.id)
    assert found.dropped == {"more names than a run may have while logging": count - most}
    assert len(stored(store, run.id)) == most
    (message,) = told
    assert f"a run has at most {most} different names, and 'loss at {most}' is one more" in message
    assert "Is a step part of the name? Pass it as step=." in message


def test_names_by_mistake_are_told_once_and_counted_as_one(
    store_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST_SERIES", 500)
    run, grown = a_name_for_each_step(store_url, 500, 50_000)
    check_names(store_url, run, 500, 50_000, said(caplog))
    assert grown < 30 << 20, f"{grown >> 20} MiB were taken for names that were refused"


@pytest.mark.long  # its short twin is test_names_by_mistake_are_told_once_and_counted_as_one
def test_a_million_names_by_mistake(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    before = psutil.Process().memory_info().rss
    run, _ = a_name_for_each_step(store_url, names.MOST_SERIES, 1_000_000)
    grown = psutil.Process().memory_info().rss - before
    check_names(store_url, run, names.MOST_SERIES, 1_000_000, said(caplog)[:1])
    assert grown < 300 << 20, f"{grown >> 20} MiB were taken for {names.MOST_SERIES} names"


def test_eight_threads_log_media_and_numbers_at_once(store_url: str) -> None:
    begin = threading.Barrier(8)

    def work(thread: int) -> None:
        begin.wait()
        for step in range(1000):
            run.log({f"of {thread}": float(step), "of all": float(thread)}, step=step)
            if step % 10 == 0:
                picture = np.full((16, 16, 3), (step + thread) % 251, np.uint8)
                run.log({f"image {thread}": stepscope.Image(picture, caption=str(step))}, step=step)
                run.log({"words": stepscope.Text(f"{thread}: {step}")}, step=step, context={"thread": thread})
                run.log({f"weights {thread}": np.full(3000, float(step))}, step=step)
                run.summary[f"last of {thread}"] = step

    with stepscope.init(store=store_url) as run:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = until_ended(store_url, run.id)
    assert found.dropped == {}
    assert found.summary == {f"last of {thread}": 990 for thread in range(8)}
    assert stored(store_url, run.id)["of all"] == 8000
    with Reader.open(store_url) as reader:
        for thread in range(8):
            assert list(points(store_url, run.id, f"of {thread}").items()) == [(s, s) for s in range(1000)]
            (images,) = reader.series(run.id, name=f"image {thread}")
            records = reader.records(images)
            assert [record.step for record in records] == list(range(0, 1000, 10))
            for record in records[::9]:
                value = reader.load(images, record)
                assert value.caption == str(record.step)
                assert (value.array() == (record.step + thread) % 251).all()
            (weights,) = reader.series(run.id, name=f"weights {thread}")
            assert [reader.load(weights, record).min for record in reader.records(weights)] == [
                float(step) for step in range(0, 1000, 10)
            ]
        words = reader.series(run.id, name="words")
        assert sorted(series.context["thread"] for series in words) == list(range(8))
        for series in words:
            texts = [reader.load(series, record).text for record in reader.records(series)]
            assert texts == [f"{series.context['thread']}: {step}" for step in range(0, 1000, 10)]


# What logs while it is logged


class LogsAsArray:
    """A value that logs when it is read."""

    def __init__(self, run: stepscope.Run, depth: int = 1) -> None:
        self.run, self.depth = run, depth

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        inner = LogsAsArray(self.run, self.depth - 1) if self.depth > 1 else 1.0
        self.run.log({f"inner {self.depth}": inner, f"new {self.depth}": 1.0}, step=self.depth)
        self.run.config[f"inner {self.depth}"] = self.depth
        return np.array(0.5)


class LogsAsFloat(int):
    """A number that logs when it is read."""

    run: stepscope.Run

    def __float__(self) -> float:
        self.run.log({"by float": 1.0}, step=4)
        return 0.25


class LogsAsStep:
    """A step that logs when it is read."""

    def __init__(self, run: stepscope.Run) -> None:
        self.run = run

    def __index__(self) -> int:
        self.run.log({"by step": 1.0}, step=6)
        return 7


class LogsAsItems(dict[str, Any]):
    """Values that log when they are listed, and end badly."""

    def __init__(self, run: stepscope.Run) -> None:
        super().__init__(a=1.0, b=2.0)
        self.run = run

    def items(self) -> Any:
        yield "a", 1.0
        self.run.log({"by items": 1.0}, step=8)
        raise RuntimeError("no more items")


class LogsWithoutEnd:
    """A value that logs another one of its kind whenever it is read."""

    def __init__(self, run: stepscope.Run) -> None:
        self.run = run

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        self.run.log({"endless": LogsWithoutEnd(self.run)})
        return np.array(0.5)


def test_values_that_log_while_they_are_logged(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"outer": LogsAsArray(run, depth=5), "after": 1.0}, step=10)
        number = LogsAsFloat(5)
        number.run = run
        run.log({"float": number}, step=5)
        run.log({"stepped": 1.0}, step=LogsAsStep(run))  # type: ignore[arg-type]
        run.log(LogsAsItems(run), step=9)
    found = until_ended(store_url, run.id)
    assert points(store_url, run.id, "outer") == {10: 0.5}
    assert points(store_url, run.id, "after") == {10: 1.0}
    for depth in range(1, 6):
        assert points(store_url, run.id, f"inner {depth}") == {depth: 1.0 if depth == 1 else 0.5}
        assert points(store_url, run.id, f"new {depth}") == {depth: 1.0}
    assert found.config == {f"inner {depth}": depth for depth in range(1, 6)}
    assert points(store_url, run.id, "float") == {5: 0.25}
    assert points(store_url, run.id, "by float") == {4: 1.0}
    assert points(store_url, run.id, "stepped") == {7: 1.0}
    assert points(store_url, run.id, "by step") == {6: 1.0}
    assert points(store_url, run.id, "by items") == {8: 1.0}
    assert set(found.dropped) == {"RuntimeError while logging"}


def test_a_value_that_logs_without_end_ends_nothing(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"endless": LogsWithoutEnd(run), "loss": 1.0}, step=0)
        run.log({"loss": 2.0}, step=100_000)
    found = until_ended(store_url, run.id)
    assert found.state is RunState.FINISHED
    assert sum(found.dropped.values()) >= 1
    assert points(store_url, run.id)[100_000] == 2.0


# Names, configs and what else there is


class Name(str):
    """A name that is a string and more."""

    __slots__ = ("more",)


class BadName:
    """A key without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def bad_values() -> Iterator[dict[Any, Any]]:
    """Yield what costs exactly one value each."""
    yield {math.nan: 1.0}
    yield {b"loss": 1.0}
    yield {("a", "b"): 1.0}
    yield {BadName(): 1.0}
    yield {"x" * 10_000: 1.0}
    yield {"generator": (number for number in range(3))}
    yield {"object": object()}
    yield {"nested": {"a": {"b": {}}}}
    yield {"class": float}


@pytest.mark.parametrize("values", list(bad_values()), ids=lambda values: type(next(iter(values))).__name__)
def test_what_cannot_be_logged_costs_one_value_and_one_sentence(
    store_url: str, caplog: pytest.LogCaptureFixture, values: dict[Any, Any]
) -> None:
    with stepscope.init(store=store_url) as run:
        for step in range(50):
            run.log({"before": 1.0, **values, "after": 1.0}, step=step)
    until_ended(store_url, run.id)
    assert stored(store_url, run.id) == {"before": 50, "after": 50}
    assert lost(store_url, run.id) == 50
    (message,) = said(caplog)
    assert len(message) < 400
    assert "\n" not in message


def test_names_of_every_script_are_kept_as_they_are(store_url: str) -> None:
    names = [
        "a/b/c",
        "損失",
        "🔥",
        "a\tb",
        " ",
        "'",
        '"',
        "x" * 500,
        "\u202eabc",
        Name("more"),
        "%s {}",
    ]
    with stepscope.init(store=store_url) as run:
        run.log({name: float(index) for index, name in enumerate(names)}, step=0)
    assert until_ended(store_url, run.id).dropped == {}
    assert stored(store_url, run.id) == {str(name): 1 for name in names}


def test_names_that_no_database_holds_are_stored_under_one_that_it_does(store_url: str) -> None:
    # Halves of surrogate pairs, and NUL; all of these become the same name.
    ends = [chr(0xD800), chr(0xD801), chr(0xFFFD), chr(0)]
    with stepscope.init(store=store_url) as run:
        for step in range(2):
            run.log({f"a{end}": float(number) for number, end in enumerate(ends)}, step=step)
        run.log({"loss": 1.0}, context={f"b{end}": f"c{end}" for end in ends})
    found = until_ended(store_url, run.id)
    assert (found.state, found.dropped) == (RunState.FINISHED, {})
    assert stored(store_url, run.id) == {"a\ufffd": 8, "loss": 1}


def test_steps_beyond_what_a_float_holds_stay_apart(store_url: str) -> None:
    steps = [2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1, -1, -(2**53) - 1, -(2**63)]
    with stepscope.init(store=store_url) as run:
        for step in steps:
            run.log({"loss": float(steps.index(step)), "words": stepscope.Text(str(step))}, step=step)
    until_ended(store_url, run.id)
    found = points(store_url, run.id)
    assert found == {step: float(steps.index(step)) for step in steps}
    assert list(found) == sorted(steps)
    with Reader.open(store_url) as reader:
        (words,) = reader.series(run.id, name="words")
        assert {one.step: reader.load(words, one).text for one in reader.records(words)} == {
            step: str(step) for step in steps
        }


def test_a_config_of_anything_ends_up_in_the_store(store_url: str) -> None:
    circle: dict[str, Any] = {"lr": 0.1}
    circle["self"] = circle
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 10):
        deep = [deep]
    odd = {"circle": circle, "deep": deep, "large": 10**6000, "long": "x" * 5_000_000, "half": "\ud800", 5: 5}
    with stepscope.init(store=store_url, config=odd) as run:
        run.config["more"] = odd
        run.config["lr"] = 0.1
    found = until_ended(store_url, run.id)
    assert (found.state, found.dropped) == (RunState.FINISHED, {})
    assert found.config["lr"] == 0.1
    assert found.config["circle"] == {"lr": 0.1, "self": "..."}
    assert len(found.config["long"]) == 5_000_000
    assert found.config["5"] == 5


def test_after_the_end_everything_is_told_once(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    run = stepscope.init(store=store_url)
    run.log({"loss": 1.0})
    run.finish()
    run.finish("failed")
    for _ in range(1000):
        run.log({"loss": 2.0})
        run.log_system({"heat": 1.0})
        run.config["late"] = 1
        run.set_notes("late")
    assert run.flush()
    found = until_ended(store_url, run.id)
    assert (found.state, found.config, found.notes) == (RunState.FINISHED, {}, "")
    assert stored(store_url, run.id) == {"loss": 1}
    (message,) = said(caplog)
    assert f"run {run.id} is finished. Call stepscope.init for a new one." in message
