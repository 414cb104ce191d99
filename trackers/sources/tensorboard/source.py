"""Folders of TensorBoard's event files, whoever wrote them: torch, TensorFlow, Keras, tensorboardX.

A run is what its folder holds, with the folders below that belong to it (see runs.py). Its parts
are the event files; how far one was read is counted in bytes. TensorFlow need not be installed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ....storage.errors import BadInput
from ....storage.model import Run, RunState
from ....storage.nested import flatten
from ..base import FoundRun, Part, Piece
from . import hparams_yaml as tensorboard_yaml
from . import projector as tensorboard_projector
from .attempts import Written, attempts_of
from .blocks import Block, Blocks
from .events import EventReader
from .files import Files, Found
from .heads import Head, head_of, last_time, name_of
from .origin import Origin
from .originals import run_of
from .runs import RunFiles, runs_in

_EVENTS = "tfevents"
_UNDER_WAY = ".stepscope-follow/"
"""Where an export that follows a run keeps files that are not complete yet."""
_TENSORFLOW = "tensorflow.core"
_SETTLED = 1 << 16
"""Bytes of a file whose beginning no longer changes."""
_MOST_READERS = 256
"""How many files are read on without a look back at what came before."""


@dataclass(slots=True)
class _Looked:
    """What was found at the last look."""

    origins: dict[str, dict[str, Origin]] = field(default_factory=dict[str, dict[str, Origin]])
    """Key of a run -> name of a part -> its file."""
    heads: dict[str, tuple[int, Head]] = field(default_factory=dict[str, tuple[int, Head]])
    """Path -> the file's size, and what its beginning tells."""
    ends: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    """Path -> the file's size, and when its last event was."""


