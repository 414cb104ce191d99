"""The records of one series as windows of Visdom. Pure: nothing is sent or written here.

Each record becomes a part as it comes, so that one that cannot be shown costs no other. The parts that a
window has become the window; of some kinds only the newest is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....storage.kinds.figure import FigureData
from ....storage.kinds.graph import GraphData
from ....storage.kinds.hparams import HParamsData
from ....storage.kinds.image import ImageData
from ....storage.model import Record, Series
from .html_parts import (
    MOST_BYTES,
    audio_element,
    cell,
    graph_element,
    table_element,
    text_element,
    video_element,
)
from .network import network_panes
from .panes import MARK, Frame, Pane, mark_of
from .pictures import picture, picture_panes
from .plots import embedding_panes, figure_panes, histogram_panes, mesh_panes, pr_curve_panes

_WIDE, _TALL = 420, 320
"""Pixels of a window with text: what Visdom gives by itself cuts a player and a table off."""


@dataclass(frozen=True, slots=True)
class Part:
    """One record, ready to be shown."""

    step: int
    content: Any
    size: int = 0
    """Bytes, of what is large."""
    shape: tuple[int, int] = (0, 0)
    """Width and height of a picture, in pixels."""


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind is shown."""

    part: Callable[[Frame, int, Any], Part]
    """Raises ValueError, OSError or StoreDamaged when the value cannot be shown."""
    panes: Callable[[Frame, Sequence[Part]], list[Pane]]
    newest: bool = False
    """Whether only the newest part is looked at."""
    grows: bool = False
    """Whether a part may be appended to the window, which is then its only one."""


def frame_of(series: Series, title: str) -> Frame:
    """Return the frame of a series' windows."""
    return Frame(f"{series.kind}_{series.run_id}_{series.series_id}", title, mark_of(series))


def part_of(frame: Frame, record: Record, value: Any) -> Part:
    """Return a record as a part. Raises ValueError, OSError or StoreDamaged when it cannot be shown."""
    return FORMS[frame.mark["kind"]].part(frame, record.step, value)


def panes_of(frame: Frame, parts: Sequence[Part]) -> list[Pane]:
    """Return the windows for the parts of one series, at least one, in the order of steps."""
    return FORMS[frame.mark["kind"]].panes(frame, _that_fit(parts))


def _that_fit(parts: Sequence[Part]) -> Sequence[Part]:
    """Leave out every other part until the rest is small enough; the newest stays."""
    while len(parts) > 1 and sum(part.size for part in parts) > MOST_BYTES:
        parts = parts[::-2][::-1]
    return parts


def _whole(_: Frame, step: int, value: Any) -> Part:
    return Part(step, value)


def _drawn_over(draw: Callable[[Frame, Sequence[int], Sequence[Any]], list[Pane]]) -> Form:
    """Return the form of a kind that is drawn from the values of all steps."""

    def panes(frame: Frame, parts: Sequence[Part]) -> list[Pane]:
        return draw(frame, [part.step for part in parts], [part.content for part in parts])

    return Form(_whole, panes)


def _drawn_newest(draw: Callable[[Frame, int, Any], list[Pane]]) -> Form:
    """Return the form of a kind of which the newest is drawn."""

    def part(frame: Frame, step: int, value: Any) -> Part:
        return Part(step, draw(frame, step, value))

    return Form(part, lambda _, parts: parts[-1].content, newest=True)


def _html(element: Callable[[Any], str], *, newest: bool) -> Form:
    def part(_: Frame, step: int, value: Any) -> Part:
        text = f"<h4>step {step}</h4>{element(value)}"
        return Part(step, text, len(text))

    def panes(frame: Frame, parts: Sequence[Part]) -> list[Pane]:
        shown = parts[-1:] if newest else parts
        text = frame.comment(steps=[part.step for part in shown]) + "<br>".join(one.content for one in shown)
        return [Pane(frame.win, "text", frame.title, text, _WIDE, _TALL)]

    return Form(part, panes, newest=newest, grows=not newest)


def _picture_part(frame: Frame, step: int, value: ImageData | FigureData) -> Part:
    shown = picture(frame, step, value)
    return Part(step, shown, len(shown["src"]), (value.width or 0, value.height or 0))


def _picture_panes(frame: Frame, parts: Sequence[Part]) -> list[Pane]:
    return picture_panes(frame, [part.content for part in parts], *parts[-1].shape)


def _figure_part(frame: Frame, step: int, value: FigureData) -> Part:
    return (
        _picture_part(frame, step, value)
        if value.is_picture
        else Part(step, figure_panes(frame, step, value))
    )


def _figure_panes(frame: Frame, parts: Sequence[Part]) -> list[Pane]:
    """Return the newest figure if it is plotly's, else all pictures."""
    if not isinstance(parts[-1].content, dict):
        return parts[-1].content
    return _picture_panes(frame, [part for part in parts if isinstance(part.content, dict)])


def _graph_panes(frame: Frame, step: int, value: GraphData) -> list[Pane]:
    text = f"{frame.comment(steps=[step])}<h4>step {step}</h4>{graph_element(value)}"
    return [Pane(frame.win, "text", frame.title, text, _WIDE, _TALL), *network_panes(frame, value)]


def _hparams_panes(frame: Frame, step: int, value: HParamsData) -> list[Pane]:
    """Return hyperparameters and metrics, one property for each."""
    known = {**value.values, **value.metrics}
    content = [{"type": "text", "name": name, "value": cell(one)} for name, one in known.items()]
    mark = {**frame.mark, "steps": [step], "metrics": list(value.metrics)}
    shown = [{**one, MARK: mark} if not place else one for place, one in enumerate(content)]
    return [Pane(frame.win, "properties", frame.title, shown)]


FORMS: Mapping[str, Form] = {
    "histogram": _drawn_over(histogram_panes),
    "pr_curve": _drawn_over(pr_curve_panes),
    "image": Form(_picture_part, _picture_panes, grows=True),
    "figure": Form(_figure_part, _figure_panes),
    "audio": _html(audio_element, newest=False),
    "text": _html(text_element, newest=False),
    "video": _html(video_element, newest=True),
    "table": _html(table_element, newest=True),
    "embedding": _drawn_newest(embedding_panes),
    "mesh": _drawn_newest(mesh_panes),
    "graph": _drawn_newest(_graph_panes),
    "hparams": _drawn_newest(_hparams_panes),
}
"""Kind -> how it is shown."""
