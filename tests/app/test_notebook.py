"""The dashboard inside a notebook: one server a kernel and store, gone with the kernel however that ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import psutil
import pytest

import stepscope
from contracts.filled_store import fill
from stepscope.app import notebook as module
from stepscope.app.notebook import NotebookUnavailable
from stepscope.storage.errors import BadInput
from support import wait_until

KERNEL = """
import asyncio, os, sys, time, stepscope
async def cell():
    # A notebook's cells run in a loop that is running.
    return stepscope.notebook(sys.argv[1])
shown = asyncio.run(cell())
if sys.argv[2] == "fork" and os.fork() == 0:
    time.sleep(600)
print(shown.url, shown.process.pid, os.getpid(), flush=True)
if sys.argv[2] == "end":
    sys.exit()
time.sleep(600)
"""


@pytest.fixture
def clean() -> Generator[None]:
    yield
    for one in module._running.values():
        one.stop()
    module._running.clear()


@pytest.mark.usefixtures("clean")
def test_a_store_has_one_server_and_the_frame_shows_it(store_url: str) -> None:
    fill(store_url)
    shown = stepscope.notebook(store_url, height=500)
    assert httpx.get(f"{shown.url}/_stcore/health", trust_env=False).text == "ok"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", shown.url)
    html = shown._repr_html_()
    assert f'<iframe src="{shown.url}"' in html
    assert 'height="500"' in html
    again = stepscope.notebook(store_url)
    assert (again.url, again.height) == (shown.url, 800)
    assert repr(again) == f"<Stepscope on {shown.url}>"
    board = stepscope.notebook(store_url, view="tensorboard")
    assert board.url == f"{shown.url}/tensorboard/"
    assert repr(board) == f"<TensorBoard on {board.url}>"
    assert f'<iframe src="{board.url}" title="TensorBoard"' in board._repr_html_()
    assert "<title>" in httpx.get(board.url, trust_env=False).text
    shown.stop()
    assert stepscope.notebook(store_url).url != shown.url


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.crash
@pytest.mark.parametrize(
    "end",
    ["kill", pytest.param("end", marks=pytest.mark.long), pytest.param("fork", marks=pytest.mark.long)],
)
def test_the_server_ends_with_its_kernel(store_url: str, end: str) -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-P", "-c", KERNEL, store_url, end], stdout=subprocess.PIPE, text=True
    )
    _, server, _ = kernel.stdout.readline().split()
    workers = psutil.Process(kernel.pid).children() if end == "fork" else []
    if end != "end":
        kernel.send_signal(signal.SIGKILL)
    kernel.wait(30)
    wait_until(lambda: gone(int(server)), 30, "the server's end")
    for worker in workers:
        if worker.pid != int(server):
            worker.kill()
    kernel.stdout.close()


@pytest.mark.usefixtures("clean")
def test_a_store_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database " * 99)
    with pytest.raises(NotebookUnavailable, match=r"The dashboard did not start: .*notes\.db"):
        stepscope.notebook(tmp_path / "notes.db")


@pytest.mark.parametrize("height", [0, -5, "800", True, 1.5])
def test_a_height_is_a_number_of_pixels(height: object) -> None:
    with pytest.raises(BadInput, match="expected a height in pixels, such as 800, but got"):
        stepscope.notebook(height=height)


def test_there_are_two_views() -> None:
    with pytest.raises(
        BadInput, match="expected the view 'dashboard' or 'tensorboard', but got 'tensorbord'"
    ):
        stepscope.notebook(view="tensorbord")
