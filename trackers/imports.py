"""The loop that imports: from a source, piece by piece, into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

from ..storage.errors import BadInput, RunNotFound, StepscopeError
from ..storage.location import StoreArgument
from ..storage.write import Writer
from .sinks.store import ImportingRun, StoreSink
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
        self._seen: set[str] = set()
        self._new: set[str] = set()
        self._grown: set[str] = set()
        self._unsealed: set[tuple[str, int]] = set()
        self.tally = Imported(writer.location.display)

    def look(self) -> None:
        """Import what is there by now."""
        found = self._source.runs()
        for problem in self._source.problems:
            self.tally.add_problem(problem, once=True)
        self.tally.runs = len(found)
        opened = list(self._opened(found))
        self.tally.refused = len(found) - len(opened)
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

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.tally)

    def _opened(self, found: Sequence[FoundRun]) -> Iterator[tuple[FoundRun, ImportingRun]]:
        """Yield the runs that can be imported, each once, with their places in the store."""
        here: set[str] = set()
        for one in found:
            try:
                run = self._sink.open_run(one)
            except BadInput as error:
                self.tally.add_problem(str(error), once=True)
                continue
            run_id = run.run.run_id
            if run_id in here:
                text = f"run {run_id} ({one.run.name}) was found twice: the second, {one.key}, was left out."
                self.tally.add_problem(text, once=True)
            elif run_id in self._seen and not run.entered:
                text = f"run {run_id} ({one.run.name}) was deleted from the store meanwhile, and stays so."
                self.tally.add_problem(text, once=True)
            else:
                yield one, run
            here.add(run_id)

    def _expect(self, opened: Sequence[tuple[FoundRun, ImportingRun]]) -> None:
        """Reckon how much there is to read."""
        parts = [(part, run.position(part)) for one, run in opened for part in one.parts]
        known = any(part.end for part, _ in parts)
        left = sum(max(0, part.end - position) for part, position in parts)
        self.tally.total = self.tally.done + left if known else 0

    def _take_run(self, found: FoundRun, run: ImportingRun) -> None:
        run_id, was_there = run.run.run_id, run.entered
        self._seen.add(run_id)
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
        for piece in self._pieces(found, part, place.position):
            self._note(part, place.position, piece)
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

    def _note(self, part: Part, position: int, piece: Piece) -> None:
        tally = self.tally
        tally.points += sum(len(columns.step) for _, columns in piece.points)
        tally.records += len(piece.records) + len(piece.artifacts)
        moved = piece.position != position
        if part.end and moved:
            tally.done += max(0, piece.position - position)
        for problem in piece.problems:
            tally.add_problem(problem, once=not moved)
