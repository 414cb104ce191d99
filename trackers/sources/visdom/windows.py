"""What the windows of an environment are: curves and values with their names, facts of runs, config."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .json_files import Buffer, Window, as_dict, as_list, pane_of, salvaged, windows_of
from .lines import is_line_plot, traces_of
from .places import Environment
from .positions import digest

Json: TypeAlias = Mapping[str, Any]

_KEPT_BYTES = 32 << 20
"""Of the text of windows that were looked at last."""
MARK = "stepscope"
"""Under this key an export of Stepscope wrote down what a window is."""
_COMMENT = re.compile(r"<!--stepscope (\{.*?\})-->", re.DOTALL)
_OWN_WINDOW = re.compile(r"([a-z_]+)_([0-9A-HJKMNP-TV-Z]{10})(_\d+)?(_steps)?")
NETWORK = "graph_network"
"""The window of all exported graphs, of which it shows a part: each has one of its own beside it."""
_BETWEEN = " · "
"""Between the name of a series and that of its run, in titles of Stepscope's exports."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A window, or one curve of it: what becomes a part of a run."""

    part: str
    window: Window
    trace: int | None
    """The place of the curve in its window; None for a window as a whole."""
    name: str
    """Of the series."""
    context: Mapping[str, str | int]
    type: str
    """As Visdom names the window's type."""
    owner: str = ""
    """The id of the run of Stepscope's that an export wrote here; "" for a window of anybody else's."""
    edition: str = ""
    """Of a curve or window of an export, which is always written as a whole: changes when it does."""


