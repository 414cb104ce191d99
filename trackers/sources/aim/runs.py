"""What an Aim repository says of its runs, apart from the values."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from ....storage.model import Run, RunState
from .database import AimDatabase, Custom, Key, decoded, key_of, path_of
from .series import SYSTEM, AimSeries

_SYSTEM_PARAMS = "__system_params"
_SURROUNDINGS = {"packages": "packages", "git_info": "git", "executable": "executable"}
"""Aim's names -> ours. Environment variables, which may hold secrets, are left out."""
_NOT_CONTEXT = (bool, float, list, dict)


@dataclass(frozen=True, slots=True)
class AimProperties:
    """What people see and change of a run."""

    name: str = ""
    description: str = ""
    experiment: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    archived_at: float | None = None
    created_at: float = 0.0


def read_properties(repository: Path) -> dict[str, AimProperties]:
    """Return the properties of all runs, by their hash.

    Raises:
        sqlite3.Error: they cannot be read.
    """
    path = repository / "run_metadata.sqlite"
    if not path.is_file():
        return {}
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as connection:
        connection.row_factory = sqlite3.Row
        tags = _listed(
            connection, "SELECT run_id, name FROM run_tag JOIN tag ON tag.id = tag_id ORDER BY tag_id"
        )
        notes = _listed(connection, "SELECT run_id, content FROM note WHERE run_id IS NOT NULL ORDER BY id")
        rows = connection.execute(
            "SELECT run.*, experiment.name AS experiment FROM run "
            "LEFT JOIN experiment ON experiment.id = experiment_id"
        )
        return {str(row["hash"]): _properties(row, tags, notes) for row in rows}


def _listed(connection: sqlite3.Connection, query: str) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for run_id, text in connection.execute(query):
        found[run_id] = (*found.get(run_id, ()), str(text))
    return found


def _properties(
    row: sqlite3.Row, tags: Mapping[int, tuple[str, ...]], notes: Mapping[int, tuple[str, ...]]
) -> AimProperties:
    return AimProperties(
        name=row["name"] or "",
        description=row["description"] or "",
        experiment=row["experiment"] or "",
        tags=tags.get(row["id"], ()),
        notes=notes.get(row["id"], ()),
        archived_at=_seconds(row["updated_at"]) if row["is_archived"] else None,
        created_at=_seconds(row["created_at"]) or 0.0,
    )


def _seconds(text: str | None) -> float | None:
    """Return seconds since the epoch: SQLite holds texts, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() if text else None


def read_series(meta: AimDatabase, run_hash: str) -> list[AimSeries]:
    """Return the series of a run, ordered by context and name. Raises BadInput."""
    contexts = cast("dict[Key, Any]", meta.collect(key_of("meta", "chunks", run_hash, "contexts")) or {})
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for rest, data in meta.items(key_of("meta", "chunks", run_hash, "traces")):
        path = path_of(rest)
        # The first and the last value lie there as well, with all that belongs to them.
        if len(path) == 3 and path[2] in ("dtype", "version") and data:
            found.setdefault((cast("int", path[0]), str(path[1])), {})[str(path[2])] = decoded(data)
    return list(_series(found, contexts))


def _series(
    found: Mapping[tuple[int, str], Mapping[str, Any]], contexts: Mapping[Key, Any]
) -> Iterator[AimSeries]:
    with_epochs: set[int] = set()
    for (number, name), told in sorted(found.items()):
        dtype, version = str(told.get("dtype", "float")), int(told.get("version", 1))
        one = AimSeries(name, number, _context(contexts.get(number)), version, dtype, with_epochs=False)
        if one.is_metric and not name.startswith(SYSTEM) and number not in with_epochs:
            with_epochs.add(number)
            one = AimSeries(name, number, one.context, version, dtype, with_epochs=True)
        yield one


def _context(found: Any) -> dict[str, str | int]:
    """Return a context: Aim's "subset" is what the store calls a split."""
    told = cast("dict[Key, Any]", found) if isinstance(found, dict) else {}
    context: dict[str, str | int] = {}
    for key, value in told.items():
        name = "split" if key == "subset" and "split" not in told else str(key)
        plain = (
            value
            if isinstance(value, str | int) and not isinstance(value, bool)
            else json.dumps(value, default=str)
        )
        context[name] = plain
    return context


def read_run(meta: AimDatabase, run_hash: str, told: AimProperties, *, is_quiet: bool) -> Run:
    """Return a run; `is_quiet` when nothing was written of it for some time. Raises BadInput."""
    root = key_of("meta", "chunks", run_hash)
    config = cast("dict[Key, Any]", meta.collect(root + key_of("attrs")) or {})
    ended = meta.collect(root + key_of("end_time"))
    state = _state(ended, is_quiet=is_quiet)
    surroundings = config.pop(_SYSTEM_PARAMS, {})
    return Run(
        run_id="",
        project=told.experiment or "default",
        name=told.name if told.name and told.name != f"Run: {run_hash}" else run_hash,
        state=state,
        created_at=told.created_at,
        updated_at=told.created_at,
        finished_at=None if state is RunState.RUNNING else float(ended or told.created_at),
        tags=told.tags,
        notes="\n\n".join(text for text in (told.description, *told.notes) if text),
        config=cast("dict[str, Any]", _plain(config)),
        environment=_environment(surroundings),
        archived_at=told.archived_at,
    )


def _state(ended: Any, *, is_quiet: bool) -> RunState:
    if isinstance(ended, float):
        return RunState.FINISHED
    return RunState.KILLED if is_quiet else RunState.RUNNING


def _environment(found: Any) -> dict[str, Any]:
    told = cast("dict[Key, Any]", found) if isinstance(found, dict) else {}
    known: dict[str, Any] = {
        ours: _plain(told[name]) for name, ours in _SURROUNDINGS.items() if told.get(name)
    }
    arguments = told.get("arguments")
    if arguments:
        known["command"] = (
            " ".join(map(str, cast("list[Any]", arguments)))
            if isinstance(arguments, list)
            else str(arguments)
        )
    return known


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, Custom):
        return {"type": value.kind, **{str(key): _plain(inner) for key, inner in value.fields.items()}}
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in cast("dict[Key, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    return f"{len(value):,} bytes" if isinstance(value, bytes) else value
