"""What a program prints: kept, bounded, and unchanged for whoever reads it."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest

import stepscope
from killed import recover_all
from stepscope.storage import console_ring
from stepscope.storage.console import Printed, console_of
from stepscope.storage.read import Reader
from stepscope.storage.verify import verify
from support import forked, wait_until

Text = pytest.CaptureFixture[str]


def printed(store: str, run: str) -> list[tuple[str, str]]:
    (one,) = all_printed(store, run)
    return [(line.stream, line.text) for line in one.lines]


def all_printed(store: str, run: str) -> list[Printed]:
    with Reader.open(store) as reader:
        return console_of(reader, reader.find_run(run).run_id)


def test_both_streams_are_kept_and_given_back(store_url: str, capsys: Text) -> None:
    streams, writes = (sys.stdout, sys.stderr), (sys.stdout.write, sys.stderr.write)
    print("before")
    with stepscope.init(store=store_url) as run:
        assert (sys.stdout, sys.stderr) == streams
        print("hello", "wörld")
        print("oh no", file=sys.stderr)
        assert sys.stdout.write("no line feed") == 12
    print("after")
    assert (sys.stdout.write, sys.stderr.write) == writes
    assert capsys.readouterr() == ("before\nhello wörld\nno line feedafter\n", "oh no\n")
    assert printed(store_url, run.id) == [
        ("stdout", "hello wörld"),
        ("stderr", "oh no"),
        ("stdout", "no line feed"),
    ]


def test_progress_bars_are_kept_in_their_last_state(store_url: str, capsys: Text) -> None:
    with stepscope.init(store=store_url) as run:
        for done in range(101):
            sys.stderr.write(f"\r\x1b[1m{done:3}%\x1b[0m|{'#' * (done // 20)}")
            assert done % 50 or run.flush()
        sys.stderr.write("\n")
        for done in range(3):  # as Keras draws: the line feed comes in the end
            sys.stdout.write("\x08" * 20 + f"{done}/2 loss: 0.5\r")
        print("\nwindows\r\nline", end="\r\n")
    capsys.readouterr()
    assert printed(store_url, run.id) == [
        ("stderr", "100%|#####"),
        ("stdout", "2/2 loss: 0.5"),
        ("stdout", "windows"),
        ("stdout", "line"),
    ]


def test_the_middle_of_endless_output_is_left_out(
    store_url: str, capsys: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_ring, "HEAD_BYTES", 50_000)
    with stepscope.init(store=store_url) as run:
        for number in range(200):
            print(f"line {number:03} " + "x" * 5000)
            assert number % 20 or run.flush()
    assert len(capsys.readouterr().out) > 1_000_000
    (one,) = all_printed(store_url, run.id)
    texts = [line.text[:8] for line in one.lines]
    assert texts[0] == "line 000"
    assert texts[-1] == "line 199"
    assert one.left_out > 500_000
    assert f"... {one.left_out:,} bytes are left out ..." in [line.text for line in one.lines]
    assert sum(len(line.text) for line in one.lines) < 450_000
    with Reader.open(store_url) as reader:
        assert verify(reader).ok


@pytest.mark.crash
@pytest.mark.parametrize("length", [10, 100_000])
def test_a_kill_keeps_what_was_printed_last(store_url: str, length: int) -> None:
    def train() -> None:
        stepscope.init(store=store_url, name="killed")
        print("first")
        for number in range(20):
            print(number, "x" * length)
        print("the last words", file=sys.stderr)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(forked(train), 0)
    recover_all(store_url)
    found = printed(store_url, "killed")
    assert found[-1] == ("stderr", "the last words")
    assert found[-2] == ("stdout", "19 " + "x" * length)
    assert length > 10 or found[0] == ("stdout", "first")


def test_a_living_run_is_read_to_its_last_line(store_url: str, capsys: Text) -> None:
    with stepscope.init(store=store_url) as run:
        assert run.flush()
        sys.stdout.write("half a line")
        half = [("stdout", "half a line")]
        wait_until(lambda: all_printed(store_url, run.id) and printed(store_url, run.id) == half)
    capsys.readouterr()


@pytest.mark.parametrize("off", ["argument", "variable"])
def test_it_can_be_switched_off(
    store_url: str, capsys: Text, monkeypatch: pytest.MonkeyPatch, off: str
) -> None:
    write = sys.stdout.write
    if off == "variable":
        monkeypatch.setenv("STEPSCOPE_CONSOLE", "0")
    with stepscope.init(store=store_url, console=False if off == "argument" else None) as run:
        assert sys.stdout.write == write
        print("hello")
    capsys.readouterr()
    assert all_printed(store_url, run.id) == []


def test_two_runs_at_once_and_a_tap_of_another(store_url: str, capsys: Text) -> None:
    first = stepscope.init(store=store_url)
    second = stepscope.init(store=store_url)
    print("both")
    first.finish()
    print("one")
    hook = sys.stdout.write
    sys.stdout.write = lambda text: hook(text.upper())  # another tool that listens, and stays
    print("loud")
    second.finish()
    print("on")
    del sys.stdout.write
    assert capsys.readouterr().out == "both\none\nLOUD\nON\n"
    assert printed(store_url, first.id) == [("stdout", "both")]
    assert [text for _, text in printed(store_url, second.id)] == ["both", "one", "LOUD"]


def test_a_stream_that_cannot_be_listened_to_is_left_alone(
    store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Text
) -> None:
    class Slotted:
        __slots__ = ("lines",)

        def __init__(self) -> None:
            self.lines: list[str] = []

        def write(self, text: str) -> int:
            self.lines.append(text)
            return len(text)

    slotted = Slotted()
    monkeypatch.setattr(sys, "stdout", slotted)
    monkeypatch.setattr(sys, "stderr", None)
    with stepscope.init(store=store_url):
        print("hello")
    assert slotted.lines == ["hello", "\n"]
    capsys.readouterr()


def test_a_program_that_redirects_gets_all_of_it(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)
    with stepscope.init(store=store_url) as run:
        print("hello")
    assert own.getvalue() == "hello\n"
    assert printed(store_url, run.id) == [("stdout", "hello")]


def test_forked_children_print_as_ever(store_url: str, capfd: Text) -> None:
    with stepscope.init(store=store_url) as run:
        child = forked(lambda: print("of the child", flush=True))
        assert os.waitpid(child, 0)[1] == 0
        print("of the parent")
    assert "of the child" in capfd.readouterr().out
    assert printed(store_url, run.id) == [("stdout", "of the parent")]


def test_threads_print_whole_lines(store_url: str, capsys: Text) -> None:
    def work(word: str) -> Callable[[], None]:
        return lambda: [sys.stdout.write(f"{word} {n}\n") for n in range(200)] and None

    with stepscope.init(store=store_url) as run:
        threads = [threading.Thread(target=work(word)) for word in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    capsys.readouterr()
    lines = [text for _, text in printed(store_url, run.id)]
    assert sorted(lines) == sorted(f"{word} {n}" for word in "abc" for n in range(200))


def test_a_resumed_run_has_both_outputs(store_url: str, capsys: Text) -> None:
    with stepscope.init(store=store_url) as run:
        print("first")
    with stepscope.init(store=store_url, resume=run.id):
        print("second")
    capsys.readouterr()
    wait_until(lambda: len(all_printed(store_url, run.id)) == 2)
    found = {one.title: [line.text for line in one.lines] for one in all_printed(store_url, run.id)}
    assert found == {"attempt 0": ["first"], "attempt 1": ["second"]}
