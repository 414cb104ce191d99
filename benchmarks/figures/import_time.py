"""How long a program waits for the tracker: the import, and until a run is begun.

In a fresh interpreter, its own start not included. `import stepscope` loads names when they are used, so it
is measured with the import of numpy; what `init` loads is in the second number.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from peers.base import Peer
from peers.registry import OURS, PEERS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Shown, Table, at_most, for_all

_TIMED = "import time; begun = time.perf_counter(); {}; print('took', (time.perf_counter() - begun) * 1e3)"
_BEGIN = "from pathlib import Path; from peers.registry import PEERS; opened = PEERS[{!r}](Path({!r}))"
_WITHOUT_TENSORFLOW = "import sys; sys.modules['tensorboard.compat.notf'] = sys; "
"""As in peers/summary_writer.py: TensorBoard would load TensorFlow, where that is installed."""
_HERE = str(Path(__file__).resolve().parent.parent)


def _cases(scale: Scale) -> list[Case]:
    return for_all("import_time", scale, lambda _: {})


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del settings
    (name,) = (name for name, one in PEERS.items() if one is peer)
    return {
        "import_ms": _timed(f"import numpy, {peer.module}", _WITHOUT_TENSORFLOW),
        "begin_ms": _timed(_BEGIN.format(name, str(folder)), f"import sys; sys.path.insert(0, {_HERE!r}); "),
    }


def _timed(code: str, before: str = "") -> float:
    command = [sys.executable, "-c", before + _TIMED.format(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("took "))
    return float(line.split()[1])


def _goals(table: Table) -> list[Goal]:
    return [at_most("`import stepscope`, numpy included", 120, table[OURS]["import_ms"], "ms")]


FIGURES = (
    Figure(
        "import_time",
        _cases,
        _measure,
        _goals,
        (
            Shown("import_ms", "the import, with numpy, ms"),
            Shown("begin_ms", "the import and the beginning of a run, ms"),
        ),
    ),
)
