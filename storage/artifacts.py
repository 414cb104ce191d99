"""Artifacts read back: which versions a project has, who made and used them, and their files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Self

import sqlalchemy as sa

from .artifact_files import ArtifactFile, files_from
from .errors import ArtifactNotFound, BadInput, StoreDamaged, StoreNotWritable
from .events import Event, load_events
from .kinds.event import ARTIFACTS, USED_ARTIFACTS
from .location import StoreArgument
from .near import near_names
from .read import Reader
from .schema import runs

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v[0-9]+")
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """What the store knows of one version of an artifact."""

    name: str
    version: int
    type: str
    project: str
    digest: str
    """SHA-256 over paths and digests of its files: the same content has the same digest everywhere."""
    size: int
    """Bytes of all files."""
    aliases: tuple[str, ...]
    metadata: Mapping[str, Any]
    files: tuple[ArtifactFile, ...]
    folder: bool
    """Whether a folder was logged, and not a single file."""
    run_id: str
    """The run that logged it first."""
    time: float
    token: str
    """Tells one call of log_artifact from others."""


class Artifact:
    """One version of an artifact: files that a run logged, and that others use."""

    def __init__(self, name: str, find: Callable[[], ArtifactInfo], store: StoreArgument) -> None:
        """Use `run.log_artifact`, `run.use_artifact` or `stepscope.open(...).artifact` instead."""
        self.name = name
        self._find = find
        self._store = store

    @cached_property
    def info(self) -> ArtifactInfo:
        """All that is known of it; of one that was just logged, waits until it is stored.

        Raises:
            StoreError: it is not stored as yet, or cannot be read.
        """
        return self._find()

    @property
    def version(self) -> str:
        """Its version: "v0", "v1" ..."""
        return f"v{self.info.version}"

    @property
    def type(self) -> str:
        """What it is, such as "model" or "dataset"."""
        return self.info.type

    @property
    def digest(self) -> str:
        """SHA-256 over the paths and digests of its files, 64 hexadecimal digits."""
        return self.info.digest

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self.info.size

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its aliases; "latest" is that of the newest version."""
        return self.info.aliases

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What was told about it."""
        return self.info.metadata

    @property
    def files(self) -> tuple[ArtifactFile, ...]:
        """Its files: path, size and digest of each."""
        return self.info.files

    @property
    def run_id(self) -> str:
        """The run that logged it."""
        return self.info.run_id

    @cached_property
    def path(self) -> Path:
        """The file, or the folder, ready to be read: a copy in the user's cache that is not to be changed.

        Raises:
            StoreError: the files cannot be read, or there is no room for them.
        """
        cached = _cache() / self.info.digest
        if not _is_whole(cached, self.files):
            shutil.rmtree(cached, ignore_errors=True)
            self._write(cached, 0o444)
        return cached if self.info.folder else cached / self.files[0].path

    def wait(self) -> Self:
        """Wait until it is stored; return it. Raises StoreError when it is not within two minutes."""
        _ = self.info
        return self

    def download(self, root: str | os.PathLike[str] | None = None) -> Path:
        """Write the files into a folder, which is made; return the file's or the folder's path.

        Left out, `root` is `artifacts/<name>-<version>` in the current one.

        Raises:
            BadInput: the folder holds something already.
            StoreError: the files cannot be read, or not be written there.
        """
        where = Path("artifacts", f"{self.name}-{self.version}") if root is None else Path(root)
        target = where.expanduser().absolute()
        if root is None and _is_whole(target, self.files):
            return target if self.info.folder else target / self.files[0].path
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadInput(f"an artifact needs a new or an empty folder, but {target} holds something.")
        with contextlib.suppress(OSError):
            target.rmdir()
        self._write(target, 0o644)
        return target if self.info.folder else target / self.files[0].path

    def _write(self, target: Path, mode: int) -> None:
        fresh = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
        try:
            fresh.mkdir(parents=True)
            with Reader.open(self._store) as reader:
                for file in self.files:
                    _write_file(reader, self.info.run_id, file, fresh, mode)
            fresh.rename(target)
        except OSError as error:
            if not _is_whole(target, self.files):  # another process may have been quicker
                raise StoreNotWritable(
                    f"artifact {self.name} cannot be written to {target}: {error}"
                ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def __repr__(self) -> str:
        known = "info" in vars(self)
        return f"<Artifact {self.name}:{self.version}>" if known else f"<Artifact {self.name}>"


def open_artifact(reader: Reader, info: ArtifactInfo) -> Artifact:
    """Return an artifact of which all is known."""
    return Artifact(info.name, lambda: info, reader.url)


def check_name(name: object) -> str:
    """Return the name of an artifact, or an alias. Raises BadInput."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise BadInput(
        f"an artifact's name has letters, digits, and _ . - (at most 128, the first a letter, a digit or _), "
        f"but got {name!r:.200}"
    )


def is_version(text: str) -> bool:
    """Return whether a text stands for a version, and cannot be an alias."""
    return _VERSION.fullmatch(text) is not None


def artifacts_of(reader: Reader, project: str | None = None, name: str | None = None) -> list[ArtifactInfo]:
    """Return all versions, ordered by project, name and version. Raises StoreError."""
    return _versions(_load(reader, ARTIFACTS if name is None else ARTIFACTS + name, _in_project(project)))


def artifacts_of_run(reader: Reader, run_id: str) -> list[ArtifactInfo]:
    """Return the versions that a run logged. Raises StoreError."""
    ours = _load(reader, ARTIFACTS, runs.c.run_id == run_id)
    keys = {(one.project, one.name, one.version) for one in ours}
    names = {one.name for one in ours}
    every = [info for name in sorted(names) for info in artifacts_of(reader, ours[0].project, name)]
    return [one for one in every if (one.project, one.name, one.version) in keys]


