"""CSV and Parquet: what other programs read of them is what the store holds."""

from __future__ import annotations

import csv
import json
import math
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet
import pytest
import sqlalchemy as sa

import stepscope
from contracts.filled_store import CONFIG, GRAPH, HOSTILE, fill
from contracts.sink_contract import SinkContract
from feed import Feed, new_run
from stepscope.app.cli import main
from stepscope.storage.errors import ExportRefused
from stepscope.storage.model import Run, words_of
from stepscope.storage.read import Reader
from stepscope.storage.schema import runs
from stepscope.storage.write import Writer
from stepscope.trackers.exports import export_csv, export_parquet
from stepscope.trackers.sinks import files
from stepscope.trackers.sinks.dataset import csv_sink as csv_dataset
from stepscope.trackers.sinks.dataset import parquet_sink as parquet
from stepscope.trackers.sinks.dataset import sink as dataset

SINKS = {"csv": csv_dataset.CsvSink, "parquet": parquet.ParquetSink}
EXPORTS = {"csv": export_csv, "parquet": export_parquet}


def table(folder: Path, name: str, form: str) -> pd.DataFrame:
    """Return a table of the dataset as the other program reads it, with project and run from the path."""
    if form == "parquet":
        return pyarrow.dataset.dataset(folder / name, partitioning="hive").to_table().to_pandas()
    found: list[pd.DataFrame] = []
    for path in sorted((folder / name).rglob("*.csv")):
        project, run = (part.partition("=")[2] for part in path.parts[-3:-1])
        found.append(
            pd.read_csv(path, keep_default_na=False, na_values=["nan"]).assign(project=project, run=run)
        )
    return pd.concat(found)


