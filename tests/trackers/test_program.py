"""What is kept of the program that began a run: its text, without secrets, and what its process took."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

import stepscope
from stepscope.storage.read import Reader
from stepscope.trackers.capture import capture_environment
from stepscope.trackers.program import PROGRAM_LIMIT, peak_memory_gb, read_program


def begin(monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    """Let this process look as if it had been started with a script."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)


def test_the_script_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "train.py"
    script.write_text("lr = 0.1  # é\n", encoding="utf-8")
    begin(monkeypatch, script)
    found = capture_environment()["program"]
    assert found == {"path": str(script.resolve()), "text": "lr = 0.1  # é\n", "truncated": False}


def test_what_is_given_to_names_like_a_password_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "train.py"
    kept = 'pad_token="<pad>"; tokens = "a b"; model = load("net", n_tokens=3)\n'
    script.write_text(
        f"{kept}API_KEY = 'hide-me'\nlogin(token=\"hide-me\")\nkeys = {{'wandb_api_key': 'hide-me'}}\n"
    )
    begin(monkeypatch, script)
    found = read_program()
    assert found
    assert found["text"].startswith(kept)
    assert "hide-me" not in found["text"]
    assert found["text"].count("***") == 3


def test_a_large_script_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "train.py"
    script.write_text("x = 1\n" * PROGRAM_LIMIT)
    begin(monkeypatch, script)
    found = read_program()
    assert found
    assert len(found["text"]) == PROGRAM_LIMIT
    assert found["truncated"] is True


def test_an_installed_program_and_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, Path(pytest.__file__))
    assert read_program() is None
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert read_program() is None
    begin(monkeypatch, tmp_path / "gone.py")
    assert capture_environment()["program"] is None


def test_a_run_knows_what_its_process_took(store_url: str) -> None:
    ids: list[str] = []
    for _ in range(2):
        with stepscope.init(store=store_url) as run:
            ids.append(run.id)
    with Reader.open(store_url) as reader:
        one, two = (reader.environment(run_id)["process"] for run_id in ids)
    assert two["runs_before"] == one["runs_before"] + 1
    assert one["started"] == pytest.approx(psutil.Process().create_time(), abs=1)
    assert one["started"] < time.time()
    now = psutil.Process().memory_info().rss / 1e9
    # Both are of one process: a peak never falls, and what is in use now is part of it.
    assert 0 < one["peak_memory_gb"] <= two["peak_memory_gb"] <= peak_memory_gb() + 0.001
    assert peak_memory_gb() >= 0.95 * now
