"""What the tests of pages share."""

from __future__ import annotations

from collections.abc import Generator
from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner


@pytest.fixture(scope="session", autouse=True)
def packages_looked_through_once() -> Generator[None]:
    """Let AppTest look for components in the installed packages once: that takes longer than most pages."""
    with pytest.MonkeyPatch.context() as patch:
        once = cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield


@pytest.fixture
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of a store, not there yet, that the pages read."""
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    return store_url
