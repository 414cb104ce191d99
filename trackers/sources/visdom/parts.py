"""What is new in a window since it was read last, as pieces of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from ....storage.errors import BadInput
from ....storage.write_series import NewRecord
from ...media.base import Loggable
from ..base import PIECE_BYTES, PIECE_POINTS, Piece, columns, record, scalar
from .json_files import as_dict, as_list
from .lines import Curve, curve_of, traces_of
from .own import own_pieces
from .places import Environment
from .positions import AMOUNTS, Taken, digest
from .values import image_of, kept_as_text, value_of
from .windows import Slot

Json: TypeAlias = Mapping[str, Any]


def pieces_of(slot: Slot, pane: Json, position: int, environment: Environment) -> Iterator[Piece]:
    """Yield what of a window, or of one curve of it, lies beyond a position."""
    reads = _Reads(slot, pane, environment)
    taken = Taken.of(position)
    if slot.owner:
        # An export writes its windows as a whole: the edition tells whether there is anything new.
        yield from () if position else own_pieces(slot, pane, environment)
    elif slot.trace is not None:
        yield from reads.curve(taken)
    else:
        yield from reads.of_type(taken)


class _Reads:
    """Reads one window."""

    def __init__(self, slot: Slot, pane: Json, environment: Environment) -> None:
        self._slot = slot
        self._pane = pane
        self._content: Any = pane["content"]
        self._time = environment.changed_at
        self._where = f"{environment.place}: window {slot.window.win!r} ({slot.name})"

    def of_type(self, taken: Taken) -> Iterator[Piece]:
        content = self._content
        if self._slot.type == "image_history" and isinstance(content, list):
            return self._history(as_list(content), taken)
        if self._slot.type == "text" and isinstance(content, str):
            return self._text(content, taken)
        return self._whole(taken)

    def curve(self, taken: Taken) -> Iterator[Piece]:
        """Yield the points that follow those which were taken; all of them when it is another curve."""
        traces = traces_of(self._pane)
        place = self._slot.trace or 0
        curve = curve_of(traces[place]) if place < len(traces) else None
        if curve is None:
            yield from self._whole(taken, {"data": traces[place : place + 1], "layout": self._layout()})
            return
        rows = _rows(curve)
        grown = taken.amount <= len(rows) and digest(rows[: taken.amount].tobytes()) == taken.digest
        form, start = taken.revision, taken.amount
        if taken.digest and not grown:
            form, start = form + 1, 0
        for first in range(start, len(rows), PIECE_POINTS):
            last = min(first + PIECE_POINTS, len(rows))
            position = Taken(form, last, digest(rows[:last].tobytes())).position()
            yield Piece(position, points=self._points(curve, slice(first, last), form))

    def _points(self, curve: Curve, which: slice, form: int) -> list[Any]:
        context = {**self._slot.context, **({"form": form + 1} if form else {})}
        steps = curve.steps[which]
        times = np.full(len(steps), self._time) if curve.times is None else curve.times[which]
        points = [(scalar(self._slot.name, context), columns(steps, times, curve.values[which]))]
        if curve.x is not None:
            points.append((scalar(f"{self._slot.name}/x", context), columns(steps, times, curve.x[which])))
        return points

    def _history(self, items: Sequence[Any], taken: Taken) -> Iterator[Piece]:
        digests = [digest(json.dumps(one).encode()) for one in items]
        step, start = taken.revision + taken.amount, taken.amount
        if taken.amount > len(items) or _together(digests[: taken.amount]) != (taken.digest or _together([])):
            start = 0
        began = step - start
        piece, size = Piece(0), 0
        for place in range(start, len(items)):
            self._put(piece, lambda place=place: [image_of(items[place])], began + place, items[place])
            piece.position = Taken(began, place + 1, _together(digests[: place + 1])).position()
            size += len(str(as_dict(items[place]).get("src")))
            if size >= PIECE_BYTES:
                yield piece
                piece, size = Piece(piece.position), 0
        if piece.records or piece.problems:
            yield piece

    def _text(self, content: str, taken: Taken) -> Iterator[Piece]:
        """Yield a text, or what was added to it, which Visdom parts from the text before by a line break."""
        data = content.encode("utf-8", "surrogatepass")
        amount = len(data) if len(data) < AMOUNTS else 0
        now = Taken(taken.revision + 1, amount, digest(data))
        if (now.amount, now.digest) == (taken.amount, taken.digest):
            return
        grown = taken.amount and digest(data[: taken.amount]) == taken.digest
        rest = data[taken.amount :].decode("utf-8", "replace").removeprefix("<br>") if grown else content
        piece = Piece(now.position())
        if rest:
            self._put(piece, lambda: value_of({"type": "text", "content": rest}, ""), taken.revision, rest)
        yield piece

    def _whole(self, taken: Taken, content: Any = None) -> Iterator[Piece]:
        content = self._content if content is None else content
        found = digest(json.dumps(content).encode())
        if found == taken.digest:
            return
        piece = Piece(Taken(taken.revision + 1, 0, found).position())
        pane = {"type": self._slot.type, "content": content}
        self._put(piece, lambda: value_of(pane, self._slot.name), taken.revision, content)
        yield piece

    def _put(self, piece: Piece, make: Callable[[], list[Loggable]], step: int, content: Any) -> None:
        """Add values to a piece; what is none stays as its text, with a sentence about it."""
        try:
            piece.records += [self._record(value, step) for value in make()]
        except BadInput as error:
            piece.problems.append(f"{self._where} is kept as text: {error}")
            piece.records.append(self._record(kept_as_text(content), step))

    def _record(self, value: Loggable, step: int) -> NewRecord:
        return record(self._slot.name, value, step, self._time, self._slot.context)

    def _layout(self) -> Any:
        return as_dict(self._content).get("layout")


def _rows(curve: Curve) -> Any:
    """Return the points as rows of numbers, which tell whether a curve still begins as it did."""
    others = [one for one in (curve.times, curve.x) if one is not None]
    return np.column_stack([curve.steps.astype(np.float64), curve.values, *others])


def _together(digests: Sequence[int]) -> int:
    return digest(np.array(digests, np.int64).tobytes())
