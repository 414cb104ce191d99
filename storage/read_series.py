"""The series of runs with their totals: a run that logged under a million names is listed, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from .model import Context, Series
from .nested import mapping_of
from .schema import series
from .totals import TotalsArray, read_totals

SERIES_QUERY = sa.select(
    series.c.run_id, series.c.series_id, series.c.name, series.c.kind, series.c.context
).order_by(series.c.run_id, series.c.name, series.c.context)
"""What `load_series` takes, but for conditions: rows are ordered by run and name."""

_NOTHING: tuple[Any, ...] = (0, None, None, None, None, None, 0, 0, 0)


def load_series(
    connection: sa.Connection, query: sa.Select[Any, Any, Any, Any, Any], run_ids: Sequence[str]
) -> list[Series]:
    """Return the series that a query made of SERIES_QUERY finds among those of some runs, in its order."""
    run, totals = read_totals(connection, run_ids)
    names = [run_ids[number] for number in run.tolist()]
    fields_of = dict(zip(zip(names, totals["series_id"].tolist(), strict=True), _fields(totals), strict=True))
    contexts: dict[str, Context] = {}
    found: list[Series] = []
    for run_id, series_id, name, kind, text in connection.execute(query):
        fields: tuple[Any, ...] = fields_of.get((run_id, series_id), _NOTHING)
        if text not in contexts:
            contexts[text] = mapping_of(text)
        if kind != "scalar":
            fields = (*fields[:3], None, *fields[4:])
        found.append(Series(run_id, series_id, name, kind, contexts[text], *fields))
    return found


def _fields(totals: TotalsArray) -> Iterable[tuple[Any, ...]]:
    """Yield what Series has after its context, in that order."""
    columns = [
        _none_for_nan(totals[name]) if name in ("min_value", "max_value") else totals[name].tolist()
        for name in totals.dtype.names or ()
        if name != "series_id"
    ]
    return zip(*columns, strict=True)


def _none_for_nan(column: NDArray[np.float64]) -> list[Any]:
    return np.where(np.isnan(column), np.array(None), column).tolist()
