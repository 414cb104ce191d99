"""`make demo`: both samples train into one store while the dashboard is open."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard import free_port
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from support import ROOT, run_python


def test_a_taken_port_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, ROOT / "tools" / "demo.py", "--port", str(port), "--store", tmp_path / "new.db"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == f"Port {port} is taken. Choose another: make demo PORT={port + 1}\n"
    assert not (tmp_path / "new.db").exists()


@pytest.mark.timeout(300)
def test_the_demo_logs_a_run_of_each_framework_and_says_so(store_url: str) -> None:
    options = ["--check", "--epochs", "1", "--store", store_url, "--port", str(free_port())]
    printed = run_python("tools/demo.py", *options, deadline_s=280)
    assert re.search(r"The dashboard is open: http://127\.0\.0\.1:\d+ ", printed)
    with Reader.open(store_url) as reader:
        runs = reader.runs()
        assert f"Logged into {reader.url}" in printed
    assert {run.framework for run in runs} == {"torch", "keras"}
    assert {run.state for run in runs} == {RunState.FINISHED}
    assert all(run.run_id in printed for run in runs)
