"""All that `import stepscope` offers for logging; the root hands it on, and loads it when it is first used.

`stepscope.open` and `stepscope.notebook` are the root's own matter: they read and show; trackers do not.
"""

from ..storage.errors import StepscopeError
from ..storage.kinds.graph import GraphData, GraphNode, Layer
from .media import (
    Audio,
    Embedding,
    Figure,
    Graph,
    Histogram,
    HParams,
    Html,
    Image,
    Mesh,
    PrCurve,
    Table,
    Text,
    Video,
)
from .run import Run
from .surface.artifact import Artifact
from .surface.begin import init
from .surface.functions import (
    alert,
    define_metric,
    finish,
    log,
    log_artifact,
    login,
    save,
    unwatch,
    use_artifact,
    watch,
)
from .surface.settings import AlertLevel, Settings

__all__ = [
    "AlertLevel",
    "Artifact",
    "Audio",
    "Embedding",
    "Figure",
    "Graph",
    "GraphData",
    "GraphNode",
    "HParams",
    "Histogram",
    "Html",
    "Image",
    "Layer",
    "Mesh",
    "PrCurve",
    "Run",
    "Settings",
    "StepscopeError",
    "Table",
    "Text",
    "Video",
    "alert",
    "define_metric",
    "finish",
    "init",
    "log",
    "log_artifact",
    "login",
    "save",
    "unwatch",
    "use_artifact",
    "watch",
]
