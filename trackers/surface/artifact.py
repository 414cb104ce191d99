"""An artifact in the making: files are gathered first, then it is logged."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from ...storage.artifacts import Artifact as StoredArtifact
from ...storage.errors import BadInput


class Artifact:
    """Files and folders that are to be kept together, under one name: a model, a data set.

    artifact = stepscope.Artifact("digits", type="dataset")
    artifact.add_file("digits.csv")
    stepscope.log_artifact(artifact)
    """

    def __init__(
        self,
        name: str,
        type: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin an empty one.

        Args:
            name: letters, digits, and _ . - .
            type: what it is, such as "model" or "dataset".
            description: kept in the metadata, as "description".
            metadata: small facts about it.
        """
        self.name = name
        self.type = type
        self.metadata: dict[str, Any] = dict(metadata or {})
        if description is not None:
            self.metadata["description"] = description
        self._files: dict[str, Path] = {}
        self._written: tempfile.TemporaryDirectory[str] | None = None
        self._logged: StoredArtifact | None = None

    def add_file(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """Add a file; `name` is its path within the artifact. Raises BadInput when there is none."""
        inside = _inside(name or Path(local_path).name)
        path = Path(local_path)
        if not path.is_file():
            raise BadInput(f"an artifact needs a file, but {path} is none. For a folder call add_dir.")
        self._files[inside] = path.absolute()

    def add_dir(self, local_path: str | os.PathLike[str], name: str | None = None) -> None:
        """Add all files of a folder; `name` is its path within the artifact. Raises BadInput."""
        folder = Path(local_path)
        if not folder.is_dir():
            raise BadInput(f"an artifact needs a folder, but {folder} is none. For a file call add_file.")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add_file(path, str(Path(name or "", path.relative_to(folder))))

    def add_reference(self, uri: str, name: str | None = None) -> None:
        """Note where something lies that is not copied; kept in the metadata, as "references"."""
        self.metadata.setdefault("references", {})[name or uri.rsplit("/", 1)[-1]] = uri

    @contextmanager
    def new_file(self, name: str, mode: str = "w") -> Generator[IO[Any]]:
        """Open a new file of the artifact for writing. Raises BadInput when `name` leads out of it."""
        inside = _inside(name)
        if self._written is None:
            self._written = tempfile.TemporaryDirectory(prefix="stepscope-")
        path = Path(self._written.name, secrets.token_hex(8))  # several may be open at once
        with path.open(mode) as file:
            yield file
        self._files[inside] = path

    def wait(self) -> Self:
        """Wait until it is stored. Raises BadInput before it is logged, StoreError when it cannot be."""
        self.stored.wait()
        return self

    @property
    def stored(self) -> StoredArtifact:
        """What the store made of it, with version and digest. Raises BadInput before it is logged."""
        if self._logged is None:
            raise BadInput(
                f"artifact {self.name!r} has no version before it is logged: run.log_artifact(it)."
            )
        return self._logged

    @property
    def version(self) -> str:
        """Its version: "v0", "v1" ... Raises BadInput before it is logged."""
        return self.stored.version

    @contextmanager
    def gathered(self) -> Generator[Path]:
        """Yield a folder with all files in their places, which is gone afterwards. Raises OSError."""
        with tempfile.TemporaryDirectory(prefix="stepscope-") as folder:
            for name, path in self._files.items():
                place = Path(folder, name)
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(path, place)
                except OSError:
                    shutil.copyfile(path, place)
            yield Path(folder)

    def is_logged(self, stored: StoredArtifact) -> None:
        """Learn what the store makes of it."""
        self._logged = stored


def _inside(name: str) -> str:
    """Return the path of a file within an artifact: the files are laid there before they are copied."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadInput(f"a file's name in an artifact is a path within it, but got {name!r:.200}.")
    return str(path)
