"""What runs and series are called in TensorBoard, the same in event files and in the live view. Pure.

A run is a folder, `digits-7K2M9QX4AB`: TensorBoard knows a run by its name alone, so that name ends with the
id. Series with a split lie in a sub-run, as Keras writes them: `digits-7K2M9QX4AB/train`. So do the lines of
add_scalars, as torch writes them: `digits-7K2M9QX4AB/loss_first`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from ....storage.kinds import KINDS
from ....storage.model import Run, Series, label_of
from ..files import safe_name

_RUN_ID = r"[0-9A-HJKMNP-TV-Z]{10}"
_RUN_NAME = re.compile(rf"(?:[^/]*-)?({_RUN_ID})(?:/[^/]+)?", re.DOTALL)
_MOST_SUB_RUNS = 100
"""Each is a file that is open: of more lines, the names stay in the tags."""
_RANK = {kind.name: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where TensorBoard shows a series."""

    sub_run: str
    """The part of a run: a split, "train", or a line of a chart, "loss_first"; "" for the run itself."""
    tag: str

    def run(self, name: str) -> str:
        """Return the name of the run or sub-run, given that of the run."""
        return f"{name}/{self.sub_run}" if self.sub_run else name


def run_name(run: Run) -> str:
    """Return the name by which TensorBoard knows the run: that of its folder in an export."""
    return f"{safe_name(run.name)}-{run.run_id}".lstrip("-")


def run_id_of(name: str) -> str | None:
    """Return the id in the name of a run or of a sub-run, None when it is no such name."""
    fit = _RUN_NAME.fullmatch(name)
    return None if fit is None else fit[1]


def places(series: Iterable[Series], known: Mapping[int, Place] | None = None) -> dict[int, Place]:
    """Return series_id -> where it is, for all series of one run, each at a place of its own.

    TensorBoard gives a tag one kind only: of several kinds of one name, the first keeps it.

    Args:
        series: all of the run, or those that came after the known ones.
        known: places that series have already, and keep.
    """
    found: dict[int, Place] = {}
    taken = set((known or {}).values())
    sub_runs = {place.sub_run for place in taken}
    for one in sorted(series, key=lambda one: (_RANK.get(one.kind, len(_RANK)), one.label)):
        apart = len(sub_runs) < _MOST_SUB_RUNS
        place = next(wanted for wanted in _wanted(one, lines_apart=apart) if wanted not in taken)
        taken.add(place)
        sub_runs.add(place.sub_run)
        found[one.series_id] = place
    return found


def _wanted(one: Series, *, lines_apart: bool) -> Iterator[Place]:
    """Yield the places for a series, best first."""
    sub_run, told = _sub_run(one, lines_apart=lines_apart)
    inside = {key: value for key, value in one.context.items() if key != told} if sub_run else one.context
    tag = label_of(one.name, inside)
    yield Place(sub_run, tag)
    yield Place(sub_run, f"{tag} ({one.kind})")
    # Two splits may have one name as folders.
    yield from (Place(sub_run, f"{one.label} ({one.kind} {number})") for number in count(1))


def _sub_run(one: Series, *, lines_apart: bool) -> tuple[str, str]:
    """Return the sub-run of a series, "" for none, and the key of its context that it stands for."""
    if "split" in one.context:
        return safe_name(str(one.context["split"])), "split"
    if "line" in one.context and lines_apart:
        # As torch's add_scalars does, so that the lines of a chart are on one chart.
        return safe_name(f"{one.name}_{one.context['line']}"), "line"
    return "", ""
