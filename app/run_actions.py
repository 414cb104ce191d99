"""What the dashboard does to runs: the few actions that write, each through the keeper's one writer.

Each takes the ids of some runs and returns in a sentence what it did. What one run refuses costs the others
nothing: the sentence names it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from ..storage import maintain
from ..storage.drain import recover_orphans
from ..storage.errors import BadInput, RunAlive, RunNotFound, StepscopeError
from ..storage.write import Writer
from . import jobs, store_keeper
from .jobs import Job, Progress
from .views.words import LONGEST_NAME, brief, one_of

_NAMED = 5
"""How many runs a sentence names."""
_TURN_SECONDS = 0.3
"""How long deletions keep the writer from others."""


def rename(run_id: str, name: str) -> str:
    """Give a run another name. Raises BadInput, RunNotFound, StoreError."""
    with store_keeper.current().writing() as writer:
        maintain.rename_run(writer, run_id, name.strip())
    return f"The run is now called {brief(name.strip(), LONGEST_NAME)}."


def note(run_id: str, text: str) -> str:
    """Give a run other notes, in Markdown. Raises RunNotFound, StoreError."""
    with store_keeper.current().writing() as writer:
        maintain.note_run(writer, run_id, text)
    return "The note is kept."


def tag(names: Mapping[str, str], add: Collection[str], remove: Collection[str]) -> str:
    """Give tags to runs and take others away; `names` is id -> name. Raises StepscopeError."""
    done = _each(names, lambda writer, run_id: maintain.tag_run(writer, run_id, add, remove))
    return f"{one_of(done, 'run')} tagged."


def archive(names: Mapping[str, str]) -> str:
    """Hide runs from lists; nothing of them is lost. Raises StepscopeError."""
    done = _each(names, maintain.archive_run)
    return f"{one_of(done, 'run')} archived. “Archived” in the sidebar shows them."


def restore(names: Mapping[str, str]) -> str:
    """Show archived runs in lists again. Raises StepscopeError."""
    return f"{one_of(_each(names, maintain.restore_run), 'run')} restored."


def delete(names: Mapping[str, str]) -> Job:
    """Delete runs with everything that belongs to them, as a job. A run that still trains stays.

    Raises:
        StepscopeError: too much is under way already, or no dashboard runs in this process.
    """
    keeper = store_keeper.current()

    def work(progress: Progress) -> None:
        with keeper.writing() as writer:
            recover_orphans(writer)  # so that a run whose process was killed a moment ago is not alive
        refused: list[str] = []
        waiting = list(names)[::-1]
        while waiting:
            # In turns: pages and recovery need the writer, too, but opening it costs more than a deletion.
            with keeper.writing() as writer:
                until = time.monotonic() + _TURN_SECONDS
                while waiting and time.monotonic() < until:
                    progress(len(names) - len(waiting), len(names))
                    run_id = waiting.pop()
                    if not _deleted(writer, run_id):
                        refused.append(names[run_id])
        progress(len(names), len(names))
        if refused:
            raise StepscopeError(_still_run(refused))

    return jobs.start(f"Delete {named(list(names.values()))}", work)


def _deleted(writer: Writer, run_id: str) -> bool:
    """Delete a run, which somebody else may have deleted meanwhile; return whether it is gone."""
    with suppress(RunNotFound):
        try:
            maintain.delete_run(writer, run_id)
        except RunAlive:
            return False
    return True


def named(names: Sequence[str]) -> str:
    """Return the names of some runs for a sentence, the first few of many."""
    shown = ", ".join(brief(name, LONGEST_NAME) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {one_of(more, 'other run')}" if more > 0 else shown


def _still_run(names: Sequence[str]) -> str:
    are = "is" if len(names) == 1 else "are"
    return f"{named(names)} {are} still running and {are} not deleted. End the training, then delete again."


def _each(names: Mapping[str, str], change: Callable[[Writer, str], None]) -> int:
    """Change each run; return how many. Those that need no change, or are gone, are passed over."""
    done = 0
    failed: dict[str, str] = {}
    with store_keeper.current().writing() as writer:
        for run_id, name in names.items():
            try:
                change(writer, run_id)
                done += 1
            except (BadInput, RunNotFound) as error:
                failed[name] = str(error)
    if failed:
        name, reason = next(iter(failed.items()))
        changed = f"{one_of(done, 'run')} changed, but not {named(list(failed))}"
        raise BadInput(f"{changed}. Of {brief(name, LONGEST_NAME)}: {reason}")
    return done
