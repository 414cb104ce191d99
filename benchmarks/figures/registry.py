"""The figures, in the order of the tables."""

from __future__ import annotations

from figures import (
    dashboard,
    event_exports,
    event_files,
    growth,
    hooks,
    import_time,
    latency,
    listing,
    log_call,
    long_run,
    many_processes,
    media,
    mirror,
    stored,
    windows,
)
from plan import Figure

_MODULES = (
    log_call,
    latency,
    media,
    stored,
    windows,
    growth,
    long_run,
    many_processes,
    mirror,
    import_time,
    listing,
    hooks,
    event_files,
    event_exports,
    dashboard,
)

FIGURES: dict[str, Figure] = {figure.name: figure for module in _MODULES for figure in module.FIGURES}
