"""A dashboard process of a test's own. Imported as `served`: pytest puts tests/ on the path."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request

import psutil

from dashboard import stop
from support import wait_until

UI = "import sys; from stepscope.app.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass
class Served:
    """A process of `stepscope ui`, and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def printed(self) -> str:
        return "".join(self.lines)

    @property
    def address(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.printed)
        assert found, f"no address in {self.printed!r}"
        return found[0]

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a path, with headers like host="evil.example"; redirects are not followed."""
        return ask(Request(self.address + path, headers=headers))

    def json(self, path: str, **query: str) -> Any:
        """Return what a path of TensorBoard answers."""
        answer = self.get(f"{path}?{urlencode(query)}" if query else path)
        assert answer.status == 200, answer
        return json.loads(answer.text)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whatever its status."""

    status: int
    body: bytes
    headers: Any

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def ask(request: Request) -> Answer:
    """Return the answer to a request."""
    # Without the machine's proxy settings: this is loopback.
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except HTTPError as answer:
        return Answer(answer.code, answer.read(), answer.headers)


@contextmanager
def start(*arguments: str, code: str = UI, cwd: Path | None = None, **environment: str) -> Generator[Served]:
    """Run the command in a process of its own; its output is read all along, and it is ended at last."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    served = Served(process)
    reader = threading.Thread(
        target=lambda: served.lines.extend(iter(process.stdout.readline, "")), daemon=True
    )
    reader.start()
    try:
        yield served
    finally:
        stop(process)
        reader.join(10)
        process.stdout.close()


@contextmanager
def serve(store: str, *arguments: str, verb: str = "ui", **options: Any) -> Generator[Served]:
    """Run `stepscope ui` on a free port, and wait until it says where it answers. Options: see `start`."""
    command: Sequence[str] = (verb, "--store", store, "--port", "0", *arguments)
    with start(*command, **options) as served:
        wait_until(
            lambda: "http://" in served.printed or served.process.poll() is not None, 60, "the address"
        )
        assert served.process.poll() is None, f"the dashboard ended: {served.printed}"
        yield served
