"""Which run `init` goes on with, by an id that the user chose and a word about it."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from typing import Any

from ...storage.errors import BadInput, RunNotFound, StepscopeError, StoreNotFound
from ...storage.location import StoreArgument
from ...storage.model import RunState
from ...storage.read import Reader
from ..run_id import CROCKFORD, ID_LENGTH

_WORDS = ("allow", "must", "never", "auto")


@dataclass(frozen=True, slots=True)
class Choice:
    """What init is to do."""

    resume: str | None = None
    """The run to go on with."""
    run_id: str | None = None
    """The id of a new run."""
    name: str | None = None
    """The name of a new run whose id the user chose."""


def choose(store: StoreArgument, project: str | None, id: Any, resume: Any) -> Choice:
    """Say what `id` and `resume` mean; see `init`. Raises BadInput, and StoreError for "must" and "never"."""
    if id is None or (isinstance(resume, str) and resume not in _WORDS):
        return _without_id(store, project, resume)
    run_id = run_id_of(str(id))
    there = _exists(store, run_id, sure=resume in ("must", "never"))
    if resume == "must" and not there:
        raise BadInput(f'init(id={id!r}, resume="must") needs a run of that id, but there is none.')
    if resume == "never" and there:
        raise BadInput(f'init(id={id!r}, resume="never") needs a new id, but there is a run {run_id} of it.')
    return Choice(resume=run_id) if there else Choice(run_id=run_id, name=str(id))


def run_id_of(text: str) -> str:
    """Return a run's id made of any text; what is such an id already stays as it is."""
    if len(text) == ID_LENGTH and set(text) <= set(CROCKFORD):
        return text
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in range(ID_LENGTH))


def _without_id(store: StoreArgument, project: str | None, resume: Any) -> Choice:
    if resume == "must":
        raise BadInput('init(resume="must") needs an id: init(id="...", resume="must").')
    if resume in (True, "auto"):
        return Choice(resume=_broken_off(store, project or "default"))
    return Choice(resume=None if resume is False or resume in _WORDS else resume)


def _exists(store: StoreArgument, run_id: str, *, sure: bool) -> bool:
    try:
        with Reader.open(store) as reader:
            reader.run(run_id)
    except (RunNotFound, StoreNotFound):
        return False
    except StepscopeError:
        if sure:
            raise
        return False
    return True


def _broken_off(store: StoreArgument, project: str) -> str | None:
    try:
        with Reader.open(store) as reader:
            runs = [run for run in reader.runs(project=project) if run.host == platform.node()]
    except StepscopeError:
        return None
    newest = max(runs, key=lambda run: run.created_at, default=None)
    broke_off = newest is not None and newest.state in (RunState.FAILED, RunState.KILLED)
    return newest.run_id if newest is not None and broke_off else None
