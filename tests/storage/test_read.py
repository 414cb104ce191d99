"""Reading, from a SQLite file and from a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.store_read_contract import StoreReadContract


class TestSqlite(StoreReadContract):
    @pytest.fixture
    def url(self, store_url: str) -> str:
        return store_url


@pytest.mark.postgres
class TestPostgres(StoreReadContract):
    @pytest.fixture
    def url(self, shared_postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        return shared_postgres_url
