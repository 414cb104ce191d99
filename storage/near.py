"""What a person may have meant by a name that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 5


def near_names(name: str, names: Iterable[str]) -> str:
    """Return a sentence, with a space before it, that names the most similar ones; "" when none is."""
    of_lower = {one.lower(): one for one in names}
    similar = get_close_matches(name.lower(), of_lower, n=_MOST)
    similar += [one for one in sorted(of_lower, key=len) if name and name.lower() in one]
    words = [repr(of_lower[one]) for one in dict.fromkeys(similar)][:_MOST]
    return f" Near names: {', '.join(words)}." if words else ""
