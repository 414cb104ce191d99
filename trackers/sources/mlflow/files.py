"""MLflow's file store: `mlruns/<experiment>/<run>/` with meta.yaml, metrics/, params/, tags/, artifacts/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....storage.errors import BadInput
from ..base import PIECE_BYTES, Part, Piece, columns, scalar
from ..point_rows import as_seconds
from .runs import STATUSES, LoggedModel, MlflowRun
from .yaml_files import read_yaml

_META = "meta.yaml"
_TRASH = ".trash"
_DAMAGED = "meta"
_METRIC = "metric:"
_MOST_BYTES = 1 << 20
"""Of a parameter or a tag; MLflow itself takes 8,000 characters."""
_LINE_FIELDS = 3
"""Time in milliseconds, value, step."""


class FileStore:
    """Reads one folder of experiments, with those in its trash."""

    def __init__(self, root: Path) -> None:
        """Read the folder in which the experiments are, a folder each."""
        self.root = root

    def runs(self) -> list[MlflowRun]:
        """Look which runs there are by now, ordered by experiment and id."""
        found: list[MlflowRun] = []
        for experiment in self._experiments():
            facts, models = _facts(experiment), _models(experiment)
            for folder in sorted(path for path in experiment.iterdir() if (path / "tags").is_dir()):
                run = _run(folder, facts, experiment.parent.name == _TRASH)
                run.models = [model for model in models if model.facts.get("source_run_id") == run.run_id]
                found.append(run)
        return found

    def parts(self, run: MlflowRun) -> list[Part]:
        """Return a part for each metric, and one for a description that is damaged."""
        folder = self._folder(run) / "metrics"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        parts = [
            Part(_METRIC + path.relative_to(folder).as_posix(), end=path.stat().st_size) for path in files
        ]
        return parts if _damage(self._folder(run)) is None else [Part(_DAMAGED, end=1), *parts]

    def read(self, run: MlflowRun, part: Part, position: int) -> Iterator[Piece]:
        """Yield the lines of a metric from a byte on, as far as they are whole."""
        folder = self._folder(run)
        if part.name == _DAMAGED:
            if position == 0:
                yield Piece(1, problems=[str(_damage(folder))])
            return
        name = part.name.removeprefix(_METRIC)
        with (folder / "metrics" / name).open("rb") as file:
            file.seek(position)
            while (end := (block := file.read(PIECE_BYTES)).rfind(b"\n") + 1) > 0:
                position += end
                file.seek(position)
                yield _piece(position, name, block[:end], run.began, file.name)

    def artifacts(self, run: MlflowRun) -> list[Path]:
        """Return where a run's files are, if its URI leads nowhere."""
        return [self._folder(run) / "artifacts"]

    def model_files(self, run: MlflowRun, model: LoggedModel) -> list[Path]:
        """Return where a model's files are, if its URI leads nowhere."""
        return [self._folder(run).parent / "models" / model.model_id / "artifacts"]

    def _experiments(self) -> list[Path]:
        places = [self.root, self.root / _TRASH]
        return sorted(
            path for place in places if place.is_dir() for path in place.iterdir() if _is_experiment(path)
        )

    def _folder(self, run: MlflowRun) -> Path:
        alive = self.root / run.experiment_id / run.run_id
        return alive if alive.is_dir() else self.root / _TRASH / run.experiment_id / run.run_id


def is_file_store(folder: Path) -> bool:
    """Tell whether a folder holds experiments of MLflow."""
    return folder.is_dir() and any(_is_experiment(path) for path in folder.iterdir())


def _is_experiment(path: Path) -> bool:
    # One whose description is gone is known by its runs.
    by_runs = path.name not in (_TRASH, "models") and any(path.glob("*/metrics"))
    return path.is_dir() and (by_runs or (path / _META).is_file())


def _facts(experiment: Path) -> Mapping[str, Any]:
    try:
        return read_yaml(experiment / _META)
    except BadInput:
        return {}  # its runs tell of themselves


def _damage(folder: Path) -> BadInput | None:
    for path in (folder / _META, folder.parent / _META):
        try:
            read_yaml(path)
        except BadInput as error:
            return error
    return None


