"""TensorBoard's own readers of event files. Imported as `event_files`: pytest puts tests/ on the path."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

# TensorBoard's readers import all of TensorFlow unless a module of this name is there.
sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))


def read_events(folder: Path) -> Any:
    """Return an EventAccumulator that has read all that is in a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    keep_all = dict.fromkeys(
        ["compressedHistograms", "images", "audio", "scalars", "histograms", "tensors"], 0
    )
    return EventAccumulator(str(folder), size_guidance=keep_all).Reload()


def accumulator(folder: Path) -> Any:
    """Return the reader that a TensorBoard without its data server has, which has read nothing yet."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"tensors": 0})


def served(folder: Path) -> Any:
    """Return the folder as TensorBoard's plugins see it."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    return TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder)))