class TensorBoardSource:
    """Reads a logdir, one of the folders in it, or a single event file."""

    name: ClassVar[str] = "TensorBoard"

    def __init__(self, place: str | Path) -> None:
        """Take what one would give to `tensorboard --logdir`, or a URL that fsspec reads.

        Raises:
            BadInput: there is no such place, or nothing here can read it.
            MissingExtra: tensorboard is not installed, or what reads the URL.
        """
        self._files = Files(place)
        self._looked = _Looked()
        self._readers: OrderedDict[tuple[str, str, int], EventReader] = OrderedDict()
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        self.problems: list[str] = []
        """What could not be read of what lies beside the event files, in sentences."""

    def runs(self) -> Sequence[FoundRun]:
        """Look which runs there are by now. Raises BadInput when there are no event files."""
        every = [file for file in self._files.walk() if _UNDER_WAY not in file.path]
        beside = {file.path: file.size for file in every}
        written = [self._written(file) for file in every if _EVENTS in file.name]
        if not written:
            raise BadInput(
                f"expected event files in {self._files.place}, but found none: their names have "
                f'"{_EVENTS}" in them. Name what you would give to `tensorboard --logdir`.'
            )
        self.problems = []
        found: dict[str, FoundRun] = {}
        for run in runs_in(written):
            one = self._found(run, beside)
            if found.setdefault(one.key, one) is not one:
                self.problems.append(f"{run.folder} is another export of run {one.key}, and was left out.")
                continue
            projector = _below(run.folder, tensorboard_projector.CONFIG)
            beside_them = {tensorboard_projector.CONFIG: Origin(projector, projector)}
            self._looked.origins[one.key] = run.origins(one.run.config) | beside_them
        return list(found.values())

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what lies in a file beyond a position, up to what is whole by now. Raises OSError."""
        origin = self._looked.origins[found.key][part.name]
        if part.name == tensorboard_projector.CONFIG:
            yield from tensorboard_projector.read_projector(self._files, origin, position, part.started_at)
            return
        size = self._files.size(origin.path)
        if self._seen.get((found.key, part.name)) == (size, position):
            return
        if size <= position:
            yield from _without_news(origin, size, position)
        else:
            position = yield from self._read_on(found, part, origin, position)
        self._seen[found.key, part.name] = (size, position)

    def _read_on(
        self, found: FoundRun, part: Part, origin: Origin, position: int
    ) -> Generator[Piece, None, int]:
        blocks = Blocks(self._files, origin.path)
        reader = self._readers.pop((found.key, part.name, position), None)
        if reader is None:
            reader = EventReader(origin, _earlier(blocks, position) if position else None)
        for block in blocks.read(position):
            yield reader.read(block)
            position = block.next
        self._readers[found.key, part.name, position] = reader
        while len(self._readers) > _MOST_READERS:
            self._readers.popitem(last=False)
        return position

    def _written(self, file: Found) -> Written:
        size, head = self._looked.heads.get(file.path, (-1, Head()))
        settled = head.began and size > _SETTLED and head.facts is None
        if size != file.size and not settled:
            head = head_of(self._files, file)
            self._looked.heads[file.path] = (file.size, head)
        name = name_of(file)
        # Of a file without a sound event, its name tells when it was made.
        return Written(file, name, replace(head, began=head.began or name.time))

    def _found(self, run: RunFiles, beside: Mapping[str, int]) -> FoundRun:
        told = self._run(run, beside)
        key = told.run_id or f"{self._files.root}/{run.folder}".rstrip("/")
        parts = self._parts(run)
        name = tensorboard_projector.CONFIG
        size = beside.get(_below(run.folder, name), 0)
        if size and not told.run_id:
            parts.append(Part(name, parts[-1].attempt, told.created_at, end=size))
        return FoundRun(key, told, parts)

    def _parts(self, run: RunFiles) -> list[Part]:
        written = [one for one, _ in run.written]
        attempts = attempts_of(written, self._last_time)
        parts = [
            Part(
                run.part_name(one),
                attempts[one.file.path],
                one.head.began,
                one.name.host,
                one.name.pid,
                end=one.file.size,
                edition=str((one.head.facts or {}).get("export", "")),
            )
            for one in written
        ]
        return sorted(parts, key=lambda part: (part.attempt, part.started_at, part.name))

    def _last_time(self, file: Found) -> float:
        size, time = self._looked.ends.get(file.path, (-1, 0.0))
        if size != file.size:
            time = last_time(self._files, file)
            self._looked.ends[file.path] = (file.size, time)
        return time

    def _run(self, run: RunFiles, beside: Mapping[str, int]) -> Run:
        if run.facts is not None:
            return run_of(run.facts)
        first = min((one for one, _ in run.written), key=lambda one: one.head.began)
        tensorflow = any(one.head.writer.startswith(_TENSORFLOW) for one, _ in run.written)
        began = first.head.began
        return Run(
            run_id="",
            project=self._files.name,
            name=run.folder or self._files.name,
            state=RunState.FINISHED,
            created_at=began,
            updated_at=began,
            host=first.name.host,
            pid=first.name.pid,
            framework="tensorflow" if tensorflow else None,
            config=self._config(run, beside),
        )

    def _config(self, run: RunFiles, beside: Mapping[str, int]) -> Mapping[str, Any]:
        """Return the hyperparameters that the beginnings of the files tell, and those of Lightning's file."""
        config: dict[str, Any] = {}
        for one, _ in run.written:
            config.update(one.head.config)
        path = _below(run.folder, tensorboard_yaml.NAME)
        if path in beside:
            try:
                nested = tensorboard_yaml.config_of(self._files.read(path))
            except (BadInput, OSError) as error:
                self.problems.append(f"{path} was left out: {error}")
            else:
                known = flatten(nested, "/").keys()
                config = nested | {key: value for key, value in config.items() if key not in known}
        return config


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _earlier(blocks: Blocks, position: int) -> Callable[[], Iterator[Block]]:
    """Return what gives the blocks before a position."""

    def read() -> Iterator[Block]:
        with suppress(OSError):
            for block in blocks.read(0):
                if block.position >= position:
                    return
                yield block

    return read


def _without_news(origin: Origin, size: int, position: int) -> Iterator[Piece]:
    if size < position:
        text = f"{origin.place} has {size:,} bytes, but {position:,} were read of it before: it was cut off."
        yield Piece(position, problems=[text])
    elif not size:
        yield Piece(position, problems=[f"{origin.place} is empty: it holds no events."])
