"""The values a user wraps, one file each: what they are cannot be told from an array alone."""

from .audio import Audio
from .base import Loggable
from .embedding import Embedding
from .figure import Figure
from .graph import Graph
from .histogram import Histogram
from .hparams import HParams
from .html import Html
from .image import Image
from .mesh import Mesh
from .pr_curve import PrCurve
from .table import Table
from .text import Text
from .video import Video

__all__ = [
    "Audio",
    "Embedding",
    "Figure",
    "Graph",
    "HParams",
    "Histogram",
    "Html",
    "Image",
    "Loggable",
    "Mesh",
    "PrCurve",
    "Table",
    "Text",
    "Video",
]
