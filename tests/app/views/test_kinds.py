from __future__ import annotations

from importlib import import_module

import pytest

from stepscope.storage.kinds import KINDS


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_every_kind_has_a_view_without_streamlit(name: str) -> None:
    view = import_module(f"stepscope.app.views.{name}")
    assert callable(view.figure)
    assert not hasattr(view, "st")
