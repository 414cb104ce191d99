"""What the tests of pages share."""

from __future__ import annotations

import pytest


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a store, not there yet, that the pages read."""
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    return store_url
