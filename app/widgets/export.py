"""The Export button: the chosen runs as a file for another program, made in the background."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ...storage.errors import StepscopeError
from ...storage.location import locate
from ...trackers.sinks.files import safe_name
from .. import jobs, queries
from ..export_process import export
from ..views.words import one_of, plain

FORMATS = {
    "parquet": "Parquet",
    "csv": "CSV",
    "tensorboard": "TensorBoard event files",
    "visdom": "Visdom environment files",
}


def button(run_ids: Sequence[str], *, key: str) -> None:
    """Draw a button that offers the formats. The export begins as a job, in the sidebar of every page.

    Args:
        run_ids: the runs to export.
        key: unique on the page.
    """
    form = st.menu_button(
        "Export",
        list(FORMATS),
        key=key,
        format_func=lambda one: FORMATS[one],
        icon=":material/download:",
        type="tertiary",
        disabled=not run_ids,
        help="The chosen runs as a zip file" if run_ids else "Choose runs first",
    )
    if form is None:
        return
    try:
        jobs.start(
            f"{FORMATS[form]} of {_words(run_ids)}", export(locate().url, form, run_ids, _file(form, run_ids))
        )
    except StepscopeError as error:
        st.toast(plain(str(error)), icon=":material/error:")
        return
    # The list of jobs is drawn before this button.
    st.rerun()


def _words(run_ids: Sequence[str]) -> str:
    return _name(run_ids[0]) if len(run_ids) == 1 else one_of(len(run_ids), "run")


def _file(form: str, run_ids: Sequence[str]) -> str:
    return f"{safe_name(_words(run_ids)) or 'run'} {form}.zip"


def _name(run_id: str) -> str:
    return next((run.name for run in queries.runs() if run.run_id == run_id), run_id)
