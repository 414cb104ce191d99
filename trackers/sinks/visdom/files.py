"""Visdom's environment files, written without Visdom: `<folder>/<env>.json` holds all windows of one page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ....storage.errors import ExportRefused
from ..files import AtomicFile, folder_to_fill
from .panes import Json, Pane


class EnvironmentFiles:
    """A folder of environments, such as `visdom -env_path` takes. Files appear at `finish`, each whole."""

    def __init__(self, folder: Path) -> None:
        """Take a folder, which is made when it is needed.

        Raises:
            ExportRefused: there is a file of that name.
        """
        self._folder = folder_to_fill(folder)
        self._environments: dict[str, Json] = {}

    def window(self, env: str, win: str) -> Mapping[str, Any] | None:
        """Return a window that is there already. Raises ExportRefused."""
        return self._environment(env)["jsons"].get(win)

    def put(self, env: str, pane: Pane) -> None:
        """Keep a pane, in place of the window with its id. Raises ExportRefused."""
        windows: dict[str, Json] = self._environment(env)["jsons"]
        last = max((int(window.get("i") or 0) for window in windows.values()), default=-1)
        place = windows.get(pane.win, {}).get("i")
        windows[pane.win] = pane.window(last + 1 if place is None else place)

    def finish(self) -> tuple[str, ...]:
        """Write the files; return their paths. Raises ExportRefused."""
        for env, environment in self._environments.items():
            file = AtomicFile(self._path_of(env))
            try:
                file.write(json.dumps(environment).encode())
            except BaseException:
                file.discard()
                raise
            file.commit()
        return tuple(str(self._path_of(env)) for env in self._environments)

    def close(self) -> None:
        """Write nothing."""

    def _environment(self, env: str) -> Json:
        if env not in self._environments:
            self._environments[env] = _read(self._path_of(env))
        return self._environments[env]

    def _path_of(self, env: str) -> Path:
        return self._folder / f"{env}.json"


def _read(path: Path) -> Json:
    """Return an environment; an empty one when there is no file."""
    try:
        # Visdom itself writes "null" when it saves an environment that it never opened.
        found: Any = json.loads(path.read_bytes()) if path.exists() else None
    except (OSError, ValueError) as error:
        raise _not_an_environment(path, str(error)) from error
    if found is None:
        return {"jsons": {}, "reload": {}}
    environment = cast("Json", found) if isinstance(found, dict) else {}
    if not isinstance(environment.get("jsons"), dict):
        raise _not_an_environment(path, "it has no windows")
    return environment


def _not_an_environment(path: Path, reason: str) -> ExportRefused:
    return ExportRefused(
        f"expected {path} to be an environment of Visdom, but {reason}. "
        "Remove the file, or choose another folder or environment."
    )
