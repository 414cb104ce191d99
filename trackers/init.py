"""`stepscope.init`: from arguments to a run that records."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..storage.drain import await_recovery, living_journal, recover_orphans
from ..storage.errors import BadInput, RunNotFound, StoreError, StoreNotWritable, StoreUnavailable
from ..storage.lanes import JournalFull
from ..storage.location import StoreArgument, StoreLocation
from ..storage.model import SYSTEM_PREFIX, RunState, Series, without_rank_0
from ..storage.model import Run as StoredRun
from ..storage.read import Reader
from ..storage.sqlite_file import last_write
from ..storage.write import Writer
from .capture import capture_environment
from .distributed import Place, find_place
from .exceptions import watch_uncaught
from .guard import Guard
from .in_time import in_time
from .join import joined_run, make_run, resumed_run
from .mirror import mirror_place, start_mirror
from .no_recorder import NoRecorder
from .program import count_run, peak_memory_gb, process_start
from .recorder import Recorder
from .rules import Extremes
from .run import Run
from .run_id import new_run_id
from .settings import Settings, is_strict, read_settings
from .system import SystemSampler
from .tracked_dict import as_config, text_of

_SYSTEM_SECONDS = 5.0
_CAPTURE_SECONDS = 1.0
"""How long a run that ends at once waits for what git and the package list tell."""
_SAMPLER_SECONDS = 0.2
_PATIENCE_SECONDS = 2.5
"""How long a new run waits for transactions of others, and for a connection."""
_ANSWER_SECONDS = 5.0
"""How long the training waits for its store altogether before it begins without it."""
_RECOVERY_SECONDS = 10.0
"""How long a run that is resumed waits for another process that stores what it left."""
_RESUME_SECONDS = 120.0
"""The same for a run that is resumed: what it left in journals comes first."""
_COUNTED_EVERY = 10
"""Every how many steps hooks log how many samples they counted."""


class _Before(NamedTuple):
    """What earlier attempts of a run left behind."""

    last_step: int | None = None
    extremes: Extremes | None = None
    samples: Mapping[str, int] | None = None


def init(
    project: str | None = None,
    name: str | None = None,
    *,
    group: str | None = None,
    tags: Iterable[str] | None = None,
    notes: str | None = None,
    config: Any = None,
    store: StoreArgument = None,
    resume: str | None = None,
    run_id: str | None = None,
    console: bool | None = None,
    mirror: str | None = None,
) -> Run:
    """Begin a run and record what surrounds it: code, command, packages, machine.

    Args:
        project: runs of one project are looked at together; "default" when left out.
        name: for people; "run-1", "run-2" ... when left out. Names need not be unique.
        group: any word that several runs share, such as the sweep they belong to.
        tags: words to filter by.
        notes: a text in markdown.
        config: hyperparameters: a dict, an argparse.Namespace or a dataclass.
        store: a path, `sqlite:///...` or `postgresql+psycopg://...`; left out, STEPSCOPE_STORE, or
            ./stepscope.db.
        resume: the id or the unique name of a run to continue, as a new attempt.
        run_id: the id that a new run is to have, as run_id.py makes them; among several ranks, rank 0's
            process gives it one.
        console: whether what the program prints is kept with the run; left out, it is, unless
            STEPSCOPE_CONSOLE=0.
        mirror: a Visdom server that shows the run while it trains, such as "visdom://localhost:8097/env";
            left out, STEPSCOPE_MIRROR, or none. See docs/guide/visdom.md.

    In a distributed training (torchrun, Slurm, MPI, torch.distributed ...) every rank calls it, and gets the
    same run: what a rank logs has its `rank` in the context. What the run is, and how it ends, rank 0 says.

    Returns:
        A Run; also a context manager that finishes it. If the store is locked or its server is away,
        the run waits in a journal and is stored when that is over. If the store cannot be used at
        all, the run says so once and drops what it is given, so that training goes on; with
        STEPSCOPE_STRICT=1 the error is raised.
    """
    guard = Guard(strict=is_strict())
    wanted = _wanted(guard, project, name, group, tags, notes, config)
    if run_id is not None:
        wanted = replace(wanted, run_id=run_id)
    watch_uncaught()
    if sys.platform == "win32":
        guard.say("windows", "on Windows a log call is a file write of some microseconds, not a memory copy.")
    shown = mirror_place(mirror, guard)
    try:
        settings = read_settings(store)
        _say_network(settings.location, guard)
        place = find_place()
        run = _begin(wanted, settings, guard, resume, place)
    except Exception as error:
        if guard.strict:
            raise
        guard.say("init", f"nothing of this run is recorded: {error}")
        return Run(wanted, NoRecorder(guard), guard)
    _observe(run, place)
    start_mirror(shown, run, settings.location)
    if settings.console if console is None else console:
        run.keep_console()
    return run


def _wanted(
    guard: Guard,
    project: str | None,
    name: str | None,
    group: str | None,
    tags: Iterable[str] | None,
    notes: str | None,
    config: Any,
) -> StoredRun:
    now = time.time()
    settled: dict[str, Any] = {}
    words: tuple[str, ...] = ()
    with guard("reading config"):
        settled = as_config(config)
    with guard("reading tags"):
        words = _tags(tags)
    return StoredRun(
        run_id=new_run_id(),
        project="default" if project is None else text_of(project),
        name="" if name is None else text_of(name),
        state=RunState.RUNNING,
        created_at=now,
        updated_at=now,
        group=None if group is None else text_of(group),
        tags=words,
        notes="" if notes is None else text_of(notes),
        host=platform.node(),
        pid=os.getpid(),
        config=settled,
    )


def _tags(tags: Iterable[str] | None) -> tuple[str, ...]:
    if tags is None:
        return ()
    if isinstance(tags, str):
        return (tags,)
    if not isinstance(tags, Iterable):
        raise BadInput(f"tags need a list of words, but got {type(tags).__name__} {tags!r}")
    return tuple(text_of(tag) for tag in tags)


def _begin(
    wanted: StoredRun, settings: Settings, guard: Guard, resume: str | None, place: Place | None
) -> Run:
    if place is not None and place.rank:
        return _join(wanted, settings, guard, resume, place)
    if place is not None:
        wanted = replace(wanted, run_id=place.run_id(0))
    before = last_write(settings.location)
    try:
        stored, before_it = _enter_in_time(wanted, settings, guard, resume, place)
    except (StoreUnavailable, StoreNotWritable) as error:
        refused = isinstance(error, StoreNotWritable) and not _may_become_writable(settings.location)
        if refused or (resume is not None and guard.strict):
            raise
        run = _begin_without_store(error, wanted, settings, guard, place)
        if resume is not None or last_write(settings.location) == before:
            _say_away(error, guard, resume)
        return run
    recorder = _recorder(stored, settings, guard, place)
    return Run(stored, recorder, guard, **before_it._asdict())


def _join(wanted: StoredRun, settings: Settings, guard: Guard, resume: str | None, place: Place) -> Run:
    """Return the run that rank 0 makes or resumes, for another rank."""

    def find() -> StoredRun:
        if resume is None:
            return joined_run(settings.location, wanted, place)
        return resumed_run(settings.location, resume)

    try:
        found = in_time(find, _ANSWER_SECONDS if resume is None else _RESUME_SECONDS)
    except TimeoutError:
        found = replace(wanted, run_id=place.run_id(0), pid=0)
    recorder = Recorder(found, settings, guard, stored=resume is not None, context={"rank": place.rank})
    return Run(found, recorder, guard)


def _context(place: Place | None) -> dict[str, str | int]:
    return {} if place is None else {"rank": place.rank}


def _enter_in_time(
    wanted: StoredRun, settings: Settings, guard: Guard, resume: str | None, place: Place | None
) -> tuple[StoredRun, _Before]:
    seconds = _ANSWER_SECONDS if resume is None else _RESUME_SECONDS
    try:
        return in_time(lambda: _enter(wanted, settings, guard, resume, place), seconds)
    except TimeoutError:
        # If it answers later: the journal finds the run there, or brings it along.
        where = settings.location.display
        raise StoreUnavailable(f"{where} did not answer within {seconds:g} seconds") from None


def _say_network(location: StoreLocation, guard: Guard) -> None:
    if location.network is not None:
        guard.say(
            "network",
            f"{location.display} lies on a network file system ({location.network}), where SQLite's fast "
            f"mode is not safe: a slower one is used. What waits for the store lies in {location.spool}, so "
            f"after a crash only a run or a dashboard on this machine can store it.",
        )


def _may_become_writable(location: StoreLocation) -> bool:
    return location.path is not None and location.path.parent.is_dir() and not location.path.is_dir()


def _say_away(error: StoreError, guard: Guard, resume: str | None) -> None:
    instead = "" if resume is None else f" Run {resume} cannot be resumed now; a new one is recorded instead."
    meanwhile = "The run is kept in a journal, and stored when the store is back."
    guard.say("store", f"{str(error).rstrip('.')}. {meanwhile}{instead}")


def _begin_without_store(
    error: StoreError, wanted: StoredRun, settings: Settings, guard: Guard, place: Place | None
) -> Run:
    try:
        recorder = Recorder(wanted, settings, guard, stored=False, context=_context(place))
    except (OSError, JournalFull):
        # It is about the store that people can do something.
        raise error from None
    return Run(wanted, recorder, guard)


def _enter(
    wanted: StoredRun, settings: Settings, guard: Guard, resume: str | None, place: Place | None
) -> tuple[StoredRun, _Before]:
    """Return the run as the store has it now, and what is known of earlier attempts."""
    with Writer.open(settings.location.url, patience=_PATIENCE_SECONDS) as writer:
        if resume is not None:
            try:
                return _resume(writer, wanted, resume)
            except (RunNotFound, BadInput) as error:
                if guard.strict:
                    raise
                guard.say("resume", f"{str(error).rstrip('.')}. A new run is recorded instead.")
        made = writer.create_run(wanted) if place is None else make_run(writer, wanted, place)
        return made, _Before()


def _recorder(stored: StoredRun, settings: Settings, guard: Guard, place: Place | None) -> Recorder:
    try:
        return Recorder(stored, settings, guard, context=_context(place))
    except Exception as error:
        # The run stands in the store already: it must not look as if it were running.
        failed = {"state": RunState.FAILED, "finished_at": time.time(), "error": f"no journal: {error}"}
        with (
            contextlib.suppress(StoreError),
            Writer.open(settings.location.url, patience=_PATIENCE_SECONDS) as writer,
        ):
            writer.update_run(stored.run_id, failed)
        raise


def _resume(writer: Writer, wanted: StoredRun, resume: str) -> tuple[StoredRun, _Before]:
    if not isinstance(resume, str):
        raise BadInput(
            f"resume needs the id or the name of a run, but got {type(resume).__name__} {resume!r}."
        )
    # What the attempt before left behind comes first: its steps say where this one goes on.
    recover_orphans(writer)
    with Reader.open(writer.location.url) as reader:
        stored = reader.find_run(resume, prefix=False)
        await_recovery(writer, stored.run_id, _RECOVERY_SECONDS)
        other = living_journal(writer, stored.run_id)
        if other is not None:
            raise BadInput(
                f"run {stored.run_id} is still written by process {other.pid}. Wait until that ends."
            )
        every = reader.series(stored.run_id, kind="scalar")
    attempt = writer.resume_run(stored.run_id, host=wanted.host, pid=wanted.pid)
    config = {**stored.config, **wanted.config}
    writer.update_run(stored.run_id, {"config": config})
    return replace(stored, config=config, attempt=attempt, state=RunState.RUNNING), _before(every)


def _before(every: Sequence[Series]) -> _Before:
    trained = [one for one in every if not one.name.startswith(SYSTEM_PREFIX)]
    last_step = max((one.last_step for one in trained if one.last_step is not None), default=None)
    known = [(one.label, one.min_value, one.max_value) for one in every]
    extremes = {label: (low, high) for label, low, high in known if low is not None and high is not None}
    return _Before(last_step, extremes, _samples(trained))


def _samples(every: Sequence[Series]) -> dict[str, int]:
    """Return series -> samples that hooks counted, where they did so until the training broke off."""
    own = {one.name: one for one in every if not without_rank_0(one.context)}
    found: dict[str, int] = {}
    for name, one in own.items():
        counter, slash, of = name.partition("/")
        if counter == "samples" and one.last_step is not None and math.isfinite(one.last_value or 0.0):
            timed = own.get(f"step_time{slash}{of}", one).last_step
            # It is logged every tenth step. Further behind, it was no longer known.
            if timed is not None and timed - one.last_step < _COUNTED_EVERY:
                found[name] = int(one.last_value or 0.0)
    return found


def _observe(run: Run, place: Place | None) -> None:
    # In threads of their own: neither git nor a driver may hold up the training.
    if not run.rank:
        _capture(run)
    # Once on each machine.
    if place is None or not (place.rank if place.local_rank is None else place.local_rank):
        with run.guard("starting the system sampler"):
            sampler = SystemSampler(run.log_system, _SYSTEM_SECONDS)
            sampler.start()
            run.on_finish(lambda: sampler.stop(_SAMPLER_SECONDS))


def _capture(run: Run) -> None:
    ended = threading.Event()
    process: dict[str, Any] = {"runs_before": count_run()}

    def capture() -> None:
        with run.guard("capturing the environment"):
            environment = capture_environment()
            process["started"] = process_start()
            if not ended.is_set():
                run.note_environment({"process": process, **environment})

    capturing = threading.Thread(target=capture, name="stepscope-capture", daemon=True)
    capturing.start()

    def end_capture() -> None:
        capturing.join(_CAPTURE_SECONDS)
        ended.set()
        # Once more: frameworks may have been loaded, and seeds set, since the run began.
        with run.guard("reading the peak memory"):
            run.note_environment({"process": {**process, "peak_memory_gb": round(peak_memory_gb(), 3)}})

    run.on_finish(end_capture)
