"""The journal without memory maps, for Windows, which neither renames nor deletes a file that is mapped.

The same folder, segments and slots; a write costs some microseconds where a copy into a map costs a
third of one. It survives the process just as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .entries import SLOT
from .journal import DEFAULT_LIMIT, Journal
from .lanes import Lane
from .model import Run
from .os_files import write_all_at
from .segments import Segment, create_segment


class PlainSlotLane(Lane[Segment]):
    """Numbers, by a plain write each."""

    advancing = False

    def append(self, series: int, step: int, time: float, value: float) -> None:
        """Write one slot. Raises JournalFull."""
        if self.position + SLOT.size > self._segment.end:
            self._advance()
        slot = SLOT.pack(step, time, value, series, self._segment.mark)
        try:
            write_all_at(self._segment.descriptor, slot, self.position)
        except OSError as error:
            raise self._said(error, SLOT.size) from error
        self.position += SLOT.size
        if self.position == ((self._segment.size // 2) & -SLOT.size):
            self._keep(None)

    def append_floats(
        self,
        values: Mapping[str, Any],
        series: Mapping[str, int],  # noqa: ARG002 - the signature of SlotLane
        step: int,  # noqa: ARG002
        time: float,  # noqa: ARG002
    ) -> list[str]:
        """Take nothing: there is no shorter path here than `append`."""
        return list(values)

    def _create_file(self, size: int, *, ahead: bool) -> Segment:  # noqa: ARG002
        return create_segment(self._folder, size, touch=False)


class PlainJournal(Journal):
    """A journal of plain files."""

    def _slot_lane(self, name: str, segment_bytes: int) -> Any:
        return PlainSlotLane(self.folder, name, segment_bytes, self.room, self._keep)


def create_journal(
    spool: Path,
    run_id: str,
    attempt: int,
    *,
    limit: int = DEFAULT_LIMIT,
    main: bool = True,
    run: Run | None = None,
) -> Journal:
    """Create the journal that suits this operating system, with a thread that keeps it ahead."""
    kind = PlainJournal if sys.platform == "win32" else Journal
    journal = kind(spool, run_id, attempt, limit=limit, main=main, run=run)
    journal.keep_ahead()
    return journal
