"""Stepscope records what happens inside a PyTorch or TensorFlow training run and shows it.

    run = stepscope.init(project="digits", config={"lr": 0.001})
    run.log({"loss": 0.3})
    run.finish()

Names are loaded when they are first used, so that the import stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .storage.errors import StepscopeError
    from .storage.kinds.graph import GraphData, GraphNode, Layer
    from .storage.query import open
    from .trackers.init import init
    from .trackers.media import (
        Audio,
        Embedding,
        Figure,
        Graph,
        Histogram,
        HParams,
        Image,
        Mesh,
        PrCurve,
        Table,
        Text,
        Video,
    )
    from .trackers.run import Run

__version__ = "0.1.0"

_HOMES = {
    "Audio": "trackers.media",
    "Embedding": "trackers.media",
    "Figure": "trackers.media",
    "Graph": "trackers.media",
    "GraphData": "storage.kinds.graph",
    "GraphNode": "storage.kinds.graph",
    "HParams": "trackers.media",
    "Histogram": "trackers.media",
    "Image": "trackers.media",
    "Layer": "storage.kinds.graph",
    "Mesh": "trackers.media",
    "PrCurve": "trackers.media",
    "Run": "trackers.run",
    "StepscopeError": "storage.errors",
    "Table": "trackers.media",
    "Text": "trackers.media",
    "Video": "trackers.media",
    "init": "trackers.init",
    "open": "storage.query",
}

__all__ = [
    "Audio",
    "Embedding",
    "Figure",
    "Graph",
    "GraphData",
    "GraphNode",
    "HParams",
    "Histogram",
    "Image",
    "Layer",
    "Mesh",
    "PrCurve",
    "Run",
    "StepscopeError",
    "Table",
    "Text",
    "Video",
    "init",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
