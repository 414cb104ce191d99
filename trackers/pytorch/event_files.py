"""Torch's own writer of event files, for a SummaryWriter that is asked to write them as well."""

from __future__ import annotations

from typing import Any

from ...storage.errors import MissingExtra


def event_writer(
    log_dir: Any, purge_step: int | None, max_queue: int, flush_secs: int, filename_suffix: str
) -> Any:
    """Return torch's SummaryWriter for a folder. Raises MissingExtra without tensorboard."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter  # noqa: PLC0415 - may be missing
    except ImportError as error:
        raise MissingExtra("Writing event files", "tensorboard") from error
    return SummaryWriter(log_dir, "", purge_step, max_queue, flush_secs, filename_suffix)
