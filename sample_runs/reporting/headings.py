"""The headings under which articles compare the frameworks, each with the tables that our runs make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import costs, models, overview, results
from .measures import Measured
from .tables import Table

Runs = Sequence[Measured]


@dataclass(frozen=True, slots=True)
class Heading:
    """One block of the page."""

    tables: Callable[[Runs], Sequence[Table]]
    pairs: Sequence[str] = ()
    """Whose runs it takes; empty for those of all pairs."""

    def takes(self, pair: str) -> bool:
        """Return whether it takes the runs of a pair."""
        return not self.pairs or pair in self.pairs

    def taken(self, runs: Runs) -> Runs:
        """Return the runs that it takes."""
        return [one for one in runs if self.takes(one.run.project)]


HEADINGS: Mapping[str, Heading] = {
    "overview": Heading(overview.overview),
    "graph": Heading(models.graphs),
    "execution": Heading(costs.execution, ("execution",)),
    "visualisation": Heading(models.kinds),
    "training": Heading(costs.training),
    "distribution": Heading(costs.distribution, ("distributed",)),
    "speed": Heading(costs.speed),
    "accuracy": Heading(results.accuracy),
    "debugging": Heading(results.debugging, ("goes-wrong",)),
    "deployment": Heading(models.deployment, ("deployment",)),
    "code": Heading(models.code),
    "watching": Heading(costs.watching),
    "all": Heading(costs.all_runs),
}
"""Name of the block -> what stands in it; the page holds all of them."""
