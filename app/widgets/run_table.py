"""The table of runs: what is the same for all of them stays out of it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ...storage.model import LastValues, Run, RunState
from ...storage.name_rules import Naming
from ...storage.nested import flatten
from ..metric_groups import last_values
from ..views.words import duration
from .run_picker import Choice

METRIC_COLUMNS = 8
CONFIG_COLUMNS = 8
EXACT = 2**53
"""Above it, a browser's numbers no longer hold every whole number; seeds are often larger."""
STATE_WORDS = {
    RunState.RUNNING: "▶ running",
    RunState.FINISHED: "✔ finished",
    RunState.FAILED: "✖ failed",
    RunState.KILLED: "◼ killed",
}


def columns(
    runs: Sequence[Run], values: LastValues, chosen: Choice, naming: Naming, alerts: Mapping[str, int]
) -> dict[str, list[Any]]:
    """Return the columns of the table, one value for each run, in the given order.

    Args:
        runs: the runs.
        values: the last values of all of them, in the same order.
        chosen: colours and names.
        naming: how the store's names are understood.
        alerts: run -> how many, of those that have any.
    """
    return {
        "": [swatch(chosen.colours[run.run_id]) for run in runs],
        "Run": [chosen.names[run.run_id] for run in runs],
        "State": [STATE_WORDS[run.state] for run in runs],
        **_alerts(runs, alerts),
        "Started": [pd.Timestamp(run.created_at, unit="s", tz="UTC") for run in runs],
        "Duration": [duration(run.duration) for run in runs],
        **last_values(values, METRIC_COLUMNS, naming),
        **_config(runs),
        **_facts(runs),
    }


def column_config(shown: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return how Streamlit shows the columns."""
    numbers = {
        name: st.column_config.NumberColumn(format="%.5g")
        for name, values in shown.items()
        if any(isinstance(value, float) for value in values)
    }
    return {
        **numbers,
        "": st.column_config.ImageColumn(width=34, pinned=True, help="The run's colour on every page"),
        "Run": st.column_config.TextColumn(pinned=True),
        "Started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
    }


def _alerts(runs: Sequence[Run], alerts: Mapping[str, int]) -> dict[str, list[Any]]:
    counts = [alerts.get(run.run_id, 0) for run in runs]
    return {"Alerts": [f"⚠ {count}" if count else "" for count in counts]} if any(counts) else {}


def _facts(runs: Sequence[Run]) -> dict[str, list[Any]]:
    facts: dict[str, list[Any]] = {
        "Project": [run.project for run in runs],
        "Framework": [run.framework or "" for run in runs],
        "Group": [run.group or "" for run in runs],
    }
    varying: dict[str, list[Any]] = {name: values for name, values in facts.items() if len(set(values)) > 1}
    tags = [list(run.tags) for run in runs]
    if any(tags):
        varying["Tags"] = tags
    lost = [sum(run.dropped.values()) for run in runs]
    if any(lost):
        varying["Not stored"] = lost
    return varying


def _config(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return the config values that tell runs apart first, then others, as far as there is room."""
    configs = [flatten(run.config) for run in runs]
    keys = Counter(key for config in configs for key in config)
    differing = {key: len({str(config.get(key)) for config in configs}) > 1 for key in keys}
    order = sorted(keys, key=lambda key: (not differing[key], -keys[key], key))[:CONFIG_COLUMNS]
    return {f"config {key}": _column([config.get(key) for config in configs]) for key in order}


def _column(values: Sequence[Any]) -> list[Any]:
    """Return values of one type, as a table needs them: numbers, so that they sort, or else text."""
    if all(value is None or _is_number(value) for value in values):
        return list(values)
    return ["" if value is None else str(value) for value in values]


def _is_number(value: object) -> bool:
    """Return whether a table shows the value as a number, every digit of a whole one."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= EXACT)


def swatch(colour: str) -> str:
    """Return a picture of the colour; a cell of a table cannot have one otherwise."""
    square = f'<rect x="3" y="3" width="14" height="14" rx="3" fill="{colour}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{square}</svg>'
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