def used_by_run(reader: Reader, run_id: str) -> list[Mapping[str, Any]]:
    """Return name, version, digest, type, project and run_id of the artifacts that a run used."""
    found = reader.ask(
        lambda connection: load_events(connection, reader.location, runs.c.run_id == run_id, USED_ARTIFACTS)
    )
    unique = {
        (one.facts.get("project"), one.facts.get("name"), one.facts.get("version")): one for one in found
    }
    return [dict(one.facts) for one in unique.values()]


def find_artifact(reader: Reader, project: str, text: object) -> ArtifactInfo:
    """Return what a person means by `name`, `name:latest`, `name:v3`, `name:alias` or `project/name:v3`.

    Raises:
        BadInput: it is of none of these forms.
        ArtifactNotFound: there is none; the message names what there is.
    """
    if not isinstance(text, str):
        raise BadInput(f'an artifact is named by a text such as "model:latest", but got {text!r:.200}')
    place, _, rest = text.rpartition("/")
    name, _, which = rest.partition(":")
    project = place or project
    versions = artifacts_of(reader, project, check_name(name))
    which = which or LATEST
    fits = [one for one in versions if which in (f"v{one.version}", *one.aliases)]
    if fits:
        return fits[-1]
    where = f"project {project!r} in {reader.location.display}"
    if versions:
        known = ", ".join(dict.fromkeys([f"v{one.version}" for one in versions[-5:]] + _aliases(versions)))
        raise ArtifactNotFound(f"artifact {name!r} of {where} has no {which!r}. It has: {known}")
    near = near_names(name, {one.name for one in artifacts_of(reader, project)})
    raise ArtifactNotFound(f"{where} has no artifact {name!r}.{near}")


def find_logged(reader: Reader, run_id: str, name: str, token: str) -> ArtifactInfo | None:
    """Return the version that one call of log_artifact made; None while it is not stored."""
    mine = [one for one in _load(reader, ARTIFACTS + name, runs.c.run_id == run_id) if one.token == token]
    if not mine:
        return None
    versions = artifacts_of(reader, mine[0].project, name)
    return next((one for one in versions if one.version == mine[0].version), mine[0])


def find_of_run(reader: Reader, run_id: str, token: str) -> ArtifactInfo:
    """Return what one call of log_artifact of a run made. Raises ArtifactNotFound."""
    for one in _load(reader, ARTIFACTS, runs.c.run_id == run_id):
        if one.token == token:
            return one
    raise ArtifactNotFound(f"run {run_id!r} has no artifact {token!r}")


def _aliases(versions: Sequence[ArtifactInfo]) -> list[str]:
    return [alias for one in versions for alias in one.aliases]


def _in_project(project: str | None) -> sa.ColumnElement[bool]:
    return sa.true() if project is None else runs.c.project == project


def _load(reader: Reader, name: str, which: sa.ColumnElement[bool]) -> list[ArtifactInfo]:
    """Return what was logged, oldest first, the same content as often as it was logged."""

    def work(connection: sa.Connection) -> list[ArtifactInfo]:
        events = load_events(connection, reader.location, which, name)
        ids = {event.run_id for event in events}
        query = sa.select(runs.c.run_id, runs.c.project).where(runs.c.run_id.in_(ids))
        projects = {row.run_id: row.project for row in connection.execute(query)}
        return [_info(event, projects[event.run_id]) for event in events]

    return reader.ask(work)


def _info(event: Event, project: str) -> ArtifactInfo:
    facts = event.facts
    try:
        body = json.loads(event.text)
        return ArtifactInfo(
            name=event.name.removeprefix(ARTIFACTS),
            version=int(facts["version"]),
            type=str(facts["type"]),
            project=project,
            digest=str(facts["digest"]),
            size=int(facts["size"]),
            aliases=tuple(facts["aliases"]),
            metadata=body["metadata"],
            files=tuple(files_from(body["files"])),
            folder=bool(facts["folder"]),
            run_id=event.run_id,
            time=event.time,
            token=str(facts["token"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"an artifact of run {event.run_id} cannot be read: {error!r}") from error


def _versions(logged: Sequence[ArtifactInfo]) -> list[ArtifactInfo]:
    """Join what was logged several times, and give each alias to the one that got it last."""
    found: dict[tuple[str, str, int], ArtifactInfo] = {}
    owner: dict[tuple[str, str, str], int] = {}
    for one in logged:
        found.setdefault((one.project, one.name, one.version), one)
        for alias in one.aliases:
            owner[one.project, one.name, alias] = one.version
    for project, name, version in sorted(found):
        owner[project, name, LATEST] = version
    aliases: dict[tuple[str, str, int], list[str]] = {}
    for (project, name, alias), version in sorted(owner.items()):
        aliases.setdefault((project, name, version), []).append(alias)
    return [replace(found[key], aliases=tuple(aliases.get(key, ()))) for key in sorted(found)]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepscope" / "artifacts"


def _is_whole(folder: Path, files: Sequence[ArtifactFile]) -> bool:
    try:
        return all((folder / file.path).stat().st_size == file.size for file in files)
    except OSError:
        return False


def _write_file(reader: Reader, run_id: str, file: ArtifactFile, folder: Path, mode: int) -> None:
    inside = PurePosixPath(file.path)
    if inside.is_absolute() or ".." in inside.parts or not inside.parts:
        raise StoreDamaged(f"a file of an artifact would lie outside of its folder: {file.path!r}")
    path = folder / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as target:
        for digest in file.parts:
            target.write(reader.blob(run_id, digest))
    path.chmod(mode)
