"""Artifacts on the side of a run: files that it logs, and files of other runs that it uses."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..storage.artifact_files import stage
from ..storage.artifacts import (
    LATEST,
    Artifact,
    ArtifactInfo,
    check_name,
    find_artifact,
    find_logged,
    is_version,
)
from ..storage.errors import BadInput, StoreNotFound, StoreUnavailable
from ..storage.kinds.event import ARTIFACTS, USED_ARTIFACTS
from ..storage.location import StoreLocation
from ..storage.read import Reader
from .raw import Payload
from .recorder import Recorder
from .tracked_dict import plain, text_of

_STORED_SECONDS = 120.0
"""How long digest, version and the like of an artifact that was just logged are waited for."""
_METADATA_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Described:
    """An artifact as it was given, checked."""

    source: Path
    name: str
    facts: dict[str, Any]
    metadata: dict[str, Any]


def describe(
    path: str | os.PathLike[str],
    name: str | None,
    type: str | None,
    metadata: Mapping[str, Any] | None,
    aliases: Iterable[str],
) -> Described:
    """Check what log_artifact was given. Raises BadInput."""
    if not isinstance(path, str | os.PathLike):
        raise BadInput(f"log_artifact needs the path of a file or a folder, but got {path!r:.200}")
    if not os.fspath(path):
        raise BadInput("log_artifact needs the path of a file or a folder, but got an empty text")
    source = Path(path).expanduser().absolute()
    if not source.exists():
        raise BadInput(f"log_artifact needs a file or a folder, but there is none at {source}")
    chosen = possible_name(source.name) if name is None else check_name(name)
    facts: dict[str, Any] = {
        "type": "files" if type is None else text_of(type)[:128],
        "aliases": _aliases(aliases),
        "folder": source.is_dir(),
    }
    if metadata is not None and not isinstance(metadata, Mapping):
        raise BadInput(f"an artifact's metadata is a dict, but got {metadata!r:.200}")
    told: dict[str, Any] = plain(metadata or {})
    if len(json.dumps(told)) > _METADATA_BYTES:
        raise BadInput("an artifact's metadata has at most 1 MiB. Put more into a file of the artifact.")
    return Described(source, chosen, facts, told)


def copy(location: StoreLocation, run_id: str, given: Described) -> tuple[str, Payload]:
    """Copy the files as they are now; return the copy's token and what the journal takes.

    Raises:
        BadInput: they are too many.
        OSError: they cannot be read, or the disk is full.
    """
    token, files = stage(location, run_id, given.source)
    body = json.dumps({"files": files, "metadata": given.metadata}).encode()
    return token, Payload("event", body, {**given.facts, "staged": token})


def series_of(name: str) -> str:
    """Return the series in which the versions of an artifact are logged."""
    return ARTIFACTS + name


def logged(recorder: Recorder, run_id: str, name: str, token: str) -> Artifact:
    """Return an artifact whose digest, version and files are known once it is stored."""
    location = recorder.settings.location

    def find() -> ArtifactInfo:
        until = time.monotonic() + _STORED_SECONDS
        while True:
            recorder.flush(max(0.0, until - time.monotonic()))
            try:
                with Reader.open(location.url) as reader:
                    found = find_logged(reader, run_id, name, token)
            except StoreNotFound:
                found = None
            if found is not None:
                return found
            if time.monotonic() > until:
                raise StoreUnavailable(
                    f"artifact {name} is not stored yet: it waits with the journal in {location.spool}. "
                    f"Ask again later."
                )
            time.sleep(0.05)

    return Artifact(name, find, location.url)


def used(location: StoreLocation, project: str, text: str) -> tuple[Artifact, str, Payload]:
    """Return an artifact that is there, and what the journal takes to say that a run used it.

    Raises:
        BadInput, ArtifactNotFound, StoreError: it cannot be had; the message says why.
    """
    with Reader.open(location.url) as reader:
        info = find_artifact(reader, project, text)
    facts = {
        "name": info.name,
        "version": info.version,
        "digest": info.digest,
        "type": info.type,
        "project": info.project,
        "run_id": info.run_id,
    }
    artifact = Artifact(info.name, lambda: info, location.url)
    return artifact, USED_ARTIFACTS + info.name, Payload("event", b"", facts)


def possible_name(text: str) -> str:
    """Return the name that an artifact may have which is nearest to a text."""
    return check_name((re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".-") or "artifact")[:128])


def _aliases(given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        given = (given,)
    names = [check_name(alias) for alias in given]
    for name in names:
        if is_version(name):
            raise BadInput(f"an alias cannot look like a version, but {name!r} does. Name it otherwise.")
    return [name for name in dict.fromkeys(names) if name != LATEST]
