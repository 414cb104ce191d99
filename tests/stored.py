"""What the store holds of a run, for tests of hooks. Imported as `stored`: pytest puts tests/ on the path."""

from __future__ import annotations

from typing import Any

from stepscope.storage.read import Reader


class Stored:
    """The series of one run, without those of the machine; the store is that of STEPSCOPE_STORE."""

    def __init__(self, run: Any) -> None:
        """Wait until everything that was logged so far is stored, and look at it."""
        assert run.flush()
        self.reader = Reader.open()
        series = self.reader.series(run.id)
        self.series = {(s.kind, s.name): s for s in series if not s.name.startswith("system/")}
        self.run = self.reader.run(run.id)

    def names(self, prefix: str = "") -> set[str]:
        """Return the names that begin so."""
        return {name for _, name in self.series if name.startswith(prefix)}

    def scalar(self, name: str) -> dict[int, float]:
        """Return step -> value."""
        points = self.reader.points(self.series["scalar", name])
        return dict(zip(points.step.tolist(), points.last.tolist(), strict=True))

    def records(self, kind: str, name: str) -> dict[int, Any]:
        """Return step -> decoded value."""
        series = self.series[kind, name]
        return {r.step: self.reader.load(series, r) for r in self.reader.records(series)}
