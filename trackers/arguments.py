"""Arguments that several calls of a run take, checked."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any, cast

from ..storage.errors import BadInput

MIN_STEP, MAX_STEP = -(2**63), 2**63 - 1


def as_step(step: object) -> int:
    """Return a step as int. Raises BadInput when it is no whole number of 64 bits."""
    try:
        number = index(step)  # type: ignore[arg-type]
    except TypeError:
        raise BadInput(
            f"a step must be a whole number, but got {type(step).__name__} {step!r}. "
            f"Use int(step), and log fractions such as epochs as values."
        ) from None
    if not MIN_STEP <= number <= MAX_STEP:
        raise BadInput(f"a step must fit into 64 bits, but got {number}")
    return number


def check_context(context: object) -> None:
    """Raise BadInput when this is no context."""
    if isinstance(context, Mapping):
        entries = cast("Mapping[Any, Any]", context).items()
        if all(isinstance(key, str) and isinstance(value, str | int) for key, value in entries):
            return
    raise BadInput(
        f"a context needs a dict of names and words or whole numbers, but got {context!s:.80}. "
        f'Write context={{"rank": 1}}.'
    )
