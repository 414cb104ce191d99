"""Which histograms of several runs are of one layer, although their frameworks say it differently. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...storage.model import Series, words_of

CONVENTIONS = {
    "kernel": "weight",
    "gamma": "weight",
    "embeddings": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""What Keras calls a variable -> what PyTorch calls it. Only the last part of a path is looked up."""


def shared_name(name: str) -> str:
    """Return the name that a layer has in both frameworks: conv1/kernel -> conv1/weight."""
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{CONVENTIONS.get(last, last)}" if slash else name


def by_layer(found: Sequence[Series]) -> dict[str, list[Series]]:
    """Group series of some runs by layer, in their order; each group has at most one of a run.

    A layer is one name, or two that differ by convention alone. Where a run has both names itself, they are
    two layers. Series of one name in several contexts, such as ranks, are layers of their own.
    """
    often = Counter((one.run_id, _key(one, shared_name(one.name))) for one in found)
    ambiguous = {key for (_, key), many in often.items() if many > 1}
    layers: dict[str, list[Series]] = {}
    for one in found:
        key = _key(one, shared_name(one.name))
        layers.setdefault(_key(one, one.name) if key in ambiguous else key, []).append(one)
    return layers


def _key(one: Series, name: str) -> str:
    context = words_of(one.context)
    return f"{name} · {context}" if context else name
