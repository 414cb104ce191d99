"""`stepscope demo`: samples that train while the dashboard is open, and the runs that were recorded."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import tempfile
from importlib import util
from pathlib import Path
from threading import Thread

import pytest

from served import UI, start
from stepscope.app.cli import main
from stepscope.app.demo.recorded import PACKED
from stepscope.app.demo.training import TWINS, Training
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from support import run_python, wait_until

SAMPLE = """
import argparse, stepscope
parser = argparse.ArgumentParser()
parser.add_argument("--store"); parser.add_argument("--epochs", type=int)
options = parser.parse_args()
with stepscope.init(project="stand-ins", name=%r, store=options.store) as run:
    for epoch in range(options.epochs):
        run.log({"loss": 1 / (epoch + 1)})
"""
WAITING = """
import pathlib, signal
pathlib.Path(__file__).with_suffix(".begun").touch()
signal.pause()
"""
WITH_SAMPLES = (
    "from pathlib import PosixPath; from stepscope.app.demo import training; training.TWINS = %r; %s"
)


@pytest.fixture
def stand_ins(tmp_path: Path) -> list[Path]:
    """Two programs that log as the twins do, without a framework to wait for."""
    samples = [tmp_path / "one.py", tmp_path / "two.py"]
    for sample in samples:
        sample.write_text(SAMPLE % sample.stem)
    return samples


def test_the_twins_are_there() -> None:
    assert [path.name for path in TWINS if path.is_file()] == ["digits_pytorch.py", "digits_keras.py"]


def test_recorded_runs_are_shown_in_a_copy_that_is_gone_at_the_end(tmp_path: Path) -> None:
    before = hashlib.sha256(PACKED.read_bytes()).hexdigest()
    with start("demo", "--recorded", "--port", "0", TMPDIR=str(tmp_path)) as served:
        wait_until(
            lambda: "http://" in served.printed or served.process.poll() is not None, 60, "the address"
        )
        assert re.match(
            r"\d+ runs in \d+ projects, recorded [\d-]+ on .+ \(\d+ cores, .+\)\.\n", served.printed
        )
        assert served.get("/").status == 200
        [copy] = tmp_path.glob("stepscope-demo-*/*.db")
        assert f"Stepscope shows {copy} on http://127.0.0.1:" in served.printed
        assert main(["rename", "digits-pytorch", "mine", "--store", str(copy)]) == 0
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0
        wait_until(lambda: served.printed.endswith("\nThe copy is removed.\n"), 10, "the last word")
    assert not list(tmp_path.glob("stepscope-demo-*"))
    assert hashlib.sha256(PACKED.read_bytes()).hexdigest() == before


def test_samples_are_trained_while_the_dashboard_is_open(tmp_path: Path, stand_ins: list[Path]) -> None:
    code = WITH_SAMPLES % (stand_ins, UI)
    store = tmp_path / "runs.db"
    with start("demo", "--epochs", "2", "--port", "0", "--store", str(store), code=code) as served:
        wait_until(lambda: "stays open" in served.printed or served.process.poll() is not None, 60, "the end")
        assert served.get("/").status == 200
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) == 0
        wait_until(lambda: "The dashboard is stopped." in served.printed, 10, "the last word")
    assert served.printed.index("http://") < served.printed.index("== one.py")
    assert re.search(r"loss +0\.5 +step 1, 2 points", served.printed)
    assert served.printed.rstrip().endswith(f" ui --store {store}")
    with Reader.open(str(store)) as reader:
        assert {run.name: run.state for run in reader.runs()} == dict.fromkeys(
            ("one", "two"), RunState.FINISHED
        )


def test_a_sample_that_fails_is_told(tmp_path: Path, stand_ins: list[Path]) -> None:
    stand_ins[0].write_text("raise SystemExit(3)")
    training = Training(str(tmp_path / "runs.db"), None, stand_ins)
    training.run()
    assert training.missing == ["one.py to end well, but its exit code is 3"]
    assert not training.complete


def test_what_is_being_trained_ends_with_the_dashboard(tmp_path: Path, stand_ins: list[Path]) -> None:
    waiting = tmp_path / "waiting.py"
    waiting.write_text(WAITING)
    training = Training(str(tmp_path / "runs.db"), None, [waiting, stand_ins[0]])
    thread = Thread(target=training.run)
    thread.start()
    wait_until(waiting.with_suffix(".begun").exists, 20, "the sample")
    training.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert (training.complete, training.missing) == (False, [])
    assert not (tmp_path / "runs.db").exists()


def test_without_a_framework_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "tensorflow" else found(name))
    assert main(["demo"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        "stepscope: Training in PyTorch and in Keras (all but stepscope demo --recorded) needs"
    )
    assert told.endswith('pip install "stepscope[tensorflow]"\n')


def test_recorded_runs_and_a_training_are_two_things(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--recorded", "--epochs", "1"])
    assert ended.value.code == 2
    assert (
        "expected --recorded or some of --store, --epochs and --check, but got both"
        in capsys.readouterr().err
    )


def test_a_port_that_is_taken_leaves_no_copy_and_names_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", "")  # which the server sets
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["demo", "--recorded", "--port", str(port)]) == 1
    assert "Choose another one: stepscope demo --recorded --port " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_twins_log_a_run_of_each_framework(store_url: str) -> None:
    options = ["--check", "--epochs", "1", "--store", store_url, "--port", "0"]
    printed = run_python("-m", "stepscope.app.cli", "demo", *options, deadline_s=280)
    with Reader.open(store_url) as reader:
        runs = reader.runs()
    assert {run.framework for run in runs} == {"torch", "keras"}
    assert {run.state for run in runs} == {RunState.FINISHED}
    assert all(run.run_id in printed for run in runs)
