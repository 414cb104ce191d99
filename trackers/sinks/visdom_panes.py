"""Visdom's panes, and those of curves and configs. Pure: nothing is sent or written here.

A pane is a window of the page. Visdom does not document its form: it is what `window()` in
XX of a client's message, and what its page reads back
from an environment file.
"""

from __future__ import annotations

import hashlib
import html
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...storage.model import Points, Run

Json: TypeAlias = dict[str, Any]

_DOTTED = 50


@dataclass(frozen=True, slots=True)
class Pane:
    """One window, before it is given a place on the page."""

    win: str
    """The window's id: the same pane of the same run or metric replaces itself."""
    type: str
    """As Visdom names it: "plot", "image_history", "text" or "properties"."""
    title: str
    content: Any
    """Of a plot {"data": traces, "layout": ...}, of an image history [{"src": ..., "caption": ...}],
    of a text HTML, of properties [{"type": ..., "name": ..., "value": ...}]."""
    width: int | None = None
    height: int | None = None

    def window(self, place: int) -> Json:
        """Return the pane as an environment file holds it; `place` orders the page."""
        made: Json = {
            "command": "window",
            "id": self.win,
            "title": self.title,
            "inflate": True,
            "width": self.width,
            "height": self.height,
            "contentID": secrets.token_hex(16),
            "content": self.content,
            "type": self.type,
            "i": place,
        }
        if self.type == "image_history":
            made |= {"selected": len(self.content) - 1, "show_slider": True}
        return made

    def message(self, env: str) -> Json:
        """Return the pane as the body of a POST to a server's /events; of a history, its first image."""
        content = self.content[0] if self.type == "image_history" else self.content
        data = content["data"] if self.type == "plot" else [{"type": self.type, "content": content}]
        made: Json = {
            "win": self.win,
            "eid": env,
            "data": data,
            "opts": {"title": self.title, "width": self.width, "height": self.height},
        }
        if self.type == "plot":
            made["layout"] = content["layout"]
        return made


def line_trace(run: Run, name: str, points: Points) -> Json:
    """Return one curve over steps; `meta` tells later exports whose it is."""
    return {
        "type": "scatter",
        # In a long curve dots would hide the line; in a short one, a value between two gaps has no line.
        "mode": "lines" if len(points) > _DOTTED else "lines+markers",
        "name": html.escape(name, quote=False),
        "x": points.step.tolist(),
        "y": numbers(points.last),
        "meta": {"run": run.run_id},
    }


def line_pane(metric: str, traces: Sequence[Json]) -> Pane:
    """Return a window with the curves of one metric, of any number of runs."""
    # A window needs a trace to be one.
    content = {
        "data": list(traces) or [{"type": "scatter", "x": [], "y": [], "name": ""}],
        "layout": layout(metric, "step"),
    }
    return Pane(line_window(metric), "plot", metric, content)


def line_window(metric: str) -> str:
    """Return the id of the window of a metric."""
    readable = re.sub(r"\W+", "_", metric, flags=re.ASCII).strip("_")[:40]
    digest = hashlib.blake2s(metric.encode(), digest_size=4).hexdigest()
    return f"scalar_{readable}_{digest}"


def other_traces(window: Mapping[str, Any] | None, run_ids: set[str]) -> list[Json]:
    """Return the curves of an existing window that belong to none of the runs."""
    if not window or window.get("type") != "plot":
        return []
    traces: list[Json] = window["content"]["data"]
    return [trace for trace in traces if trace.get("meta", {}).get("run", "") not in run_ids | {""}]


def config_pane(run: Run, title: str, config: Sequence[tuple[str, str]]) -> Pane:
    """Return a window with a run's config, one property for each key."""
    content = [{"type": "text", "name": key, "value": value} for key, value in config]
    return Pane(f"config_{run.run_id}", "properties", title, content)


def layout(title: str, x_title: str) -> Json:
    """Return the layout that plots begin with; the title is shown literally."""
    return {
        "title": {"text": html.escape(title, quote=False)},
        "xaxis": {"title": {"text": x_title, "standoff": 4}},
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.35},
        "margin": {"l": 60, "r": 60, "t": 60, "b": 60},
    }


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Return plain numbers; JSON has none that are not finite, and a gap is drawn instead."""
    return [number if np.isfinite(number) else None for number in values.tolist()]
