"""The page docs/pytorch-vs-tensorflow.md: blocks between markers, and words by hand around them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
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
    commands: Sequence[Mapping[str, object]]
    """The options of each time that run_all.py ran."""
    processes: Sequence[Process]


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
    ran = dict.fromkeys(
        _command(options, {one.run.project for one in taken}, name) for options in source.commands
    )
    made = " and ".join(f"`{line}`" for line in (*ran, f"python sample_runs/report.py {name}"))
    footer = f"*Made by {made}; {where_and_when(taken)}.*"
    tables = [table.markdown() for table in heading.tables(taken)]
    return "\n\n".join(filter(None, [*tables, _left_out(heading, source.processes), footer]))


def _left_out(heading: Heading, processes: Sequence[Process]) -> str:
    """Return what was to be measured and is in no figure; "" for nothing."""
    said = dict.fromkeys(
        f"{one.pair} in {one.framework} ({one.state})"
        for one in processes
        if one.state != "finished" and (not heading.pairs or one.pair in heading.pairs)
    )
    return f"Not in these figures: {', '.join(said)}." if said else ""


def _command(options: Mapping[str, object], pairs: Collection[str], store: str) -> str:
    """Return the command that repeats what some pairs were measured with."""
    words = ["python", "sample_runs/run_all.py"]
    words += ["--only", *sorted(pairs)] if len(pairs) < len(find_samples()) else []
    for name, usual in (("epochs", None), ("seeds", 1), ("repeat", 1), ("device", "auto")):
        value = options.get(name, usual)
        words += [] if value == usual else [f"--{name}", str(value)]
    return shlex.join([*words, "--store", store])
