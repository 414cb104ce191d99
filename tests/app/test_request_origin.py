"""Whose requests are answered."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from stepscope.app.access.origin import why_refused


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8501"},
        {"host": "localhost:9000", "origin": "http://localhost:9000"},
        {"host": "LOCALHOST:9000", "origin": "http://localhost:9000"},
        {"host": "[::1]:8501", "origin": "http://[::1]:8501"},
        {"host": "127.0.0.1"},
        {"host": "localhost", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
        # A link on another site, or a notebook's frame.
        {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_a_request_of_its_own_pages_is_answered(headers: dict[str, str]) -> None:
    assert why_refused(Headers(headers)) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.example"},
        {"host": "localhost.evil.example:8501"},
        {"host": "127.0.0.1@evil.example"},
        {"host": "[::1"},
        {"host": "127.0.0.1:8501", "origin": "http://evil.example"},
        {"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:3000"},
        {"host": "127.0.0.1:8501", "origin": "null"},
        {"host": "127.0.0.1:8501", "origin": "http://[::1"},
        # A picture or a script in a page of another site: browsers name no origin for them.
        {"host": "127.0.0.1:8501", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"host": "127.0.0.1:8501", "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_any_other_is_refused_with_a_sentence(headers: dict[str, str]) -> None:
    refusal = why_refused(Headers(headers))
    assert refusal is not None
    assert refusal.startswith("The dashboard answers ")
