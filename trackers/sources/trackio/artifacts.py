"""Artifacts of trackio: a list of paths and digests, the files in blobs named by their digests."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..base import FoundArtifact, Piece
from .times import seconds

_OF_RUN = (
    "SELECT DISTINCT v.id FROM artifact_versions v JOIN run_artifact_links l ON l.artifact_version_id = v.id "
    "WHERE l.direction = 'output' AND (l.run_id = ? OR (l.run_id IS NULL AND l.run_name = ?)) ORDER BY v.id"
)
_VERSION = (
    "SELECT a.name, a.type, a.description, v.manifest, v.metadata, v.created_at "
    "FROM artifact_versions v JOIN artifacts a ON a.id = v.artifact_id WHERE v.id = ?"
)


def artifacts_of(connection: sqlite3.Connection, run_id: str, name: str) -> list[int]:
    """Return the numbers of the versions that a run logged. Raises sqlite3.Error."""
    return [int(row[0]) for row in connection.execute(_OF_RUN, (run_id, name))]


def read_artifact(connection: sqlite3.Connection, database: Path, version: int) -> Iterator[Piece]:
    """Yield one version with its files. Raises sqlite3.Error."""
    name, kind, description, manifest, metadata, created = connection.execute(_VERSION, (version,)).fetchone()
    aliases = connection.execute(
        "SELECT alias FROM artifact_aliases WHERE artifact_version_id = ?", (version,)
    )
    blobs = database.parent / "artifacts" / database.stem / "blobs" / "sha256"
    facts = json.loads(metadata or "{}") | ({"description": description} if description else {})
    with TemporaryDirectory() as folder:
        missing = list(_link(json.loads(manifest), blobs, Path(folder)))
        problems = (
            [f"{database}: artifact {name} lacks {', '.join(missing[:5])}: not in {blobs}"] if missing else []
        )
        names = tuple(str(row[0]) for row in aliases if row[0] != "latest")
        found = FoundArtifact(Path(folder), str(name), str(kind), seconds(created), facts, names)
        yield Piece(1, artifacts=[found], problems=problems)


def _link(manifest: Sequence[Any], blobs: Path, folder: Path) -> Iterator[str]:
    """Give the blobs their names in a folder; yield the names of those that are not there."""
    for entry in manifest:
        name, digest = str(entry["path"]), str(entry["digest"])
        blob, link = blobs / digest[:2] / digest, folder / name
        if not blob.is_file() or not link.resolve().is_relative_to(folder.resolve()):
            yield name
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob.absolute())
