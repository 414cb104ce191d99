"""Every source keeps the contract of sources, and every sink has a test of that of sinks."""

from __future__ import annotations

import ast
import json
import shutil
import sqlite3
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from contracts.source_contract import SourceContract, loss
from stepscope.storage.model import RunState
from stepscope.trackers.sources.registry import SOURCES
from stepscope.trackers.sources.wandb.log import MAGIC
from support import ROOT, run_python

BEGAN = 1_700_000_000


class TestTensorBoard(SourceContract):
    """An event file with TensorBoard's own framing. (Its writers load a framework, as those of others do.)"""

    entry = "tensorboard"

    @pytest.fixture(autouse=True)
    def _writer(self) -> Iterator[None]:
        self.writer: RecordWriter | None = None
        self.written = 0
        yield
        if self.writer is not None:
            self.writer.close()

    def make(self, folder: Path, count: int) -> str:
        if self.writer is None:
            (folder / "first").mkdir(parents=True)
            path = folder / "first" / "events.out.tfevents.1700000000.there"
            self.writer = RecordWriter(path.open("wb"))
            self.writer.write(Event(wall_time=BEGAN, file_version="brain.Event:2").SerializeToString())
        for step in range(self.written, count):
            value = Summary.Value(tag="loss", simple_value=loss(step))
            event = Event(wall_time=time.time(), step=step, summary=Summary(value=[value]))
            self.writer.write(event.SerializeToString())
        self.writer.flush()
        self.written = count
        return str(folder)

    def damage(self, place: str) -> int:
        [path] = Path(place).rglob("*tfevents*")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data[:-3])
        return 18


class TestMlflow(SourceContract):
    """A folder of MLflow, written by its client."""

    entry = "mlflow"

    @pytest.fixture(autouse=True)
    def _files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        self.run_id = ""
        self.written = 0

    def make(self, folder: Path, count: int) -> str:
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient

        client = MlflowClient(str(folder))
        if not self.run_id:
            experiment = client.create_experiment("digits")
            self.run_id = client.create_run(experiment, run_name="first").info.run_id
        start = client.get_run(self.run_id).info.start_time
        steps = range(self.written, count)
        client.log_batch(self.run_id, metrics=[Metric("loss", loss(step), start, step) for step in steps])
        client.set_terminated(self.run_id, "FINISHED")
        self.written = count
        return str(folder)

    def damage(self, place: str) -> int:
        [path] = Path(place).rglob("metrics/loss")
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:5], b"17 n\xffo number\n", *lines[6:]]))
        return 19


class TestTrackio(SourceContract):
    """A database of trackio, with rows as trackio writes them."""

    entry = "trackio"

    def make(self, folder: Path, count: int) -> str:
        folder.mkdir(exist_ok=True)
        with closing(sqlite3.connect(folder / "digits.db")) as database, database:
            if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                recorded = ROOT / "tests" / "assets" / "trackio" / "digits.sql"
                database.executescript(recorded.read_text(encoding="utf-8"))
                for (table,) in database.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                ).fetchall():
                    if not table.startswith("sqlite_"):
                        database.execute(f"DELETE FROM {table}")
            (there,) = database.execute("SELECT COUNT(*) FROM metrics").fetchone()
            database.executemany(
                "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) "
                "VALUES ('r1', ?, 'first', ?, ?)",
                [
                    (f"2026-11-21T00:00:{step:02}+00:00", step, json.dumps({"loss": loss(step)}).encode())
                    for step in range(there, count)
                ],
            )
        return str(folder)

    def damage(self, place: str) -> int:
        with closing(sqlite3.connect(Path(place) / "digits.db")) as database, database:
            database.execute("UPDATE metrics SET metrics = ? WHERE step = 7", (b'{"loss": \xff',))
        return 19


class TestVisdom(SourceContract):
    """The file of an environment, as Visdom's server writes it."""

    entry = "visdom"

    def make(self, folder: Path, count: int) -> str:
        steps = [float(step) for step in range(count)]
        trace = {
            "x": steps,
            "y": [loss(step) for step in range(count)],
            "type": "scatter",
            "mode": "lines",
            "name": "1",
        }
        content = {"data": [trace], "layout": {"title": {"text": "loss"}}}
        window = {
            "command": "window",
            "version": 1,
            "id": "loss",
            "title": "loss",
            "inflate": True,
            "width": None,
            "height": None,
            "contentID": f"{count}",
            "content": content,
            "type": "plot",
            "i": 0,
        }
        folder.mkdir(exist_ok=True)
        (folder / "main.json").write_text(json.dumps({"jsons": {"loss": window}, "reload": {}}))
        return str(folder)

    def damage(self, place: str) -> int:
        path = Path(place) / "main.json"
        kept = json.loads(path.read_text())
        kept["jsons"]["torn"] = {"command": "window", "id": "torn", "type": "plot", "content": 3}
        path.write_text(json.dumps(kept))
        return 20


