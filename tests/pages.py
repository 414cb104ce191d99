"""Pages of the dashboard, run as Streamlit runs them, and what they show; no browser."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

from streamlit.testing.v1 import AppTest

from support import ROOT


def opened(page: str, **query: str) -> AppTest:
    """Return a page after its first run: the first one through main.py, the others by themselves."""
    if page == "runs":
        test = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60)
    else:
        code = f"from stepscope.app.screens import {page}; {page}.show()"
        test = AppTest.from_string(code, default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def charts(test: AppTest) -> dict[str, dict[str, Any]]:
    """Return the charts that the page draws: description -> plotly figure."""
    drawn = [json.loads(one.proto.bytes) for one in _components(test, "stepscope_chart")]
    return {one["alt"]: one["figure"] for one in drawn}


def components(test: AppTest, name: str) -> list[dict[str, Any]]:
    """Return what each component of a name was given as JSON, in the order of the page."""
    return [json.loads(one.proto.json) for one in _components(test, name)]


def _components(test: AppTest, name: str) -> list[Any]:
    return [one for one in test.get("bidi_component") if one.proto.component_name == name]


def said(test: AppTest) -> str:
    """Return all sentences of a page."""
    kinds = ("markdown", "caption", "info", "warning", "error", "subheader")
    return "\n".join(str(element.value) for kind in kinds for element in test.get(kind))


def change(store: str, statement: str) -> None:
    """Change a store behind everyone's back."""
    with closing(sqlite3.connect(store)) as connection, connection:
        assert connection.execute(statement).rowcount
