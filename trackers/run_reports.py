"""What a run reports about itself besides its values: alerts and artifacts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..storage.artifacts import Artifact, ArtifactInfo
from ..storage.errors import StoreError
from ..storage.kinds.event import ALERTS
from . import artifacts
from .alerts import Alerts
from .guard import Guard
from .no_recorder import NoRecorder
from .raw import Payload
from .recorder import Recorder
from .rules import Rules, make_rule

_TRACE_CHARACTERS = 5000
_TURN_SECONDS = 5.0
"""How long an alert waits for log calls of other threads."""


class Reports:
    """The part of a Run that reports."""

    id: str
    project: str
    guard: Guard
    _recorder: Recorder | NoRecorder
    _step: int
    _alerts: Alerts
    _rules: Rules
    _finished: bool

    def alert(self, title: str, text: str = "", level: str = "warning", *, step: int | None = None) -> None:
        """Tell people something about the run: on its page, in the list of runs, and once in the log.

        It is stored as values are, and not lost when the process is killed. Safe to call from any thread.

        Args:
            title: a few words, at most 200 characters.
            text: all that is to be said, at most 10,000 characters.
            level: "info", "warning" or "error".
            step: which step it is about; left out, the run's last one.
        """
        now = time.time()
        with self.guard("alerting"):
            payload = self._alerts.make(title, text, level)
            if payload is not None:
                self._report(ALERTS, payload, self._step if step is None else step, now)

    def alert_when(
        self,
        name: str,
        *,
        is_nan: bool = False,
        above: float | None = None,
        below: float | None = None,
        no_progress_for: int | None = None,
        mode: str = "min",
        level: str = "warning",
    ) -> None:
        """Alert when the values of a name are such; give one condition, and call it once for each.

        An alert is given when the condition begins to hold, and again only after it did not hold. Each rank,
        or other context, is watched by itself. Values are looked at in the background, within a second.

        Args:
            name: as it is logged.
            is_nan: the value is NaN.
            above: the value is larger than this.
            below: the value is smaller than this.
            no_progress_for: the best value so far is so many steps old. In a run that was resumed, the best
                one of the attempts before counts.
            mode: whether "min" or "max" is the best value.
            level: of the alert: "info", "warning" or "error".
        """
        with self.guard("making a rule for alerts"):
            self._rules.add(
                make_rule(
                    name,
                    is_nan=is_nan,
                    above=above,
                    below=below,
                    no_progress_for=no_progress_for,
                    mode=mode,
                    level=level,
                )
            )

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        aliases: Iterable[str] = (),
    ) -> Artifact:
        """Keep a file, or a folder with all files in it, with the run: a model, a data set, predictions.

        The files are copied before the call returns, so they may be changed at once. Where the file system
        can share blocks (btrfs, XFS) that takes no time, elsewhere about a second for each gigabyte. The
        rest is done in the background: digests, versions, the store.

        Args:
            path: the file or the folder.
            name: letters, digits, and _ . - ; left out, the name of the file. In a project, each new content
                of a name is its next version: v0, v1 ...
            type: what it is, such as "model" or "dataset".
            metadata: small facts about it.
            aliases: names for this version; an alias moves to the version that got it last. "latest" is
                always the newest version.

        Returns:
            The artifact; its digest, version and files wait until it is stored.
        """
        now, what = time.time(), str(name or path)
        with self.guard("logging an artifact"):
            given = artifacts.describe(path, name, type, metadata, aliases)
            what, recorder = given.name, self._recorder
            if isinstance(recorder, Recorder):
                token, payload = artifacts.copy(recorder.settings.location, self.id, given)
                self._report(artifacts.series_of(given.name), payload, self._step, now)
                return artifacts.logged(recorder, self.id, given.name, token)
            self.guard.drop("the store could not be opened")
        return Artifact(what, _nothing, None)

    def use_artifact(self, artifact: str) -> Artifact:
        """Return an artifact of the project, and note with this run that it was used.

        Args:
            artifact: "name:latest", "name:v3" or "name:alias"; the name alone for its latest version;
                "project/name:v3" for one of another project.

        Raises:
            BadInput, ArtifactNotFound, StoreError: it cannot be had: a program that needs a file cannot go on
                without, so this is no matter of the tracker alone.
        """
        recorder = self._recorder
        if not isinstance(recorder, Recorder):
            raise StoreError("no artifact can be used: the store could not be opened (see the first warning)")
        recorder.flush(30.0)
        found, series, payload = artifacts.used(recorder.settings.location, self.project, artifact)
        with self.guard("noting a used artifact"):
            self._report(series, payload, self._step, time.time())
        return found

    def thread_failed(self, name: str, trace: str) -> None:
        """Alert that an exception ended a thread: the program goes on, with less than it should have."""
        if not self._finished:
            self.alert(f"an exception ended {name}", trace[-_TRACE_CHARACTERS:], "error")

    def _report(self, series: str, payload: Payload, step: int, now: float) -> None:
        with self._recorder.turn(_TURN_SECONDS):
            self._recorder.append(series, payload, max(0, step), now, {})


def _nothing() -> ArtifactInfo:
    raise StoreError("the artifact was not kept: a warning in the log says why")