@dataclass(slots=True)
class OwnRun:
    """A run that Stepscope exported."""

    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of its fields, those that the export wrote down."""
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """The entries of its window, as texts."""

    def time(self, otherwise: float) -> float:
        """Return when its values were logged at the latest, as far as the export wrote that down."""
        ended = self.facts.get("finished_at") or otherwise
        return float(ended) if isinstance(ended, int | float) else otherwise


@dataclass(slots=True)
class Contents:
    """An environment as it is now."""

    buffer: Buffer
    slots: list[Slot] = field(default_factory=list[Slot])
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    own: dict[str, OwnRun] = field(default_factory=dict[str, OwnRun])
    problems: list[str] = field(default_factory=list[str])
    _panes: dict[Window, dict[str, Any]] = field(default_factory=dict[Window, dict[str, Any]], repr=False)

    def pane(self, window: Window) -> dict[str, Any]:
        """Return a window: each curve asks for that which it is in. Raises ValueError when it is damaged."""
        if window not in self._panes:
            if sum(one.end - one.start for one in self._panes) > _KEPT_BYTES:
                self._panes.clear()
            self._panes[window] = pane_of(self.buffer, window)
        return self._panes[window]

    def own_run(self, run_id: str) -> OwnRun:
        """Return what is known of an exported run."""
        return self.own.setdefault(run_id, OwnRun())


def contents_of(environment: Environment) -> Contents:
    """Look at all windows of an environment, in the order of the page. Raises OSError and BadInput."""
    buffer = environment.copy()
    found = windows_of(buffer, environment.place, bare=environment.bare)
    contents = Contents(buffer, problems=[*environment.problems, *found.problems])
    looks = _Looks(contents, environment.place)
    for window in found.found:
        looks.take(window)
    looks.name()
    return contents


@dataclass(slots=True)
class _Seen:
    window: Window
    title: str
    place: float
    type: str
    traces: list[str]
    """The names of the curves of a plot that has nothing else."""


class _Looks:
    """Goes through the windows, each in memory only while it is looked at."""

    def __init__(self, contents: Contents, place: str) -> None:
        self._contents = contents
        self._place = place
        self._seen: list[_Seen] = []

    def take(self, window: Window) -> None:
        try:
            pane = pane_of(self._contents.buffer, window)
        except (ValueError, RecursionError) as error:
            self._contents.problems.append(f"{self._place}: window {window.win!r} is damaged: {error}.")
            for one in salvaged(self._contents.buffer, window):
                self.take(one)
            return
        if "type" not in pane or "content" not in pane:
            return
        if str(pane["type"]) == "properties":
            self._properties(window, pane)
        elif not self._own(window, pane):
            traces = [str(one.get("name") or "") for one in traces_of(pane)] if is_line_plot(pane) else []
            place = pane.get("i")
            order = float(place) if isinstance(place, int | float) else float("inf")
            self._seen.append(_Seen(window, _title(pane), order, str(pane["type"]), traces))

    def name(self) -> None:
        """Give each window its name: its title, and where several have the same one, its id as well."""
        self._seen.sort(key=lambda one: one.place)
        titles: set[str] = set()
        for one in self._seen:
            title = one.title or one.window.win
            context: dict[str, str | int] = {"window": one.window.win} if title in titles else {}
            titles.add(title)
            self._contents.slots += _slots(one, title, context)

    def _properties(self, window: Window, pane: Json) -> None:
        entries = [as_dict(one) for one in as_list(pane["content"])]
        known = {str(one.get("name")): _entry(one) for one in entries if one.get("type") != "button"}
        mark = as_dict(entries[0].get(MARK)) if entries else {}
        match = _OWN_WINDOW.fullmatch(window.win)
        owner = str(mark.get("run") or (match[2] if match and match[1] == "config" else ""))
        if mark.get("kind"):
            self._own_slot(window, pane, mark, owner)
        elif owner:
            own = self._contents.own_run(owner)
            own.facts, own.config = as_dict(mark.get("facts")), known
            own.name = own.name or _title(pane).partition(_BETWEEN)[2]
        elif title := _title(pane):
            self._contents.config[title] = known
        else:
            self._contents.config |= known

    def _own(self, window: Window, pane: Json) -> bool:
        """Take a window of an export, and return whether it is one."""
        curves = [as_dict(one.get("meta")) for one in traces_of(pane)]
        if curves and all("run" in meta for meta in curves):
            for place, trace in enumerate(traces_of(pane)):
                self._own_curve(window, place, trace)
            return True
        match = _OWN_WINDOW.fullmatch(window.win)
        mark = _mark(pane)
        owner = str(mark.get("run") or (match[2] if match and match[3] else ""))
        if not owner or window.win.endswith("_steps"):
            return bool(owner) or window.win == NETWORK
        self._own_slot(window, pane, mark or {"kind": match[1] if match else ""}, owner)
        return True

    def _own_slot(self, window: Window, pane: Json, mark: Json, owner: str) -> None:
        name, _, run_name = _title(pane).rpartition(_BETWEEN)
        own = self._contents.own_run(owner)
        own.name = own.name or run_name
        self._contents.slots.append(
            Slot(
                f"window {window.win}",
                window,
                None,
                str(mark.get("name") or name or _title(pane)),
                as_dict(mark.get("context")),
                f"own {mark.get('kind')}",
                owner,
                str(digest(json.dumps(pane["content"]).encode())),
            )
        )

    def _own_curve(self, window: Window, place: int, trace: Json) -> None:
        meta = as_dict(trace.get("meta"))
        owner, shown = str(meta["run"]), html.unescape(str(trace.get("name") or ""))
        run_name, _, label = shown.rpartition(_BETWEEN)
        own = self._contents.own_run(owner)
        own.name = own.name or run_name
        edition = str(digest(json.dumps([trace.get("x"), trace.get("y")]).encode()))
        name, context = str(meta.get("name") or label), as_dict(meta.get("context"))
        part = f"curve {window.win}/{json.dumps([name, context])}"
        self._contents.slots.append(Slot(part, window, place, name, context, "own scalar", owner, edition))


def _slots(seen: _Seen, title: str, context: Mapping[str, str | int]) -> list[Slot]:
    if not seen.traces:
        return [Slot(f"window {seen.window.win}", seen.window, None, title, context, seen.type)]
    slots: list[Slot] = []
    names = _trace_names(seen.traces, title)
    for place, name in enumerate(names):
        before = names[:place].count(name)
        told = {**context, "trace": before + 1} if before else context
        part = f"curve {seen.window.win}/{seen.traces[place]}" + (f"#{before + 1}" if before else "")
        slots.append(Slot(part, seen.window, place, name, told, seen.type))
    return slots


def _trace_names(traces: Sequence[str], title: str) -> list[str]:
    """Return names of series. What Visdom calls "1" has no name, unless it numbers several."""
    numbered = len(traces) > 1 and all(one.isdecimal() for one in traces)
    alone = {"", title} if numbered else {"", "1", title}
    return [title if one in alone else f"{title}/{one}" for one in traces]


def _entry(entry: Json) -> Any:
    """Return the value of a property: a number as one, a choice by its name."""
    value = entry.get("value")
    if entry.get("type") == "select":
        choices = as_list(entry.get("values"))
        if isinstance(value, int) and 0 <= value < len(choices):
            return choices[value]
    if entry.get("type") == "number" and isinstance(value, str):
        try:
            return float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            return value
    return value


def _mark(pane: Json) -> Json:
    """Return what an export of Stepscope wrote down in a window."""
    content = pane["content"]
    if isinstance(content, str):
        match = _COMMENT.match(content)
        try:
            return as_dict(json.loads(match[1])) if match else {}
        except ValueError:
            return {}
    if content := as_list(pane["content"]):
        return as_dict(as_dict(content[-1]).get(MARK)) if content else {}
    known = as_dict(pane["content"])
    return as_dict(known.get(MARK)) or as_dict(as_dict(as_dict(known.get("layout")).get("meta")).get(MARK))


def _title(pane: Json) -> str:
    return str(pane.get("title") or "").strip()
