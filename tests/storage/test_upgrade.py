"""A store of every released schema is brought up to date, and shows what it showed."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from feed import Feed, series_of
from stepscope.storage import migrations
from stepscope.storage.errors import StoreTooOld
from stepscope.storage.read import Reader
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from support import ROOT

ASSETS = ROOT / "tests" / "upgrade_assets"
SCHEMAS = sorted(path.stem for path in ASSETS.glob("schema_*.db"))


def shown(reader: Reader) -> dict[str, Any]:
    """Return what the file beside the database tells of it."""
    found: dict[str, Any] = {}
    for run in reader.runs():
        found[run.name] = {
            "attempts": len(reader.attempts(run.run_id)),
            "config": dict(run.config),
            "dropped": dict(run.dropped),
            "notes": run.notes,
            "project": run.project,
            "series": {
                f"{series.name} {json.dumps(series.context)}": series_shown(reader, series)
                # Of a number and a histogram of one name, the file tells of the histogram.
                for series in sorted(reader.series(run.run_id), key=lambda series: series.kind, reverse=True)
            },
            "state": run.state.value,
            "summary": dict(run.summary),
            "tags": list(run.tags),
        }
    return found


def series_shown(reader: Reader, series: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"count": series.count, "kind": series.kind}
    if series.kind != "scalar":
        kept = reader.records(series)
        assert all(reader.load(series, record) is not None for record in kept)
        return told | {"steps": [record.step for record in kept]}
    points = reader.points(series)
    finite = points.last[np.isfinite(points.last)]
    steps = [int(points.step[0]), int(points.step[-1])]
    coarse = reader.points(series, max_points=7)
    assert coarse.total == points.total
    assert (coarse.first_step[0], coarse.step[-1]) == tuple(steps)
    assert series.last_value == points.last[-1] or math.isnan(points.last[-1])
    return told | {"steps": steps, "sum": rounded(math.fsum(finite.tolist())), "visible": len(points)}


def rounded(number: float | str) -> str:
    """Return a sum without its last digits, which depend on how it was added up."""
    return f"{float(number):.12g}"


def expected(name: str) -> dict[str, Any]:
    runs = json.loads((ASSETS / f"{name}.json").read_text())
    for run in runs.values():
        for series in run["series"].values():
            if "sum" in series:
                series["sum"] = rounded(series["sum"])
    return runs


def fill(url: str, asset: Path, revision: str) -> None:
    """Make an old schema on a server, and copy an old file into it."""
    engine = sa.create_engine(url)
    with engine.begin() as connection, sqlite3.connect(asset) as old:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        metadata = sa.MetaData()
        metadata.reflect(connection)
        old.row_factory = sqlite3.Row
        for name, table in metadata.tables.items():
            rows = [dict(row) for row in old.execute(f"SELECT * FROM {name}")]
            if rows and name != "alembic_version":
                connection.execute(sa.insert(table), rows)
    engine.dispose()


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_old_store_shows_what_it_showed(each_store_url: str, name: str) -> None:
    if each_store_url.startswith("postgres"):
        fill(each_store_url, ASSETS / f"{name}.db", name.removeprefix("schema_"))
    else:
        shutil.copy(ASSETS / f"{name}.db", each_store_url)
    with pytest.raises(StoreTooOld, match="Run: stepscope upgrade"):
        Reader.open(each_store_url)
    with Writer.open(each_store_url) as writer, Reader.open(each_store_url) as reader:
        found, wanted = shown(reader), expected(name)
        assert found.keys() == wanted.keys()
        for run_name, told in wanted.items():
            assert found[run_name]["series"] == told["series"], run_name
            assert found[run_name] == told, run_name
        assert verify(reader).faults == ()
        # And goes on where it was.
        run = reader.find_run("long")
        feed = Feed(writer, run.run_id, writer.resume_run(run.run_id, host="", pid=0))
        feed.points("loss", np.zeros(9000), range(5000, 14_000))
        feed.end()
        points = reader.points(series_of(reader, run.run_id, "loss"), max_points=14)
        assert (points.total, points.first_step[0], points.step[-1]) == (14_000, 0, 13_999)
        assert points.last[-1] == 0
