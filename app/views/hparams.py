"""Hyperparameters and their metrics as the page shows them: one table."""

from __future__ import annotations

from ...storage.kinds.hparams import HParamsData
from ...storage.kinds.table import cell_text
from .words import brief, number

MOST = 500


def figure(data: HParamsData) -> dict[str, list[str]]:
    """Return the columns "Hyperparameter or metric" and "Value", the metrics last."""
    rows = [(brief(name), brief(cell_text(value))) for name, value in data.values.items()]
    rows += [(f"{brief(name)} (metric)", number(value)) for name, value in data.metrics.items()]
    return {
        "Hyperparameter or metric": [name for name, _ in rows[:MOST]],
        "Value": [value for _, value in rows[:MOST]],
    }
