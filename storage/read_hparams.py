"""The trials of many runs at once: what each said of its hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from .blobs import get_blob
from .errors import StoreDamaged
from .kinds.hparams import KIND, HParamsData, decode
from .read import Reader
from .read_runs import parts
from .schema import records, series


def hparams_of(reader: Reader, run_ids: Sequence[str]) -> dict[str, HParamsData]:
    """Return run -> its hyperparameters and their metrics, for runs that logged any.

    Of several records of a run, all names are there, with the value that was logged last. A record that is
    damaged, which `verify` names, is left out: it must not hide the others.

    Raises:
        StoreError: they cannot be read.
    """

    def work(connection: sa.Connection) -> dict[str, HParamsData]:
        found: dict[str, HParamsData] = {}
        for part in parts(run_ids):
            for row in connection.execute(_QUERY.where(series.c.run_id.in_(part))):
                with suppress(StoreDamaged):
                    known, new = found.get(row.run_id, HParamsData({})), _data(connection, reader, row)
                    found[row.run_id] = HParamsData(
                        {**known.values, **new.values}, {**known.metrics, **new.metrics}
                    )
        return found

    return reader.ask(work)


def _data(connection: sa.Connection, reader: Reader, row: Any) -> HParamsData:
    data = row.payload
    if data is None and row.digest is not None:
        data = get_blob(connection, reader.location, row.run_id, row.digest)
    return decode({}, data or b"")


_QUERY = (
    sa.select(records.c.run_id, records.c.payload, records.c.digest)
    .join(series, (series.c.run_id == records.c.run_id) & (series.c.series_id == records.c.series_id))
    .where(series.c.kind == KIND.name)
    .order_by(records.c.time, records.c.journal_no, records.c.seq)
)
