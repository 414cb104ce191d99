"""Everything that the environment may change, read once when a run begins."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..storage.errors import BadInput
from ..storage.journal import DEFAULT_LIMIT
from ..storage.location import StoreArgument, StoreLocation, locate

STRICT_VARIABLE = "STEPSCOPE_STRICT"
LIMIT_VARIABLE = "STEPSCOPE_JOURNAL_MIB"
CONSOLE_VARIABLE = "STEPSCOPE_CONSOLE"
MIRROR_VARIABLE = "STEPSCOPE_MIRROR"
"""Where a run is shown while it trains: see mirror.py."""
BUDGET_VARIABLE = "STEPSCOPE_COST_BUDGET"
DEFAULT_COST_BUDGET = 3.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How one run behaves."""

    location: StoreLocation
    strict: bool = False
    """Raise instead of dropping: STEPSCOPE_STRICT=1."""
    journal_limit: int = DEFAULT_LIMIT
    """Bytes that may wait for the store before values are dropped: STEPSCOPE_JOURNAL_MIB."""
    flush_seconds: float = 0.5
    console: bool = True
    """Keep what the program prints: STEPSCOPE_CONSOLE=0 does not."""
    cost_budget: float = DEFAULT_COST_BUDGET
    """Percent of the step time that a hook may take before it looks less often: STEPSCOPE_COST_BUDGET."""


def is_strict() -> bool:
    """Whether the environment asks for errors instead of notices."""
    return os.environ.get(STRICT_VARIABLE, "").lower() in ("1", "true", "yes")


def keeps_console() -> bool:
    """Whether the environment leaves console output to be kept."""
    return os.environ.get(CONSOLE_VARIABLE, "").lower() not in ("0", "false", "no")


def read_settings(store: StoreArgument = None) -> Settings:
    """Read the environment. Raises BadInput when a value in it cannot be used."""
    return Settings(
        locate(store),
        strict=is_strict(),
        journal_limit=_limit(),
        console=keeps_console(),
        cost_budget=_budget(),
    )


def _limit() -> int:
    text = os.environ.get(LIMIT_VARIABLE)
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or int(text) < 16:
        raise BadInput(f"{LIMIT_VARIABLE} must be a whole number of at least 16, but is {text!r}")
    return int(text) << 20


def _budget() -> float:
    text = os.environ.get(BUDGET_VARIABLE)
    if text is None:
        return DEFAULT_COST_BUDGET
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not percent > 0:
        raise BadInput(
            f"{BUDGET_VARIABLE} must be a percentage of the step time such as 3, but is {text!r}. "
            f"For no limit, set it to 100."
        )
    return percent
