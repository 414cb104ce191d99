"""What the hooks of all frameworks share: where a tracker writes, and the name it writes under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from ...storage.errors import BadInput
from ..device_snapshot import Snapshot
from ..run import Run

_owners: WeakKeyDictionary[Run, dict[str | None, object]] = WeakKeyDictionary()
"""What is watched under which name, to tell when two trackers of a run write to the same series."""


class Output:
    """A run as one tracker sees it: everything is written under the tracker's name, if it has one."""

    def __init__(self, run: Run, name: str | None, hook: str) -> None:
        """Write to `run` for the tracker class `hook`.

        Raises:
            BadInput: the first argument is no run, so there is no guard that could tell it later.
        """
        if not isinstance(run, Run):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadInput(
                f"{hook} needs the run that stepscope.init returned as its first argument, but got "
                f"{type(run).__name__}"
            )
        self._run, self._hook = run, hook
        self._name: str | None = None
        self._names: dict[str, str] = {}
        self._owner: object = None
        with run.guard("naming a tracker"):
            if name is not None and not (isinstance(name, str) and name):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise BadInput(f'{hook} needs a name such as "generator", but got {name!r}')
            self._name = name

    def claim(self, owner: object) -> None:
        """Say what is watched; when another model or optimizer has this name already, tell it once."""
        self._owner = owner
        owners = _owners.setdefault(self._run, {})
        if owners.setdefault(self._name, owner) is not owner:
            self._run.guard.say(
                "same-name",
                f"two trackers write to the same series of run {self._run.name}. To tell their models apart, "
                f'give each a name of its own: {self._hook}(..., name="generator").',
            )

    def release(self) -> None:
        """Give the name back: the tracker writes no more."""
        owners = _owners.get(self._run, {})
        if self._owner is not None and owners.get(self._name) is self._owner:
            del owners[self._name]
        self._owner = None

    def name(self, series: str) -> str:
        """Return what a series is called: `weights/<path>` becomes `weights/<name>/<path>`."""
        if self._name is None:
            return series
        kind, slash, rest = series.partition("/")
        return f"{kind}/{self._name}{slash}{rest}"

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """Record values under the tracker's name."""
        if self._name is not None:
            values = {self._cached(series): value for series, value in values.items()}
        self._run.log(values, step=step)

    def log_soon(self, values: Mapping[str, float | Snapshot], step: int) -> None:
        """Record numbers under the tracker's name, some steps together (see Run.log_soon)."""
        if self._name is not None:
            values = {self._cached(series): value for series, value in values.items()}
        self._run.log_soon(values, step)

    def log_waiting(self) -> None:
        """Record what `log_soon` still holds."""
        self._run.log_waiting()

    def _cached(self, series: str) -> str:
        name = self._names.get(series)
        if name is None:
            name = self._names[series] = self.name(series)
        return name
