"""Where and when runs were made: read from what each run captured of its machine, never from this one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .measures import Measured

PACKAGES = ("torch", "tensorflow", "keras", "transformers", "numpy")


def where_and_when(runs: Sequence[Measured]) -> str:
    """Return date and machine of some runs; several machines are all named."""
    machines = dict.fromkeys(_machine(one.run.environment, one) for one in runs)
    return f"{_dates(one.run.created_at for one in runs)}, on {' and on '.join(machines)}"


def _machine(found: Mapping[str, Any], one: Measured) -> str:
    cpu: Mapping[str, Any] = found.get("cpu") or {}
    packages: Mapping[str, str] = found.get("packages") or {}
    versions = [f"{name} {packages[name]}" for name in PACKAGES if name in packages]
    gpus: list[str] = [] if one.run.config.get("device") == "cpu" else found.get("gpu") or []
    return ", ".join(
        [
            f"{cpu.get('usable') or cpu.get('cores')} cores of {cpu.get('model')}",
            f"{found.get('memory_gb')} GB",
            f"GPU: {', '.join(gpus) or 'none'}",
            _system(str(found.get("os"))),
            f"Python {found.get('python')}",
            *versions,
        ]
    )


def _system(platform: str) -> str:
    """Return "Linux 6.1.0" of "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36"."""
    return " ".join(platform.split("-")[:2])


def _dates(times: Iterable[float]) -> str:
    days = sorted({time.strftime("%Y-%m-%d", time.gmtime(at)) for at in times})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