class DatasetContract(SinkContract):
    form: ClassVar[str]

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "dataset"

    def make_sink(self) -> Any:
        return SINKS[self.form](self.folder)

    def curve(self, run: Run, name: str) -> Mapping[int, float]:
        rows = table(self.folder, "points", self.form)
        rows = rows[(rows.run == run.run_id) & (rows.name == name) & (rows.context == "")]
        return dict(zip(rows.step.tolist(), rows.value.tolist(), strict=True))

    def leftovers(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


class TestCsvContract(DatasetContract):
    form = "csv"


class TestParquetContract(DatasetContract):
    form = "parquet"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("dataset")
    store = str(folder / "stepscope.db")
    fill(store)
    fill(store, "wider", project="a/b=ä", seed=1)
    with Reader.open(store) as reader:
        for form, export in EXPORTS.items():
            export(reader, ["baseline", "wider"], folder / form)
    return store, folder


@pytest.mark.parametrize("form", SINKS)
def test_every_number_is_there_to_its_last_bit(filled: tuple[str, Path], form: str) -> None:
    store, folder = filled
    rows = table(folder / form, "points", form)
    with stepscope.open(store) as opened:
        for run in opened.runs():
            mine = rows[rows.run == run.id]
            want = run.history().pandas()
            assert len(mine) == len(want) > 30
            assert sorted(zip(mine.name, mine.context, mine.step, mine.time, strict=True)) == sorted(
                zip(want.name, want.context, want.step, want.time, strict=True)
            )
            for _, series in want.groupby(["name", "context"]):
                one = mine[(mine.name == series.name.iloc[0]) & (mine.context == series.context.iloc[0])]
                np.testing.assert_array_equal(one.value.astype(float), series.value)
    assert rows.value.astype(float).isin([math.inf]).sum() == 2


@pytest.mark.parametrize("form", SINKS)
def test_a_run_is_one_row_with_its_config(filled: tuple[str, Path], form: str) -> None:
    _, folder = filled
    rows = table(folder / form, "runs", form)
    assert sorted(rows.name) == ["baseline", "wider"]
    assert json.loads(rows.config.iloc[0]) == CONFIG
    paths = {path.parent.parent.name for path in (folder / form / "runs").rglob("part-0.*")}
    assert paths == {"project=digits", "project=a%2Fb%3D%C3%A4"}
    if form == "parquet":
        assert set(rows.project) == {"digits", "a/b=ä"}


@pytest.mark.parametrize("form", SINKS)
def test_histograms_and_texts(filled: tuple[str, Path], form: str) -> None:
    _, folder = filled
    rows = table(folder / form, "histograms", form)
    [*_, last] = rows[rows.name == "weights/fc1"].to_dict("records")
    edges, counts = (json.loads(last[name]) if form == "csv" else last[name] for name in ("edges", "counts"))
    assert len(edges) == len(counts) + 1
    assert sum(counts) == last["count"] == 500
    texts = table(folder / form, "documents", form)
    assert sorted(texts.kind.unique()) == ["graph", "hparams", "mesh", "pr_curve", "table", "text"]
    assert texts[texts.kind == "text"].text.iloc[0] == "# step 2\n\n<script>alert('ä')</script>"
    assert HOSTILE in json.loads(texts[texts.kind == "table"].text.iloc[0])["rows"][1]
    curve = json.loads(texts[texts.kind == "pr_curve"].text.iloc[0])
    assert len(curve["precision"]) == len(curve["recall"]) > 10
    assert len(json.loads(texts[texts.kind == "mesh"].text.iloc[0])["vertices"]) == 4
    assert json.loads(texts[texts.kind == "graph"].text.iloc[0])["name"] == GRAPH.name


@pytest.mark.parametrize("form", SINKS)
def test_pictures_and_sounds_lie_beside_the_tables(filled: tuple[str, Path], form: str) -> None:
    store, folder = filled
    rows = table(folder / form, "media", form)
    assert sorted(rows.kind.unique()) == ["audio", "figure", "image", "video"]
    with Reader.open(store) as reader:
        for row in rows.to_dict("records"):
            series = reader.series(row["run"], name=row["name"])
            [one] = [one for one in series if words_of(one.context) == (row["context"] or "")]
            value = reader.load(one, next(kept for kept in reader.records(one) if kept.step == row["step"]))
            assert (folder / form / row["path"]).read_bytes() == value.data
            assert (row["bytes"], row["media_type"]) == (len(value.data), value.media_type)
            assert (row["caption"] or None) == value.caption
    assert len(list((folder / form / "files").rglob("*.*"))) == rows.path.nunique()


@pytest.mark.parametrize("form", SINKS)
def test_a_run_is_there_once_when_its_project_was_renamed(store_url: str, tmp_path: Path, form: str) -> None:
    with stepscope.init(store=store_url, project="old") as run:
        run.log({"loss": 1.0, "note": stepscope.Text("a"), "picture": stepscope.Image(np.zeros((4, 4)))})
    with stepscope.init(store=store_url, id=run.id, resume="must") as again:
        again.log({"loss": 2.0})
    with Reader.open(store_url) as reader:
        EXPORTS[form](reader, [run.id], tmp_path)
        (tmp_path / "files" / "project=old" / f"run={run.id}" / "mine.txt").write_text("of somebody else")
        with Writer.open(store_url) as writer:
            writer.transact(lambda connection: connection.execute(sa.update(runs).values(project="new")))
        EXPORTS[form](reader, [run.id], tmp_path)
    for name in ("runs", "points", "documents", "media"):
        rows = table(tmp_path, name, form)
        assert set(rows.project) == {"new"}
        assert not rows.duplicated([one for one in rows.columns if one in ("name", "step", "run")]).any()
    [row] = table(tmp_path, "runs", form).to_dict("records")
    assert [one["attempt"] for one in json.loads(row["attempts"])] == [0, 1]
    assert (row["run_id"], row["project_name"]) == (run.id, "new")
    assert "python" in json.loads(row["environment"])
    left = [path for path in tmp_path.rglob("*") if path.is_file() and "project=old" in str(path)]
    assert [path.name for path in left] == ["mine.txt"]


PROJECTS = ["a/b=c", "ä ☃ %2F", "2024", "1e5", "null", "x" * 300, "..", "a\\b:*?'\"<>|\n"]


def test_projects_of_any_name(store_url: str, tmp_path: Path) -> None:
    known: dict[str, str] = {}
    with Writer.open(store_url) as writer:
        for project in PROJECTS:
            run = new_run(writer, project=project)
            known[run.run_id] = project
            feed = Feed(writer, run.run_id)
            feed.points("loss", np.array([1.0, math.nan, -math.inf]), [2**53 + 1, 2**53 + 2, 2**53 + 3])
            feed.end()
    with Reader.open(store_url) as reader:
        for form, export in EXPORTS.items():
            export(reader, list(known), tmp_path / form)
    texts = pyarrow.schema([("project", pyarrow.string()), ("run", pyarrow.string())])
    hive = pyarrow.dataset.partitioning(texts, flavor="hive")
    for name in ("runs", "points"):
        rows = pyarrow.dataset.dataset(tmp_path / "parquet" / name, partitioning=hive).to_table().to_pandas()
        assert set(rows.run) == set(known)
        for row in rows.to_dict("records"):
            project = known[row["run"]]
            assert row["project"] == project or len(project) > 200
            assert row.get("project_name", project) == project
        assert name == "runs" or set(rows.step) == {2**53 + 1, 2**53 + 2, 2**53 + 3}
    assert len(list((tmp_path / "csv").rglob("part-0.csv"))) == 2 * len(PROJECTS)


def test_parquet_has_the_types_of_the_store(filled: tuple[str, Path]) -> None:
    _, folder = filled
    [path] = (folder / "parquet" / "points" / "project=digits").rglob("*.parquet")
    schema = pyarrow.parquet.read_schema(path)
    assert [str(field.type) for field in schema] == ["string", "string", "int64", "double", "double"]


def test_a_spreadsheet_takes_no_name_for_a_formula(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, name="=cmd|' /C calc'!A0", project="half \ud800" + "x" * 300) as run:
        run.log({"@loss": 1.0, "-acc": -2.5, 'quo"te,\n': 1.0})
        run.log({"half": stepscope.Text("half \ud800")})
    with Reader.open(store_url) as reader:
        for form, export in EXPORTS.items():
            export(reader, [run.id], tmp_path / form)
    [path] = (tmp_path / "csv" / "points").rglob("*.csv")
    assert len(path.parts[-3]) < 140
    with path.open(newline="", encoding="utf-8") as file:
        cells = [row for row in csv.reader(file) if not row[0].startswith("system/")]
    assert sorted(row[0] for row in cells) == ["'-acc", "'@loss", "name", 'quo"te,\n']
    assert [row[-1] for row in cells if row[0] == "'-acc"] == ["-2.5"]
    rows = table(tmp_path / "parquet", "points", "parquet")
    assert {"@loss", "-acc"} <= set(rows.name)


@pytest.mark.parametrize("form", SINKS)
def test_memory_does_not_grow_with_the_run(store_url: str, tmp_path: Path, form: str) -> None:
    """Ten times the points, in pieces of a hundredth, take no more memory."""
    peaks: list[int] = []
    for points in (2_000, 20_000):
        with Writer.open(store_url) as writer:
            run = new_run(writer)
            feed = Feed(writer, run.run_id)
            feed.points("loss", np.random.default_rng(0).random(points))
            feed.end()
        with Reader.open(store_url) as reader, pytest.MonkeyPatch.context() as patch:
            patch.setattr(dataset, "ROWS_A_PIECE", 256)
            patch.setattr("stepscope.trackers.sources.store.POINTS_A_PIECE", 256)
            tracemalloc.start()
            EXPORTS[form](reader, [run.run_id], tmp_path / form)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 3 * peaks[0]


@pytest.mark.parametrize("form", SINKS)
def test_a_place_that_cannot_be_written_to(
    filled: tuple[str, Path], tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with Reader.open(filled[0]) as reader:
        with pytest.raises(ExportRefused, match="is a file\\. Name another one"):
            EXPORTS[form](reader, ["baseline"], tmp_path / "file")

        def full(*_: object) -> None:
            raise ExportRefused("expected a folder to write into, but got: No space left on device.")

        monkeypatch.setattr(files.AtomicFile, "write", full)
        with pytest.raises(ExportRefused, match="No space left"):
            EXPORTS[form](reader, ["baseline"], tmp_path / "full")
    assert not [path for path in (tmp_path / "full").rglob("*") if path.is_file()]


@pytest.mark.parametrize("form", SINKS)
def test_the_command(
    filled: tuple[str, Path], tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", form, "baseline", "--store", filled[0], "--to", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "Exported 1 run with" in printed.out
    assert "Left out: embedding (tables hold numbers, text and files" in printed.err
    assert len(list((tmp_path / "out").rglob(f"part-0.{form}"))) == 5
