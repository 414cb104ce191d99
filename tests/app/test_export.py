"""The Export button: what it starts, what the file holds, how it is cancelled, what it says when it fails."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import stepscope
from contracts.filled_store import fill
from stepscope.app import export_child, export_process, jobs
from stepscope.app.jobs import Jobs, JobState
from stepscope.app.widgets.export import FORMATS
from stepscope.trackers.sinks.files import safe_name
from support import wait_until

HOLDS = {
    "parquet": "points/project=digits/run={run}/part-0.parquet",
    "csv": "points/project=digits/run={run}/part-0.csv",
    "tensorboard": "base_line-{run}/events.out.tfevents.",
    "visdom": "digits.json",
}


@pytest.fixture
def work() -> Generator[Jobs]:
    with jobs.serving(Jobs()):
        yield jobs.current()


@pytest.mark.parametrize("form", FORMATS)
def test_runs_become_a_zip_file(work: Jobs, store: str, form: str) -> None:
    run_id = fill(store, "base/line")
    job = jobs.start(FORMATS[form], export_process.export(store, form, [run_id], f"base {form}.zip"))
    wait_until(lambda: job.ended, 60, "the export")
    assert (job.state, job.error) == (JobState.DONE, "")
    assert job.note.startswith("Left out: embedding") == (form in ("csv", "parquet"))
    answer = TestClient(Starlette(routes=[jobs.results(work)])).get(job.address)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert any(name.startswith(HOLDS[form].format(run=run_id)) for name in names)
    assert list(job.result.parent.iterdir()) == [job.result]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("letter", ["汉", "\U00020000"], ids=["3 bytes", "4 bytes"])
def test_a_long_name_in_any_script_fits_the_file_system(
    store: str, tmp_path: Path, form: str, letter: str
) -> None:
    with stepscope.init(store=store, name=90 * letter, project=90 * letter) as run:
        run.log({"loss": 1.0})
    order = {"store": store, "form": form, "runs": [run.id], "folder": str(tmp_path)}
    name = f"{safe_name(90 * letter)} {form}.zip"
    packed, _ = export_child.export({**order, "name": name}, lambda _: None)
    assert packed.name.startswith(40 * letter)
    assert packed.is_file()


@pytest.mark.usefixtures("work")
def test_it_ends_at_once_when_it_is_cancelled(store: str) -> None:
    with stepscope.init(store=store) as run:
        run.log({"loss": 1.0})
    job = jobs.start("export", export_process.export(store, "csv", [run.id], "x.zip"))
    child = wait_until(children_of_the_export)[0]
    job.cancel()
    wait_until(lambda: job.ended)
    assert job.state is JobState.CANCELLED
    assert not child.is_running()


def children_of_the_export() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "stepscope.app.export_child" in one.cmdline()]


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ({"runs": ["0000000000"]}, "0000000000"),
        ({"store": "/nowhere/at/all.db"}, "there is no store"),
    ],
)
@pytest.mark.usefixtures("work")
def test_a_failure_is_a_sentence(store: str, order: dict[str, object], sentence: str) -> None:
    fill(store)
    given = {"store": store, "form": "csv", "run_ids": ["baseline"], "name": "x.zip"}
    given |= {"run_ids" if name == "runs" else name: value for name, value in order.items()}
    job = jobs.start("export", export_process.export(**given))
    wait_until(lambda: job.ended, 60)
    assert job.state is JobState.FAILED
    assert sentence in job.error


@pytest.mark.usefixtures("work")
def test_a_process_that_is_killed_is_told(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    monkeypatch.setattr("sys.executable", "/bin/false")
    job = jobs.start("export", export_process.export(store, "csv", ["baseline"], "x.zip"))
    wait_until(lambda: job.ended)
    assert "ended before it was done" in job.error


def test_a_full_disk_is_a_sentence(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    order = {"store": store, "form": "csv", "runs": ["baseline"], "folder": str(tmp_path), "name": "x.zip"}
    told: list[dict[str, object]] = []
    packed, done = export_child.export(order, told.append)
    assert (packed.name, done.runs) == ("x.zip", 1)
    assert told[-1] == {"done": 1000, "total": 1000}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_child, "pack", full)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(order) + "\n"))
    monkeypatch.setattr("sys.stdout", answer := io.StringIO())
    monkeypatch.setattr(export_child, "_end_with_stdin", lambda: None)
    monkeypatch.setattr("os.nice", lambda _: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    export_child.main()
    last = json.loads(answer.getvalue().splitlines()[-1])
    assert last["error"] == "The export could not be written: No space left on device. Make room on the disk."
