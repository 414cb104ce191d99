"""What runs differ in beside their numbers: config, packages, machine, code. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...storage.model import Run
from ...storage.nested import flatten
from ..views.words import NOTHING

OF_EACH_PROCESS = frozenset({"pid", "cwd", "executable"})
"""What differs between any two processes and says nothing of what they computed."""

_MODULE_OF = {"torch": "torch", "tensorflow": "tensorflow", "keras": "tensorflow"}
"""Framework -> under which name its settings were captured."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of the runs."""

    name: str
    values: tuple[str, ...]
    """As text, one for each run; a dash where a run does not have it."""
    differs: bool


def facts_of(values: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """Return what flat mappings hold, in the order in which the names come up.

    Args:
        values: one for each run.
    """
    names = dict.fromkeys(name for each in values for name in each)
    return tuple(_fact(name, [each.get(name, _MISSING) for each in values]) for name in names)


def configs(runs: Sequence[Run]) -> tuple[Fact, ...]:
    """Return the flattened configs."""
    return facts_of([flatten(run.config) for run in runs])


def summaries(runs: Sequence[Run]) -> tuple[Fact, ...]:
    """Return what the users said of the results with `run.summary`."""
    return facts_of([flatten(run.summary) for run in runs])


def packages(environments: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """Return the versions of packages, by name."""
    return tuple(sorted(facts_of([mapping_of(one, "packages") for one in environments]), key=_name))


def machines(runs: Sequence[Run], environments: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """Return machine, command and what it takes to repeat a run, without what each process has of its own.

    What is known of a run's own framework has the same names for all frameworks: seed, precision ...
    """
    return facts_of([_machine(run, one) for run, one in zip(runs, environments, strict=True)])


def repositories(environments: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """Return commit and branch, and how many lines are changed since the commit."""
    return facts_of([_repository(mapping_of(one, "git")) for one in environments])


_MISSING = object()


def _fact(name: str, values: Sequence[object]) -> Fact:
    exact = {NOTHING if value is _MISSING else repr(value) for value in values}
    return Fact(name, tuple(map(_text, values)), len(exact) > 1)


def _text(value: object) -> str:
    if value is _MISSING:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.12g}"  # 0.3 rather than 0.30000000000000004
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _name(fact: Fact) -> str:
    return fact.name


def mapping_of(environment: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a mapping out of what was captured; empty when there is none."""
    found: object = environment.get(key)
    return dict(cast("Mapping[str, Any]", found)) if isinstance(found, Mapping) else {}


def number_in(value: object) -> float | None:
    """Return a number of a summary; None for what is none. An integer past all floats is infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _machine(run: Run, environment: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"packages", "git", "reproducibility", "program", "process", *OF_EACH_PROCESS}
    known = flatten({key: value for key, value in environment.items() if key not in left_out})
    to_repeat = mapping_of(environment, "reproducibility")
    own = to_repeat.pop(_MODULE_OF.get(run.framework or "", ""), {})
    # flatten() keeps an empty mapping, which would take the place of the framework's name.
    settings = flatten({"framework": own} if own else {}) | flatten(to_repeat)
    found = {"framework": run.framework, **known, **settings}
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _repository(git: Mapping[str, Any]) -> dict[str, Any]:
    if not git:
        return {}
    lines = [line for line in str(git.get("diff") or "").splitlines() if re.match(r"[+-](?![+-]{2} )", line)]
    return {"commit": git.get("commit"), "branch": git.get("branch"), "uncommitted lines": len(lines)}
