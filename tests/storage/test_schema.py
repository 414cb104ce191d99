"""The migrations lead to the schema that the code knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from stepscope.storage import migrations
from stepscope.storage.migrations import HEAD
from stepscope.storage.schema import metadata
from stepscope.storage.write import Writer


def differences(url: str) -> list[object]:
    with Writer.open(url) as writer, writer.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_migrations_make_the_schema_in_a_file(store_url: str) -> None:
    assert differences(store_url) == []


@pytest.mark.postgres
def test_migrations_make_the_schema_on_a_server(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert differences(postgres_url) == []


def test_the_newest_revision_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


@pytest.mark.parametrize("name", metadata.tables)
def test_every_key_begins_with_the_run(name: str) -> None:
    # So that a distributed PostgreSQL can shard by it.
    table = metadata.tables[name]
    assert next(iter(table.primary_key)).name == "run_id"
    for index in table.indexes:
        if index.unique:
            assert next(iter(index.columns)).name == "run_id"
