"""What people pass to `stepscope.open` and what it gives: checked before a database sees it."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsIndex, cast

from .errors import BadInput

_INT64 = range(-(2**63), 2**63)


def check_text(what: str, value: object) -> str:
    """Return a text that a database takes. Raises BadInput."""
    if not isinstance(value, str):
        raise BadInput(f"{what} is a text, but got {type(value).__name__} {value!r:.200}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{what} {value!r:.200} is not valid Unicode. Use its id instead.") from None
    if "\0" in value:
        raise BadInput(f"{what} {value!r:.200} has a zero character, which no database keeps.")
    return value


def check_names(value: object) -> Sequence[str]:
    """Return names of scalars, each once. Raises BadInput."""
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise BadInput(
            f"scalars takes a name or a list of names, but got {type(value).__name__} {value!r:.200}. "
            f'Write scalars("loss") or scalars(["loss", "acc"]).'
        )
    names = list(dict.fromkeys(check_text("a name", name) for name in cast("Iterable[object]", value)))
    if "step" in names:
        raise BadInput(
            'a table of several scalars has the column "step" for their steps, so that the scalar "step" '
            'cannot be among them. Ask for it alone: scalars("step")'
        )
    return names


def check_context(value: object) -> Mapping[str, Any] | None:
    """Return a context, or None. Raises BadInput."""
    if value is None or isinstance(value, Mapping):
        return cast("Mapping[str, Any] | None", value)
    raise BadInput(
        f'a context is a dict, such as {{"rank": 1}}, but got {type(value).__name__} {value!r:.200}.'
    )


def check_whole(**values: object) -> dict[str, int | None]:
    """Return whole numbers of 64 bits, or None where it was given. Raises BadInput."""
    return {what: None if value is None else _whole(what, value) for what, value in values.items()}


def _whole(what: str, value: Any) -> int:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value  # 1e6 is meant so
    number = operator.index(whole) if isinstance(whole, SupportsIndex) else None
    if number is None or number not in _INT64:
        raise BadInput(
            f"{what} is a whole number from -2**63 to 2**63 - 1, or None, but got "
            f"{type(value).__name__} {value!r:.200}."
        )
    return number
