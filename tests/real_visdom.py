"""A real Visdom server for tests, and what it holds. pytest puts tests/ on the path: `import real_visdom`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from support import wait_until

# The stock start downloads scripts for the page; main() is what it calls afterwards.
START = "from visdom.server import run_server; run_server.main()"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def visdom_server(
    folder: Path,
    *,
    port: int | None = None,
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Generator[str]:
    """Start Visdom over a folder of environments; yield its URL."""
    port = port or free_port()
    given = [
        "-port",
        str(port),
        "-env_path",
        f"{folder}/",
        "-bind_local",
        "-logging_level",
        "ERROR",
        *options,
    ]
    with (folder.parent / f"visdom-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", START, *given],
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or answers(url), 60, "Visdom to answer")
        yield url
    finally:
        process.kill()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return requests.post(f"{url}/env_state", data="{}", timeout=5).status_code in (200, 400)
    except requests.ConnectionError:
        return False


def windows(url: str, env: str) -> dict[str, dict[str, Any]]:
    """Return all windows of an environment through Visdom's own client."""
    from visdom import Visdom

    server, port = url.rsplit(":", 1)
    client: Any = Visdom(server, port=int(port), use_incoming_socket=False, raise_exceptions=True)
    assert env in client.get_env_list()
    return json.loads(client.get_window_data(win=None, env=env))


@contextmanager
def door(url: str, port: int) -> Generator[str]:
    """Let a server be reached at another port, for a while: one that comes and goes without being started."""
    behind = int(url.rpartition(":")[2])
    opened: list[socket.socket] = []

    def pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def welcome() -> None:
        with suppress(OSError):
            while True:
                guest, _ = listening.accept()
                host = socket.create_connection(("127.0.0.1", behind))
                opened.extend((guest, host))
                for pair in ((guest, host), (host, guest)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listening:
        welcoming = threading.Thread(target=welcome, daemon=True)
        welcoming.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            # A thread that waits in accept() would keep the port.
            listening.shutdown(socket.SHUT_RDWR)
            welcoming.join(10)
            for one in opened:
                one.close()
