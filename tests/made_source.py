"""A source with known runs, for tests of the loop that imports. Imported as `made_source`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from stepscope.storage.model import Run, RunState
from stepscope.trackers.media import Text
from stepscope.trackers.sources.base import FoundArtifact, FoundRun, Part, Piece, columns, record, scalar

BEGAN = 1_600_000_000.0


@dataclass
class MadePart:
    """Points `value(step) = offset + step`, one a second, in pieces of `piece` points."""

    name: str
    count: int
    first_step: int = 0
    attempt: int = 0
    offset: float = 0.0
    edition: str = ""
    problems: dict[int, str] = field(default_factory=dict[int, str])
    """Position -> what is told there."""
    breaks_at: int | None = None
    torn: bool = False
    """Whether it ends in the midst of something."""


@dataclass
class MadeSource:
    """Runs by name, each with parts; change them between two looks."""

    made: dict[str, list[MadePart]]
    piece: int = 10
    state: RunState = RunState.FINISHED
    run_id: str = ""
    artifacts: list[FoundArtifact] = field(default_factory=list[FoundArtifact])
    """Of the first piece of each part."""
    problems: list[str] = field(default_factory=list[str])
    name: ClassVar[str] = "Made"

    def runs(self) -> Sequence[FoundRun]:
        """Return what was made."""
        return [
            FoundRun(name, self._run(name), [self._part(part) for part in parts])
            for name, parts in self.made.items()
        ]

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield pieces, each with one text."""
        [made] = [one for one in self.made[found.key] if one.name == part.name]
        for start in range(position, made.count, self.piece):
            if made.breaks_at is not None and start >= made.breaks_at:
                raise ValueError("it is torn")
            yield self._piece(made, start, min(start + self.piece, made.count))
        if made.torn:
            yield Piece(made.count, problems=[f"{made.name} ends in the midst of record {made.count}."])

    def _run(self, name: str) -> Run:
        return Run(self.run_id, "made", name, self.state, BEGAN, BEGAN, config={"lr": 0.5})

    def _part(self, made: MadePart) -> Part:
        began = BEGAN + made.first_step
        return Part(
            made.name, made.attempt, began, "there", 7 + made.attempt, end=made.count, edition=made.edition
        )

    def _piece(self, made: MadePart, start: int, end: int) -> Piece:
        steps = np.arange(start, end) + made.first_step
        points = [(scalar("loss"), columns(steps, BEGAN + steps, made.offset + steps))]
        note = record("note", Text(f"at {steps[0]}"), int(steps[0]), BEGAN + float(steps[0]))
        told = [text for at, text in made.problems.items() if start <= at < end]
        return Piece(end, points, [note], artifacts=[] if start else self.artifacts, problems=told)
