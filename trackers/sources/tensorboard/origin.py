"""How the event files of a folder belong to a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....storage.journal_read import SeriesDefinition


@dataclass(frozen=True, slots=True)
class Origin:
    """One file, and what its folder says of the values in it."""

    path: str
    """Below the place that is imported; "" when the place is the file itself."""
    place: str = ""
    """As people know the file."""
    context: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    """Of all its series: the split that its folder stands for."""
    line_of: str | None = None
    """The tag of a chart with several lines (add_scalars), each of which has a folder of its own."""
    line: str = ""
    """Which of them it is."""
    exported: bool = False
    """Whether it was written by an export of Stepscope, which tells each series."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the run, as the beginnings of all its files tell."""

    def definition(self, tag: str, kind: str) -> SeriesDefinition:
        """Return the series of a tag."""
        line = {"line": self.line} if kind == "scalar" and tag == self.line_of else {}
        return SeriesDefinition(tag, kind, {**self.context, **line})