def _run(folder: Path, experiment: Mapping[str, Any], trashed: bool) -> MlflowRun:
    try:
        meta: Mapping[str, Any] = read_yaml(folder / _META)
    except BadInput:
        meta = {}  # `parts` says so
    tags = _texts(folder / "tags")
    deleted = "deleted" in (meta.get("lifecycle_stage"), experiment.get("lifecycle_stage")) or trashed
    return MlflowRun(
        run_id=folder.name,
        experiment=str(experiment.get("name") or folder.parent.name),
        experiment_id=folder.parent.name,
        name=str(meta.get("run_name") or meta.get("name") or ""),
        status=STATUSES.get(meta.get("status", 0), "FINISHED"),
        deleted=deleted,
        start=meta.get("start_time") or _oldest(folder),
        end=meta.get("end_time"),
        user=str(meta.get("user_id") or tags.get("mlflow.user") or ""),
        artifacts=str(meta.get("artifact_uri") or ""),
        deleted_at=meta.get("deleted_time"),
        tags=tags,
        params=_texts(folder / "params"),
        datasets=list(_datasets(folder)),
    )


def _oldest(folder: Path) -> int:
    """Return about when a run began whose description is damaged, in milliseconds."""
    return int(min(path.stat().st_mtime for path in (folder / "tags", *(folder / "tags").iterdir())) * 1000)


def _texts(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): _text(path) for path in files}


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace")


def _datasets(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted(folder.glob(f"inputs/*/{_META}")):
        try:
            given = read_yaml(path)
            told = read_yaml(folder.parent / "datasets" / str(given.get("source_id")) / _META)
        except BadInput:
            continue  # MLflow itself passes over a dataset that is gone
        tags: Mapping[str, Any] = given.get("tags") or {}
        context = tags.get("mlflow.data.context")
        yield {name: told.get(name) for name in ("name", "digest", "source_type", "source")} | {
            "context": context
        }


def _models(experiment: Path) -> list[LoggedModel]:
    found: list[LoggedModel] = []
    for path in sorted(experiment.glob(f"models/*/{_META}")):
        try:
            facts = read_yaml(path)
        except BadInput:
            continue  # without its description nobody knows whose it is
        told = {"source_run_id": facts.get("source_run_id"), "model_type": facts.get("model_type")}
        told |= {"params": _texts(path.parent / "params"), "tags": _texts(path.parent / "tags")}
        created = float(facts.get("creation_timestamp") or 0) / 1000
        place = str(facts.get("artifact_location") or "")
        found.append(LoggedModel(path.parent.name, str(facts.get("name")), place, created, told))
    return found


def _piece(position: int, name: str, block: bytes, began: float, place: str) -> Piece:
    """Return the points of whole lines; what is no such line becomes a problem."""
    lines, problems = block.count(b"\n"), list[str]()
    fields = block.split()
    if len(fields) != _LINE_FIELDS * lines:
        fields, problems = _line_by_line(block, place)
    try:
        points = _points(fields)
    except (ValueError, OverflowError):
        fields, problems = _line_by_line(block, place)
        points = _points(fields)
    if not len(points.step):
        return Piece(position, problems=problems)
    return Piece(position, [(scalar(name), as_seconds(name, points, began))], problems=problems)


def _points(fields: list[bytes]) -> Any:
    times, values, steps = (np.array(fields[place::_LINE_FIELDS], "S") for place in range(_LINE_FIELDS))
    return columns(steps.astype(np.int64), times.astype(np.int64) / 1000, values.astype(np.float64))


def _line_by_line(block: bytes, place: str) -> tuple[list[bytes], list[str]]:
    """Return the fields of the lines that are whole, and a sentence that counts the others."""
    fields, wrong = list[bytes](), list[bytes]()
    for line in block.splitlines():
        found = _fields(line)
        fields += found
        if not found and line.strip():
            wrong.append(line)
    said = (
        f"{len(wrong)} lines of {place} are no `time value step`, such as {wrong[0][:40]!r}" if wrong else ""
    )
    return fields, [said] if said else []


def _fields(line: bytes) -> list[bytes]:
    """Return time, value and step of a line: two fields have no step, five name a dataset, too."""
    found = line.split()
    if len(found) not in (2, _LINE_FIELDS, 5):
        return []
    time, value, step = (*found, b"0")[:_LINE_FIELDS]
    try:
        float(value)
        fits = all(-(1 << 63) <= int(number) < 1 << 63 for number in (time, step))
    except ValueError:
        return []
    return [time, value, step] if fits else []
