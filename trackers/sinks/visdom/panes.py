"""Visdom's panes, and those of curves and configs. Pure: nothing is sent or written here.

A pane is a window of the page. Visdom does not document its form: it is what `window()` in
visdom/utils/server_utils.py makes of a client's message, and what its page reads back
from an environment file. Each has a mark, which Visdom's page does not look at: an import knows by it
which run and series of a store it was.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ....storage.model import SYSTEM_PREFIX, Points, Run, Series

Json: TypeAlias = dict[str, Any]

MARK = "stepscope"
DOTTED = 50
"""The most points of a curve that is drawn with dots."""


@dataclass(frozen=True, slots=True)
class Pane:
    """One window, before it is given a place on the page."""

    win: str
    """The window's id: the same pane of the same run or metric replaces itself."""
    type: str
    """As Visdom names it: "plot", "image_history", "text", "properties" or "network"."""
    title: str
    content: Any
    """Of a plot {"data": traces, "layout": ...}, of an image history [{"src": ..., "caption": ...}],
    of a text HTML, of properties [{"type": ..., "name": ..., "value": ...}], of a network {"nodes": ...,
    "edges": ...}."""
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
        return made | self._options

    def message(self, env: str) -> Json:
        """Return the pane as the body of a POST to a server's /events; of a history, its first image."""
        content = self.content[0] if self.type == "image_history" else self.content
        data = content["data"] if self.type == "plot" else [{"type": self.type, "content": content}]
        made: Json = {
            "win": self.win,
            "eid": env,
            "data": data,
            "opts": {"title": self.title, "width": self.width, "height": self.height, **self._options},
        }
        if self.type == "plot":
            made["layout"] = content["layout"]
        return made

    @property
    def _options(self) -> Json:
        if self.type != "network":
            return {}
        return {"directed": True, "showEdgeLabels": False, "showVertexLabels": True}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the windows of one series have in common."""

    win: str
    title: str
    mark: Json

    def beside(self, word: str, title: str) -> Frame:
        """Return the frame of another window of the series."""
        return replace(self, win=f"{self.win}_{word}", title=title)

    def plot(self, traces: Sequence[Json], layout: Json, steps: Sequence[int] = ()) -> Pane:
        """Return a window that plotly draws."""
        mark = {**self.mark, "steps": list(steps)}
        content = {"data": list(traces), "layout": {**layout, "meta": {MARK: mark}}}
        return Pane(self.win, "plot", self.title, content)

    def comment(self, **more: Any) -> str:
        """Return the mark as a comment of HTML."""
        text = json.dumps(finite({**self.mark, **more}))
        # Nothing in it may end the comment.
        text = text.replace("--", "-\\u002d").replace(">", "\\u003e")
        return f"<!--{MARK} {text}-->"


def mark_of(series: Series) -> Json:
    """Return what tells an import which series it was."""
    return {
        "run": series.run_id,
        "name": series.name,
        "kind": series.kind,
        "context": dict(series.context),
    }


def line_trace(series: Series, name: str, points: Points) -> Json:
    """Return one curve over steps; `meta` tells later exports whose it is."""
    return {
        "type": "scatter",
        # In a long curve dots would hide the line; in a short one, a value between two gaps has no line.
        "mode": "lines" if len(points) > DOTTED else "lines+markers",
        "name": html.escape(name, quote=False),
        "x": points.step.tolist(),
        "y": numbers(points.last),
        # Visdom's smoothing stumbles over a curve without it.
        "marker": {"size": 4, "line": {"width": 0}},
        "meta": mark_of(series),
    }


def line_pane(metric: str, traces: Sequence[Json]) -> Pane:
    """Return a window with the curves of one metric, of any number of runs."""
    # A window needs a trace to be one.
    content = {
        "data": list(traces) or [{"type": "scatter", "x": [], "y": [], "name": ""}],
        "layout": layout(metric, "seconds" if metric.startswith(SYSTEM_PREFIX) else "step"),
    }
    return Pane(line_window(metric), "plot", metric, content)


def line_window(metric: str) -> str:
    """Return the id of the window of a metric."""
    readable = re.sub(r"\W+", "_", metric, flags=re.ASCII).strip("_")[:40]
    digest = hashlib.blake2s(metric.encode(), digest_size=4).hexdigest()
    return f"scalar_{readable}_{digest}"


def owner_of(trace: Mapping[str, Any]) -> str:
    """Return the id of the run whose curve it is; "" when it is none of an export's."""
    meta: Json = trace.get("meta") or {}
    return str(meta.get("run", ""))


def traces_of(window: Mapping[str, Any] | None) -> list[Json]:
    """Return the curves of an existing window, without the one that only made it a window."""
    if not window or window.get("type") != "plot":
        return []
    traces: list[Json] = window["content"]["data"]
    return [trace for trace in traces if trace.get("name") or trace.get("x")]


def renewed(traces: Sequence[Json], ours: Sequence[Json], run_ids: set[str]) -> list[Json]:
    """Return curves with those of some runs replaced, each in its place: the order gives the colors."""
    new = {trace["name"]: trace for trace in ours}
    kept = [new.pop(trace.get("name", ""), None) if owner_of(trace) in run_ids else trace for trace in traces]
    return [trace for trace in kept if trace is not None] + list(new.values())


def free_name(name: str, run_id: str, traces: Sequence[Json]) -> str:
    """Return the name of a run's curve, with the run's id when another run has one of that name."""
    shown = html.escape(name, quote=False)
    taken = any(trace.get("name") == shown and owner_of(trace) != run_id for trace in traces)
    return f"{name} ({run_id})" if taken else name


def config_pane(run: Run, title: str, config: Sequence[tuple[str, str]]) -> Pane:
    """Return a window with a run's config, one property for each key."""
    content: list[Json] = [{"type": "text", "name": key, "value": value} for key, value in config]
    known = run.to_json()
    wanted = ("project", "name", "state", "created_at", "finished_at", "group", "tags", "notes", "config")
    content[0][MARK] = {"run": run.run_id, "facts": finite({key: known.get(key) for key in wanted})}
    return Pane(config_window(run.run_id), "properties", title, content)


def config_window(run_id: str) -> str:
    """Return the id of the window of a run's config."""
    return f"config_{run_id}"


def layout(title: str, x_title: str) -> Json:
    """Return the layout that plots begin with; the title is shown literally."""
    return {
        "title": {"text": html.escape(title, quote=False)},
        "xaxis": {"title": {"text": x_title, "standoff": 4}},
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.35},
        "margin": {"l": 60, "r": 60, "t": 60, "b": 60},
    }


def finite(value: Any) -> Any:
    """Return what JSON can hold of nested values: browsers take no NaN and no infinity, so their names."""
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in cast("Sequence[Any]", value)]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Return plain numbers; JSON has none that are not finite, and a gap is drawn instead."""
    return [number if np.isfinite(number) else None for number in values.tolist()]
