"""What runs differ in beside their numbers: config, packages, machine, code. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...storage.model import Run
from ...storage.nested import flatten
from ..views.words import NOTHING

MOST_DIFF_LINES = 2000
"""Lines of a code difference that are shown, for each pair of runs."""
OF_EACH_PROCESS = frozenset({"pid", "cwd", "executable"})
"""What differs between any two processes and says nothing of what they computed."""

_MODULE_OF = {"torch": "torch", "tensorflow": "tensorflow", "keras": "tensorflow"}
"""Framework -> under which name its settings were captured."""
_HEADS = ("index ", "--- a/", "+++ b/", "--- /dev/null", "+++ /dev/null")
_FILE = re.compile(r"^diff --git a/(.+) b/.+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of the runs."""

    name: str
    values: tuple[str, ...]
    """As text, one for each run; a dash where a run does not have it."""
    differs: bool


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """What is known of the code of a run beside that of the baseline."""

    said: str
    """In one sentence."""
    diff: str = ""
    """A unified diff from the baseline's uncommitted changes to the run's; "" when they are the same."""
    same: bool = False
    """Whether both ran the same code, as far as git knows."""
    known: bool = True
    """Whether anything was captured of the code of both."""


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
    return tuple(sorted(facts_of([_mapping(one, "packages") for one in environments]), key=_name))


def machines(runs: Sequence[Run], environments: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """Return machine, command and what it takes to repeat a run, without what each process has of its own.

    What is known of a run's own framework has the same names for all frameworks: seed, precision ...
    """
    return facts_of([_machine(run, one) for run, one in zip(runs, environments, strict=True)])


def repositories(environments: Sequence[Mapping[str, Any]]) -> tuple[Fact, ...]:
    """Return commit and branch, and how many lines are changed since the commit."""
    return facts_of([_repository(_mapping(one, "git")) for one in environments])


def code_difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> CodeDifference:
    """Return how the code of two runs differs, as far as it was captured.

    Args:
        base: the environment of the baseline.
        other: that of the other run.
    """
    one, two = _mapping(base, "git"), _mapping(other, "git")
    if not one or not two:
        return CodeDifference(
            "Not both runs were started in a git repository: of their code nothing is known.", known=False
        )
    commits = one.get("commit"), two.get("commit")
    diffs = str(one.get("diff") or ""), str(two.get("diff") or "")
    cut = " What was captured was cut at its limit." if _is_cut(one) or _is_cut(two) else ""
    text = _between(*diffs, same_commit=commits[0] == commits[1])
    if commits[0] == commits[1]:
        at = f"commit {str(commits[0])[:10]}"
        if not text:
            words = "with the same uncommitted changes" if diffs[0] else "without uncommitted changes"
            return CodeDifference(f"Both ran {at} {words}.{cut}", same=not cut)
        return CodeDifference(f"Both ran {at}; their uncommitted changes differ.{cut}", text)
    named = f"{str(commits[0])[:10]} and {str(commits[1])[:10]}"
    changes = "their uncommitted changes differ as well" if text else "their uncommitted changes are the same"
    hint = f"`git diff {str(commits[0])[:10]} {str(commits[1])[:10]}` shows what lies between"
    return CodeDifference(f"The commits differ: {named}. {hint}; {changes}.{cut}", text)


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


def _mapping(environment: Mapping[str, Any], key: str) -> dict[str, Any]:
    found: object = environment.get(key)
    return dict(cast("Mapping[str, Any]", found)) if isinstance(found, Mapping) else {}


def _machine(run: Run, environment: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"packages", "git", "reproducibility", *OF_EACH_PROCESS}
    known = flatten({key: value for key, value in environment.items() if key not in left_out})
    to_repeat = _mapping(environment, "reproducibility")
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


def _is_cut(git: Mapping[str, Any]) -> bool:
    return bool(git.get("diff_truncated"))


def _between(base: str, other: str, *, same_commit: bool) -> str:
    """Return the difference of two diffs, of those files alone whose changes are not the same.

    From one commit, what a single run changed in a file is the difference itself; where both changed
    a file, or began at different commits, their changes are compared line by line.
    """
    if base == other:
        return ""
    ones, twos = _by_file(base), _by_file(other)
    lines: list[str] = []
    for name in sorted(ones.keys() | twos.keys()):
        before, after = ones.get(name, []), twos.get(name, [])
        if before != after and len(lines) <= MOST_DIFF_LINES:
            lines += _of_file(name, before, after, same_commit=same_commit)
    if len(lines) > MOST_DIFF_LINES:
        lines[MOST_DIFF_LINES:] = [f"… only the first {MOST_DIFF_LINES} lines are shown"]
    return "\n".join(lines)


def _of_file(name: str, before: list[str], after: list[str], *, same_commit: bool) -> list[str]:
    heads = [f"--- baseline: {name}", f"+++ this run: {name}"]
    if same_commit and not before:
        return [*heads, *after]
    if same_commit and not after:
        return [*heads, *map(_undone, before)]
    heads = [f"--- changes in the baseline: {name}", f"+++ changes in this run: {name}"]
    return [*heads, *list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]]


def _undone(line: str) -> str:
    """Return a line of a diff as it stands in the diff of the way back."""
    if hunk := re.match(r"@@ -(\S+) \+(\S+) @@(.*)", line):
        return f"@@ -{hunk[2]} +{hunk[1]} @@{hunk[3]}"
    return {"+": "-", "-": "+"}.get(line[:1], line[:1]) + line[1:]


def _by_file(diff: str) -> dict[str, list[str]]:
    """Return the lines that a diff of git adds and removes, with those around them, by file."""
    parts = _FILE.split(diff)
    return {
        name: [line for line in body.lstrip("\n").splitlines() if not line.startswith(_HEADS)]
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
