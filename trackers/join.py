"""How the processes of one launch come to log into one run (see distributed.py).

Rank 0 makes the run, and says what it is and how it ends. The others need not wait for it: they take the
same id, and a journal that enters the run if the store does not have it by then.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

from ..storage.errors import RunNotFound, StoreError
from ..storage.lead_run import lead_run
from ..storage.location import StoreLocation
from ..storage.model import Run
from ..storage.read import Reader
from ..storage.write import Writer
from .distributed import Place, process_began

_RESUME_SECONDS = 60.0
"""How long a rank waits for rank 0 to begin the attempt that they resume together."""


def make_run(writer: Writer, wanted: Run, place: Place) -> Run:
    """Enter the run of this launch, for rank 0; or take it over when another rank came first."""
    for generation in itertools.count():
        run_id = place.run_id(generation)
        found = _stored(writer.location, run_id)
        if found is None or place.is_ours(found):
            made = lead_run(writer, replace(wanted, run_id=run_id))
            if made is not None:
                return made
    raise AssertionError("itertools.count ended")  # for the type checker


def joined_run(location: StoreLocation, wanted: Run, place: Place) -> Run:
    """Return the run of this launch, for the other ranks; as it is in the store, if it is there."""
    # Process 0 stands for a run that no rank 0 has claimed.
    unclaimed = replace(wanted, pid=0)
    for generation in itertools.count():
        run_id = place.run_id(generation)
        found = _stored(location, run_id)
        if found is None:
            return replace(unclaimed, run_id=run_id)
        if place.is_ours(found):
            return found
    raise AssertionError("itertools.count ended")  # for the type checker


def resumed_run(location: StoreLocation, resume: str) -> Run:
    """Return a run that rank 0 resumes, for the other ranks, once its new attempt has begun.

    Raises:
        RunNotFound: there is no such run.
    """
    began, deadline = process_began(), time.monotonic() + _RESUME_SECONDS
    with Reader.open(location.url) as reader:
        while True:
            found = reader.find_run(resume, prefix=False)
            newest = reader.attempts(found.run_id)[-1]
            if newest.started_at > began or time.monotonic() > deadline:
                return replace(found, attempt=newest.attempt)
            time.sleep(0.05)


def _stored(location: StoreLocation, run_id: str) -> Run | None:
    try:
        with Reader.open(location.url) as reader:
            return reader.run(run_id)
    except (RunNotFound, StoreError):
        return None  # nor can there be a run of an earlier launch that is in the way
