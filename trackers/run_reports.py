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
    """The part of a Run that reports; surface/run.py has the calls that users make of it."""

    id: str
    project: str
    guard: Guard
    _recorder: Recorder | NoRecorder
    _step: int
    _alerts: Alerts
    _rules: Rules
    _finished: bool

    def _give_alert(self, title: str, text: str, level: str, step: int | None) -> None:
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

    def _keep_artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None,
        type: str | None,
        metadata: Mapping[str, Any] | None,
        aliases: Iterable[str],
    ) -> Artifact:
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

    def _use_stored(self, artifact: str) -> Artifact:
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
            self._give_alert(f"an exception ended {name}", trace[-_TRACE_CHARACTERS:], "error", None)

    def _report(self, series: str, payload: Payload, step: int, now: float) -> None:
        with self._recorder.turn(_TURN_SECONDS):
            self._recorder.append(series, payload, max(0, step), now, {})


def _nothing() -> ArtifactInfo:
    raise StoreError("the artifact was not kept: a warning in the log says why")
