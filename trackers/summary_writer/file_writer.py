"""The writer's inner writer, for programs that hand it summaries as protobufs.

Many have the recipe `writer.file_writer.add_summary(...)` with the three summaries of `hparams(...)`.
"""

from __future__ import annotations

import io
from typing import Any, Protocol

from PIL import Image as Pillow

from ..media import Image, Text
from ..run import Run
from .hparams import of_session
from .numbers import raw_histogram


class Taker(Protocol):
    """What a file writer writes to: a SummaryWriter."""

    event_files: Any

    @property
    def run(self) -> Run:
        """The run."""
        ...

    def put(self, tag: str, value: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """Record one value."""
        ...

    def get_logdir(self) -> Any:
        """Return the folder that the run is named after."""
        ...

    def flush(self) -> None:
        """Store what was added."""
        ...

    def close(self) -> None:
        """Finish the run."""
        ...


class FileWriter:
    """Takes summaries as protobufs: numbers, histograms, pictures, texts and hyperparameters."""

    def __init__(self, writer: Taker) -> None:
        """Write to the run of a SummaryWriter."""
        self._writer = writer

    def get_logdir(self) -> str:
        """Return the folder that the run is named after."""
        return str(self._writer.get_logdir())

    def add_event(self, event: Any, step: Any = None, walltime: float | None = None) -> None:
        """Add the summary of an event."""
        self.add_summary(event.summary, event.step if step is None else step, walltime)

    def add_summary(self, summary: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """Add what a summary holds; what Stepscope has no place for is said once."""
        beside = self._writer.event_files
        if beside is not None:
            beside._get_file_writer().add_summary(summary, global_step, walltime)
        for value in summary.value:
            plugin = value.metadata.plugin_data
            if plugin.plugin_name == "hparams":
                self._writer.run.config.update(of_session(plugin.content))
                continue
            made = _made(value, plugin.plugin_name)
            if made is None:
                self._say_unknown(value.tag, plugin.plugin_name)
            else:
                self._writer.put(value.tag, made, global_step, walltime)

    def flush(self) -> None:
        """Wait until all that was added is stored."""
        self._writer.flush()

    def close(self) -> None:
        """Close the SummaryWriter."""
        self._writer.close()

    def reopen(self) -> None:
        """Go on after `close`."""
        _ = self._writer.run

    def _say_unknown(self, tag: str, plugin: str) -> None:
        guard = self._writer.run.guard
        guard.say(
            f"summary {plugin}",
            f"a summary of {plugin or 'no'} plugin, {tag!r}, is not stored. Use the add_* method for it.",
        )


def _made(value: Any, plugin: str) -> Any:
    form = value.WhichOneof("value")
    if form == "simple_value":
        return float(value.simple_value)
    if form == "histo":
        old = value.histo
        moments = (old.min, old.max, old.num, old.sum, old.sum_squares)
        return raw_histogram(*moments, list(old.bucket_limit), list(old.bucket))
    if form == "image":
        return Image(Pillow.open(io.BytesIO(value.image.encoded_image_string)))
    if form == "tensor" and plugin == "scalars":
        return float((*value.tensor.float_val, *value.tensor.double_val)[0])
    if form == "tensor" and plugin == "text":
        return Text("\n\n".join(part.decode("utf-8", "replace") for part in value.tensor.string_val))
    return None
