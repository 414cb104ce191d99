"""Visdom: environment files, folders of them, and running servers.

An environment becomes a run; in what Stepscope exported itself, each run becomes itself again as far as the
windows hold it. Visdom's windows change in place. What only grew goes on: a curve, a history of pictures,
a text. A curve that was drawn anew becomes another form of its series (the context says which), and any
other window that changed gives new values at the next step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from ....storage.errors import BadInput
from ....storage.model import Run, RunState
from ..base import FoundRun, Part, Piece
from .parts import pieces_of
from .places import Environment, environments
from .windows import Contents, OwnRun, Slot, contents_of

PROJECT = "visdom"


@dataclass(frozen=True, slots=True)
class _Look:
    """What an environment was when it was looked at last."""

    stamp: object
    found: Sequence[FoundRun]
    problems: Sequence[str]


class VisdomSource:
    """Reads the environments at one place."""

    name: ClassVar[str] = "Visdom"

    def __init__(self, place: str | Path) -> None:
        """Take a file, a folder, or the URL of a server.

        Such a URL is "http://localhost:8097", or one of an environment, "http://localhost:8097/env/main";
        a user and a password in it are used where the server asks for a login.
        """
        self._place = str(place)
        self._looks: dict[str, _Look] = {}
        self._where: dict[str, Environment] = {}
        self.problems: list[str] = []
        self._open: tuple[Environment, Contents] | None = None

    def runs(self) -> Sequence[FoundRun]:
        """Look which environments, and exported runs in them, there are by now. Raises BadInput."""
        found: dict[str, FoundRun] = {}
        self._where.clear()
        self.problems.clear()
        for environment in environments(self._place):
            look = self._look(environment)
            self.problems += look.problems
            for one in look.found:
                found.setdefault(one.key, one)
                self._where.setdefault(one.key, environment)
        return list(found.values())

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what is new in a window, or in one curve of it."""
        environment = self._where[found.key]
        contents = self._contents(environment)
        wanted = (found.run.run_id, part.name)
        slot = next((one for one in contents.slots if (one.owner, one.part) == wanted), None)
        if slot is None:  # closed since then
            return
        try:
            pane = contents.pane(slot.window)
        except ValueError:
            return
        known = contents.own.get(slot.owner)
        time = environment.changed_at if known is None else known.time(environment.changed_at)
        yield from pieces_of(slot, pane, position, replace(environment, changed_at=time))

    def _look(self, environment: Environment) -> _Look:
        known = self._looks.get(environment.key)
        if known is None or environment.stamp is None or known.stamp != environment.stamp:
            self._open = None
            try:
                contents = contents_of(environment)
            except (OSError, BadInput) as error:
                # One environment that cannot be read must not cost the others.
                contents = Contents(b"", problems=[f"{environment.place} cannot be read: {error}"])
            self._open = (environment, contents)
            found = _found(environment, contents)
            known = self._looks[environment.key] = _Look(environment.stamp, found, contents.problems)
        return known

    def _contents(self, environment: Environment) -> Contents:
        if self._open is None or self._open[0] != environment:
            self._open = (environment, contents_of(environment))
        return self._open[1]


def _found(environment: Environment, contents: Contents) -> list[FoundRun]:
    found = [
        FoundRun(run_id, _own_run(run_id, own, environment), _parts(contents.slots, run_id))
        for run_id, own in contents.own.items()
    ]
    others = _parts(contents.slots, "")
    if others or contents.config:
        # Times that are not known become those of the values.
        run = Run("", PROJECT, environment.name, RunState.FINISHED, 0.0, 0.0, config=contents.config)
        found.append(FoundRun(environment.key, run, others))
    return found


def _parts(slots: Sequence[Slot], owner: str) -> list[Part]:
    return [Part(slot.part, edition=slot.edition) for slot in slots if slot.owner == owner]


def _own_run(run_id: str, own: OwnRun, environment: Environment) -> Run:
    facts = _checked(own.facts)
    config = {key: value for key, value in own.config.items() if key not in ("state", "tags", "notes")}
    state = facts.pop("state", None) or _state(own.config.get("state"))
    known: dict[str, Any] = {"project": environment.name, "name": own.name, "config": config, **facts}
    ended = None if state is RunState.RUNNING else known.pop("finished_at", None)
    created = known.pop("created_at", None) or 0.0
    return Run(run_id, state=state, created_at=created, updated_at=0.0, finished_at=ended, **known)


def _checked(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return those facts of an export that a run has, in their types."""
    names = {one.name for one in fields(Run)} & facts.keys()
    texts = {"project", "name", "notes"}
    kept = {name: str(facts[name]) for name in names & texts}
    kept |= {name: facts[name] for name in names & {"group", "framework"} if isinstance(facts[name], str)}
    kept |= {name: facts[name] for name in names & {"config", "summary"} if isinstance(facts[name], dict)}
    times = names & {"created_at", "finished_at"}
    made: dict[str, Any] = {
        name: float(facts[name]) for name in times if isinstance(facts[name], int | float)
    }
    if isinstance(facts.get("tags"), list):
        made["tags"] = tuple(str(tag) for tag in facts["tags"])
    if "state" in names:
        made["state"] = _state(facts["state"])
    return kept | made


def _state(text: Any) -> RunState:
    try:
        return RunState(text)
    except ValueError:
        return RunState.FINISHED
