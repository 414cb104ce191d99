"""One slider over the steps of all that a page shows (see browser/step_slider.js)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
import streamlit.components.v2 as components_v2

from .. import url_state
from ..routing import browser_files

SLOT = "step_slot"
"""Key of a container for the slider, where it has to be drawn after what it is about."""
_render = components_v2.component(
    "stepscope_step_slider",
    js=browser_files.starts("step_slider.js"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


def draw(
    places: Sequence[float], labels: Sequence[str], *, name: str, parameter: str, follows: bool = True
) -> float | None:
    """Draw the slider and return the place where it stands; None where nobody has moved it.

    Args:
        places: ascending, at least two.
        labels: a word for each.
        name: what it is called, for screen readers too.
        parameter: what it is in the address; unique on the page.
        follows: it stands at the newest place at first, also when newer ones come; else at the first one.
    """
    at = chosen(parameter)
    key = f"step_slider_{parameter}"

    def remember() -> None:
        moved: float | None = st.session_state[key].get("at")
        url_state.set_text(
            parameter, "" if moved is None else str(int(moved) if moved == int(moved) else moved)
        )

    data = {
        "places": list(places),
        "labels": list(labels),
        "at": at,
        "name": name,
        "event": event_of(parameter),
        "follows": follows,
    }
    _render(data=data, key=key, on_at_change=remember)
    return at


def chosen(parameter: str) -> float | None:
    """Return the place that the address names; None without one, and for what is no number."""
    try:
        found = float(url_state.text(parameter))
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


def event_of(parameter: str) -> str:
    """Return the event of the browser's window by which the slider tells where it stands."""
    return f"stepscope-{parameter}"
