"""tf.summary into a run: a TensorFlow program changes the line that makes its writer.

    writer = create_file_writer(run)
    with writer.as_default():
        tf.summary.scalar("loss", loss, step=step)

The writer is TensorFlow's own, so all of tf.summary works, also inside a tf.function and in a session: it
writes into a folder, and a thread takes from its file what came.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow

from ...storage.errors import BadInput
from ...storage.names import SPLITS
from ..run import Run
from .event_file import EventFolder
from .event_values import EventValues

tf: Any = tensorflow  # its types say little

_EVERY_SECONDS = 0.5
_FINISH_SECONDS = 1.0
_SPLIT_WORDS = {word for words in SPLITS.values() for word in words}


def create_file_writer(
    run: Run,
    logdir: str | Path | None = None,
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
    experimental_mesh: Any = None,
    *,
    context: Mapping[str, str | int] | None = None,
) -> Any:
    """Return a tf.summary.SummaryWriter whose values go into a run; the rest is as tf.summary's.

    Scalars, histograms, images, sounds, texts, PR curves, hyperparameters and graphs arrive under their tags,
    with the steps and times that the program gave them, about half a second later; `run.finish` takes what is
    left. What is still in TensorFlow's own queue when a process is killed is lost. Tensors of other plugins
    are kept as plain numbers or words.

    In a session (tf.compat.v1), run `writer.init()` and `writer.flush()` there, as always.

    Args:
        run: from stepscope.init.
        logdir: where event files are kept. Left out, they lie in a temporary folder as they are written,
            and nothing of them stays.
        max_queue: summaries in TensorFlow's queue, as in tf.summary.create_file_writer.
        flush_millis: as there; the queue is flushed twice a second in any case when TensorFlow runs eagerly.
        filename_suffix: as there.
        name: as there.
        experimental_trackable: as there.
        experimental_mesh: as there.
        context: tells writers that use the same tags apart. Left out, a `logdir` that ends in a word such as
            "train" or "validation" gives {"split": ...}.

    Raises:
        BadInput: `run` is no run.
        ValueError: as tf.summary.create_file_writer.
    """
    if not isinstance(run, Run):
        raise BadInput(
            f"create_file_writer needs the run that stepscope.init returned as its first argument, but got "
            f"{type(run).__name__}. Write create_file_writer(run, logdir)."
        )
    temporary = None if logdir is not None else tempfile.TemporaryDirectory(prefix="stepscope-")
    folder = Path(temporary.name if temporary is not None else str(logdir))
    suffix = f".{secrets.token_hex(4)}{filename_suffix or '.v2'}"
    writer = tf.summary.create_file_writer(
        str(folder), max_queue, flush_millis, suffix, name, experimental_trackable, experimental_mesh
    )
    split = {"split": folder.name} if temporary is None and folder.name in _SPLIT_WORDS else {}
    files = EventFolder(folder, suffix, keep=temporary is None)
    _Tail(run, writer, files, split if context is None else context).start(temporary)
    return writer


class _Tail:
    """A thread that follows one writer until it is closed or gone, or the run ends."""

    def __init__(self, run: Run, writer: Any, files: EventFolder, context: Mapping[str, str | int]) -> None:
        self._run, self._files, self._context = run, files, context
        self._writer = weakref.ref(writer)
        self._eager = tf.executing_eagerly()
        self._values = EventValues()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._temporary: Any = None

    def start(self, temporary: Any) -> None:
        self._temporary = temporary
        threading.Thread(target=self._follow, name="stepscope-tf-summary", daemon=True).start()
        self._run.on_finish(self._finish)

    def _follow(self) -> None:
        last = False
        while not last:
            self._ended.wait(_EVERY_SECONDS)
            last = self._ended.is_set() or self._is_over()
            self._look()
        self._files.close()

    def _finish(self) -> None:
        self._look(time.monotonic() + _FINISH_SECONDS)
        self._ended.set()

    def _is_over(self) -> bool:
        writer = self._writer()
        return writer is None or bool(getattr(writer, "_closed", False))

    def _look(self, until: float | None = None) -> None:
        """Flush the writer and log what came; errors are noted, for a thread has nobody to raise them to."""
        try:
            with self._lock:
                self._flush()
                self._log(until)
        except Exception as error:
            self._run.guard.note(error, "reading TensorFlow's summaries")

    def _flush(self) -> None:
        writer = self._writer()
        if writer is not None and self._eager and not self._is_over():
            with tf.init_scope():
                writer.flush()

    def _log(self, until: float | None) -> None:
        if self._ended.is_set():
            return
        for event in self._files.events():
            if until is not None and time.monotonic() > until:
                self._run.guard.drop("tf.summary wrote more than could be read when the run ended")
                continue
            for name, make in self._values.of(event):
                self._log_one(name, make, event)

    def _log_one(self, name: str, make: Any, event: Any) -> None:
        try:
            value = make()
            if value != []:
                self._run.log_past(
                    {name: value}, step=event.step, time=event.wall_time, context=self._context
                )
        except Exception as error:
            self._run.guard.note(error, f"reading the summary {name!r}")
