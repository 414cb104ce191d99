"""Dashboards that begin at once: forks of a process that has loaded all that they take seconds to load.

Each is a real `stepscope ui` over a store of its own. That the command also starts by itself is shown in
tests/app/test_server.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import psutil

from dashboard import HOST, answers, free_port
from support import wait_until

LOADS_AND_FORKS = """
import importlib, json, os, pkgutil, signal, sys
from stepscope.app import cli, screens, server

for module in pkgutil.iter_modules(screens.__path__):
    importlib.import_module(f"{screens.__name__}.{module.name}")
nowhere = os.open(os.devnull, os.O_RDWR)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave no zombies
for line in sys.stdin:
    arguments, environment = json.loads(line)
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.environ.clear()
    os.environ.update(environment)
    os._exit(cli.main(arguments))
"""


@contextmanager
def prepared_dashboards() -> Generator[Callable[[str], AbstractContextManager[str]]]:
    """Yield what runs a dashboard over the store it is given, and gives its address."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-P", "-c", LOADS_AND_FORKS], text=True, **pipes) as forking:

        @contextmanager
        def running(store: str) -> Generator[str]:
            port = free_port()
            asked = [["ui", "--store", store, "--port", str(port)], dict(os.environ)]
            print(json.dumps(asked), file=forking.stdin, flush=True)
            process = psutil.Process(int(forking.stdout.readline()))
            address = f"http://{HOST}:{port}"
            try:
                wait_until(lambda: answers(f"{address}/_stcore/health") and answers(address), 90, address)
                yield address
            finally:
                _stop(process)

        yield running


def _stop(process: psutil.Process) -> None:
    process.terminate()
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()
