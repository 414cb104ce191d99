"""The artifacts of a W&B run, as far as their files still lie where they were when they were logged."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, cast

from ....storage.errors import BadInput
from ..base import FoundArtifact
from .facts import parsed

_TABLE = "run_table"
_BLOCK_BYTES = 1 << 20


class Artifacts:
    """Gathers the files of artifacts under their names, in folders of links that last until cleared."""

    def __init__(self) -> None:
        """Begin without any."""
        self._folders: list[TemporaryDirectory[str]] = []

    def clear(self) -> None:
        """Remove the folders, since all that was found has been copied."""
        for folder in self._folders:
            folder.cleanup()
        self._folders.clear()

    def found(self, artifact: Any, time: float) -> tuple[FoundArtifact | None, list[str]]:
        """Return an ArtifactRecord's artifact, None without any of its files, and what is missing of it."""
        listed = list(artifact.manifest.contents)
        if artifact.type == _TABLE and len(listed) < 2:
            return None, []  # the table itself is among the values
        folder, problems = self._new_folder(), list[str]()
        for entry in listed:
            try:
                _link(entry, folder)
            except (BadInput, OSError) as error:
                problems.append(f"the artifact {artifact.name} lacks {entry.path}: {error}")
        if len(problems) == len(listed):
            return None, problems
        return FoundArtifact(
            path=folder,
            name=artifact.name,
            type=artifact.type,
            time=time,
            metadata=_metadata(artifact),
            aliases=tuple(alias for alias in artifact.aliases if alias != "latest"),
        ), problems

    def _new_folder(self) -> Path:
        made = TemporaryDirectory(prefix="stepscope-")
        self._folders.append(made)
        return Path(made.name)


def _link(entry: Any, folder: Path) -> None:
    """Let a file of an artifact appear in a folder. Raises BadInput, OSError when it is not to be had."""
    if entry.ref:
        raise BadInput(f"it lies elsewhere, at {entry.ref}")
    if not entry.local_path:
        raise BadInput("it is in the files of an earlier version")
    inside = PurePosixPath(entry.path)
    if inside.is_absolute() or ".." in inside.parts:
        raise BadInput("its name leads out of the artifact")
    # Whatever lies at that place by now, or whoever wrote the log: only the file that was logged is taken.
    if _digest(Path(entry.local_path)) != entry.digest:
        raise BadInput(f"{entry.local_path} is not the file any more that was logged")
    place = folder / inside
    place.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(Path(entry.local_path).absolute(), place)


def _digest(path: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            found.update(block)
    return base64.b64encode(found.digest()).decode()


def _metadata(artifact: Any) -> Mapping[str, Any]:
    told: Any = parsed(artifact.metadata) if artifact.metadata else {}
    metadata = dict(cast("Mapping[str, Any]", told)) if isinstance(told, dict) else {"metadata": told}
    if artifact.description:
        metadata.setdefault("description", artifact.description)
    return metadata
