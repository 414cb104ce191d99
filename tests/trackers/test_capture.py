"""What is captured is true, quick, bounded, and free of secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from stepscope.trackers import capture
from stepscope.trackers.capture import capture_environment


def git(folder: Path, *words: str) -> str:
    # The committer is given, and no configuration of the machine is read.
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    env = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "--initial-branch", "trial")
    (tmp_path / "train.py").write_text("lr = 0.1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_this_process_and_machine() -> None:
    found = capture_environment()
    assert json.loads(json.dumps(found)) == found
    assert found["pid"] == os.getpid()
    assert found["cwd"] == str(Path.cwd())
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["executable"] == sys.executable
    assert found["packages"]["numpy"] == np.__version__ == metadata.version("numpy")
    assert found["cpu"]["cores"] >= found["cpu"]["usable"] >= 1
    assert found["cpu"]["model"]
    assert found["memory_gb"] > 0.5
    assert isinstance(found["gpu"], list)


def test_it_takes_milliseconds() -> None:
    capture_environment()
    seconds: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        capture_environment()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.15


def test_commit_branch_and_diff(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 0.2\n")
    found = capture_environment()["git"]
    assert found["commit"] == git(repository, "rev-parse", "HEAD")
    assert found["branch"] == "trial"
    assert Path(found["root"]).resolve() == repository.resolve()
    assert "-lr = 0.1\n+lr = 0.2\n" in found["diff"]
    assert found["diff_truncated"] is False


def test_a_clean_tree_a_detached_head_and_a_first_commit_to_come(repository: Path) -> None:
    assert capture_environment()["git"]["diff"] == ""
    git(repository, "checkout", "--detach")
    assert capture_environment()["git"]["branch"] is None
    git(repository, "checkout", "--orphan", "empty")
    found = capture_environment()["git"]
    assert (found["commit"], found["branch"], found["diff"]) == (None, "empty", None)


def test_a_large_diff_is_cut(repository: Path) -> None:
    (repository / "train.py").write_text("x = 1\n" * capture.DIFF_LIMIT)
    found = capture_environment()["git"]
    assert len(found["diff"]) == capture.DIFF_LIMIT
    assert found["diff_truncated"] is True


def test_the_script_is_looked_at_when_the_folder_is_no_repository(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    code = (
        "import json; from stepscope.trackers.capture import capture_environment as c; print(json.dumps(c()))"
    )
    (repository / "train.py").write_text(code)
    command = [
        sys.executable,
        str(repository / "train.py"),
        "--lr",
        "0.1",
        "--api-key=hidden",
        "--token",
        "hidden",
    ]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["git"]["branch"] == "trial"
    assert found["command"].endswith("train.py --lr 0.1 '--api-key=***' --token '***'")


def test_without_git_or_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "x.py"), raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert capture_environment()["git"] is None
    monkeypatch.setenv("PATH", "")
    assert capture_environment()["git"] is None


def test_no_environment_variable_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "do-not-keep-me")
    assert "do-not-keep-me" not in json.dumps(capture_environment())


def test_a_folder_that_is_gone_is_a_fact_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = capture_environment()
    assert found["cwd"] is None
    assert found["pid"] == os.getpid()
