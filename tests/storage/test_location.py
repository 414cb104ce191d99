"""Which places belong to a store, and how a wrong address is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepscope.storage.errors import BadInput
from stepscope.storage.location import locate


def test_the_default_is_a_file_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate().path == tmp_path / "stepscope.db"
    assert locate("").path == tmp_path / "stepscope.db"


def test_the_environment_names_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "mine.db"))
    assert locate().path == tmp_path / "mine.db"
    assert locate(tmp_path / "given.db").path == tmp_path / "given.db"


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_and_its_url_are_one_store(form: str, tmp_path: Path) -> None:
    location = locate(form.format(tmp_path / "runs.db"))
    assert location.path == tmp_path / "runs.db"
    assert location.spool == tmp_path / "runs.db.spool"
    assert location.files == tmp_path / "runs.db.files"
    assert location.display == str(tmp_path / "runs.db")
    assert locate(location.url) == location


def test_paths_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert locate("sub/runs.db").path == tmp_path / "sub" / "runs.db"
    assert locate("sqlite:///runs.db").path == tmp_path / "runs.db"
    assert locate("~/runs.db").path == tmp_path / "home" / "runs.db"


def test_a_server_keeps_its_journals_in_the_users_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    location = locate("postgresql://me:secret@host/runs?sslmode=require")
    assert location == locate("postgresql+psycopg://me:secret@host/runs?sslmode=require")
    assert location.spool == locate("postgresql://you@host/runs").spool
    for other in ("host/other", "elsewhere/runs", "/runs?host=/tmp/a", "/runs?host=/tmp/b"):
        assert location.spool != locate(f"postgresql://me:secret@{other}").spool
    assert locate("postgresql:///runs?host=/tmp/a").spool != locate("postgresql:///runs?host=/tmp/b").spool
    assert location.spool.is_relative_to(tmp_path)
    assert (location.path, location.files) == (None, None)
    assert location.display == "postgresql+psycopg://host/runs?sslmode=require"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert locate(location.url).spool.is_relative_to(tmp_path / "home" / ".local" / "state")


def test_another_scheme_is_refused() -> None:
    with pytest.raises(BadInput, match=r"sqlite:///FILE or postgresql\+psycopg://.*began with mysql://"):
        locate("mysql://host/runs")


@pytest.mark.parametrize("nowhere", [":memory:", "sqlite:///", "sqlite:///:memory:"])
def test_a_store_needs_a_file(nowhere: str) -> None:
    with pytest.raises(BadInput, match=r"a store needs a file.* Pass a path such as runs\.db"):
        locate(nowhere)


@pytest.mark.parametrize("wrong", [5, b"runs.db", ["runs.db"]])
def test_what_is_no_path_is_refused(wrong: object) -> None:
    with pytest.raises(BadInput, match=r"a store is a file path or a URL, but got (int|bytes|list) "):
        locate(wrong)  # type: ignore[arg-type]
