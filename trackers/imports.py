"""The loop that imports: from a source, piece by piece, into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

from ..storage.errors import BadInput, RunNotFound, StepscopeError
from ..storage.location import StoreArgument
from ..storage.write import Writer
from .sinks.store.sink import ImportingRun, StoreSink
from .sources.base import FoundRun, Part, Piece, Source

LOOK_SECONDS = 0.5
"""How long an import that follows waits before it looks again."""
_MOST_PROBLEMS = 1000
_MORE = "more problems of this kind, not listed"


@dataclass(slots=True)
class Imported:
    """What an import has done by now."""

    store: str
    """Where the runs are."""
    runs: int = 0
    """How many were found."""
    new: int = 0
    """How many of them were not in the store before."""
    grown: int = 0
    """How many were there, and got more."""
    refused: int = 0
    """How many were left out as a whole."""
    points: int = 0
    records: int = 0
    problems: dict[str, int] = field(default_factory=dict[str, int])
    """What was left out and why, in sentences, and how often."""
    done: int = 0
    """How much was read, in whatever the source counts in."""
    total: int = 0
    """How much there is to read; 0 when the source cannot tell."""

    def add_problem(self, sentence: str, *, once: bool = False) -> None:
        """Note what was left out; `once` when it is the same as before."""
        if sentence not in self.problems and len(self.problems) >= _MOST_PROBLEMS:
            sentence = _MORE
        self.problems[sentence] = 1 if once else self.problems.get(sentence, 0) + 1


Watch: TypeAlias = Callable[[Imported], None]
"""Told what was done, after each piece."""


def import_runs(
    source: Source,
    store: StoreArgument = None,
    *,
    project: str | None = None,
    follow: bool = False,
    stop: Event | None = None,
    progress: Watch | None = None,
) -> Imported:
    """Bring the runs of another program into a store.

    An import that is repeated takes only what is new; one that was interrupted or killed goes on where it
    stopped. Memory stays bounded: data are read and stored in pieces. What is damaged is left out and told;
    all else comes.

    Args:
        source: where the runs are.
        store: path or URL; made when it is not there.
        project: where new runs go; None for the project that the source names.
        follow: go on looking for new runs and new values, until `stop` is set.
        stop: ends the import after the piece that is being stored.
        progress: called after each piece.

    Raises:
        BadInput: the source's place is none.
        MissingExtra: a package is not installed that the source needs.
        StoreError: the store cannot be written; what was stored until then stays.
    """
    stop = stop or Event()
    with Writer.open(store) as writer:
        under_way = _Import(source, writer, project, stop, progress)
        # Whoever follows may have begun before there is anything.
        (under_way.look_again if follow else under_way.look)()
        under_way.seal()
        while follow and not stop.wait(LOOK_SECONDS):
            under_way.look_again()
        under_way.seal()
    under_way.tell_unfinished()
    return under_way.tally


class _Import:
    """One import under way."""

    def __init__(
        self, source: Source, writer: Writer, project: str | None, stop: Event, progress: Watch | None
    ) -> None:
        self._source = source
        self._writer = writer
        self._sink = StoreSink(writer, source.name, project)
        self._stop = stop
        self._progress = progress
        self._taken: set[str] = set()
        self._refused: set[str] = set()
        self._owner: dict[str, str] = {}
        """Id of a run in the store -> key of the one that was found."""
        self._looked: dict[str, FoundRun] = {}
        """Runs as they were when they were read to their end last."""
        self._new: set[str] = set()
        self._grown: set[str] = set()
        self._unsealed: set[tuple[str, int]] = set()
        self._unfinished: dict[tuple[str, str], list[str]] = {}
        """Run and part -> what its end lacked at the last look."""
        self.tally = Imported(writer.location.display)

    def look(self) -> None:
        """Import what is there by now."""
        found = self._source.runs()
        for problem in self._source.problems:
            self.tally.add_problem(problem, once=True)
        self.tally.runs = len(found)
        opened = [(one, run) for one in found if (run := self._opened(one)) is not None]
        self._expect(opened)
        for one, run in opened:
            if self._stop.is_set():
                return
            self._take_run(one, run)

    def look_again(self) -> None:
        """Import what has come since."""
        try:
            self.look()
        except (BadInput, OSError) as error:
            # A folder or a server that is away for a moment may be back at the next look.
            self.tally.add_problem(str(error), once=True)
        self._tell()

    def seal(self) -> None:
        """Merge what was stored into as few chunks as can be."""
        for run_id, journal_no in sorted(self._unsealed):
            self._writer.seal(run_id, journal_no)
        self._unsealed.clear()

    def tell_unfinished(self) -> None:
        """Say which parts end too early, as they were looked at last."""
        for sentences in self._unfinished.values():
            for sentence in sentences:
                self.tally.add_problem(sentence, once=True)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.tally)

    def _opened(self, one: FoundRun) -> ImportingRun | None:
        """Return the place of a run in the store; None when it has nothing new, or is left out."""
        if self._looked.get(one.key) == one and any(part.end for part in one.parts):
            return None
        try:
            run = self._sink.open_run(one)
        except BadInput as error:
            return self._refuse(one, str(error))
        run_id = run.run.run_id
        owner = self._owner.setdefault(run_id, one.key)
        if owner != one.key:
            text = f"run {run_id} ({one.run.name}) was found twice: {owner} is taken, {one.key} is left out."
            return self._refuse(one, text)
        if run_id in self._taken and not run.entered:
            return self._refuse(one, f"run {run_id} ({one.run.name}) was deleted meanwhile, and stays so.")
        return run

    def _refuse(self, one: FoundRun, why: str) -> None:
        self.tally.add_problem(why, once=True)
        self._refused.add(one.key)
        self.tally.refused = len(self._refused)

    def _expect(self, opened: Sequence[tuple[FoundRun, ImportingRun]]) -> None:
        """Reckon how much there is to read."""
        parts = [(part, run.position(part)) for one, run in opened for part in one.parts]
        known = any(part.end for part, _ in parts)
        left = sum(max(0, part.end - position) for part, position in parts)
        self.tally.total = self.tally.done + left if known else 0

    def _take_run(self, found: FoundRun, run: ImportingRun) -> None:
        run_id, was_there = run.run.run_id, run.entered
        self._taken.add(run_id)
        self._looked[found.key] = found
        try:
            taken = [part for part in found.parts if self._take_part(found, part, run)]
            run.enter()
            changed = run.update() or taken
        except RunNotFound as error:
            self.tally.add_problem(str(error), once=True)
            return
        (self._grown if was_there else self._new).update([run_id] if changed or not was_there else [])
        self.tally.new, self.tally.grown = len(self._new), len(self._grown - self._new)

    def _take_part(self, found: FoundRun, part: Part, run: ImportingRun) -> bool:
        """Import what is new of a part; return whether there was anything."""
        place = run.open_part(part)
        unfinished = self._unfinished[found.key, part.name] = list[str]()
        for piece in self._pieces(found, part, place.position):
            self._note(part, place.position, piece, unfinished)
            for refused in place.write(piece):
                self.tally.add_problem(refused)
            self._tell()
            if self._stop.is_set():
                break
        stored = place.close()
        if stored is None:
            return False
        self._unsealed.add(stored)
        return True

    def _pieces(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        try:
            yield from self._source.read(found, part, position)
        except Exception as error:
            # Whatever is wrong with one part, such as a file that nobody may read: the others still come.
            reason = str(error) if isinstance(error, StepscopeError) else f"{type(error).__name__}: {error}"
            text = f"{part.name} of {found.run.name or found.key} could not be read to its end: {reason}"
            self.tally.add_problem(text, once=True)
            # Another look may be luckier.
            self._looked.pop(found.key, None)

    def _note(self, part: Part, position: int, piece: Piece, unfinished: list[str]) -> None:
        tally = self.tally
        tally.points += sum(len(columns.step) for _, columns in piece.points)
        tally.records += len(piece.records) + len(piece.artifacts)
        moved = piece.position != position
        if part.end and moved:
            tally.done += max(0, piece.position - position)
        for problem in piece.problems:
            if moved:
                tally.add_problem(problem)
            else:
                # What is in the midst of being written is whole at the next look.
                unfinished.append(problem)
