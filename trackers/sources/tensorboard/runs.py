"""Folders with event files -> runs: which folders belong together, and what tells their series apart.

TensorBoard takes each folder for a run. Here, these belong to the run of the folder above them:

- `train`, `validation`, `eval` and the like: the splits of Keras, Lightning and TensorFlow's estimators;
- a folder named by a time, with hyperparameters: torch's add_hparams makes one for each call;
- `<tag>_<line>`, tensorboardX: `<tag>/<line>`: add_scalars makes one for each line of a chart;
- those that an export of Stepscope made of one run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....storage.names import SPLITS
from .attempts import Written
from .origin import Origin

_SPLIT_WORDS = frozenset(word for words in SPLITS.values() for word in words)
_KERAS = ("train", "validation")
_TIME = re.compile(r"\d{9,}\.\d+")


@dataclass(frozen=True, slots=True)
class Member:
    """A folder of a run."""

    base: str
    """The run: its folder, or, of one that was exported, the folder and the id behind colons."""
    context: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    line_of: str | None = None
    line: str = ""


@dataclass(slots=True)
class RunFiles:
    """The files of one run."""

    base: str
    written: list[tuple[Written, Member]] = field(default_factory=list[tuple[Written, Member]])

    @property
    def facts(self) -> Mapping[str, Any] | None:
        """What an export of Stepscope says of the run."""
        return next((one.head.facts for one, _ in self.written if one.head.facts is not None), None)

    @property
    def folder(self) -> str:
        """The folder of the run: that of all its files."""
        if not self.base.startswith(":"):
            return self.base
        return min((one.file.folder for one, _ in self.written), key=len)

    def part_name(self, written: Written) -> str:
        """Return the name of a file within the run."""
        folder = self.folder
        return written.file.path.removeprefix(f"{folder}/") if folder else written.file.path

    def origins(self, config: Mapping[str, Any]) -> dict[str, Origin]:
        """Return the name of each file within the run -> what its folder says."""
        return {
            self.part_name(one): Origin(
                one.file.path,
                one.file.path,
                member.context,
                member.line_of,
                member.line,
                one.head.facts is not None,
                config,
            )
            for one, member in self.written
        }


def runs_in(written: Sequence[Written]) -> list[RunFiles]:
    """Return the runs that files belong to, in the order of their folders."""
    folders: dict[str, list[Written]] = {}
    for one in written:
        folders.setdefault(one.file.folder, []).append(one)
    members = {folder: _member(folder, folders) for folder in folders}
    runs: dict[str, RunFiles] = {}
    for one in written:
        member = members[one.file.folder]
        if one.head.facts is not None:
            member = Member(f":{_top(one)}:{one.head.facts['run']['run_id']}")
        runs.setdefault(member.base, RunFiles(member.base)).written.append((one, member))
    return list(runs.values())


def _top(written: Written) -> str:
    """Return the folder of the run that an exported file belongs to."""
    sub_run = str((written.head.facts or {}).get("folder", ""))
    return written.file.folder.removesuffix(sub_run).rstrip("/") if sub_run else written.file.folder


def _member(folder: str, folders: Mapping[str, list[Written]]) -> Member:
    """Return which run a folder belongs to: its own, unless it is one of those that belong to one above."""
    above, _, name = folder.rpartition("/")
    if not folder:
        return Member("")
    if _is_split(name, above, folders):
        base = _member(above, folders).base if above in folders else above
        return Member(base, {"split": name})
    written = folders[folder]
    if _TIME.fullmatch(name) and above in folders and any(one.head.session for one in written):
        return Member(_member(above, folders).base)
    line = _line(folder, folders)
    if line is not None:
        owner, tag, key = line
        return Member(_member(owner, folders).base, line_of=tag, line=key)
    return Member(folder)


def _is_split(name: str, above: str, folders: Mapping[str, list[Written]]) -> bool:
    """Whether a folder is a split of the run above it, and not a run that somebody called "test"."""
    if name not in _SPLIT_WORDS:
        return False
    prefix = f"{above}/" if above else ""
    splits = sum(f"{prefix}{word}" in folders for word in _SPLIT_WORDS)
    return name in _KERAS or above in folders or splits > 1


def _line(folder: str, folders: Mapping[str, list[Written]]) -> tuple[str, str, str] | None:
    """Return the folder above whose chart a folder is a line of, the chart's tag, and the line."""
    tag = next((one.head.first_tag for one in folders[folder] if one.head.first_tag), "")
    above = folder
    while tag and above:
        above = above.rpartition("/")[0]
        inside = folder.removeprefix(f"{above}/") if above else folder
        if above not in folders:
            continue
        for start in (f"{tag.replace('/', '_')}_", f"{tag}/"):
            if inside.startswith(start) and len(inside) > len(start):
                return above, tag, inside.removeprefix(start)
    return None
