"""`stepscope verify`, `compact`, `upgrade`, `sync` and `backup`."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from contracts.filled_store import fill
from stepscope.app.cli import main
from stepscope.storage.read import Reader
from stepscope.storage.schema import chunks
from stepscope.storage.write import Writer
from support import ROOT


def spoil(store_url: str) -> None:
    with Writer.open(store_url) as writer:
        writer.transact(lambda connection: connection.execute(sa.update(chunks).values(data=b"rubbish")))


def read_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_sound_store_is_verified(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store_url)
    assert main(["verify", "--store", store_url]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{store_url}: 1 run, ")
    assert said.endswith(", 0 journals: all sound\n")
    assert main(["verify", "--store", store_url, "--json"]) == 0
    found = read_json(capsys)
    assert (found["ok"], found["runs"], found["faults"]) == (True, 1, [])
    assert found["points"] > 0


def test_a_damaged_store_is_exit_code_1(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = fill(store_url)
    spoil(store_url)
    assert main(["verify", "--store", store_url]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"run {run_id}, series 'lr': chunk 0 cannot be read") for line in lines)
    assert lines[-1].endswith("faults")
    assert main(["verify", "--store", store_url, "--json"]) == 1
    found = read_json(capsys)
    assert not found["ok"]
    assert set(found["faults"][0]) == {"where", "what", "advice", "run_id"}


def test_a_store_is_compacted(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    gone = fill(store_url)
    with Writer.open(store_url) as writer:
        statement = sa.text("DELETE FROM runs WHERE run_id = :run")
        writer.transact(lambda connection: connection.execute(statement, {"run": gone}))
    assert main(["compact", "--store", store_url]) == 0
    first, *steps = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{store_url}: ")
    assert first.endswith(" now")
    assert any("rows of runs that are not there" in step for step in steps)
    assert main(["compact", "--store", store_url, "--json"]) == 0
    done = read_json(capsys)
    assert done["rows_removed"] == 0
    assert done["bytes_after"] <= done["bytes_before"]


def test_a_store_is_brought_up_to_date(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "--store", store_url]) == 1
    assert "there is no store" in capsys.readouterr().err
    assert not Path(store_url).exists()
    fill(store_url)
    assert main(["upgrade", "--store", store_url]) == 0
    assert capsys.readouterr().out == f"{store_url} is up to date\n"
    assert main(["upgrade", "--store", store_url, "--json"]) == 0
    assert read_json(capsys) == {"store": store_url, "upgraded": False, "backup": None}


def test_an_older_store_is_kept_as_it_was(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "tests" / "upgrade_assets" / "schema_001.db", store_url)
    assert main(["runs", "--store", store_url]) == 1
    assert f"Run: stepscope upgrade --store {store_url}" in capsys.readouterr().err
    assert main(["upgrade", "--store", store_url, "--json"]) == 0
    done = read_json(capsys)
    assert done["upgraded"]
    with closing(sqlite3.connect(done["backup"])) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("001",)
    assert Path(done["backup"]).parent == tmp_path
    assert main(["runs", "--store", store_url]) == 0


def test_runs_are_copied_into_another_store(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = fill(store_url, "first"), fill(store_url, "second", project="other")
    there = str(tmp_path / "there.db")
    assert main(["sync", store_url, there, "--project", "other"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{second} (second) copied: ")
    assert "the checksums of both stores agree" in said
    assert said.endswith(f"1 run, 1 of them written to {there}\n")
    assert main(["sync", store_url, there, "--json"]) == 0
    done = read_json(capsys)["runs"]
    assert {one["run_id"]: one["outcome"] for one in done} == {first: "copied", second: "equal"}
    assert done[0]["source"] == done[0]["destination"]
    assert set(done[0]["source"]) == {"series", "points", "records", "blobs", "checksum"}
    assert main(["sync", store_url, there, "first"]) == 0
    assert f"{first} (first) is there already\n" in capsys.readouterr().out


def test_a_sync_of_nothing_makes_no_store(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store_url, "first", project="digits")
    fill(store_url, "second", project="letters")
    there = str(tmp_path / "there.db")
    assert main(["sync", store_url, there, "--project", "digit"]) == 1
    said = capsys.readouterr().err
    assert f"there is nothing to copy: no run of project 'digit' is chosen in {store_url}" in said
    assert said.endswith(" Near names: 'digits'.\n")
    assert main(["sync", store_url, there, "second", "--project", "digits"]) == 1
    assert not Path(there).exists()
    assert main(["runs", "--store", store_url, "--project", "Digit"]) == 0
    said = capsys.readouterr().out
    assert said == f"0 runs in {store_url}: there is no project 'Digit'. Near names: 'digits'.\n"


def test_a_sync_tells_which_name_it_replaced(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store_url, "first")
    there = str(tmp_path / "there.db")
    assert main(["sync", store_url, there]) == 0
    assert main(["rename", "first", "second", "--store", store_url]) == 0
    capsys.readouterr()
    assert main(["sync", store_url, there]) == 0
    assert "; its name there was 'first'" in capsys.readouterr().out


def test_a_conflict_is_exit_code_1(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store_url, "first")
    there = str(tmp_path / "there.db")
    assert main(["sync", store_url, there]) == 0
    assert main(["rename", "first", "here", "--store", store_url]) == 0
    assert main(["rename", "first", "there", "--store", there]) == 0
    capsys.readouterr()
    assert main(["sync", store_url, there]) == 1
    assert "left as it is: both stores have what the other one has not" in capsys.readouterr().out


def test_a_store_is_not_copied_into_itself(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store_url)
    assert main(["sync", store_url, f"sqlite:///{store_url}"]) == 1
    assert "a sync needs two stores, but both are" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_no_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", str(tmp_path / "no.db"), str(tmp_path / "there.db")]) == 1
    assert "there is no store at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_a_store(store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store_url, "first")
    assert main(["backup", str(tmp_path / "copy.db"), "--store", store_url]) == 0
    assert capsys.readouterr().out.endswith(f" to {tmp_path / 'copy.db'}\n")
    with Reader.open(tmp_path / "copy.db") as reader:
        assert [run.name for run in reader.runs()] == ["first"]
    assert main(["backup", "--store", store_url, "--json"]) == 0
    done = read_json(capsys)
    assert Path(done["backup"]).stat().st_size == done["database_bytes"]
    assert main(["backup", str(tmp_path / "copy.db"), "--store", store_url]) == 1
    assert "a backup is a new file" in capsys.readouterr().err


@pytest.mark.postgres
def test_a_store_on_a_server_is_cared_for_the_same(
    postgres_url: str,
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    fill(store_url, "first")
    assert main(["sync", store_url, postgres_url]) == 0
    assert main(["verify", "--store", postgres_url]) == 0
    assert main(["compact", "--store", postgres_url]) == 0
    assert main(["upgrade", "--store", postgres_url]) == 0
    capsys.readouterr()
    assert main(["backup", "--store", postgres_url]) == 1
    assert "Use pg_dump, or copy its runs into a file: stepscope sync" in capsys.readouterr().err
    assert main(["rm", "first", "--yes", "--store", postgres_url]) == 0
    assert "compact gives it back" not in capsys.readouterr().out
