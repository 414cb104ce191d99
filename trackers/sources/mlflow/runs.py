"""What MLflow knows of a run, whichever store it lies in, as a run of this store.

Parameters are texts in MLflow: what was a number, a boolean, None or a list of these in Python becomes that
again, where Python would write it exactly so. "001", "3.10", "1e-3", "nan" and "true" stay texts.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from ....storage.model import Run, RunState

_STATES = {
    "RUNNING": RunState.RUNNING,
    "SCHEDULED": RunState.RUNNING,
    "FINISHED": RunState.FINISHED,
    "FAILED": RunState.FAILED,
    "KILLED": RunState.KILLED,
}
STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""MLflow's numbers of them, as files hold them."""
_NUMBER = re.compile(r"(?P<whole>-?[0-9]{1,999})((\.[0-9]+)?(e[+-][0-9]+)?)")
_WORDS: Mapping[str, Any] = {"True": True, "False": False, "None": None}
_OWN = "mlflow."
_GIT = ("commit", "branch", "diff", "dirty", "repoURL")


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that a run logged (MLflow 3)."""

    model_id: str
    name: str
    place: str
    """Where its files are: a URI."""
    created: float
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class MlflowRun:
    """One run; times are milliseconds since the epoch, as MLflow has them."""

    run_id: str
    experiment: str
    experiment_id: str
    name: str
    status: str
    deleted: bool
    start: int | None
    end: int | None
    user: str
    artifacts: str
    """Where its files are: a URI."""
    deleted_at: int | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    params: dict[str, str] = field(default_factory=dict[str, str])
    datasets: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    models: list[LoggedModel] = field(default_factory=list[LoggedModel])

    @property
    def began(self) -> float:
        """When it began, in seconds; 0 where nothing says so."""
        return (self.start or 0) / 1000

    @property
    def title(self) -> str:
        """Its name, or the beginning of its id."""
        return self.name or self.tags.get("mlflow.runName") or self.run_id[:8]


def key_of(run_id: str) -> str:
    """Return what tells a run from all others: MLflow's ids are random, and the same in a copy of a store."""
    return f"mlflow:{run_id}"


def as_run(given: MlflowRun, parents: Mapping[str, str]) -> Run:
    """Return a run with all that is known of it; `parents` are the titles of all runs by their ids."""
    parent = given.tags.get("mlflow.parentRunId")
    ended = None if given.end is None else given.end / 1000
    archived = (given.deleted_at or given.end or given.start or 0) / 1000 if given.deleted else None
    return Run(
        run_id="",
        project=given.experiment,
        name=given.title,
        state=_STATES.get(given.status, RunState.KILLED),
        created_at=given.began,
        updated_at=ended or given.began,
        finished_at=ended,
        group=None if parent is None else parents.get(parent, parent),
        tags=tuple(
            _tag(name, value) for name, value in sorted(given.tags.items()) if not name.startswith(_OWN)
        ),
        notes=given.tags.get("mlflow.note.content", ""),
        config={name: typed(text) for name, text in sorted(given.params.items())},
        environment=_environment(given),
        archived_at=archived,
    )


def typed(text: str) -> Any:
    """Return what a parameter was in Python, as far as its text says so without doubt."""
    if text in _WORDS:
        return _WORDS[text]
    if found := _NUMBER.fullmatch(text):
        number = int(text) if found["whole"] == text else float(text)
        return number if str(number) == text else text
    if text[:1] in ("[", "(", "{"):
        return _literal(text)
    return text


def _literal(text: str) -> Any:
    try:
        found: Any = ast.literal_eval(text)
        # Only what Python itself would write like this, and the store can hold.
        return json.loads(json.dumps(found)) if repr(found) == text else text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _tag(name: str, value: str) -> str:
    return f"{name}={value}" if value else name


def _environment(given: MlflowRun) -> dict[str, Any]:
    own = {name.removeprefix(_OWN): text for name, text in given.tags.items() if name.startswith(_OWN)}
    told = {"note.content", "runName", "parentRunId", "source.name", *(f"source.git.{name}" for name in _GIT)}
    git = {name: own[f"source.git.{name}"] for name in _GIT if own.get(f"source.git.{name}")}
    found: dict[str, Any] = {"mlflow": {"run_id": given.run_id, "experiment_id": given.experiment_id}}
    found["mlflow"] |= {name: text for name, text in sorted(own.items()) if name not in told}
    if given.datasets:
        found["mlflow"]["datasets"] = list(given.datasets)
    if git:
        found["git"] = git
    if own.get("source.name"):
        found["command"] = own["source.name"]
    if given.user:
        found["user"] = given.user
    return found


def local_path(uri: str, beside: Sequence[Path]) -> Path | None:
    """Return the folder that a URI names, or the first of those beside the store that is there; else None."""
    named = _path_of(uri)
    places = [*([] if named is None else [named]), *beside]
    return next((place for place in places if place.is_dir()), None)


def _path_of(uri: str) -> Path | None:
    found = urlparse(uri)
    if found.scheme == "file":
        return Path(unquote(found.path))
    return Path(uri) if uri and "://" not in uri and not uri.startswith("mlflow-artifacts:") else None
