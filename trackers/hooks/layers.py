"""Which layers a tracker looks into: patterns over the paths of layers, as the user wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any, cast

from ...storage.errors import BadInput

Wanted = Callable[[str], bool]
"""Whether the path of a layer, or of something in it, is one to look into."""


def wanted_layers(layers: object) -> Wanted:
    """Return the test for paths such as `blocks/0/conv` and `blocks/0/conv/weight`.

    A path is wanted when a pattern fits it or the layer that it lies in directly: `blocks/0/conv` takes its
    weight and bias too. A `*` stands for any characters, slashes among them.

    Raises:
        BadInput: this is neither a pattern nor several.
    """
    many: Any = (layers,) if isinstance(layers, str) else layers
    patterns = list(cast("Any", many)) if isinstance(many, list | tuple | set | frozenset) else []
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise BadInput(
            f'layers must be a pattern such as "encoder/*", or several in a list, but got '
            f"{type(layers).__name__} {layers!r}"
        )
    fits = re.compile("|".join(translate(pattern) for pattern in patterns)).match
    return lambda path: bool(fits(path) or fits(path.rpartition("/")[0]))


def check_histograms(histograms: object) -> frozenset[str]:
    """Return which histograms are wanted. Raises BadInput when one is none that a tracker makes."""
    known = ("weights", "gradients", "activations")
    many: Any = (histograms,) if isinstance(histograms, str) else histograms
    found = list(cast("Any", many)) if isinstance(many, list | tuple | set | frozenset) else [histograms]
    if any(kind not in known for kind in found):
        raise BadInput(
            f'histograms must be some of "weights", "gradients" and "activations", but got {histograms!r}'
        )
    return frozenset(cast("list[str]", found))
