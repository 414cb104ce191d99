"""The command line: what it says and returns. How the dashboard behaves is in test_server.py."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import stepscope
from contracts.filled_store import fill
from stepscope.app.cli import main
from support import run_python

COMMAND = Path(sys.executable).with_name("stepscope")


def test_the_installed_command_tells_its_version() -> None:
    done = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == f"stepscope {version('stepscope')}"


VERBS = (
    "ui", "demo", "tensorboard", "runs", "show", "rename", "archive", "restore", "rm", "import", "export",
    "sync", "backup", "verify", "compact", "upgrade",
)  # fmt: skip


def test_help_lists_every_command_once_in_its_group() -> None:
    printed = run_python("-m", "stepscope.app.cli", "--help")
    listed = [line.split()[0] for line in printed.splitlines() if line.startswith("  ")]
    assert [word for word in listed if word in VERBS] == [*VERBS]
    assert [line for line in printed.splitlines() if line.endswith(":")][-4:] == [
        "look:",
        "change runs:",
        "hand on:",
        "care for the store:",
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: stepscope {verb}")
    assert verb in ("ui", "demo", "tensorboard", "import", "export") or "--json" in printed


def test_a_pipe_that_closes_early_is_no_fault(store_url: str) -> None:
    fill(store_url)
    command = f"{COMMAND} show baseline --json --store {store_url} | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=True)  # noqa: S602
    assert done.stdout == "{"
    assert done.stderr == ""


def test_names_that_would_steer_the_terminal_do_not(
    store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {
        "name": "a\x1b[2J\nb",
        "project": "\x1b]0;title\x07",
        "config": {"k\x1b": "v\x9b1m"},
        "notes": "n\x1b[7m",
    }
    with stepscope.init(store=store_url, **odd) as run:
        run.log({"lo\x1b[31mss": 1.0})
    for command in (["runs"], ["show", run.id], ["rename", run.id, "c\x1b[2J"], ["archive", run.id]):
        assert main([*command, "--store", store_url]) == 0
        printed = capsys.readouterr().out
        assert not set(printed) & {"\x1b", "\x07", "\x9b"}
        assert "\N{REPLACEMENT CHARACTER}" in printed


def test_a_terminal_that_is_not_utf8_gets_what_it_can_show(store_url: str) -> None:
    with stepscope.init(store=store_url, name="größe 🚀") as run:
        run.log({"loss/val": 1.0})
    for command in ("runs", "show"):
        arguments = [command, *([run.id] if command == "show" else []), "--store", store_url]
        assert "gr??e ?" in run_python("-m", "stepscope.app.cli", *arguments, PYTHONIOENCODING="ascii")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_for_the_output_is_one_sentence(store_url: str) -> None:
    stepscope.init(store=store_url).finish()
    command = f"{COMMAND} runs --json --store {store_url} > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)  # noqa: S602
    assert (done.returncode, done.stderr) == (1, "stepscope: [Errno 28] No space left on device\n")


def test_help_names_the_commands_and_loads_no_dashboard() -> None:
    code = (
        "import sys; from stepscope.app import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('streamlit' in sys.modules, 'tensorboard' in sys.modules, 'visdom' in sys.modules)"
    )
    printed = run_python("-c", code)
    assert "open the dashboard" in printed
    assert "write runs for another tool" in printed
    assert printed.splitlines()[-1] == "False False False"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["show"], "required: RUN"),
        (["rename", "run"], "required: NAME"),
        (["rm"], "required: RUN"),
        (["sync", "here.db"], "required: DST"),
        (["ui", "--port", "80000"], "expected a port from 0 to 65535, but got '80000'"),
        (["ui", "--port", "-1"], "expected a port from 0 to 65535, but got '-1'"),
        (["export", "tensorboard", "--to", "logs"], "required: RUN"),
        (["export", "csv", "run", "--all", "--to", "x"], "expected either RUN or one of --all"),
        (["export", "tensorboard", "run"], "required: --to"),
        (["import"], "required: WHAT"),
        (["import", "mlflow"], "required: PLACE"),
        (["export", "visdom", "run"], "one of the arguments --server --to is required"),
        (["export", "visdom", "run", "--to", "x", "--server", "y"], "not allowed with argument"),
    ],
)
def test_wrong_usage_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_fault_is_one_sentence_and_exit_code_1(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "tensorboard", "run", "--to", "logs", "--store", store_url]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("stepscope: there is no store at")
    assert said.err.count("\n") == 1
    assert not said.out


def test_event_files_are_written(store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = fill(store_url, "first"), fill(store_url, "second")
    folder = tmp_path / "logs"
    arguments = ["export", "tensorboard", "first", second[:5], "--to", str(folder), "--store", store_url]
    assert main(arguments) == 0
    assert {path.name for path in folder.iterdir()} == {f"first-{first}", f"second-{second}"}
    said = capsys.readouterr().out
    assert said.startswith("Exported 2 runs with ")
    assert str(folder) in said


def test_environments_of_visdom_are_written(
    store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store_url)
    folder = tmp_path / "visdom"
    assert main(["export", "visdom", "baseline", "--to", str(folder), "--store", store_url]) == 0
    (environment,) = folder.glob("*.json")
    said = capsys.readouterr().out
    assert said.startswith("Exported 1 run with ")
    assert str(environment) in said or str(folder) in said


def test_each_run_may_have_an_environment_of_its_own(store_url: str, tmp_path: Path) -> None:
    fill(store_url)
    fill(store_url, name="wider", seed=1)
    to = ["--to", str(tmp_path / "visdom"), "--store", store_url]
    assert main(["export", "visdom", "baseline", "wider", *to, "--env", "{project}_{run}"]) == 0
    written = sorted(path.name for path in (tmp_path / "visdom").glob("*.json"))
    assert written == ["digits_baseline.json", "digits_wider.json"]


def test_a_server_that_is_not_there_is_said(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store_url)
    server = "http://127.0.0.1:9"
    assert main(["export", "visdom", "baseline", "--server", server, "--store", store_url]) == 1
    said = capsys.readouterr().err
    assert "127.0.0.1:9" in said
    assert said.startswith("stepscope: ")
