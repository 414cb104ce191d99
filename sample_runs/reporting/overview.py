"""All comparisons of the page in one table: which side had more, and how often the runs cannot tell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import costs, results
from .measures import Measured
from .spread import SIDES
from .tables import Table


def overview(runs: Sequence[Measured]) -> list[Table]:
    """Return a row for each table in which the twins stand beside each other."""
    tables = [*costs.speed(runs), *costs.training(runs), *results.accuracy(runs), *costs.watching(runs)]
    rows = [[_title(table), *_counted([row[-1] for row in table.rows])] for table in tables if table.rows]
    columns = ["measured", "tasks", *(f"more in {side}" for side in SIDES), "equal, or the spreads overlap"]
    return [Table("**In how many tasks which side had more**, by the medians.", columns, rows)]


def _title(table: Table) -> str:
    """Return what is bold in the caption, and which is better, if it says so."""
    bold, better = (
        re.search(r"\*\*(.*?)\*\*", table.caption),
        re.search(r"\((\w+ is better)\)", table.caption),
    )
    words = bold[1] if bold else table.caption
    return f"{words} ({better[1]})" if better else words


def _counted(said: Sequence[str]) -> list[str]:
    known = [one for one in said if one]
    more = [sum(one.startswith(side) for one in known) for side in SIDES]
    return [str(count) for count in (len(known), *more, len(known) - sum(more))]
