"""Writing, over a SQLite file and over a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.store_write_contract import StoreWriteContract


class TestSqlite(StoreWriteContract):
    @pytest.fixture
    def url(self, store_url: str) -> str:
        return store_url

    @pytest.fixture
    def new_url(self, store_url: str) -> str:
        return store_url


@pytest.mark.postgres
class TestPostgres(StoreWriteContract):
    @pytest.fixture(autouse=True)
    def state(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    @pytest.fixture
    def url(self, shared_postgres_url: str) -> str:
        return shared_postgres_url

    @pytest.fixture
    def new_url(self, postgres_url: str) -> str:
        return postgres_url
