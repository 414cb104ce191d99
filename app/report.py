"""A comparison as one HTML file that needs no server, no network and no script.

Charts are drawn in SVG. All that was logged is escaped, and the file's own Content-Security-Policy forbids
scripts, pictures and requests of any kind, so that nothing in it could run or be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from . import comparison_tables as tables
from . import report_chart
from .comparison import Comparison, Parted, curve_on, partings, spreads
from .comparison_curves import Axis
from .comparison_metrics import MetricRow
from .comparison_tables import Sheet
from .comparison_words import headline, in_short
from .report_chart import DASHES, Mark, Stroke
from .views.words import LONGEST_NAME, NOTHING, brief, count, duration, one_of, valid

MOST_CHARTS = 8
MOST_MARKS = 3
"""Partings that one chart points out: those of more runs are in the table."""
_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'none'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reader looks at."""

    store: str
    colours: Mapping[str, str]
    """run_id -> `#RRGGBB`."""
    axis: Axis
    row: MetricRow | None
    """The metric that is looked at first."""
    target: float | None
    """A value of it."""
    groups: Mapping[str, Sequence[str]]
    """Name -> run_ids of runs that repeat each other."""


def document(found: Comparison, shown: Shown, made_at: float | None = None) -> str:
    """Return the report.

    Args:
        found: the comparison.
        shown: what the reader looks at.
        made_at: seconds since the epoch; None for now.
    """
    parted = partings(found, shown.axis)
    title = f"Comparison of {headline(found)}"
    body = "".join(
        [
            *_head(found, shown, title, time.time() if made_at is None else made_at),
            *_short(found, shown, parted),
            *_runs(found, shown),
            *_results(found, shown),
            *_charts(found, shown, parted),
            *_models(found),
            *_differences(found),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def file_name(found: Comparison) -> str:
    """Return a name for the file, of letters and digits: "torch-and-keras.html"."""
    words = "".join(letter if letter.isalnum() else "-" for letter in headline(found))
    return "-".join(part for part in words.split("-") if part)[:80] + ".html"


def _head(found: Comparison, shown: Shown, title: str, made_at: float) -> Iterator[str]:
    runs = one_of(len(found.runs), "run")
    yield f"<h1>{_safe(title)}</h1>"
    yield f'<p class="soft">{_moment(made_at)} · {runs} of {_safe(shown.store)} · Stepscope</p>'


def _short(found: Comparison, shown: Shown, parted: Sequence[Parted]) -> Iterator[str]:
    yield '<section class="short" aria-label="In short"><ul>'
    for sentence in in_short(found, shown.row, shown.target, parted):
        yield f"<li>{_safe(sentence)}</li>"
    yield "</ul></section>"
    for trouble in found.troubles:
        yield f'<p class="note">{_safe(trouble)}</p>'


def _runs(found: Comparison, shown: Shown) -> Iterator[str]:
    yield "<h2>Runs</h2>"
    head = ("", "Run", "Id", "Project", "Framework", "State", "Started", "Duration", "Tags", "Notes")
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f'<th scope="col">{word}</th>' for word in head) + "</tr></thead><tbody>"
    for place, one in enumerate(found.runs):
        run = one.run
        name = f"{one.name} (baseline)" if place == 0 else one.name
        cells = (
            *(name, run.run_id, run.project, run.framework or NOTHING, run.state.value),
            *(_moment(run.created_at), duration(run.duration), ", ".join(run.tags) or NOTHING),
            brief(run.notes, 400) or NOTHING,
        )
        told = "".join(f"<td>{_safe(cell)}</td>" for cell in cells)
        yield f"<tr><td>{_swatch(found, shown, place)}</td>{told}</tr>"
    yield "</tbody></table></div>"


def _results(found: Comparison, shown: Shown) -> Iterator[str]:
    yield "<h2>Results</h2>"
    yield _table(tables.metrics(found, found.metrics), "Neither run has logged a metric.")
    if shown.row is not None and shown.target is not None:
        yield _section(tables.times_to(found, shown.row, shown.target))
    if repeated := spreads(found, shown.groups):
        yield _section(tables.groups(repeated))
    yield _section(tables.costs(found, found.costs))
    if found.training:
        told = f"How the training went: {one_of(len(found.training), 'metric')}"
        inner = _table(tables.metrics(found, found.training), "")
        yield f"<details><summary>{told}</summary>{inner}</details>"


def _charts(found: Comparison, shown: Shown, parted: Sequence[Parted]) -> Iterator[str]:
    drawn = [figure for row in found.metrics if (figure := _chart(found, shown, row, parted))]
    if drawn:
        yield f'<h2>Curves</h2><div class="charts">{"".join(drawn[:MOST_CHARTS])}</div>'
        if (more := len(drawn) - MOST_CHARTS) > 0:
            yield f'<p class="note">{count(more)} more metrics are in the tables only.</p>'
    if parted:
        yield _section(tables.partings(found, parted))


def _chart(found: Comparison, shown: Shown, row: MetricRow, parted: Sequence[Parted]) -> str:
    strokes: list[Stroke] = []
    legend = ""
    for place, cell in enumerate(row.cells):
        curve = curve_on(found, place, cell, shown.axis)
        if curve is None or len(curve) < 2:
            continue
        run = found.runs[place]
        dash = DASHES[place % len(DASHES)]
        strokes.append(Stroke(run.name, shown.colours[run.run.run_id], dash, curve))
        legend += f'<span class="key">{_swatch(found, shown, place)}{_safe(_name(run.name))}</span>'
    if not strokes:
        return ""
    here = [one for one in parted if one.row.key == row.key and one.parting.at is not None]
    marks = [
        Mark(one.parting.at, _parts(found, one)) for one in here[:MOST_MARKS] if one.parting.at is not None
    ]
    target = shown.target if shown.row is not None and shown.row.key == row.key else None
    title = f"{row.name} of {', '.join(stroke.name for stroke in strokes)} over {shown.axis.words}"
    words = f"<b>{_safe(row.name)}</b><br>{legend}"
    picture = report_chart.drawing(title, strokes, shown.axis.words, marks=marks, target=target)
    return f"<figure><figcaption>{words}</figcaption>{picture}</figure>"


def _parts(found: Comparison, one: Parted) -> str:
    at = tables.place(one.parting.at or 0.0, one.axis)
    return f"part at {at}" if len(found.runs) == 2 else f"{_name(found.runs[one.run].name)}: {at}"


def _models(found: Comparison) -> Iterator[str]:
    if found.graphs:
        yield "<h2>Models</h2>"
    for parity in found.graphs:
        yield _section(tables.models(found, parity))


def _differences(found: Comparison) -> Iterator[str]:
    yield "<h2>What differs</h2>"
    for title, facts in found.facts.items():
        if facts:
            yield _facts(tables.facts(found, title, facts))
    for place, code in enumerate(found.code, 1):
        yield f"<h3>Code of {_safe(_name(found.runs[place].name))}</h3><p>{_safe(code.said)}</p>"
        if code.diff:
            yield f'<pre tabindex="0">{_diff(code.diff)}</pre>'


def _facts(sheet: Sheet) -> str:
    equal = one_of(sheet.equal, "value")
    inner = _table(sheet.differing, f"Nothing: {equal} are the same." if sheet.equal else "Nothing.")
    if sheet.equal and sheet.differing.rows:
        inner += f'<p class="note">{equal} {"is" if sheet.equal == 1 else "are"} the same.</p>'
    return f"<h3>{_safe(sheet.title)}</h3>{inner}"


def _section(sheet: Sheet) -> str:
    return f"<h3>{_safe(sheet.title)}</h3>{_table(sheet, 'Nothing is known.')}"


def _table(sheet: Sheet, nothing: str) -> str:
    if not sheet.rows:
        return f'<p class="note">{_safe(nothing)}</p>'
    head = "".join(f'<th scope="col">{_safe(_name(word))}</th>' for word in sheet.head)
    rows = "".join(
        f"<tr{'' if row.differs else ' class=same'}>{''.join(map(_cell, row.cells))}</tr>"
        for row in sheet.rows
    )
    note = f'<p class="note">{_safe(sheet.note)}</p>' if sheet.note else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}'


def _cell(text: str) -> str:
    return f"<td{' class=best' if tables.BEST in text else ''}>{_safe(text)}</td>"


def _diff(text: str) -> str:
    kinds = {"+": "p", "-": "m", "@": "h"}
    return "\n".join(
        f'<span class="{kinds[line[0]]}">{_safe(line)}</span>' if line[:1] in kinds else _safe(line)
        for line in text.splitlines()
    )


def _swatch(found: Comparison, shown: Shown, place: int) -> str:
    colour = shown.colours[found.runs[place].run.run_id]
    return report_chart.swatch(colour, DASHES[place % len(DASHES)])


def _name(text: str) -> str:
    return brief(text, LONGEST_NAME)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _safe(text: str) -> str:
    """Return a logged text such that HTML shows it literally."""
    return escape(valid(text))
