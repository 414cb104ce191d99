"""What a live mirror to Visdom adds to a training step.

A step is arithmetic of about 0.2 ms on one core, and a log call with ten numbers; every 500th has an image
and a histogram too. A trial trains with a mirror or without, all cores free. The server is a process that
takes whatever comes: what a real one does with it, the training does not see. Measured are the median and
the mean step, in which everything is that the mirror takes from the training.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from machine import settle
from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, at_most, number
from values import picture, weights

_STEPS = 20_000
_NUMBERS, _MEDIA_EVERY = 10, 500
_MEDIAN, _MEAN = 1.05, 1.15
"""How many times longer a step may be; the mean has what else the machine does in it."""

_SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"/win_exists": b"true", "/win_data": b"{}"}.get(self.path, b"ok")
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
print(server.server_port, flush=True)
server.serve_forever()
"""


def _label(*, mirrored: bool) -> str:
    return f"{OURS}, with a mirror" if mirrored else f"{OURS}, without a mirror"


def _cases(scale: Scale) -> list[Case]:
    steps = scale.count(_STEPS)
    return [
        Case("mirror", OURS, {"steps": steps, "mirrored": one}, _label(mirrored=one), scale.our_rounds)
        for one in (False, True)
    ]


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    peer.load()
    import stepscope

    numbers = weights(1 << 17, 0)
    image, array = picture(64, 0), weights(4096, 0)
    spent = np.empty(settings["steps"])
    with _server() as address:
        mirror = address if settings["mirrored"] else None
        run = stepscope.init(project="bench", store=folder / "runs.db", mirror=mirror)
        settle()
        for step in range(settings["steps"]):
            begun = time.perf_counter()
            np.tanh(np.exp(-np.abs(numbers))).sum()
            run.log({f"{place}/loss": step * 0.1 for place in range(_NUMBERS)}, step=step)
            if step % _MEDIA_EVERY == 0:
                run.log({"seen": stepscope.Image(image), "weights": array}, step=step)
            spent[step] = time.perf_counter() - begun
        begun = time.perf_counter()
        run.finish()
        finish = time.perf_counter() - begun
    return {"step_us": float(np.median(spent)) * 1e6, "mean_us": spent.mean() * 1e6, "finish_s": finish}


@contextmanager
def _server() -> Generator[str]:
    program = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"visdom://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _goals(table: Table) -> list[Goal]:
    bare, mirrored = table[_label(mirrored=False)], table[_label(mirrored=True)]
    what = "a training step with a live mirror to Visdom, beside one without"
    rows = (("median", "step_us", _MEDIAN), ("mean", "mean_us", _MEAN))
    return [
        _times(f"{what}: the {word}", most, mirrored[measure], bare[measure]) for word, measure, most in rows
    ] + [at_most("`run.finish()` with it", 5, mirrored["finish_s"], "s")]


def _times(what: str, most: float, ours: float, other: float) -> Goal:
    told = f"{ours / other:.2f} times ({number(ours)} us)"
    return Goal(what, f"at most {most:g} times", told, ours <= most * other)


FIGURES = (Figure("mirror", _cases, _measure, _goals),)
