"""From medians to tables: which goals are met, and all trackers side by side."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from figures.registry import FIGURES
from peers.registry import OURS, PEERS
from plan import Case, Figure, Goal, Measures, Table, number

BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"


@dataclass(slots=True)
class Results:
    """What one run measured."""

    machine: str
    date: str
    partial: bool
    """Whether counts were smaller than the figures ask for."""
    figures: list[str]
    """Those that were asked for; others may have trials too, since some build on another's store."""
    minutes: float = 0.0
    versions: dict[str, str] = field(default_factory=dict[str, str])
    missing: dict[str, str] = field(default_factory=dict[str, str])
    """Peer -> why it is not installed."""
    failed: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Figure and case -> why its trial failed."""
    trials: dict[str, dict[str, list[Measures]]] = field(default_factory=dict[str, dict[str, list[Measures]]])

    def add(self, case: Case, measures: Measures) -> None:
        """Enter one trial."""
        self.trials.setdefault(case.figure, {}).setdefault(case.name, []).append(measures)

    def table(self, figure: Figure) -> Table:
        """Return the medians of a figure."""
        found = {name: _medians(trials) for name, trials in self.trials.get(figure.name, {}).items()}
        figure.derive(found)
        return found

    def goals(self) -> list[Goal]:
        """Return the rows of the goals that could be measured."""
        rows: list[Goal] = []
        faulty = {figure for figure, name in self.failed if OURS in name}
        for name in self.figures:
            if OURS in self.versions and name not in faulty and name in self.trials:
                rows += FIGURES[name].goals(self.table(FIGURES[name]))
        return rows


def _medians(trials: list[Measures]) -> Measures:
    return {key: statistics.median(trial[key] for trial in trials) for key in trials[0]}


def markdown(results: Results) -> str:
    """Return both tables with what is to be known about them."""
    size = "smaller counts than the goals ask for, " if results.partial else ""
    head = f"Measured on {results.date}, {size}on {results.machine}; medians, all in one run."
    missing = [f"{PEERS[name].title} is not installed: {why}." for name, why in results.missing.items()]
    failed = [f"{figure} of {name} failed: {why}." for (figure, name), why in results.failed.items()]
    parts = [
        head,
        _goal_table(results.goals()),
        _side_by_side(results),
        _versions(results),
        *missing,
        *failed,
    ]
    return "\n\n".join(part for part in parts if part)


def write_into(page: Path, results: Results) -> None:
    """Replace what lies between the markers of a page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page.name} needs the lines {BEGIN!r} and {END!r} for the tables to lie between")
    page.write_text(f"{before}{begin}\n\n{markdown(results)}\n\n{end}{after}")


def as_json(results: Results) -> str:
    """Return everything that was measured, every trial of it."""
    named: dict[str, Any] = {
        **{key: value for key, value in asdict(results).items() if key not in ("failed", "trials")},
        "failed": {f"{figure}: {name}": why for (figure, name), why in results.failed.items()},
        "goals": [asdict(goal) for goal in results.goals()],
        "trials": results.trials,
    }
    return json.dumps(named, indent=1)


def _goal_table(goals: list[Goal]) -> str:
    rows = [[goal.what, goal.goal, goal.measured, "yes" if goal.met else "**no**"] for goal in goals]
    return _lines(["what", "goal", "measured", "met"], rows) if rows else ""


def _side_by_side(results: Results) -> str:
    peers = [name for name in PEERS if name in results.versions]
    rows: list[list[str]] = []
    for figure in (FIGURES[name] for name in results.figures):
        table = results.table(figure)
        for shown in figure.shown:
            found = [table.get(peer, {}).get(shown.measure) for peer in peers]
            if not any(found):
                continue
            rows.append([shown.title, *("-" if one is None else number(one) for one in found)])
    return _lines(["", *(PEERS[peer].title for peer in peers)], rows) if rows else ""


def _versions(results: Results) -> str:
    named = [found for name, found in results.versions.items() if name != OURS]
    return f"Versions: {'; '.join(named)}." if named else ""


def _lines(head: list[str], rows: Iterable[list[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
