"""The exception that ends a program: kept, so that a run can say why it failed."""

from __future__ import annotations

import sys
import threading
import traceback
import weakref
from types import TracebackType
from typing import Any, NoReturn, Protocol

from ..storage.model import RunState

_MOST_CHARACTERS = 20_000


class HearsOfThreads(Protocol):
    """Who wants to know of exceptions that end a thread: the program goes on."""

    def thread_failed(self, name: str, trace: str) -> None:
        """Learn of the thread and its traceback."""
        ...


_uncaught: BaseException | None = None
_of_threads: weakref.WeakSet[HearsOfThreads] = weakref.WeakSet()
_installed = False


def watch_uncaught() -> None:
    """Remember the exception that ends this program; the usual traceback is printed as ever."""
    global _installed, _uncaught
    _uncaught = None  # whatever it was, the program went on to begin another run
    if _installed:
        return
    _installed = True
    _watch_exit()
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        global _uncaught
        _uncaught = error
        previous(kind, error, trace)

    sys.excepthook = hook
    _watch_threads()


def tell_of_threads(listener: HearsOfThreads) -> None:
    """Tell somebody, as long as he lives, of exceptions that end a thread."""
    _of_threads.add(listener)


def _watch_threads() -> None:
    previous = threading.excepthook

    def hook(args: threading.ExceptHookArgs, /) -> None:
        previous(args)
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = "a thread" if args.thread is None else f"thread {args.thread.name}"
            for listener in list(_of_threads):
                listener.thread_failed(name, describe(args.exc_value) or "")

    threading.excepthook = hook


def _watch_exit() -> None:
    """Remember the status of sys.exit: no hook is called for it, and nothing at the end tells it."""
    previous = sys.exit

    def exit_with(status: Any = None, /) -> NoReturn:
        global _uncaught
        if status not in (None, 0) and threading.current_thread() is threading.main_thread():
            _uncaught = SystemExit(status)
        previous(status)

    sys.exit = exit_with


def uncaught() -> BaseException | None:
    """Return the exception that is ending this program, if one is."""
    return _uncaught


def state_of(error: BaseException) -> RunState:
    """Return how a run ends by this exception: Ctrl-C kills it, sys.exit(0) finishes it."""
    if isinstance(error, KeyboardInterrupt):
        return RunState.KILLED
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return RunState.FINISHED
    return RunState.FAILED


def describe(error: BaseException) -> str | None:
    """Return the traceback, its end if it is very long; None for a clean exit."""
    if state_of(error) is RunState.FINISHED:
        return None
    return "".join(traceback.format_exception(error))[-_MOST_CHARACTERS:]
