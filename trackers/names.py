"""Which names values may have, and how many of them a run may."""

from __future__ import annotations

from ..storage.errors import BadInput
from ..storage.model import SYSTEM_PREFIX
from .tracked_dict import text_of

MOST_SERIES = 50_000
"""Different names in one run; beyond it a loop most likely puts the step into the name."""
_MOST_SYSTEM = 1000
"""How many more the measurements of the machine may have: they go on when the names of others ran out."""
MOST_NAME_CHARACTERS = 500


class TooManyNames(BadInput):
    """A run has as many series as it may have, and this name would be one more."""

    reason = "more names than a run may have"


def check_name(name: object, known: int) -> None:
    """Raise BadInput when a run with so many `known` names cannot have this one, too."""
    if not isinstance(name, str) or not name:
        shown = text_of(name) or "''"
        raise BadInput(f"a name must be a string that is not empty, but got {type(name).__name__} {shown}")
    if len(name) > MOST_NAME_CHARACTERS:
        raise BadInput(
            f"a name has at most {MOST_NAME_CHARACTERS} characters, but {name[:40]!r}... has "
            f"{len(name)}. Put long text into stepscope.Text."
        )
    if known >= MOST_SERIES + (_MOST_SYSTEM if name.startswith(SYSTEM_PREFIX) else 0):
        raise TooManyNames(
            f"a run has at most {MOST_SERIES} different names, and {name[:80]!r} is one more. "
            f"Is a step part of the name? Pass it as step=."
        )
