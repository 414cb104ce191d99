"""The sample without a framework leaves one of each kind of data."""

from __future__ import annotations

import math
from pathlib import Path

from stepscope.storage.kinds import KINDS
from stepscope.storage.read import Reader
from support import ROOT, run_python


def test_every_kind_is_there(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    run_python(ROOT / "sample_runs" / "every_kind.py", "--store", store, STEPSCOPE_STRICT="1")
    with Reader.open(store) as reader:
        run = reader.find_run("every-kind")
        series = {s.kind: s for s in reader.series(run.run_id) if not s.name.startswith("system/")}
        assert set(series) == {kind.name for kind in KINDS}
        assert series["scalar"].nan_count == 1
        assert run.summary["best_loss"] == series["scalar"].min_value
        for kind in set(series) - {"scalar"}:
            records = reader.records(series[kind])
            assert reader.load(series[kind], records[0]) is not None
        assert math.isfinite(series["scalar"].last_value or math.nan)
