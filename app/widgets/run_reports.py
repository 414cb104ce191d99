"""What a run says about itself on its page: alerts, console output, artifacts, what it takes to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ...storage.artifacts import ArtifactInfo
from ...storage.events import Alert
from ...storage.model import Run, words_of
from ...storage.nested import flatten
from .. import queries
from ..commands.output import size
from ..routing.downloads import address_of
from ..views import tracebacks
from ..views.words import LONGEST_CAPTION, count, one_of, plain
from . import console as printed
from . import notices, table

SHOWN_ALERTS = 3
MOST_FILES = 200
_ICONS = {"info": ":material/info:", "warning": ":material/warning:", "error": ":material/error:"}


def alerts(run: Run) -> None:
    """Draw the newest alerts, and the older ones behind a line that opens."""
    found = queries.alerts(run.run_id)
    newest, older = found[-SHOWN_ALERTS:][::-1], found[:-SHOWN_ALERTS][::-1]
    for alert in newest:
        _alert(alert)
    if older:
        with st.expander(f"{one_of(len(older), 'older alert')}"):
            columns = {
                "Level": [alert.level for alert in older],
                "Step": [alert.step for alert in older],
                "Alert": [alert.title for alert in older],
                "Text": [alert.text for alert in older],
            }
            table.draw(columns, alt=f"Older alerts of run {run.name}", most_rows=10)


def failure(run: Run) -> None:
    """Draw the exception that ended the run, its place first."""
    if not run.error:
        return
    told = tracebacks.read(run.error)
    place = f"  \n{plain(told.place, LONGEST_CAPTION)}" if told.place else ""
    st.error(f"**{plain(told.what)}**{place}", icon=":material/error:")
    if run.error.strip() != told.what:
        with st.expander("Traceback"):
            st.code(run.error, language="python")


def console(run: Run) -> None:
    """Draw what the run's processes printed."""
    found = queries.console(run.run_id)
    if not found:
        notices.nothing("Nothing was printed, or the console is not kept (`console=False`).")
        return
    printed.draw(found, run.name)


def artifacts(run: Run) -> None:
    """Draw the artifacts that the run logged, with a way to save their files, and those that it used."""
    logged, used = queries.artifacts(run.run_id), queries.used_artifacts(run.run_id)
    if not logged and not used:
        notices.nothing("No artifacts: `run.log_artifact(path)` keeps a file or a folder with the run.")
    for one in logged:
        with notices.guarded(f"artifact {one.name}"):
            _artifact(one)
    if used:
        st.caption("Used by this run")
        columns = {
            "Artifact": [f"{one['name']}:v{one['version']}" for one in used],
            "Type": [str(one.get("type", "")) for one in used],
            "Project": [str(one.get("project", "")) for one in used],
            "Logged by run": [str(one.get("run_id", "")) for one in used],
            "Digest": [str(one.get("digest", ""))[:12] for one in used],
        }
        table.draw(columns, alt=f"Artifacts that run {run.name} used")


def reproducibility(found: Mapping[str, Any]) -> None:
    """Draw seeds, determinism, precision and versions."""
    known = {name: value for name, value in flatten(found).items() if value not in (None, [], {})}
    if known:
        st.caption("To repeat it")
        texts = [str(value).strip("[]") for value in known.values()]
        table.draw({"Name": list(known), "Value": texts}, alt="Seeds, determinism, precision and versions")


def _alert(alert: Alert) -> None:
    draw = {"info": st.info, "error": st.error}.get(alert.level, st.warning)
    where = ", ".join(word for word in (f"step {count(alert.step)}", words_of(alert.context)) if word)
    text = f"**{plain(alert.title)}** · {plain(where)}"
    draw(f"{text}  \n{plain(alert.text)}" if alert.text else text, icon=_ICONS.get(alert.level))


def _artifact(one: ArtifactInfo) -> None:
    head = f"**{plain(one.name)}** · v{one.version} · {plain(one.type)} · {size(one.size)}"
    names = "".join(f" :gray-badge[{plain(alias)}]" for alias in one.aliases)
    with st.container(border=True):
        st.markdown(head + names)
        st.caption(f"SHA-256 {one.digest}")
        files = one.files[:MOST_FILES]
        columns = {
            "File": [file.path for file in files],
            "Bytes": [file.size for file in files],
            "Save": [address_of(one, number) for number in range(len(files))],
        }
        config = {
            "Save": st.column_config.LinkColumn(display_text="save"),
            "Bytes": st.column_config.NumberColumn(format="localized"),
        }
        table.draw(columns, alt=f"The files of artifact {one.name}", config=config, most_rows=8)
        if len(one.files) > MOST_FILES:
            st.caption(f"The first {MOST_FILES} of {count(len(one.files))} files.")
        if one.metadata:
            facts = flatten(one.metadata)
            table.draw(
                {"Name": list(facts), "Value": [str(value) for value in facts.values()]}, alt="Metadata"
            )