class TestWandb(SourceContract):
    """The log of a run, with records as W&B writes them, that another record is added to."""

    entry = "wandb"
    states = frozenset({RunState.FINISHED, RunState.RUNNING, RunState.KILLED})

    def make(self, folder: Path, count: int) -> str:
        protos: Any = pytest.importorskip("wandb.proto.wandb_internal_pb2")
        run = protos.RunRecord(run_id="abcd1234", project="digits", display_name="first")
        run.start_time.FromSeconds(BEGAN)
        records = [protos.Record(num=1, run=run)]
        for step in range(count):
            rows = {"loss": loss(step), "_step": step, "_timestamp": BEGAN + step}
            items = [protos.HistoryItem(key=key, value_json=json.dumps(value)) for key, value in rows.items()]
            history = protos.HistoryRecord(item=items, step=protos.HistoryStep(num=step))
            records.append(protos.Record(num=step + 2, history=history))
        place = folder / "offline-run-20231114_221320-abcd1234"
        place.mkdir(parents=True, exist_ok=True)
        frames = b"".join(_frame(record.SerializeToString()) for record in records)
        (place / "run-abcd1234.wandb").write_bytes(MAGIC + frames)
        return str(folder)

    def damage(self, place: str) -> int:
        [path] = Path(place).rglob("*.wandb")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
        return 19


def _frame(data: bytes) -> bytes:
    full = 1
    return struct.pack("<IHB", zlib.crc32(data, zlib.crc32(bytes([full]))), len(data), full) + data


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return copies of a repository, as Aim wrote them once, named as the number of losses in each."""
    pytest.importorskip("aimrocks")
    folder = tmp_path_factory.mktemp("aim")
    shutil.unpack_archive(ROOT / "tests" / "assets" / "aim_growing.zip", folder)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same, as the Aim that is installed writes them."""
    folder = tmp_path_factory.mktemp("aim")
    run_python(ROOT / "tests" / "made_aim.py", folder, "growing")
    return folder / "at"


class TestAim(SourceContract):
    """A repository that Aim writes into, as it was at some moments."""

    entry = "aim"
    states = frozenset({RunState.FINISHED, RunState.RUNNING, RunState.KILLED})

    @pytest.fixture(autouse=True)
    def _moments(self, recorded: Path) -> None:
        self.moments = recorded

    def make(self, folder: Path, count: int) -> str:
        shutil.copytree(self.moments / str(count), folder, dirs_exist_ok=True)
        return str(folder)

    def damage(self, place: str) -> int:
        other = Path(place) / ".aim" / "meta" / "chunks" / "torn"
        other.mkdir()
        (other / "CURRENT").write_text("no such manifest")
        return 20


@pytest.mark.long
class TestAimThatIsInstalled(TestAim):
    """The same, written now. Aim takes seconds to load."""

    @pytest.fixture(autouse=True)
    def _moments(self, written: Path) -> None:
        self.moments = written


def _contracts(name: str) -> dict[Path, str]:
    """Return the files of tests that have a subclass of a contract, with their text."""
    files = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    return {path: text for path, text in files.items() if f"({name})" in text}


@pytest.mark.parametrize("entry", SOURCES)
def test_every_source_has_its_contract_tested(entry: str) -> None:
    assert any(f'entry = "{entry}"' in text for text in _contracts("SourceContract").values())


def test_every_sink_has_its_contract_tested() -> None:
    sinks = {name for name in _classes(ROOT / "trackers" / "sinks") if name.endswith("Sink")}
    # What is there to be subclassed, and what every source above writes into.
    sinks -= {"Sink", "DatasetSink", "StoreSink"}
    assert len(sinks) >= 4
    tested = "\n".join(_contracts("SinkContract").values())
    assert {name for name in sinks if name not in tested} == set()


def _classes(folder: Path) -> list[str]:
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    return [node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
