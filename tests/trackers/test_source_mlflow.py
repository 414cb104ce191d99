"""MLflow's stores, made by MLflow itself: what comes over is what MLflow says of them, value by value."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import plotly.graph_objects as go
import pytest
import sqlalchemy as sa
from mlflow.entities import Metric
from mlflow.store.db.utils import _get_latest_schema_revision
from mlflow.store.tracking.dbmodels.models import Base
from mlflow.tracking import MlflowClient

from stepscope.storage.artifacts import artifacts_of
from stepscope.storage.errors import BadInput
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.trackers.imports import Imported, import_runs
from stepscope.trackers.sources.mlflow.runs import typed
from stepscope.trackers.sources.mlflow.source import MlflowSource
from stepscope.trackers.sources.mlflow.yaml_files import read_yaml

PARAMS: dict[str, Any] = {
    "lr": 1e-05,
    "layers": 3,
    "flag": True,
    "none": None,
    "sizes": [1, 2],
    "opt": "adam",
}
MINUTE = 60_000
PICTURE = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)


def _fill(client: Any, folder: Path) -> str:
    """Make runs of every sort; return the id of the first."""
    place = None if folder.name.startswith("files") else str(folder / "mlruns" / "1")
    experiment = client.create_experiment("digits/ä=1", artifact_location=place)
    run = client.create_run(experiment, run_name="parent", tags={"team": "a", "bare": ""})
    run_id, start = run.info.run_id, run.info.start_time
    client.set_tag(run_id, "mlflow.note.content", "a **note**")
    client.set_tag(run_id, "mlflow.source.git.commit", "abc123")
    for name, value in PARAMS.items():
        client.log_param(run_id, name, value)
    metrics = [Metric("train/loss", 1 / (1 + step), start + step, step) for step in range(300)]
    odd = [math.nan, math.inf, -math.inf, 0.1]
    metrics += [Metric("odd", value, start + step, step - 2) for step, value in enumerate(odd)]
    metrics += [Metric("system/cpu", 50.0 + place, start + place * MINUTE, place) for place in range(3)]
    metrics.append(Metric("far", 1.0, start, 1 << 40))
    client.log_batch(run_id, metrics=metrics)
    client.log_image(run_id, PICTURE, key="pics/dog", step=7)
    client.log_image(run_id, PICTURE, "plain.png")
    client.log_text(run_id, "hello", "notes/first.txt")
    client.log_table(run_id, {"x": [1, 2], "y": ["a", None]}, "table.json")
    client.log_figure(run_id, go.Figure(go.Scatter(y=[1, 2])), "figure.html")
    weights = folder / "weights.bin"
    weights.write_bytes(b"\0" * 1000)
    client.log_artifact(run_id, str(weights), "checkpoints/last")
    client.set_terminated(run_id, "FINISHED")
    child = client.create_run(experiment, run_name="child", tags={"mlflow.parentRunId": run_id})
    client.set_terminated(child.info.run_id, "FAILED")
    deleted = client.create_run(experiment, run_name="deleted")
    client.set_terminated(deleted.info.run_id, "KILLED")
    client.delete_run(deleted.info.run_id)
    return run_id


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of MLflow without runs."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    _make_tables(f"sqlite:///{path}")
    return path


def _make_tables(url: str) -> None:
    """Make MLflow's tables as its models have them: its fifty migrations take longer than all the rest."""
    engine = sa.create_engine(url)
    for table in Base.metadata.tables.values():
        # The only databases that its indexes fit on are migrated ones.
        table.indexes.clear()
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        newest = {"newest": _get_latest_schema_revision()}
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:newest)"), newest)
    engine.dispose()


