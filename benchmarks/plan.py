"""What a figure is: the trials it takes, what each measures, what is shown and which goals it proves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.base import Peer
from peers.registry import OURS, PEERS

Settings = Mapping[str, Any]
Measures = dict[str, float]
Table = dict[str, Measures]
"""Label of a case -> name of a measure -> median over the trials."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How thorough: shares of the counts, and how often each trial is repeated."""

    share: float = 1.0
    rounds: int = 3
    our_rounds: int = 5
    settle: float = 1.0
    """Seconds between the opening of a run and the first thing that is timed."""
    block: int = 100
    """Steps of a training that are measured together: all that comes every 100 steps is in them."""

    def count(self, whole: int, least: int = 10) -> int:
        """Return how many of `whole` to take."""
        return max(min(least, whole), int(whole * self.share))


FULL, QUICK, TINY = Scale(), Scale(0.1, 1, 3), Scale(0.001, 1, 1, 0.05, 10)


@dataclass(frozen=True, slots=True)
class Case:
    """Trials of one kind: each is a fresh process of its own in the peer's environment."""

    figure: str
    peer: str
    settings: Settings = field(default_factory=dict[str, Any])
    label: str = ""
    """How results name it; the peer's name when empty."""
    rounds: int = 1
    folder: str = ""
    """Where to work, for cases that build on one another; empty: a new folder for each trial."""
    needs: Case | None = None
    """What must have filled the folder before."""

    @property
    def name(self) -> str:
        """The label."""
        return self.label or self.peer


@dataclass(frozen=True, slots=True)
class Goal:
    """One row of the table of goals."""

    what: str
    goal: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One row of the table of all trackers side by side."""

    measure: str
    title: str


def _no_goals(_: Table) -> list[Goal]:
    return []


def _as_it_is(_: Table) -> None:
    return


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; its module's docstring tells the method."""

    name: str
    cases: Callable[[Scale], list[Case]]
    measure: Callable[[type[Peer], Path, Settings], Measures]
    """Runs in the trial's process."""
    goals: Callable[[Table], list[Goal]] = _no_goals
    """Called when our cases were measured."""
    shown: Sequence[Shown] = ()
    derive: Callable[[Table], None] = _as_it_is
    """Adds measures that take more than one case, such as a size net of an empty store's."""


def rounds_of(peer: str, scale: Scale) -> int:
    """Return how often to repeat a trial: ours are to be known best, costly ones differ by far anyway."""
    if peer == OURS:
        return scale.our_rounds
    return 1 if PEERS[peer].costly else scale.rounds


def for_all(figure: str, scale: Scale, settings: Callable[[type[Peer]], Settings | None]) -> list[Case]:
    """Return a case for each peer; `settings` returns None for those that cannot take part."""
    chosen = {name: settings(peer) for name, peer in PEERS.items()}
    return [
        Case(figure, name, found, rounds=rounds_of(name, scale))
        for name, found in chosen.items()
        if found is not None
    ]


def cheapest(table: Table, measure: str, *, but: Sequence[str] = ()) -> tuple[str, float] | None:
    """Return the other peer with the smallest measure, and the measure."""
    others = {
        name: measures[measure]
        for name, measures in table.items()
        if name in PEERS and name not in (OURS, *but) and measure in measures
    }
    return min(others.items(), key=lambda item: item[1], default=None)


def at_most(what: str, limit: float, value: float, unit: str) -> Goal:
    """Return the row of a goal that is a limit."""
    return Goal(what, f"at most {limit:g} {unit}", f"{number(value)} {unit}", value <= limit)


def times_less(what: str, least: float, ours: float, other: tuple[str, float] | None) -> list[Goal]:
    """Return the row of a goal that is a ratio; none when there is nothing to compare with."""
    if other is None:
        return []
    name, theirs = other
    ratio = theirs / ours
    title = PEERS[name].title
    return [Goal(what, f"at least {least:g} times less", f"{number(ratio)} times ({title})", ratio >= least)]


def number(value: float) -> str:
    """Return a number with three digits that matter."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
