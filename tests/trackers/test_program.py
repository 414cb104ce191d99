"""What is kept of the program that began a run: its text, without secrets, and what its process took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import stepscope
from stepscope.storage.read import Reader
from stepscope.trackers.capture import capture_environment
from stepscope.trackers.program import PROGRAM_LIMIT, peak_memory_gb, read_program
from stepscope.trackers.redact import redacted
from support import run_python


def begin(monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    """Let this process look as if it had been started with a script."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)


def test_the_script_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "train.py"
    script.write_text("lr = 0.1  # é\n", encoding="utf-8")
    begin(monkeypatch, script)
    found = capture_environment()["program"]
    assert found == {"path": str(script.resolve()), "text": "lr = 0.1  # é\n", "truncated": False}


KEPT = (
    'pad_token="<pad>"; eos_token = "</s>"; tokens = "a b"; model = load("net", n_tokens=3)',
    'tokenizer = "bert"; key = "accuracy"; url = "https://host:80/x@y"',
    'print("token:", x, "y"); text = f"{token}: {x}"; answer = getpass("Password: "), input("x")',
)
SECRETS = (
    "API_KEY = 'hide-me'",
    "keys = {'wandb_api_key': 'hide-me', \"secret\": f\"hide-me\"}",
    'os.environ["HF_TOKEN"] = "hide-me"',
    'os.environ.setdefault("API_KEY", "hide-me")',
    'parser.add_argument("--api-key", type=str, default="hide-me")',
    'AWS_SECRET_ACCESS_KEY = b"hide-me"',
    'password: str = "hide \\" hide-me"',
    'github_token = """hide-me\nhide-me"""',
    'login(\n    token="hide-me",\n)',
    'wandb.login(key="hide-me")',
    'stepscope.init(store="postgresql+psycopg://me:hide-me@host/runs")',
    'x = "hf_hide-me-hide-me-hide-me"',
    "secret = 'hide-me, cut",
)


def test_what_is_given_to_names_like_a_password_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "train.py"
    script.write_text("\n".join(KEPT + SECRETS))
    begin(monkeypatch, script)
    found = read_program()
    assert found
    assert found["text"].startswith("\n".join(KEPT))
    assert "hide" not in found["text"]
    assert found["text"].count("***") == len(SECRETS) + 1


@pytest.mark.parametrize(
    "text",
    ["password " * 20_000, "token='" * 20_000, "secret" + " " * 200_000, "x" * 200_000],
    ids=list("abcd"),
)
def test_no_text_takes_long_to_look_through(text: str) -> None:
    # Each would take minutes if parts of the pattern were tried again at each letter: pytest ends it then.
    assert redacted(text).startswith(text[:6])


def test_changes_that_were_not_committed_and_the_command_keep_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["init", "--quiet"], ["add", "train.py"], ["commit", "--quiet", "--message", "x"]):
        (tmp_path / "train.py").write_text("import stepscope\n")
        git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x"]
        subprocess.run([*git, *words], check=True)
    (tmp_path / "train.py").write_text('api_key = "hide-me"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "orig_argv", ["python", "train.py", "--store", "postgresql://me:hide-me@host/db"]
    )
    found = capture_environment()
    assert '+api_key = "***"' in found["git"]["diff"]
    assert found["command"] == "python train.py --store postgresql://me:***@host/db"


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
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone.py", "pipe", "compiled.pyc"):
        (tmp_path / "compiled.pyc").write_bytes(b"x")
        begin(monkeypatch, tmp_path / name)
        assert read_program() is None
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


def test_the_peak_is_not_that_of_the_program_which_started_this_one() -> None:
    code = "from stepscope.trackers.program import peak_memory_gb; print(peak_memory_gb())"
    held = b"x" * 400_000_000
    assert float(run_python("-c", code)) < peak_memory_gb() - len(held) / 2e9


def test_a_system_that_does_not_tell_when_a_process_began(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil.Process, "create_time", refuse)
    with stepscope.init(store=store_url) as run:
        pass
    with Reader.open(store_url) as reader:
        found = reader.environment(run.id)
    assert found["process"]["started"] is None
    assert found["python"]


def refuse(_: psutil.Process) -> float:
    """Be a system without /proc."""
    raise psutil.AccessDenied
