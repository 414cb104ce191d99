"""The guard keeps errors away from the training, says them once and counts what they cost."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from stepscope.storage.lanes import JournalFull
from stepscope.trackers.guard import MOST_REASONS, Guard


def fail(guard: Guard, error: BaseException, doing: str = "logging 'loss'") -> None:
    with guard(doing):
        raise error


def test_an_error_is_said_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(strict=False)
    for _ in range(3):
        fail(guard, ValueError("a number must be a number"))
    assert [record.getMessage() for record in caplog.records] == [
        "stepscope: while logging 'loss': a number must be a number"
    ]
    assert caplog.records[0].levelno == logging.WARNING
    assert guard.take_drops() == {"ValueError while logging 'loss'": 3}
    assert guard.take_drops() == {}


def test_of_an_error_that_prints_a_tensor_the_beginning_is_said(caplog: pytest.LogCaptureFixture) -> None:
    fail(Guard(strict=False), ValueError("Invalid shape of [" + "0.12345 " * 10_000))
    assert (
        caplog.records[0].getMessage().startswith("stepscope: while logging 'loss': Invalid shape of [0.12")
    )
    assert len(caplog.records[0].getMessage()) < 1100


def test_two_different_errors_are_both_said(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(strict=False)
    for error in (ValueError("one"), ValueError("two"), TypeError("two"), ValueError("one")):
        fail(guard, error)
    assert len(caplog.records) == 3


def test_one_mistake_with_many_names_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(strict=False)
    for step in range(1000):
        fail(
            guard, ValueError(f"a run has at most 50000 different names, and {step}"), f"logging 'at {step}'"
        )
    assert len(caplog.records) == 1
    drops = guard.take_drops()
    assert sum(drops.values()) == 1000
    assert len(drops) == MOST_REASONS + 1
    assert drops["other reasons"] == 1000 - MOST_REASONS


def test_what_differs_in_names_and_numbers_alone_is_said_a_few_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard(strict=False)
    for step in range(1000):
        fail(guard, ValueError(f"'loss at {step}' needs a number, but got NoneType None"), "logging")
    fail(guard, ValueError("'loss' needs another thing"), "logging")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 11
    assert said[0] == "stepscope: while logging: 'loss at 0' needs a number, but got NoneType None"
    assert said[9].endswith("None. More like this is counted, and no longer said.")
    assert said[10].endswith("'loss' needs another thing")
    assert guard.take_drops() == {"ValueError while logging": 1001}


def test_an_error_with_a_reason_of_its_own_is_counted_under_it() -> None:
    guard = Guard(strict=False)
    for name in ("loss", "acc"):
        guard.note(JournalFull(f"no room for {name}"), f"logging {name!r}", lost=2)
    guard.note(JournalFull("no room"), "logging system metrics")
    assert guard.take_drops() == {
        "the journal had no room while logging": 4,
        "the journal had no room while logging system metrics": 1,
    }


def test_an_error_without_a_text_is_no_error_of_the_training(caplog: pytest.LogCaptureFixture) -> None:
    class Mute(ValueError):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    guard = Guard(strict=False)
    fail(guard, Mute())
    assert "while logging 'loss': <Mute>" in caplog.text


def test_strict_raises_and_counts() -> None:
    guard = Guard(strict=True)
    with pytest.raises(ValueError, match="wrong"):
        fail(guard, ValueError("wrong"))
    assert guard.take_drops() == {"ValueError while logging 'loss'": 1}


def test_a_thread_of_our_own_is_never_raised_to(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(strict=True)
    guard.note(ValueError("wrong"), "reading a device", lost=2)
    assert guard.take_drops() == {"ValueError while reading a device": 2}
    assert "while reading a device: wrong" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_what_ends_a_program_is_let_through(error: BaseException) -> None:
    with pytest.raises(type(error)):
        fail(Guard(strict=False), error)


def test_a_thousand_different_things_are_said_at_most(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(strict=False)
    for number in range(2000):
        guard.say(f"key {number}", "something")
    assert len(caplog.records) == 1000


def test_threads_count_together() -> None:
    guard = Guard(strict=False)
    threads = [threading.Thread(target=lambda: [guard.drop("x") for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert guard.take_drops() == {"x": 20_000}


def test_a_signal_handler_may_be_guarded_in_the_midst_of_counting() -> None:
    guard = Guard(strict=False)
    with guard._lock:
        guard.drop("from a handler")
    assert guard.take_drops() == {"from a handler": 1}


def test_a_forked_child_neither_waits_for_nor_repeats_its_parent() -> None:
    guard = Guard(strict=False)
    guard.drop("the parent's")
    counting, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with guard._lock:
            counting.set()
            forked.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    counting.wait()
    child = os.fork()
    if child == 0:
        guard.after_fork()
        guard.drop("the child's")
        os._exit(guard.take_drops() != {"the child's": 1})
    forked.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0
    assert guard.take_drops() == {"the parent's": 1}
