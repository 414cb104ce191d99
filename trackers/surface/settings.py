"""What scripts pass to init besides what it needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class AlertLevel(StrEnum):
    """How much an alert matters, by wandb's names."""

    INFO = "info"
    WARN = "warning"
    ERROR = "error"


class Settings:
    """Takes any settings by name, for scripts that pass them to init, which looks at none of them."""

    def __init__(self, **settings: Any) -> None:
        """Keep them as attributes."""
        self.__dict__.update(settings)