@pytest.fixture(
    scope="module", params=["files", "database", pytest.param("migrated", marks=pytest.mark.long)]
)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty: Path
) -> Iterator[tuple[Path, str]]:
    """Yield a folder with a store, and the id of its first run."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        if request.param == "database":
            shutil.copy(empty, folder)
        yield folder, _fill(_client(folder, request.param), folder)


def _client(folder: Path, form: str) -> Any:
    return MlflowClient(str(folder / "mlruns") if form == "files" else f"sqlite:///{folder}/mlflow.db")


def _import(place: str | Path, store: str) -> Imported:
    return import_runs(MlflowSource(place), store)


def _named(reader: Reader, name: str) -> Run:
    return next(run for run in reader.runs(archived=True) if run.name == name)


def _points(reader: Reader, run: Run, name: str) -> tuple[list[int], list[float], list[float]]:
    [series] = reader.series(run.run_id, name=name)
    points = reader.points(series)
    return points.step.tolist(), points.time.tolist(), points.last.tolist()


def _values(reader: Reader, run: Run, name: str) -> list[tuple[int, Any]]:
    [series] = reader.series(run.run_id, name=name)
    return [(one.step, reader.load(series, one)) for one in reader.records(series)]


def test_what_mlflow_knows_of_a_run(made: tuple[Path, str], store_url: str) -> None:
    folder, _ = made
    done = _import(folder, store_url)
    assert (done.runs, done.new, done.problems) == (3, 3, {})
    with Reader.open(store_url) as reader:
        parent, child, deleted = (_named(reader, name) for name in ("parent", "child", "deleted"))
        assert [run.project for run in (parent, child, deleted)] == ["digits/ä=1"] * 3
        states = [RunState.FINISHED, RunState.FAILED, RunState.KILLED]
        assert [run.state for run in (parent, child, deleted)] == states
        assert parent.config == PARAMS
        assert [type(parent.config[name]) for name in PARAMS] == [type(value) for value in PARAMS.values()]
        assert (parent.tags, parent.notes, child.group) == (("bare", "team=a"), "a **note**", "parent")
        assert deleted.archived_at is not None
        assert parent.archived_at is None
        assert reader.environment(parent.run_id)["git"] == {"commit": "abc123"}


def test_every_number_is_that_of_mlflow(made: tuple[Path, str], store_url: str) -> None:
    folder, run_id = made
    client = _client(folder, "database" if (folder / "mlflow.db").exists() else "files")
    _import(folder, store_url)
    with Reader.open(store_url) as reader:
        run = _named(reader, "parent")
        for name in ("train/loss", "odd", "far"):
            history = sorted(client.get_metric_history(run_id, name), key=lambda metric: metric.step)
            steps, times, values = _points(reader, run, name)
            assert steps == [metric.step for metric in history]
            assert times == [metric.timestamp / 1000 for metric in history]
            want = [
                math.copysign(math.inf, one.value) if abs(one.value) > 1e308 else one.value for one in history
            ]
            np.testing.assert_array_equal(values, want)
        assert _points(reader, run, "odd")[2][1:] == [math.inf, -math.inf, 0.1]
        # Measurements of the machine have seconds for steps.
        assert _points(reader, run, "system/cpu")[::2] == ([0, 60, 120], [50.0, 51.0, 52.0])


def test_files_become_values_and_artifacts(made: tuple[Path, str], store_url: str) -> None:
    _import(made[0], store_url)
    with Reader.open(store_url) as reader:
        run = _named(reader, "parent")
        [(step, picture)] = _values(reader, run, "pics/dog")
        assert step == 7
        np.testing.assert_array_equal(picture.array(), PICTURE)
        np.testing.assert_array_equal(_values(reader, run, "plain.png")[0][1].array(), PICTURE)
        assert _values(reader, run, "notes/first.txt")[0][1].text == "hello"
        table = _values(reader, run, "table.json")[0][1]
        assert (table.columns, table.rows) == (("x", "y"), ((1, "a"), (2, None)))
        assert _values(reader, run, "figure.html")[0][1].spec()["data"][0]["y"] == [1, 2]
        [artifact] = artifacts_of(reader)
        assert (artifact.name, artifact.type, artifact.size) == ("checkpoints", "files", 1000)
        assert [file.path for file in artifact.files] == ["last/weights.bin"]
        assert run.duration == 120  # when the machine was measured last


def test_repeating_brings_nothing_twice_and_growing_is_followed(
    made: tuple[Path, str], tmp_path: Path, store_url: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    _import(folder, store_url)
    again = _import(folder, store_url)
    assert (again.runs, again.new, again.grown, again.points, again.records) == (3, 0, 0, 0, 0)
    client = _client(folder, "database" if (folder / "mlflow.db").exists() else "files")
    client.log_metric(made[1], "train/loss", 5.0, step=300)
    client.log_metric(made[1], "later", 6.0)
    client.set_tag(made[1], "mlflow.note.content", "changed")
    grown = _import(folder, store_url)
    assert (grown.new, grown.grown, grown.points) == (0, 1, 2)
    with Reader.open(store_url) as reader:
        run = _named(reader, "parent")
        assert _points(reader, run, "train/loss")[0] == list(range(301))
        assert _points(reader, run, "later")[2] == [6.0]
        assert run.notes == "changed"


def test_models_are_artifacts(tmp_path: Path, store_url: str, empty: Path) -> None:
    shutil.copy(empty, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client: Any = MlflowClient()
    experiment = client.create_experiment("models", artifact_location=str(tmp_path / "mlruns" / "1"))
    run = client.create_run(experiment)
    model = client.create_logged_model(
        experiment, "net", run.info.run_id, {"kind": "small"}, {"depth": "3"}, "torch"
    )
    place = Path(model.artifact_location)
    place.mkdir(parents=True)
    (place / "MLmodel").write_text("flavors: {}")
    _import(tmp_path, store_url)
    assert _import(tmp_path, store_url).records == 0
    with Reader.open(store_url) as reader:
        [artifact] = artifacts_of(reader)
    assert (artifact.name, artifact.type, [file.path for file in artifact.files]) == (
        "net",
        "model",
        ["MLmodel"],
    )
    assert artifact.metadata["params"] == {"depth": "3"}


def test_files_in_a_bucket_are_named(tmp_path: Path, store_url: str, empty: Path) -> None:
    shutil.copy(empty, tmp_path)
    client = _client(tmp_path, "database")
    run = client.create_run(
        client.create_experiment("away", artifact_location="s3://bucket/7"), run_name="far"
    )
    client.log_metric(run.info.run_id, "loss", 1.0)
    done = _import(tmp_path, store_url)
    assert done.points == 1
    [said] = done.problems
    assert (
        f"the files of run far lie in s3://bucket/7/{run.info.run_id}/artifacts and were not brought" in said
    )
    place = tmp_path / "mlruns" / run.info.experiment_id / run.info.run_id / "artifacts"
    place.mkdir(parents=True)
    (place / "note.txt").write_text("copied")
    assert _import(tmp_path, store_url).records == 1


def test_a_large_run_comes_in_pieces(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepscope.trackers.sources.mlflow.sql.PIECE_POINTS", 64)
    monkeypatch.setattr("stepscope.trackers.sources.mlflow.files.PIECE_BYTES", 256)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for form in ("files", "database"):
        (tmp_path / form).mkdir()
        if form == "database":
            shutil.copy(empty, tmp_path / form)
        client = _client(tmp_path / form, form)
        run = client.create_run(client.create_experiment(form))
        client.log_batch(
            run.info.run_id, metrics=[Metric(f"m{step % 3}", step, step, step) for step in range(900)]
        )
        source = MlflowSource(tmp_path / form)
        [found] = source.runs()
        pieces = [piece for part in found.parts for piece in source.read(found, part, 0)]
        assert len(pieces) > 10
        steps = sorted(
            step for piece in pieces for _, points in piece.points for step in points.step.tolist()
        )
        assert steps == list(range(900))


@pytest.mark.postgres
def test_a_database_that_does_not_number_its_rows(
    postgres_url: str, tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepscope.trackers.sources.mlflow.sql.PIECE_POINTS", 10)
    client: Any = MlflowClient(postgres_url)
    run_id = _fill(client, tmp_path)
    start = client.get_run(run_id).info.start_time
    # Several of one time, on the edge of a piece and before all times.
    client.log_batch(run_id, metrics=[Metric("same", step, start + 9, step) for step in range(30)])
    client.log_batch(run_id, metrics=[Metric("old", step, max(0, step - 3), step) for step in range(6)])
    done = _import(postgres_url, store_url)
    assert (done.runs, done.problems) == (3, {})
    again = _import(postgres_url, store_url)
    assert (again.new, again.grown, again.points) == (0, 0, 0)
    client.log_batch(run_id, metrics=[Metric("same", 30.0, start + 10**6, 30)])
    assert _import(postgres_url, store_url).points == 1
    with Reader.open(store_url) as reader:
        run = _named(reader, "parent")
        assert run.config == PARAMS
        for name in ("train/loss", "odd", "same", "old"):
            history = sorted(client.get_metric_history(run_id, name), key=lambda metric: metric.step)
            steps, _, values = _points(reader, run, name)
            assert steps == [metric.step for metric in history]
            want = [
                math.copysign(math.inf, one.value) if abs(one.value) > 1e308 else one.value for one in history
            ]
            np.testing.assert_array_equal(values, want)


@pytest.mark.parametrize("made", ["files"], indirect=True)
def test_damage_in_files_loses_only_what_is_damaged(
    made: tuple[Path, str], tmp_path: Path, store_url: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    [run] = folder.glob(f"mlruns/*/{made[1]}")
    (run / "meta.yaml").write_text("")
    metric = run / "metrics" / "train" / "loss"
    lines = metric.read_text().splitlines()
    metric.write_text(
        "\n".join([*lines[:10], "nonsense", "1 2 99999999999999999999", *lines[10:], "17000000 0."])
    )
    (run / "artifacts" / "plain.png").write_bytes(b"\x89PNG cut")
    done = _import(folder, store_url)
    said = "\n".join(done.problems)
    assert "meta.yaml, but it holds no line such as `name: value`" in said
    assert "2 lines of" in said
    assert "are no `time value step`, such as b'nonsense'" in said
    assert "plain.png is kept as a file, since it cannot be shown" in said
    with Reader.open(store_url) as reader:
        found = _named(reader, "parent")
        assert found.config == PARAMS
        # The last line is not whole as yet.
        assert _points(reader, found, "train/loss")[0] == list(range(300))


@pytest.mark.parametrize("made", ["files"], indirect=True)
def test_a_damaged_database_beside_files_that_can_be_read(
    made: tuple[Path, str], tmp_path: Path, store_url: str
) -> None:
    shutil.copytree(made[0], tmp_path / "copy")
    (tmp_path / "copy" / "mlflow.db").write_text("no database")
    done = _import(tmp_path / "copy", store_url)
    assert done.runs == 3
    assert "mlflow.db, but the file is no SQLite database" in "".join(done.problems)


@pytest.mark.parametrize("made", ["database"], indirect=True)
def test_a_damaged_database(made: tuple[Path, str], tmp_path: Path, store_url: str) -> None:
    data = (made[0] / "mlflow.db").read_bytes()
    cut = tmp_path / "mlflow.db"
    cut.write_bytes(data[: len(data) // 20])
    with pytest.raises(BadInput, match=r"expected a database of MLflow at .*mlflow.db, but got: .*malformed"):
        _import(cut, store_url)
    with sqlite3.connect(":memory:") as made_elsewhere, sqlite3.connect(tmp_path / "other.db") as other:
        made_elsewhere.execute("CREATE TABLE t (x)")
        made_elsewhere.backup(other)
    with pytest.raises(BadInput, match="it has no tables runs, metrics"):
        MlflowSource(tmp_path / "other.db")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "expected MLflow's mlruns/ or mlflow.db at nowhere, but there is no such folder"),
        ("empty", "the folder holds neither"),
        ("text.db", "the file is no SQLite database"),
        ("http://127.0.0.1:5000", "a server. Name its --backend-store-uri"),
        ("nonsense://x", "expected a database of MLflow at nonsense://x, but got"),
        ("sqlite:///gone.db", "it cannot be read"),
    ],
)
def test_a_place_that_is_no_store(
    place: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("hello")
    with pytest.raises(BadInput, match=said):
        MlflowSource(place)


@pytest.mark.parametrize(
    "value",
    [
        *(0, -5, 10**17, 2**64 - 1, 0.1, 1e-05, 1e300, -2.5, True, False, None, [1, "a"], {"a": 1}),
        *("adam", "", "001", "1_0", "nan", "3.10", "1e-3", "-0", "9" * 5000),
    ],
)
def test_a_parameter_gets_its_type_again(value: Any) -> None:
    found = typed(str(value))
    assert (found, type(found)) == (value, type(value))


def test_descriptions_are_read_as_mlflow_wrote_them(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    names = [
        "plain",
        "it's: #1",
        "ä ☃",
        "two\nlines",
        " blanks ",
        "word " * 40,
        "'",
        '"',
        "null",
        "12",
        "tab\t",
        "\x07",
    ]
    for name in names:
        given: dict[str, Any] = {
            "name": name,
            "count": 1795298877220,
            "none": None,
            "tags": {"a": name, "b": "x"},
            "list": [],
        }
        path = tmp_path / "meta.yaml"
        path.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
        assert read_yaml(path) == {**given, "list": {}}, path.read_text()
