"""What the first page would wait for, done while the browser still loads Streamlit's own files."""

from __future__ import annotations

import pkgutil
import threading
from contextlib import suppress
from importlib import import_module

from ..storage.errors import StepscopeError
from . import screens


def begin() -> None:
    """Load the pages and the list of runs beside whatever else happens."""
    threading.Thread(target=_load, name="warm-up", daemon=True).start()


def _load() -> None:
    # Not at the top: what they bring, pandas among it, is what takes the time.
    for module in pkgutil.iter_modules(screens.__path__):
        import_module(f"{screens.__name__}.{module.name}")
    queries = import_module(f"{screens.__name__.rpartition('.')[0]}.queries")
    with suppress(StepscopeError):
        queries.runs()
