"""The display names and descriptions of tags, kept as what a run says of its metrics."""

from __future__ import annotations

import glob
import json
from typing import Any

from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import EVENT, EncodedValue
from ....storage.metric_definitions import METRICS
from ....storage.write_series import NewRecord


def title_record(tag: str, display_name: str, description: str, time: float) -> NewRecord:
    """Return the event that gives a metric its name for people and its description, in Markdown."""
    facts: dict[str, Any] = {
        "name": glob.escape(tag),
        "step_metric": None,
        "summary": [],
        "goal": "minimize",
        "hidden": False,
        "display_name": "" if display_name == tag else display_name,
        "description": description,
    }
    encoded = EncodedValue(json.dumps(facts).encode(), facts)
    return NewRecord(SeriesDefinition(METRICS, EVENT.name, {}), 0, time, encoded)
