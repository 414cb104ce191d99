"""MLflow's stores as a source: its files, its databases, or both. MLflow need not be installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.parse import unquote, urlparse

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from ....storage.errors import BadInput
from ..base import FoundRun, Part, Piece
from .artifacts import ArtifactFolder, model_of, model_part, read_model
from .files import FileStore, is_file_store
from .runs import LoggedModel, MlflowRun, as_run, key_of, local_path
from .sql import SqlStore

_AWAY = "away"
_METRICS = ("metrics", "metric:", "meta")
_SQLITE = b"SQLite format 3\0"


class _Store(Protocol):
    """What both of MLflow's stores can do."""

    def runs(self) -> list[MlflowRun]: ...
    def parts(self, run: MlflowRun) -> list[Part]: ...
    def read(self, run: MlflowRun, part: Part, position: int) -> Iterator[Piece]: ...
    def artifacts(self, run: MlflowRun) -> list[Path]: ...
    def model_files(self, run: MlflowRun, model: LoggedModel) -> list[Path]: ...


class MlflowSource:
    """Finds the runs of a store of MLflow."""

    name: ClassVar[str] = "MLflow"

    def __init__(self, place: str | Path) -> None:
        """Take mlruns/, mlflow.db, a folder with one of them, or the URL of a database.

        Raises:
            BadInput: there is no such store.
        """
        self._stores, self.problems = _stores(str(place))
        self._known: dict[str, tuple[_Store, MlflowRun]] = {}

    def runs(self) -> Sequence[FoundRun]:
        """Look which runs there are by now. Raises BadInput when the database cannot be read."""
        known: dict[str, tuple[_Store, MlflowRun]] = {}
        for store, run in self._look():
            # A database that was made of files has their runs, and may have newer ones.
            known.setdefault(key_of(run.run_id), (store, run))
        self._known = known
        titles = {run.run_id: run.title for _, run in known.values()}
        return [
            FoundRun(key, as_run(run, titles), [*store.parts(run), *_file_parts(store, run)])
            for key, (store, run) in known.items()
        ]

    def _look(self) -> list[tuple[_Store, MlflowRun]]:
        found: list[tuple[_Store, MlflowRun]] = []
        for store in self._stores:
            try:
                found += [(store, run) for run in store.runs()]
            except BadInput as error:
                if len(self._stores) == 1:
                    raise
                self.problems = list(dict.fromkeys([*self.problems, str(error)]))
        return found

    def read(self, found: FoundRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield what lies in a part beyond a position."""
        store, run = self._known[found.key]
        if part.name.startswith(_METRICS):
            yield from store.read(run, part, position)
        elif part.name == _AWAY:
            if position == 0:
                yield Piece(1, problems=[_away(run)])
        elif model_id := model_of(part):
            model = next(model for model in run.models if model.model_id == model_id)
            folder = local_path(model.place, store.model_files(run, model))
            yield from () if folder is None else read_model(model, folder, position)
        elif folder := local_path(run.artifacts, store.artifacts(run)):
            yield from ArtifactFolder(folder, run).read(part, position)


def _file_parts(store: _Store, run: MlflowRun) -> list[Part]:
    folder = local_path(run.artifacts, store.artifacts(run))
    parts = [] if folder is None else ArtifactFolder(folder, run).parts()
    if folder is None and "://" in run.artifacts and not run.artifacts.startswith("file:"):
        parts.append(Part(_AWAY, end=1))
    for model in run.models:
        place = local_path(model.place, store.model_files(run, model))
        if place is not None:
            parts.append(model_part(model, place))
    return parts


def _away(run: MlflowRun) -> str:
    return (
        f"the files of run {run.title} lie in {run.artifacts} and were not brought over. "
        f"Copy them to mlruns/{run.experiment_id}/{run.run_id}/artifacts beside the store, and import again."
    )


def _stores(place: str) -> tuple[list[_Store], list[str]]:
    """Return what is to be read, and what cannot be, in sentences. Raises BadInput when nothing can."""
    if place.startswith(("http://", "https://")):
        raise BadInput(
            f"expected a store of MLflow, but got {place}, a server. Name its --backend-store-uri: "
            f"a folder mlruns, a file mlflow.db or the URL of a database."
        )
    if place.startswith("file:"):
        place = unquote(urlparse(place).path)
    if "://" in place:
        return [_database(place)], []
    path = Path(place).expanduser()
    if path.is_file():
        return [_database_file(path)], []
    found, failed = _in_folder(path)
    if failed and not found:
        raise failed[0]
    if not found:
        what = "there is no such folder" if not path.exists() else "the folder holds neither"
        raise BadInput(f"expected MLflow's mlruns/ or mlflow.db at {path}, but {what}.")
    return found, [str(error) for error in failed]


def _in_folder(path: Path) -> tuple[list[_Store], list[BadInput]]:
    """Return the stores of a folder, and why one that is there cannot be read."""
    found: list[_Store] = []
    failed: list[BadInput] = []
    if (path / "mlflow.db").is_file():
        try:
            found.append(_database_file(path / "mlflow.db"))
        except BadInput as error:
            failed.append(error)
    folder = next((folder for folder in (path / "mlruns", path) if is_file_store(folder)), None)
    return ([*found, FileStore(folder)] if folder else found), failed


def _database(text: str) -> _Store:
    try:
        url = sa.make_url(text)
    except ArgumentError as error:
        raise BadInput(f"expected the URL of a database, but got {text!r}: {error}") from error
    if url.get_backend_name() != "sqlite":
        return SqlStore(url, None)
    return _database_file(Path(url.database or ""))


def _database_file(path: Path) -> _Store:
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE))
    except OSError as error:
        raise BadInput(f"expected a database of MLflow at {path}, but it cannot be read: {error}") from error
    if begins != _SQLITE:
        raise BadInput(f"expected a database of MLflow at {path}, but the file is no SQLite database.")
    return SqlStore(sa.URL.create("sqlite", database=str(path)), path.absolute().parent)
