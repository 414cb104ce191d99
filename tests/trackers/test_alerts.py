"""Alerts, and the rules that give them."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading

import pytest

import stepscope
from killed import recover_all
from stepscope.storage.errors import BadInput
from stepscope.storage.events import Alert, count_alerts
from stepscope.storage.read import Reader
from stepscope.trackers import alerts
from support import forked


def alerts_of(store: str, run_id: str) -> list[Alert]:
    with stepscope.open(store) as opened:
        return opened.run(run_id).alerts


def test_an_alert_is_kept_and_said_once(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "stepscope")
    with stepscope.init(store=store_url) as run:
        run.log({"loss": 1.0}, step=7)
        run.alert("Loss is high", "it is <b>5</b>", "error")
        run.alert("  for your\n information ", level="info", step=3)
    found = alerts_of(store_url, run.id)
    assert [(one.title, one.text, one.level, one.step) for one in found] == [
        ("Loss is high", "it is <b>5</b>", "error", 7),
        ("for your information", "", "info", 3),
    ]
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("ERROR", "stepscope: Loss is high: it is <b>5</b>"),
        ("INFO", "stepscope: for your information"),
    ]
    with Reader.open(store_url) as reader:
        assert count_alerts(reader, [run.id, "0000000000"]) == {run.id: 2}
        # It is none of the values that were logged.
        assert {one.name for one in reader.series(run.id)} == {"loss"}


def test_a_wrong_alert_says_what_is_wrong(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        with pytest.raises(BadInput, match='has the level "info", "warning" or "error", but got \'fatal\''):
            run.alert("x", level="fatal")
        with pytest.raises(BadInput, match="needs a title of a few words, but got ' '"):
            run.alert(" ")


def test_alerts_are_bounded_and_the_rest_is_counted(
    store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts, "MOST_ALERTS", 3)
    with stepscope.init(store=store_url) as run:
        for number in range(10):
            run.alert(f"alert {number}", "x" * 100_000)
    found = alerts_of(store_url, run.id)
    assert [one.title for one in found] == ["alert 0", "alert 1", "alert 2"]
    assert {len(one.text) for one in found} == {10_000}
    with stepscope.open(store_url) as opened:
        assert opened.run(run.id).dropped == {"too many alerts": 7}
    assert sum("keeps 3 alerts" in record.getMessage() for record in caplog.records) == 1


def test_alerts_of_many_threads(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        threads = [threading.Thread(target=run.alert, args=(f"of thread {n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {one.title for one in alerts_of(store_url, run.id)} == {f"of thread {n}" for n in range(8)}


@pytest.mark.crash
def test_a_kill_keeps_alerts(store_url: str) -> None:
    def train() -> None:
        run = stepscope.init(store=store_url, name="killed")
        run.alert("the last words")
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(forked(train), 0)
    recover_all(store_url)
    assert [one.title for one in alerts_of(store_url, "killed")] == ["the last words"]


def test_an_exception_that_ends_a_thread_is_an_alert(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    monkeypatch.setattr("stepscope.trackers.exceptions._installed", False)
    with stepscope.init(store=store_url) as run:
        thread = threading.Thread(target=lambda: 1 / 0, name="loader")
        thread.start()
        thread.join()
    (found,) = alerts_of(store_url, run.id)
    assert found.title == "an exception ended thread loader"
    assert "ZeroDivisionError" in found.text


def titles(store: str, run_id: str) -> list[tuple[str, int]]:
    return [(one.title, one.step) for one in alerts_of(store, run_id)]


def test_rules_alert_once_until_the_condition_clears(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.alert_when("loss", is_nan=True, level="error")
        run.alert_when("loss", above=4)
        run.alert_when("loss", above=4)  # a cell of a notebook that is run twice
        run.alert_when("acc", below=0.1)
        for step, loss in enumerate([1, 5, 6, 1, 5, math.nan, math.nan, 1]):
            run.log({"loss": loss, "acc": 0.5, "other": math.nan}, step=step)
            assert step % 3 or run.flush()
    assert sorted(titles(store_url, run.id), key=lambda one: one[1]) == [
        ("loss is above 4", 1),
        ("loss is above 4", 4),
        ("loss is NaN", 5),
    ]


@pytest.mark.parametrize("each_flush", [True, False])
def test_no_progress(store_url: str, each_flush: bool) -> None:
    with stepscope.init(store=store_url) as run:
        run.alert_when("val", no_progress_for=20)
        run.alert_when("acc", no_progress_for=30, mode="max")
        for step, value in enumerate([5, 4, 4, 4.5, math.nan, 3, 3, 3]):
            run.log({"val": value, "acc": step}, step=step * 10)
            assert not each_flush or run.flush()
    assert titles(store_url, run.id) == [
        ("val has not become smaller for 20 steps", 30),
        ("val has not become smaller for 20 steps", 70),
    ]


def test_each_context_is_watched_by_itself(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.alert_when("loss", above=1)
        for rank in range(3):
            run.log({"loss": float(rank)}, step=5, context={"rank": rank})
    (found,) = alerts_of(store_url, run.id)
    assert found.title == "loss [rank=2] is above 1"
    assert found.context == {"rank": 2}


def test_progress_counts_from_the_best_of_earlier_attempts(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"val": 1.0}, step=0)
    with stepscope.init(store=store_url, resume=run.id) as again:
        again.alert_when("val", no_progress_for=3)
        for step in range(1, 6):
            again.log({"val": 3.0 - step / 10}, step=step)  # smaller each time, but never as small as it was
    assert titles(store_url, run.id) == [("val has not become smaller for 3 steps", 4)]
    assert "The best one was 1, at step 1." in alerts_of(store_url, run.id)[0].text


def test_a_rule_that_cannot_be_says_so(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        with pytest.raises(BadInput, match=r"a rule has one condition, but 'loss' got 2\. Give one of"):
            run.alert_when("loss", is_nan=True, above=3)
        with pytest.raises(BadInput, match="a rule has one condition, but 'loss' got 0"):
            run.alert_when("loss")
        with pytest.raises(BadInput, match="has the mode \"min\" or \"max\", but 'loss' got 'up'"):
            run.alert_when("loss", no_progress_for=3, mode="up")
        with pytest.raises(BadInput, match="is a number of steps, but 'loss' got 0"):
            run.alert_when("loss", no_progress_for=0)
        with pytest.raises(BadInput, match="a bound is a number, but 'loss' got 'high'"):
            run.alert_when("loss", above="high")  # pyright: ignore[reportArgumentType]
        with pytest.raises(BadInput, match='has the level "info"'):
            run.alert_when("loss", above=1, level="loud")
