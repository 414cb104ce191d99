"""What verification finds, and how two accounts of the same points are compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pyramid import ENTRY, Entries
from .totals import TOTAL

FROM_BACKUP = "Put back a backup, copy the run anew with stepscope sync, or delete it with stepscope rm"
"""What to do about what is lost."""
_MICROSECOND = 2e-6


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    where: str
    what: str
    advice: str
    run_id: str | None = None

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"{self.where}: {self.what}. {self.advice}"


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def same_entries(found: Entries, expected: Entries) -> bool:
    """Whether entries agree; means may differ in the last digits, since they were added up in other parts."""
    if len(found) != len(expected):
        return False
    for name in ENTRY.names or ():
        a, b = found[name], expected[name]
        if name == "mean":
            same = np.isclose(a, b, rtol=1e-9, atol=1e-300, equal_nan=True)
        elif name == "last_time":
            same = np.isclose(a, b, rtol=0, atol=_MICROSECOND, equal_nan=True)
        else:
            same = (a == b) | ((a != a) & (b != b))
        if not bool(same.all()):
            return False
    return True


def difference(told: Any, found: Any) -> str:
    """Return how the totals of a stream differ from what was found, in words."""
    if told is None or found is None:
        many = 0 if told is None else int(told["count"])
        there = 0 if found is None else int(found["count"])
        return "" if many == there else f"{many} values are told, but {there} are there"
    if told["count"] != found["count"]:
        return f"{told['count']} values are told, but {found['count']} are there"
    for name in TOTAL.names or ():
        a, b = told[name].item(), found[name].item()
        near = name == "last_time" and abs(a - b) < _MICROSECOND
        if a != b and not near and not (a != a and b != b):
            return f"its {name} is told as {a}, but is {b}"
    return ""
