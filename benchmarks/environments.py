"""An environment of its own for each peer, so that none decides which versions another gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

from peers.base import Peer
from peers.registry import PEERS

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".bench"
_COMMON = ("numpy", "psutil")
"""What the trials themselves need."""
_INSTALL_SECONDS = 900


class NotInstalled(Exception):
    """A peer that this machine cannot install; the text says why."""


def python_of(name: str) -> Path:
    """Return the interpreter of a peer's environment, installed now if need be. Raises NotInstalled."""
    peer = PEERS[name]
    if not peer.packages:
        return _own_python(peer)
    folder = HOME / name
    python = folder / "bin" / "python"
    wanted, stamp = " ".join([*peer.packages, *_COMMON]), folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {peer.title} into .bench/{name}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        _pip(python, wanted.split())
        stamp.write_text(wanted)
    return python


def variables_of(name: str, folder: Path) -> dict[str, str]:
    """Return the environment of a trial: quiet, offline, and with a home folder that is thrown away."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("STEPSCOPE_", "PYTHON"))}
    # A home of its own would also hide what the user has configured of git, which init() asks.
    home = {} if not PEERS[name].packages else {"HOME": str(folder)}
    path = {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
    return own | home | path | dict(PEERS[name].variables)


def versions_of(name: str, python: Path) -> str:
    """Return the versions that a peer's results name."""
    code = (
        "import sys, importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    )
    command = [python, "-c", code, *PEERS[name].versions_of]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _own_python(peer: type[Peer]) -> Path:
    python = Path(sys.executable)
    done = subprocess.run(
        [python, "-c", f"import {peer.module}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalled(done.stderr.strip().splitlines()[-1])
    return python


def _pip(python: Path, packages: list[str]) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip took more than {_INSTALL_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        # An address of an index says something about a machine, and nothing about the peer.
        raise NotInstalled(re.sub(r"https?://\S+", "the index", errors[-1])[:200])
