"""Run: everything that was captured about one run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast

import streamlit as st

from ...storage.model import SYSTEM_PREFIX, Run, RunState, Series
from ...storage.nested import flatten
from .. import queries
from ..analysis.progress import progress_of
from ..views.words import LONGEST_CAPTION, LONGEST_NAME, count, duration, host, not_stored, number, plain
from ..widgets import export, notices, page, run_notes, run_reports, table
from ..widgets.run_picker import Choice, choose_one

COST_SERIES = SYSTEM_PREFIX + "stepscope/cost_percent"
STATE_COLOURS: dict[RunState, Literal["green", "blue", "red", "orange"]] = {
    RunState.RUNNING: "green",
    RunState.FINISHED: "blue",
    RunState.FAILED: "red",
    RunState.KILLED: "orange",
}
LONGEST_DIFF = 100_000
"""Characters of a code diff that are shown: more would hold the browser up."""
LINKS = {
    "Charts": "charts",
    "Distributions": "distributions",
    "Media": "media",
    "Graph": "graph",
    "System": "system",
}
"""Pages that show this run alone."""


def show() -> None:
    """Draw the page."""
    page.of_runs(_draw, lambda: None)


def _draw(chosen: Choice, _: None) -> None:
    run = choose_one(chosen)
    _head(run)
    run_reports.failure(run)
    with notices.guarded(f"The alerts of run {run.name}"):
        run_reports.alerts(run)
    if run.dropped:
        st.warning(plain(not_stored(run.dropped)), icon=":material/warning:")
    titles = list(_PARTS)
    title = st.segmented_control(
        "Part",
        titles,
        default=titles[0],
        required=True,
        key="part",
        bind="query-params",
        label_visibility="collapsed",
    )
    with notices.guarded(f"{title} of run {run.name}"):
        _PARTS[title or titles[0]](run)


def _head(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(run.name, LONGEST_NAME), anchor=False, width="content")
        st.badge(run.state, color=STATE_COLOURS[run.state])
        for tag in run.tags:
            st.badge(plain(tag, LONGEST_NAME), color="gray")
        st.space("stretch")
        export.button([run.run_id], key="export_run")
    found = queries.series([run.run_id], "scalar")
    if run.state is RunState.RUNNING:
        _progress(run, found)
    facts = {
        "Project": run.project,
        "Group": run.group,
        "Framework": run.framework,
        "Started": _time(run.created_at),
        "Duration": duration(run.duration),
        "Attempts": run.attempt + 1 if run.attempt else None,
        "Host": host(run.host, run.pid),
        "Imported from": queries.environment(run.run_id).get("imported"),
        "Tracker": _cost(found),
        "Id": run.run_id,
    }
    _facts(facts)
    if run.notes:
        st.markdown(f":small[{plain(run.notes, LONGEST_CAPTION)}]")
    st.markdown(" · ".join(f"[{page_name}]({path}?runs={run.run_id})" for page_name, path in LINKS.items()))


def _progress(run: Run, found: Sequence[Series]) -> None:
    """Draw how far a running run is, and how long the rest takes if it goes on so."""
    own = [one for one in found if not one.name.startswith(SYSTEM_PREFIX)]
    names = queries.naming()
    epochs = [one.last_value for one in own if names.parse(one.name).metric == "epoch"]
    step = max((one.last_step for one in own if one.last_step is not None), default=None)
    known = progress_of(run, max((epoch for epoch in epochs if epoch is not None), default=None), step)
    if known.share is None:
        st.caption(plain(known.words))
        return
    rest = f" · about {duration(run.duration * (1 / known.share - 1))} to go" if known.share else ""
    st.progress(known.share, plain(known.words + rest))


def _cost(found: Sequence[Series]) -> str | None:
    """Return what the tracker itself took of the training's time, where a hook measured it."""
    known = [one.last_value for one in found if one.name == COST_SERIES]
    costs = [cost for cost in known if cost is not None]
    return f"cost {max(costs):.2g} % of step time" if costs else None


