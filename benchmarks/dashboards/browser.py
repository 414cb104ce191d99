"""A real browser before a dashboard, and how long it takes until something is to be seen."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)
_PATIENCE_S = 300


@contextmanager
def blank_page() -> Generator[Page]:
    """Yield an empty page of a browser that has nothing in its cache."""
    sys.path.insert(0, str(_TOOLS))
    from ensure_chromium import find_chromium

    program = find_chromium()
    if program is None:
        raise RuntimeError(
            "the figure needs Chromium, and there is none. Run: python tools/ensure_chromium.py"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(_PATIENCE_S * 1e3)
        yield page
        browser.close()


@contextmanager
def running(command: Sequence[str | Path], port: int) -> Generator[subprocess.Popen[bytes]]:
    """Start a server; yield it once it answers on the port, and stop it afterwards."""
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + _PATIENCE_S
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not answer on port {port}")
            time.sleep(0.02)
        yield server
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def seconds_until(page: Page, condition: str, act: Callable[[], object]) -> float:
    """Do something, and return how long it takes until a condition of the page holds."""
    begun = time.perf_counter()
    act()
    page.wait_for_function(condition, polling="raf")
    return time.perf_counter() - begun


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
