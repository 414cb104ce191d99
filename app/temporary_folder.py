"""A temporary folder that is gone with its process, however that ends."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from ..storage.os_files import acquire_lock

YOUNG_SECONDS = 60.0
"""Younger ones are left alone: their owner may be about to lock them."""


class TemporaryFolder:
    """Made when first asked for; those that killed processes left behind are removed then. Thread-safe."""

    def __init__(self, prefix: str) -> None:
        """Choose how its name begins; others of that beginning are taken for its predecessors."""
        self._prefix = prefix
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._owned = -1

    @property
    def made(self) -> bool:
        """Whether anyone asked for it yet."""
        return self._path is not None

    @property
    def path(self) -> Path:
        """The folder. Raises OSError when there is no room for one."""
        with self._lock:
            if self._path is None:
                self._remove_abandoned()
                self._path = Path(tempfile.mkdtemp(prefix=self._prefix))
                # The system frees the lock when the process ends, by SIGKILL too.
                self._owned = acquire_lock(self._path)
            return self._path

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        with self._lock:
            if self._path is not None:
                shutil.rmtree(self._path, ignore_errors=True)
                os.close(self._owned)
                self._path = None

    def _remove_abandoned(self) -> None:
        for folder in Path(tempfile.gettempdir()).glob(f"{self._prefix}*"):
            try:
                if folder.is_symlink() or time.time() - folder.stat().st_mtime < YOUNG_SECONDS:
                    continue
                descriptor = acquire_lock(folder)
            except OSError:  # its owner lives, or it is no folder of ours
                continue
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
