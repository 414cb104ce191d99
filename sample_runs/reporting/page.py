"""The page docs/pytorch-vs-tensorflow.md: blocks between markers, and words by hand around them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .headings import HEADINGS, Heading
from .machine import where_and_when
from .measures import Measured, Process
from .samples import find_samples

_BLOCK = re.compile(r"<!-- begin: ([\w-]+) -->\n(.*?)<!-- end: \1 -->", re.DOTALL)
_NEEDED = {
    "a command": r"`python sample_runs/run_all\.py",
    "a date": r"\d{4}-\d\d-\d\d",
    "a machine": r"\d cores? of ",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the figures of a page come from."""

    store: str
    """As it was named."""
    times: Sequence[tuple[Mapping[str, object], Sequence[Process]]]
    """Each time that run_all.py ran: its options, and what it started."""


def blocks(runs: Sequence[Measured], source: Source) -> dict[str, str]:
    """Return the name of each block with what stands in it.

    Args:
        runs: all that were measured.
        source: where they come from.
    """
    return {name: _block(heading, runs, source) for name, heading in HEADINGS.items()}


def written(page: str, made: Mapping[str, str]) -> str:
    """Return a page with its blocks replaced.

    Raises:
        ValueError: the page has not these blocks; the message names them.
    """
    here = [found[1] for found in _BLOCK.finditer(page)]
    if sorted(here) != sorted(made):
        raise ValueError(
            f"the page needs the blocks {', '.join(made)}, each between <!-- begin: NAME --> and "
            f"<!-- end: NAME -->, but has {', '.join(here) or 'none'}"
        )
    return _BLOCK.sub(
        lambda found: f"<!-- begin: {found[1]} -->\n{made[found[1]]}\n<!-- end: {found[1]} -->", page
    )


def faults(page: str) -> list[str]:
    """Return what is missing on a page, in sentences: blocks, figures, or where figures come from."""
    found = {block[1]: block[2] for block in _BLOCK.finditer(page)}
    said = [f"the block {name} is missing" for name in HEADINGS if name not in found]
    for name, text in found.items():
        if name not in HEADINGS:
            said.append(f"no heading is called {name}")
        if "\n|---" not in text:
            said.append(f"the block {name} has no table")
        said += [
            f"the block {name} does not name {what}"
            for what, form in _NEEDED.items()
            if not re.search(form, text)
        ]
    return said


def _block(heading: Heading, runs: Sequence[Measured], source: Source) -> str:
    taken = heading.taken(runs)
    if not taken:
        return "No run of the store tells this."
    name = "URL" if "://" in source.store else shlex.quote(Path(source.store).name)
    told = {one.process for one in taken}  # of others, somebody has deleted the runs
    commands = dict.fromkeys(
        _command(options, [one for one in processes if one in told], name)
        for options, processes in source.times
    )
    made = " and ".join(
        f"`{line}`" for line in (*filter(None, commands), f"python sample_runs/report.py {name}")
    )
    footer = f"*Made by {made}; {where_and_when(taken)}.*"
    tables = [table.markdown() for table in heading.tables(taken)]
    return "\n\n".join(filter(None, [*tables, _left_out(heading, source), footer]))


def _left_out(heading: Heading, source: Source) -> str:
    """Return what was to be measured and is in no figure; "" for nothing."""
    tried = [one for _, processes in source.times for one in processes if heading.takes(one.pair)]
    finished = {(one.pair, one.framework, one.seed) for one in tried if one.state == "finished"}
    said = dict.fromkeys(
        f"{one.pair} in {one.framework} ({one.state})"
        for one in tried
        if (one.pair, one.framework, one.seed) not in finished
    )
    return f"Not in these figures: {', '.join(said)}." if said else ""


def _command(options: Mapping[str, object], processes: Sequence[Process], store: str) -> str:
    """Return the command that measures what some processes of one time measured; "" for none."""
    pairs = sorted({one.pair for one in processes})
    if not pairs:
        return ""
    words = ["python", "sample_runs/run_all.py"]
    words += ["--only", *pairs] if len(pairs) < len(find_samples()) else []
    for name, usual in (("epochs", None), ("seeds", 1), ("repeat", 1), ("device", "auto")):
        value = options.get(name, usual)
        words += [] if value == usual else [f"--{name}", str(value)]
    return shlex.join([*words, "--store", store])