def _time(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _facts(facts: Mapping[str, object]) -> None:
    with st.container(horizontal=True, gap="medium"):
        for name, value in facts.items():
            if value not in (None, ""):
                st.markdown(
                    f":small[:gray[{plain(name)}]]  \n{plain(str(value), LONGEST_CAPTION)}", width="content"
                )


def _metrics(run: Run) -> None:
    found = queries.series([run.run_id], "scalar")
    if not found:
        notices.nothing("This run has logged no numbers yet.")
        return
    columns = {
        "Name": [
            " · ".join([one.name, *(f"{key} {value}" for key, value in one.context.items())]) for one in found
        ],
        "Last": [number(one.last_value) for one in found],
        "Min": [number(one.min_value) for one in found],
        "Max": [number(one.max_value) for one in found],
        "Last step": [one.last_step for one in found],
        "Points": [one.count for one in found],
        "NaN or ∞": [one.nan_count + one.posinf_count + one.neginf_count for one in found],
    }
    config: dict[str, Any] = {
        name: st.column_config.TextColumn(alignment="right") for name in ("Last", "Min", "Max")
    }
    config["Name"] = st.column_config.TextColumn(width=240)
    for name in ("Last step", "Points", "NaN or ∞"):
        config[name] = st.column_config.NumberColumn(format="localized")
    table.draw(columns, alt=f"The metrics of run {run.name}", config=config)


def _config(run: Run) -> None:
    for title, values in (("Config", run.config), ("Summary", run.summary)):
        if values:
            st.caption(title)
            _table(flatten(values))
    if not run.config and not run.summary:
        notices.nothing("Nothing was set: pass `config={...}` to `init`, or set `run.summary[...]`.")


def _environment(run: Run) -> None:
    environment = queries.environment(run.run_id)
    packages, command = _mapping(environment.pop("packages", None)), environment.pop("command", None)
    environment.pop("git", None)
    environment.pop("program", None)
    run_reports.reproducibility(_mapping(environment.pop("reproducibility", None)))
    if command:
        st.caption("Command")
        st.code(
            command if isinstance(command, str) else " ".join(map(str, command)),
            language="sh",
            wrap_lines=True,
        )
    if environment:
        st.caption("Machine")
        _table(flatten(environment))
    if packages:
        st.caption(f"{count(len(packages))} packages")
        _table(packages, most_rows=10)
    if not (command or environment or packages):
        notices.nothing("Nothing was captured of the machine.")


def _code(run: Run) -> None:
    environment = queries.environment(run.run_id)
    git, program = _mapping(environment.get("git")), _mapping(environment.get("program"))
    if not git and not program:
        notices.nothing("The run was not started in a git repository, or not recorded by Stepscope.")
        return
    diff, text = git.pop("diff", None), program.get("text")
    if git:
        _table(flatten(git))
    if diff:
        st.caption("Changes that were not committed")
        _text(str(diff), "diff")
    if text:
        st.caption(f"The program, {plain(str(program.get('path')))}")
        _text(str(text), "python")


def _text(text: str, language: str) -> None:
    st.code(text[:LONGEST_DIFF], language=language)
    if len(text) > LONGEST_DIFF:
        st.caption(f"{count(len(text) - LONGEST_DIFF)} more characters are not shown.")


def _attempts(run: Run) -> None:
    found = queries.attempts(run.run_id)
    columns = {
        "Attempt": [one.attempt for one in found],
        "Started": [_time(one.started_at) for one in found],
        "First step": [one.first_step for one in found],
        "Host": [one.host for one in found],
        "Process": [one.pid or None for one in found],
    }
    table.draw(columns, alt=f"The attempts of run {run.name}")
    st.caption(
        "Each resume is an attempt. From its first step on, its values replace those of older attempts."
    )


def _table(values: Mapping[str, object], most_rows: int = 20) -> None:
    texts = [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for value in values.values()
    ]
    table.draw({"Name": list(values), "Value": texts}, alt="Names and values", most_rows=most_rows)


def _mapping(value: object) -> dict[str, Any]:
    """Return a mapping out of what was captured; empty when it is none."""
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


_PARTS = {
    "Metrics": _metrics,
    "Console": run_reports.console,
    "Artifacts": run_reports.artifacts,
    "Config": _config,
    "Environment": _environment,
    "Code": _code,
    "Attempts": _attempts,
    "Notes": run_notes.draw,
}
