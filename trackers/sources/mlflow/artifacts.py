"""The files of an MLflow run: what can be looked at becomes values, the rest artifacts."""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ....storage.errors import BadInput
from ..base import PIECE_BYTES, FoundArtifact, Part, Piece, record
from ..media_files import is_shown, value_of
from .runs import LoggedModel, MlflowRun

_IMAGES = "images"
_FILE, _KEPT, _MODEL = "file:", "artifact:", "model:"
_IMAGE_NAME = re.compile(
    r"images/(?P<key>.+)([+%])step\2(?P<step>-?\d+)\2timestamp\2(?P<time>\d+)\2[^+%]+(?P<copy>\2compressed)?\.\w+"
)
"""What log_image with a key and a step writes, and of each a smaller copy; the first versions wrote "%"."""
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    name: str
    """Below the folder, with slashes."""
    size: int
    changed: int
    """Nanoseconds since the epoch."""

    @property
    def entry(self) -> str:
        """What of the folder itself it lies in, or is."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class _LoggedImage:
    file: _File
    key: str
    step: int
    time: int
    """Milliseconds since the epoch."""


class ArtifactFolder:
    """The folder of one run's artifacts. Each file is a part, which is read anew when it was written anew."""

    def __init__(self, folder: Path, run: MlflowRun) -> None:
        """Remember the folder of a run; nothing is read yet."""
        self._folder = folder
        self._run = run

    def parts(self) -> list[Part]:
        """Look what lies there by now."""
        files = list(_files(self._folder))
        logged = [found for file in files if (found := _logged_image(file))]
        others = [file for file in files if not _IMAGE_NAME.fullmatch(file.name)]
        shown = [file for file in others if is_shown(file.path, file.size)]
        kept = sorted({file.entry for file in others if not is_shown(file.path, file.size)})
        parts = [Part(_IMAGES, end=max(map(self._place, logged)))] if logged else []
        parts += [Part(_FILE + file.name, end=1, edition=_edition([file])) for file in shown]
        return parts + [
            Part(_KEPT + entry, end=1, edition=_edition([file for file in others if file.entry == entry]))
            for entry in kept
        ]

    def read(self, part: Part, position: int) -> Iterator[Piece]:
        """Yield what a part holds; its position is 1 then; that of pictures is a time."""
        if part.name == _IMAGES:
            yield from self._images(position)
        elif position == 0 and part.name.startswith(_FILE):
            yield self._file(part.name.removeprefix(_FILE))
        elif position == 0:
            yield self._kept(part.name.removeprefix(_KEPT))

    def _images(self, position: int) -> Iterator[Piece]:
        logged = [found for file in _files(self._folder) if (found := _logged_image(file))]
        piece, size = Piece(position), 0
        for image in sorted(logged, key=lambda image: (image.time, image.file.name)):
            place = self._place(image)
            if place <= position:
                continue
            # Only between two times: what has one time is stored together.
            if size >= PIECE_BYTES and place > piece.position:
                yield piece
                piece, size = Piece(piece.position), 0
            _add_image(piece, image)
            piece.position, size = place, size + image.file.size
        if piece.position != position:
            yield piece

    def _file(self, name: str) -> Piece:
        path, piece = self._folder / name, Piece(1)
        try:
            value = value_of(path)
            if value is not None:
                piece.records.append(record(name, value, 0, self._time(path)))
        except (BadInput, OSError) as error:
            piece.problems.append(f"{path} is kept as a file, since it cannot be shown: {error}")
            piece.artifacts.append(self._artifact(name, "files"))
        return piece

    def _kept(self, entry: str) -> Piece:
        is_model = (self._folder / entry / "MLmodel").is_file()
        return Piece(1, artifacts=[self._artifact(entry, "model" if is_model else "files")])

    def _artifact(self, name: str, type: str) -> FoundArtifact:
        path = self._folder / name
        return FoundArtifact(path, artifact_name(name), type, self._time(path), {"path": name})

    def _place(self, image: _LoggedImage) -> int:
        """Return the position after a picture: milliseconds since the run began, and one."""
        return 1 + max(0, image.time - (self._run.start or 0))

    def _time(self, path: Path) -> float:
        """Return when a file was written: within its run, also when somebody copied it since."""
        changed, end = path.stat().st_mtime, self._run.end
        return changed if end is None else min(changed, end / 1000)


def model_part(model: LoggedModel, folder: Path) -> Part:
    """Return the part that is a logged model's files."""
    return Part(_MODEL + model.model_id, end=1, edition=_edition(list(_files(folder))))


def model_of(part: Part) -> str | None:
    """Return the id of the model whose files a part is; None for another part."""
    return part.name.removeprefix(_MODEL) if part.name.startswith(_MODEL) else None


def read_model(model: LoggedModel, folder: Path, position: int) -> Iterator[Piece]:
    """Yield a logged model as an artifact, with what MLflow knows of it."""
    if position == 0:
        name, facts = artifact_name(model.name), {"model_id": model.model_id, **model.facts}
        yield Piece(1, artifacts=[FoundArtifact(folder, name, "model", model.created, facts)])


def artifact_name(text: str) -> str:
    """Return a name as artifacts may have it."""
    return (_UNFIT.sub("-", text).lstrip("-.") or "artifact")[:128]


def _add_image(piece: Piece, image: _LoggedImage) -> None:
    try:
        value = value_of(image.file.path)
        if value is not None:
            piece.records.append(record(image.key, value, image.step, image.time / 1000))
    except (BadInput, OSError) as error:
        piece.problems.append(f"{image.file.path} was left out: {error}")


def _logged_image(file: _File) -> _LoggedImage | None:
    """Return what the name of a file says; None for other files, and for the smaller copy of a picture."""
    found = _IMAGE_NAME.fullmatch(file.name)
    if found is None or found["copy"]:
        return None
    return _LoggedImage(file, re.sub("[~#]", "/", found["key"]), int(found["step"]), int(found["time"]))


def _files(folder: Path) -> Iterator[_File]:
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):  # a link that leads nowhere, or gone meanwhile
            facts = path.stat()
            if stat.S_ISREG(facts.st_mode):
                yield _File(path, path.relative_to(folder).as_posix(), facts.st_size, facts.st_mtime_ns)


def _edition(files: list[_File]) -> str:
    newest = max((file.changed for file in files), default=0)
    return f"{newest}-{len(files)}-{sum(file.size for file in files)}"
