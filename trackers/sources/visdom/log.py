"""What Visdom's client wrote with `log_to_filename`: its messages, a line each, played into windows again.

It is what `replay_log` of the client sends to a server, and what a server makes of it (UpdateHandler in
visdom/server/handlers/web_handlers.py), without a server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from .json_files import Json, as_dict, as_list

Windows: TypeAlias = dict[str, Json]


@dataclass(slots=True)
class Replayed:
    """The environments that a log tells of."""

    environments: dict[str, Windows] = field(default_factory=dict[str, Windows])
    problems: list[str] = field(default_factory=list[str])


def is_log(path: Path) -> bool:
    """Whether a file is a log: each of its lines is a list. Raises OSError."""
    with path.open("rb") as file:
        return file.read(1) == b"["


def replayed(path: Path) -> Replayed:
    """Return the windows as they are at the end of a log. Raises OSError."""
    found = Replayed()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                endpoint, message = json.loads(line)
                _play(found.environments, endpoint, message)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                found.problems.append(f"line {number} of {path} is no message of Visdom: {error!r:.120}")
    return found


def _play(environments: dict[str, Windows], endpoint: str, message: Json) -> None:
    name = str(message.get("eid") or "main").replace("/", "_")
    windows = environments.setdefault(name, {})
    win = str(message["win"])
    if endpoint == "update" and win in windows:
        _update(windows[win], message)
    elif endpoint == "events" or message.get("append"):
        place = windows[win]["i"] if win in windows else len(windows)
        windows[win] = {**_window(win, message), "i": place}


def _window(win: str, message: Json) -> Json:
    data = message["data"]
    kind, opts = data[0]["type"], as_dict(message.get("opts"))
    made = {"command": "window", "id": win, "title": opts.get("title") or "", "type": kind}
    if kind == "image_history":
        return {**made, "content": [data[0]["content"]]}
    if "content" in data[0]:
        return {**made, "content": data[0]["content"]}
    return {**made, "type": "plot", "content": {"data": data, "layout": as_dict(message.get("layout"))}}


def _update(window: Json, message: Json) -> None:
    kind, new = window["type"], message.get("data")
    if kind == "text":
        window["content"] += "<br>" + as_list(new)[0]["content"]
    elif kind == "image_history":
        if as_list(new)[0]["type"] == kind:
            window["content"].append(as_list(new)[0]["content"])
    elif kind == "plot":
        window["title"] = as_dict(message.get("opts")).get("title") or window["title"]
        window["content"]["layout"] |= {
            name: value for name, value in as_dict(message.get("layout")).items() if value is not None
        }
        _update_traces(window["content"]["data"], message)


def _update_traces(traces: list[Json], message: Json) -> None:
    name, new = message.get("name"), as_list(message.get("data"))
    chosen = [trace for trace in traces if name is None or trace.get("name") == name]
    if message.get("delete"):
        traces[:] = [trace for trace in traces if trace not in chosen]
    elif new and new[0].get("type") == "heatmap":
        _update_heat(traces, chosen, new[0], str(message.get("updateDir")))
    elif new and not chosen:
        traces.append({**new[0], "name": name})
    else:
        for trace, more in zip(chosen, new, strict=False):
            _update_curve(trace, more, append=bool(message.get("append")))


def _update_curve(trace: Json, more: Json, *, append: bool) -> None:
    # Visdom takes points that are all masked for none.
    if all(x is None for x in more["x"]):
        return
    for axis in ("x", "y"):
        trace[axis] = trace[axis] + more[axis] if append else more[axis]


def _update_heat(traces: list[Json], chosen: Sequence[Json], new: Mapping[str, Any], where: str) -> None:
    if len(chosen) != 1:
        traces.append(dict(new))
        return
    [trace] = chosen
    rows, more, at_end = trace["z"], new["z"], where.startswith("append")
    names = "y" if where.endswith("Row") else "x"
    if where.endswith("Row"):
        trace["z"] = rows + more if at_end else more + rows
    elif where.endswith("Column"):
        pairs = zip(rows, more, strict=True)
        trace["z"] = [old + added if at_end else added + old for old, added in pairs]
    else:
        trace |= {key: value for key, value in new.items() if value is not None}
        return
    if trace.get(names) and new.get(names):
        trace[names] = trace[names] + new[names] if at_end else new[names] + trace[names]
