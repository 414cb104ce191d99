"""The long work of the server, in the sidebar of every page: how far it is, a way out, its result."""

from __future__ import annotations

import streamlit as st

from .. import jobs
from ..jobs import Job, JobState
from ..views.words import LONGEST_NAME, plain

LOOK_SECONDS = 1.0
_SHOWN = 5
_ICONS = {
    JobState.WAITING: ":gray[:material/hourglass_empty:]",
    JobState.RUNNING: ":blue[:material/progress_activity:]",
    JobState.DONE: ":green[:material/check_circle:]",
    JobState.FAILED: ":red[:material/error:]",
    JobState.CANCELLED: ":gray[:material/cancel:]",
}


def show() -> None:
    """Draw the newest jobs, kept current while one of them is under way. Nothing without jobs."""
    known = jobs.current()
    if known is None or not known.all():
        return
    busy = any(not job.ended for job in known.all())

    def body() -> None:
        found = known.all()
        if busy and all(job.ended for job in found):
            # Also for what the job changed: the page around shows it.
            st.rerun()
        for job in found[:_SHOWN]:
            _draw(known, job)

    with st.sidebar:
        st.fragment(body, run_every=LOOK_SECONDS if busy else None)()


def _draw(known: jobs.Jobs, job: Job) -> None:
    with st.container(border=True, gap="xsmall", key=f"job-{job.token}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(f"{_ICONS[job.state]} {plain(job.title, LONGEST_NAME)}", width="stretch")
            if job.ended:
                st.button(
                    "Remove", key=f"forget-{job.token}", on_click=known.forget, args=(job,), type="tertiary"
                )
            else:
                st.button("Cancel", key=f"cancel-{job.token}", on_click=job.cancel, type="tertiary")
        if job.state is JobState.RUNNING:
            st.progress(min(1.0, job.done / job.total) if job.total else 0.0, text=_how_far(job))
        if job.error:
            st.caption(f":red[{plain(job.error)}]")
        if job.note:
            st.caption(plain(job.note))
        if job.address:
            st.link_button("Save", job.address, icon=":material/download:", width="stretch")


def _how_far(job: Job) -> str:
    if job.cancelled.is_set():
        return "Ending"
    return f"{100 * job.done // job.total} %" if job.total else "Starting"
