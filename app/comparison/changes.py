"""How the code of two runs differs, as far as it was captured. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .facts import mapping_of
from .programs import program_of

MOST_DIFF_LINES = 2000
"""Lines of a code difference that are shown, for each pair of runs."""
_HEADS = ("index ", "--- a/", "+++ b/", "--- /dev/null", "+++ /dev/null")
_FILE = re.compile(r"^diff --git a/(.+) b/.+$", re.MULTILINE)


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


def code_difference(base: Mapping[str, Any], other: Mapping[str, Any]) -> CodeDifference:
    """Return how the code of two runs differs, as far as it was captured.

    Args:
        base: the environment of the baseline.
        other: that of the other run.
    """
    one, two = mapping_of(base, "git"), mapping_of(other, "git")
    if not one or not two:
        return _by_programs(base, other)
    commits = one.get("commit"), two.get("commit")
    diffs = str(one.get("diff") or ""), str(two.get("diff") or "")
    cut = " What was captured was cut at its limit." if _is_cut(one) or _is_cut(two) else ""
    text = _between(*diffs, same_commit=commits[0] == commits[1])
    if commits[0] == commits[1]:
        at = f"commit {str(commits[0])[:10]}"
        if not text:
            words = "with the same uncommitted changes" if diffs[0] else "without uncommitted changes"
            if names := _other_programs(base, other):
                return CodeDifference(f"Both ran {at} {words}, but not the same program: {names}.{cut}")
            return CodeDifference(f"Both ran {at} {words}.{cut}", same=not cut)
        return CodeDifference(f"Both ran {at}; their uncommitted changes differ.{cut}", text)
    named = f"{str(commits[0])[:10]} and {str(commits[1])[:10]}"
    changes = "their uncommitted changes differ as well" if text else "their uncommitted changes are the same"
    hint = f"`git diff {str(commits[0])[:10]} {str(commits[1])[:10]}` shows what lies between"
    return CodeDifference(f"The commits differ: {named}. {hint}; {changes}.{cut}", text)


def _other_programs(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the names of two programs; "" where they are the same, as far as is known."""
    one, two = _script(base), _script(other)
    if one != two and one and two:
        return f"{one} and {two}"
    kept = program_of(base), program_of(other)
    changed = kept[0] and kept[1] and kept[0].text != kept[1].text
    return f"{one} was changed in between" if changed else ""


def _script(environment: Mapping[str, Any]) -> str:
    """Return the name of a script; of a run that did not keep it, as the command tells it."""
    if (kept := program_of(environment)) is not None:
        return kept.name
    named = re.search(r"([^\s/\\]+\.py)(?=\s|$)", str(environment.get("command") or ""))
    return named[1] if named else ""


def _by_programs(base: Mapping[str, Any], other: Mapping[str, Any]) -> CodeDifference:
    """Return what the programs alone tell, of runs outside of a repository."""
    head = "Not both runs were started in a git repository"
    one, two = program_of(base), program_of(other)
    if one is None or two is None:
        return CodeDifference(f"{head}: of their code nothing is known.", known=False)
    if one.text == two.text:
        return CodeDifference(f"{head}; both ran the same program, {one.name}.", same=not one.truncated)
    if one.name != two.name:
        return CodeDifference(f"{head}; they ran two programs: {one.name} and {two.name}.")
    lines = difflib.unified_diff(one.text.splitlines(), two.text.splitlines(), lineterm="", n=2)
    heads = [f"--- baseline: {one.name}", f"+++ this run: {two.name}"]
    return CodeDifference(f"{head}; {one.name} was changed.", _cut([*heads, *list(lines)[2:]]))


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
    return _cut(lines)


def _cut(lines: list[str]) -> str:
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
