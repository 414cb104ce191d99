"""Start `stepscope ui` in a process of its own, wait until it answers, and stop it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

HOST = "127.0.0.1"


@contextmanager
def running_dashboard(store: str, port: int | None = None, deadline_s: float = 90.0) -> Generator[str]:
    """Yield the address of a dashboard that answers; stop it afterwards.

    Args:
        store: a store URL or path; nothing need be there yet.
        port: a free port is taken when none is given.
        deadline_s: how long the dashboard may take until it answers.

    Raises:
        RuntimeError: it ended, or did not answer before the deadline.
    """
    port = port or free_port()
    address = f"http://{HOST}:{port}"
    command = Path(sys.executable).with_name("stepscope")
    # In a session of its own: Ctrl-C in the terminal then reaches only whoever called this, who stops it.
    server = subprocess.Popen(
        [command, "ui", "--store", store, "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_it_answers(server, address, deadline_s)
        yield address
    finally:
        stop(server)


def free_port() -> int:
    """Return a port of the loopback address on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Return whether a server may listen on that port of the loopback address."""
    with socket.socket() as probe:
        # As servers do: otherwise the connections of one that has just ended count as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((HOST, port))
            return True
    return False


def answers(url: str) -> bool:
    """Return whether a GET of that address gives status 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end; end it by force after ten seconds."""
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str, deadline_s: float) -> None:
    end = time.monotonic() + deadline_s
    while not (answers(f"{address}/_stcore/health") and answers(address)):
        if server.poll() is not None:
            raise RuntimeError(f"the dashboard ended with exit code {server.returncode} before it answered")
        if time.monotonic() > end:
            raise RuntimeError(f"the dashboard did not answer on {address} within {deadline_s:g} s")
        time.sleep(0.2)
