"""The recorded runs in the repository: sound, small, of both frameworks, and silent about who made them."""

from __future__ import annotations

import io
import platform
import re
import runpy
import sqlite3
import zipfile
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import zstandard

import stepscope
from stepscope.app.cli import main
from stepscope.app.demo.recorded import PACKED, description, recorded_copy
from stepscope.storage.artifacts import artifacts_of
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import ROOT

NOTE = PACKED.with_name("README.md")
SYSTEM = ("cpu_percent", "memory_used_gb", "process_memory_gb")


@pytest.fixture(scope="module")
def store() -> Generator[Path]:
    with recorded_copy() as store:
        yield store


@pytest.fixture
def reader(store: Path) -> Generator[Reader]:
    with Reader.open(store) as reader:
        yield reader


def readable(value: object) -> Iterator[bytes]:
    """Yield all that can be read in a value of a row: the packed and the zipped, too."""
    data = value if isinstance(value, bytes) else str(value).encode()
    yield data
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        yield zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from map(archive.read, archive.namelist())


def test_it_is_small_and_sound(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sum(file.stat().st_size for file in PACKED.parent.iterdir()) < 2_000_000
    assert main(["verify", "--store", str(store)]) == 0
    assert "all sound" in capsys.readouterr().out


def test_both_twins_are_there_with_curves_of_what_the_machine_did(reader: Reader) -> None:
    by_name = {run.name: run for run in reader.runs()}
    for name in ("digits-pytorch", "digits-keras"):
        assert by_name[name].state is RunState.FINISHED
        series = {one.name: one.count for one in reader.series(by_name[name].run_id)}
        assert all(series[f"system/{fact}"] >= 6 for fact in SYSTEM)


def test_no_run_lost_anything(reader: Reader) -> None:
    assert {run.name: run.dropped for run in reader.runs() if run.dropped} == {}


def test_it_names_no_folder(store: Path) -> None:
    private = re.compile(rb"/work\b|/tmp\b|/root\b|/home/|/Users/")
    with closing(sqlite3.connect(store)) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            values = (value for row in database.execute(f'SELECT * FROM "{table}"') for value in row)
            assert not [found for one in values for data in readable(one) for found in private.findall(data)]
    # What was deleted must not lie between the rows.
    assert not private.search(store.read_bytes())


def test_no_run_tells_of_its_host_and_process(reader: Reader) -> None:
    for run in reader.runs():
        environment = reader.environment(run.run_id)
        assert (run.host, run.pid) == ("", 0)
        assert not {"host", "cwd", "executable", "pid"} & environment.keys()
        assert set(environment["git"] or ()) <= {"commit"}
        assert "store" not in run.config
        told = {key: value for key, value in environment.items() if key not in ("packages", "program")}
        assert not re.search(rf"\b{re.escape(platform.node())}\b", f"{told} {run.config} {run.summary}")


def test_what_it_says_of_itself_is_what_it_holds(store: Path, reader: Reader) -> None:
    note = NOTE.read_text()
    runs = reader.runs()
    assert re.findall(r"^\| [\w-]+ \| ([\w-]+) \|", note, re.MULTILINE)[1:] == [
        run.name for run in runs[::-1]
    ]
    gpus = {gpu for run in runs for gpu in reader.environment(run.run_id)["gpu"]}
    assert {tag for run in runs for tag in run.tags if tag.startswith("recorded-on-")} == {
        "recorded-on-gpu" if gpus else "recorded-on-cpu"
    }
    shown = [
        one.name for run in runs for one in reader.series(run.run_id) if one.name.startswith("system/gpu")
    ]
    assert bool(shown) == bool(gpus)
    assert ("There is no figure of a GPU in it" in note) == (not gpus)
    assert ("no GPU" in description(store)) == (not gpus)
    assert all("A recording that comes with Stepscope, made on" in run.notes for run in runs)


@pytest.mark.parametrize("gpus", [[], ["NVIDIA H200"]])
def test_record_tidies_what_it_packs(tmp_path: Path, gpus: list[str]) -> None:
    record = runpy.run_path(str(ROOT / "sample_runs" / "record.py"))
    store = tmp_path / "recorded.db"
    (tmp_path / "model.txt").write_text("large")
    with stepscope.init(
        project="p", name="r", store=store, config={"store": str(store)}, notes="mine"
    ) as run:
        run.log(
            {"loss": 1.0, "picture": np.zeros((8, 8)), "said": stepscope.Text(f"File {ROOT}/a.py, line 1")}
        )
        run.log_artifact(tmp_path / "model.txt")
    with Reader.open(store) as reader:
        environment = {**reader.environment(run.id), "gpu": gpus}
    with Writer.open(store) as writer:
        writer.update_run(run.id, {"environment": environment})
    record["tidy"](store)
    record["pack"](store, tmp_path / "packed.zst")
    note, busy = record["note"](store, 3.0), record["note"](store, 97.0)
    store.write_bytes(zstandard.decompress((tmp_path / "packed.zst").read_bytes()))
    with Reader.open(store) as reader:
        [kept] = reader.runs()
        series = {one.name: one for one in reader.series(run.id) if not one.name.startswith("system/")}
        assert [*series] == ["loss", "picture", "said"]
        [said] = reader.records(series["said"])
        assert re.fullmatch(r"File [./]+/a\.py, line 1", reader.load(series["said"], said).text)
        assert artifacts_of(reader) == []
    assert (kept.host, kept.config, kept.tags) == (
        "",
        {},
        ("recorded-on-gpu" if gpus else "recorded-on-cpu",),
    )
    assert kept.notes.startswith("mine\n\nA recording that comes with Stepscope, made on ")
    assert all(name in note for name in gpus)
    assert "other programs took 3 % of the processor.\n" in note
    assert "other programs took 97 % of the processor: the times in it measure no framework.\n" in busy
    assert ("There is no figure of a GPU in it" in note) == (not gpus)
    assert main(["verify", "--store", str(store)]) == 0


def test_a_store_that_names_a_folder_is_not_packed(tmp_path: Path) -> None:
    record = runpy.run_path(str(ROOT / "sample_runs" / "record.py"))
    store = tmp_path / "recorded.db"
    with stepscope.init(project="p", store=store, notes=f"lies in {ROOT}"):
        pass
    with pytest.raises(SystemExit, match=re.escape(f"The store names ['{ROOT}'")):
        record["pack"](store, tmp_path / "packed.zst")
    assert not (tmp_path / "packed.zst").exists()
