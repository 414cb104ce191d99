"""What a run can be sent to. One sink is one format; trackers/transfer.py is the loop that feeds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ...storage.model import Points, Record, Run, Series


class Sink(Protocol):
    """Takes runs one after the other, and of each run one series after the other.

    `start`, then for each run `open_run`, its series and `close_run`, then `finish`. When anything
    fails, `discard` is called instead of what would have come next. Methods raise ExportRefused when the
    place they write to cannot take it, in a sentence that names the place.
    """

    name: ClassVar[str]
    """As people call the format: "TensorBoard"."""
    carries: ClassVar[frozenset[str]]
    """The kinds (see storage.kinds.KINDS) that the format can hold."""
    declines: ClassVar[Mapping[str, str]]
    """Every other kind, with the reason in a few words."""
    point_limit: int | None
    """The most points of a series that make sense in the format; None for all, exactly as logged."""
    record_limit: int | None
    """The same for records, of which the source then takes an even sample."""

    def start(self, runs: Sequence[Run]) -> None:
        """Learn which runs will come."""
        ...

    def open_run(self, run: Run, series: Sequence[Series]) -> None:
        """Begin a run; `series` are those whose data will come."""
        ...

    def write_points(self, series: Series, points: Points) -> None:
        """Take points of a scalar series. Long series come in several pieces, in the order of steps."""
        ...

    def write_record(self, series: Series, record: Record, value: Any) -> None:
        """Take one value of another kind, decoded to the kind's data class; in the order of steps."""
        ...

    def close_run(self) -> None:
        """End the run that was opened last."""
        ...

    def finish(self) -> tuple[str, ...]:
        """Make everything visible; return where it is, in words that a person can follow."""
        ...

    def discard(self) -> None:
        """Give up; leave no half-written file. Must not raise."""
        ...
