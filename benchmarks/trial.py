"""One trial, in a process of its own and in the peer's environment. Started by bench.py.

python benchmarks/trial.py FIGURE PEER SETTINGS FOLDER RESULT
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from figures.registry import FIGURES
from peers.registry import PEERS


def main(figure: str, peer: str, settings: str, folder: str, result: str) -> None:
    """Measure, and write the result as JSON: what a tracker prints is its own."""
    gc.collect()
    measures = FIGURES[figure].measure(PEERS[peer], Path(folder), json.loads(settings))
    Path(result).write_text(json.dumps(measures))


if __name__ == "__main__":
    main(*sys.argv[1:])
