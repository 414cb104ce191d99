"""Long work of the server: progress, cancelling, results, what is kept, and what is left."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from stepscope.app import jobs
from stepscope.app.jobs import Job, JobRefused, Jobs, JobState, Progress
from stepscope.app.temporary_folder import YOUNG_SECONDS, TemporaryFolder
from stepscope.app.views.words import plain
from stepscope.storage.errors import StepscopeError
from support import wait_until


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Jobs]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with jobs.serving(Jobs()):
        yield jobs.current()
    assert not list(tmp_path.glob("stepscope-jobs-*"))


def ended(job: Job) -> Job:
    wait_until(lambda: job.ended, what="the job")
    return job


def saved(progress: Progress) -> Path:
    progress(1, 1)
    path = progress.folder / "rëport <1>.zip"
    path.write_bytes(b"content")
    return path


def test_a_result_is_saved_under_an_address_that_nobody_guesses(work: Jobs) -> None:
    job = ended(jobs.start("Export", saved))
    assert (job.state, job.done, job.total, job.error) == (JobState.DONE, 1, 1, "")
    client = TestClient(Starlette(routes=[jobs.results(work)]))
    answer = client.get(job.address)
    assert answer.content == b"content"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert len(job.token) >= 32
    for path in (
        f"/jobs/{job.token}/other.zip",
        f"/jobs/{job.token}/..%2f..%2fetc%2fpasswd",
        f"/jobs/{job.token[:-1]}x/{job.result.name}",
        "/jobs/%C3%A4/x",
        f"/jobs/..%2f{job.token}/{job.result.name}",
    ):
        assert client.get(path).status_code == 404
    work.forget(job)
    assert client.get(job.address).status_code == 404
    assert not job.result.exists()


@pytest.mark.usefixtures("work")
def test_a_job_is_cancelled_at_its_next_word() -> None:
    begun = threading.Event()

    def endless(progress: Progress) -> None:
        (progress.folder / "half").write_text("")
        while True:
            progress(1, 9)
            begun.set()
            time.sleep(0.001)

    job = jobs.start("Endless", endless)
    assert begun.wait(20)
    assert not job.ended
    job.cancel()
    assert ended(job).state is JobState.CANCELLED
    assert job.address is None


@pytest.mark.usefixtures("work")
def test_a_job_that_fails_says_why(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: Progress) -> None:
        raise StepscopeError("the disk is full")

    def fall(_: Progress) -> None:
        raise ZeroDivisionError

    assert ended(jobs.start("Delete", refuse)).error == "the disk is full"
    assert not caplog.records
    assert ended(jobs.start("Delete", fall)).error == "ZeroDivisionError"
    assert "A job of the dashboard failed: Delete" in caplog.text


def test_their_number_is_bounded(work: Jobs) -> None:
    go_on = threading.Event()

    def wait(_: Progress) -> None:
        go_on.wait(20)

    started = [jobs.start(f"job {number}", wait) for number in range(jobs.MOST_WAITING)]
    wait_until(lambda: sum(job.state is JobState.RUNNING for job in started) == jobs.MOST_AT_ONCE)
    with pytest.raises(JobRefused, match="20 jobs are under way or waiting"):
        jobs.start("one more", wait)
    go_on.set()
    for job in started:
        ended(job)
    more = [ended(jobs.start("later", lambda _: None)) for _ in range(5)]
    assert work.all()[:5] == more[::-1]
    assert len(work.all()) <= jobs.MOST_KEPT + 1


def test_without_a_dashboard_there_is_no_long_work() -> None:
    with pytest.raises(StepscopeError, match="Start it with: stepscope ui"):
        jobs.start("Export", saved)


def test_what_a_killed_server_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned, alive, young = TemporaryFolder("box-"), TemporaryFolder("box-"), tmp_path / "box-young"
    for folder in (abandoned, alive):
        (folder.path / "result").write_text("x")
        long_ago = time.time() - YOUNG_SECONDS - 1
        os.utime(folder.path, (long_ago, long_ago))
    young.mkdir()
    left = abandoned.path
    os.close(abandoned._owned)  # as the system does when a process is killed
    new = TemporaryFolder("box-")
    kept = sorted([alive.path, new.path, young])
    assert sorted(tmp_path.iterdir()) == kept
    assert not left.exists()
    for folder in (alive, new):
        folder.remove()
    assert list(tmp_path.iterdir()) == [young]


@pytest.mark.usefixtures("work")
def test_every_page_lists_them(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    go_on = threading.Event()

    def half(progress: Progress) -> Path:
        progress(5, 10)
        go_on.wait(20)
        progress.say("Left out: <b>audio</b>")
        return saved(progress)

    job = jobs.start("Export <b>3</b> runs", half)
    wait_until(lambda: job.total == 10)
    code = "from stepscope.app.screens import charts; charts.show()"
    test = AppTest.from_string(code, default_timeout=60).run()
    assert not test.exception
    assert any(one.value.endswith(r"Export \<b\>3\<\/b\> runs".replace(r"\/", "/")) for one in test.markdown)
    assert [(one.proto.value, one.proto.text) for one in test.get("progress")] == [(50, "50 %")]
    go_on.set()
    ended(job)
    test.run()
    assert [one.proto.url for one in test.get("link_button")] == [job.address]
    assert any(one.value == plain("Left out: <b>audio</b>") for one in test.caption)
    test.button(key=f"forget-{job.token}").click().run()
    assert not test.get("link_button")
