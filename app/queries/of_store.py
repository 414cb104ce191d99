"""Which store the pages read, and the connection that they share."""

from __future__ import annotations

import os
from functools import cache

from ...storage.location import STORE_VARIABLE, StoreLocation, locate
from ...storage.read import Reader
from ..kept import Kept

PATIENCE_SECONDS = 2.0
"""How long a page waits for a store that is locked, or a server that is silent, before it says so."""

_readers = Kept[Reader](4, Reader.close)


def reader() -> Reader:
    """Return the reader of the store that STEPSCOPE_STORE names, `./stepscope.db` without it.

    Raises:
        StoreError: the store cannot be read, with what to do.
    """
    url, file_id = place()
    return _readers.get((url, file_id, PATIENCE_SECONDS), lambda: Reader.open(url, patience=PATIENCE_SECONDS))


def place() -> tuple[str, int]:
    """Return the store's URL and its file's identity: a file that was replaced needs another reader."""
    location = _located(os.environ.get(STORE_VARIABLE), os.getcwd())
    try:
        return location.url, location.path.stat().st_ino if location.path else 0
    except OSError:
        return location.url, 0


@cache
def _located(store: str | None, folder: str) -> StoreLocation:
    # What lies where is looked up in tables of the machine: too slow for each of a hundred lines.
    del folder
    return locate(store)
