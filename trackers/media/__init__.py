"""The values a user wraps, one file each: what they are cannot be told from an array alone."""

from .audio import Audio
from .base import Loggable
from .graph import Graph
from .histogram import Histogram
from .image import Image
from .text import Text

__all__ = ["Audio", "Graph", "Histogram", "Image", "Loggable", "Text"]
