"""Long work of the dashboard's server: started from a page, shown on every page, and left at will.

    job = jobs.start("Delete 3 runs", work)

`work` runs in a thread of the server; what must not hold up the pages starts a process from there (see
export_process.py). A result is a file in a temporary folder that is gone when the server is.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..storage.errors import StepscopeError
from .temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = "/jobs"
MOST_AT_ONCE = 2
MOST_WAITING = 20
MOST_KEPT = 20
"""Ended ones, with their results; the oldest goes first."""
STOP_SECONDS = 3.0

_log = logging.getLogger(__name__)


class JobCancelled(Exception):
    """Raised by `progress` in the work of a job that the viewer cancelled."""


class JobRefused(StepscopeError):
    """Too much is waiting already."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Progress:
    """What `work` is given: tell it how far it is, often. Also where its files may lie."""

    def __init__(self, job: Job, root: TemporaryFolder) -> None:
        """Tell a job."""
        self._job = job
        self._root = root

    def __call__(self, done: int, total: int) -> None:
        """Say how many of how many pieces are done. Raises JobCancelled: the viewer wants no more."""
        if self._job.cancelled.is_set():
            raise JobCancelled
        self._job.done, self._job.total = done, total

    def say(self, note: str) -> None:
        """Tell the viewer something about the result, in sentences."""
        self._job.note = note

    @property
    def folder(self) -> Path:
        """An empty folder of the job's own. It goes with the job."""
        folder = self._root.path / self._job.token
        folder.mkdir(exist_ok=True)
        return folder


Work: TypeAlias = Callable[[Progress], Path | None]
"""Does the job, calls `progress(done, total)`, and returns the file that the viewer may save, if any."""


@dataclass(slots=True, eq=False)
class Job:
    """One piece of long work."""

    title: str
    """What it does, in plain words; names in it are as they were logged."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    state: JobState = JobState.WAITING
    done: int = 0
    total: int = 0
    """Pieces; 0 as long as nobody knows how many."""
    error: str = ""
    """Why it failed, in a sentence."""
    note: str = ""
    """What the viewer has to know about the result, in sentences."""
    result: Path | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in (JobState.WAITING, JobState.RUNNING)

    @property
    def address(self) -> str | None:
        """Where the result can be saved from, None when there is none."""
        return f"{PREFIX}/{self.token}/{quote(self.result.name)}" if self.result else None

    def cancel(self) -> None:
        """Have it end at its next word about its progress."""
        self.cancelled.set()


class Jobs:
    """All jobs of a server. Thread-safe."""

    def __init__(self) -> None:
        """Nothing is made before the first job."""
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(MOST_AT_ONCE)
        self._jobs: list[Job] = []
        self._threads: list[threading.Thread] = []
        self._folder = TemporaryFolder("stepscope-jobs-")

    def start(self, title: str, work: Work) -> Job:
        """Begin a job, or let it wait for its turn.

        Raises:
            JobRefused: MOST_WAITING jobs have not ended yet.
        """
        job = Job(title)
        with self._lock:
            if sum(not one.ended for one in self._jobs) >= MOST_WAITING:
                raise JobRefused(
                    f"{MOST_WAITING} jobs are under way or waiting, which is the most. "
                    "Cancel one of them in the sidebar, or wait for one to end."
                )
            self._jobs.append(job)
            self._forget_oldest()
            thread = threading.Thread(target=self._run, args=(job, work), name="stepscope-job", daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()
        return job

    def all(self) -> list[Job]:
        """Return the jobs, newest first."""
        with self._lock:
            return self._jobs[::-1]

    def forget(self, job: Job) -> None:
        """Remove a job that has ended, with its result."""
        with self._lock:
            if job.ended and job in self._jobs:
                self._remove(job)

    def stop(self) -> None:
        """Cancel what is under way, and remove all results."""
        for job in self.all():
            job.cancel()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._folder.remove()

    def find(self, token: str) -> Job | None:
        """Return the job with that token."""
        return next((job for job in self.all() if secrets.compare_digest(job.token, token)), None)

    def _run(self, job: Job, work: Work) -> None:
        with self._turns:
            job.state = JobState.RUNNING
            progress = Progress(job, self._folder)
            try:
                progress(0, 0)
                job.result = work(progress)
                job.state = JobState.DONE
            except JobCancelled:
                job.state = JobState.CANCELLED
            # Whatever it is: the viewer is told, and the server goes on.
            except Exception as error:
                if not isinstance(error, StepscopeError):
                    _log.exception("A job of the dashboard failed: %s", job.title)
                job.error = str(error) or type(error).__name__
                job.state = JobState.FAILED
        if job.result is None:
            self._remove_files(job)

    def _forget_oldest(self) -> None:
        ended = [job for job in self._jobs if job.ended]
        for job in ended[:-MOST_KEPT] if len(ended) > MOST_KEPT else ():
            self._remove(job)

    def _remove(self, job: Job) -> None:
        self._jobs.remove(job)
        self._remove_files(job)

    def _remove_files(self, job: Job) -> None:
        if self._folder.made:
            shutil.rmtree(self._folder.path / job.token, ignore_errors=True)


# Streamlit runs the pages in this process, but hands them nothing.
_current: Jobs | None = None


@contextmanager
def serving(jobs: Jobs) -> Generator[None]:
    """Let the pages find the jobs for as long as the dashboard runs, and end them then."""
    global _current
    _current = jobs
    try:
        yield
    finally:
        _current = None
        jobs.stop()


def current() -> Jobs | None:
    """Return the running dashboard's jobs; None where a page runs by itself."""
    return _current


def start(title: str, work: Work) -> Job:
    """Begin long work in the running dashboard's server.

    Args:
        title: what it does, in plain words: "Delete 3 runs".
        work: does it in a thread. It calls `progress(done, total)` often, which raises JobCancelled once
            the viewer cancelled. It returns the file that the viewer may save, made in `progress.folder`,
            or None.

    Raises:
        JobRefused: too many jobs wait already.
        StepscopeError: no dashboard runs in this process.
    """
    if _current is None:
        raise StepscopeError("long work is done by the dashboard only. Start it with: stepscope ui")
    return _current.start(title, work)


def results(jobs: Jobs) -> Route:
    """Return the route under which results are saved."""

    async def answer(request: Request) -> Response:
        job = jobs.find(request.path_params["token"]) if request.path_params["token"].isascii() else None
        result = job.result if job else None
        if result is None or request.path_params["name"] != result.name or not result.is_file():
            return PlainTextResponse("There is no such file (any more). Export it again.", status_code=404)
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return FileResponse(
            result, media_type="application/octet-stream", filename=result.name, headers=headers
        )

    return Route(f"{PREFIX}/{{token}}/{{name}}", answer)
