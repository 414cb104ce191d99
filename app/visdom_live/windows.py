"""The windows that Visdom would show, for the dashboard to draw where Visdom's page cannot be had."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ...storage.read import Reader
from ...trackers.exports import export_visdom
from ..kept import Kept

Window: TypeAlias = dict[str, Any]
_ENVIRONMENT = "main"

AGAIN_SECONDS = 3.0
"""How long windows stay as they are while a run trains: to make them takes a while."""

_kept = Kept[list[Window]](4)


def windows(reader: Reader, run_ids: Sequence[str], state: str, *, live: bool = False) -> list[Window]:
    """Return the windows of these runs in the order of the page, as Visdom's environment file holds them.

    Args:
        reader: the store.
        run_ids: at least one.
        state: changes when one of the runs has logged something.
        live: one of them trains, so that what is new may wait for what comes next.

    Raises:
        StepscopeError: the runs cannot be read.
    """
    of = str(int(time.monotonic() / AGAIN_SECONDS)) if live else state
    return _kept.get((reader.url, *run_ids), lambda: _made(reader, run_ids), of)


def _made(reader: Reader, run_ids: Sequence[str]) -> list[Window]:
    with tempfile.TemporaryDirectory(prefix="stepscope-visdom-") as folder:
        export_visdom(reader, run_ids, folder=folder, env=_ENVIRONMENT)
        found = json.loads((Path(folder) / f"{_ENVIRONMENT}.json").read_bytes())
    return sorted(found["jsons"].values(), key=lambda window: window["i"])
