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
from pathlib import Path

from . import report_chart
from .comparison import result_tables, tables
from .comparison.compare import Comparison, Parted, partings
from .comparison.curves import Axis
from .comparison.metrics import MetricRow
from .comparison.repeats import spreads
from .comparison.sheets import Sheet
from .comparison.strokes import dash_of, marks_of, strokes_of
from .comparison.words import headline, in_short
from .report_html import cell, diff, safe, section, table
from .views.words import LONGEST_NAME, brief, count, one_of

MOST_CHARTS = 8
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
            *_programs(found),
            *_differences(found),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{safe(title)}</title><style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def file_name(found: Comparison) -> str:
    """Return a name for the file, of letters and digits: "torch-and-keras.html"."""
    words = "".join(letter if letter.isalnum() else "-" for letter in headline(found))
    return "-".join(part for part in words.split("-") if part)[:80] + ".html"


def _head(found: Comparison, shown: Shown, title: str, made_at: float) -> Iterator[str]:
    runs = one_of(len(found.runs), "run")
    yield f"<h1>{safe(title)}</h1>"
    yield f'<p class="soft">{_moment(made_at)} · {runs} of {safe(shown.store)} · Stepscope</p>'


def _short(found: Comparison, shown: Shown, parted: Sequence[Parted]) -> Iterator[str]:
    yield '<section class="summary" aria-label="In short"><ul>'
    for sentence in in_short(found, shown.row, shown.target, parted):
        yield f"<li>{safe(sentence)}</li>"
    yield "</ul></section>"
    for trouble in found.troubles:
        yield f'<p class="note">{safe(trouble)}</p>'


def _runs(found: Comparison, shown: Shown) -> Iterator[str]:
    yield "<h2>Runs</h2>"
    columns = {
        "Run": [f"{one.name} (baseline)" if at == 0 else one.name for at, one in enumerate(found.runs)],
        "Id": [one.run.run_id for one in found.runs],
        "Project": [one.run.project for one in found.runs],
        "Framework": [one.run.framework or "" for one in found.runs],
        "State": [one.run.state.value for one in found.runs],
        "Started": [_moment(one.run.created_at) for one in found.runs],
        "Tags": [", ".join(one.run.tags) for one in found.runs],
        "Notes": [brief(one.run.notes, 400) for one in found.runs],
    }
    told = {title: cells for title, cells in columns.items() if any(cells)}
    head = "".join(f'<th scope="col">{word}</th>' for word in ("", *told))
    yield f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>'
    for place in range(len(found.runs)):
        cells = "".join(cell(column[place]) for column in told.values())
        yield f"<tr><td>{_swatch(found, shown, place)}</td>{cells}</tr>"
    yield "</tbody></table></div>"


def _results(found: Comparison, shown: Shown) -> Iterator[str]:
    yield "<h2>Results</h2>"
    sheets = result_tables.results(found)
    if not found.metrics:
        yield '<p class="note">None of these runs has logged a metric.</p>'
    yield from map(section, sheets)
    if shown.row is not None and shown.target is not None:
        yield section(result_tables.times_to(found, shown.row, shown.target))
    if repeated := spreads(found, shown.groups):
        yield section(result_tables.groups(repeated))
    yield section(tables.costs(found, found.costs))
    if found.training:
        told = f"How the training went: {one_of(len(found.training), 'metric')}"
        inner = table(result_tables.metrics(found, found.training), "")
        yield f"<details><summary>{told}</summary>{inner}</details>"


def _charts(found: Comparison, shown: Shown, parted: Sequence[Parted]) -> Iterator[str]:
    drawn = [figure for row in found.metrics if (figure := _chart(found, shown, row, parted))]
    if drawn:
        yield f'<h2>Curves</h2><div class="charts">{"".join(drawn[:MOST_CHARTS])}</div>'
        if (more := len(drawn) - MOST_CHARTS) > 0:
            yield f'<p class="note">{count(more)} more metrics are in the tables only.</p>'
    if parted:
        yield section(tables.partings(found, parted))


def _chart(found: Comparison, shown: Shown, row: MetricRow, parted: Sequence[Parted]) -> str:
    strokes = strokes_of(found, row, shown.axis, shown.colours)
    if not strokes:
        return ""
    target = shown.target if shown.row is not None and shown.row.key == row.key else None
    title = f"{row.name} of {', '.join(stroke.name for stroke in strokes)} over {shown.axis.words}"
    marks = marks_of(found, row, parted)
    picture = report_chart.drawing(
        title, strokes, shown.axis.words, marks=marks, target=target, upwards=row.higher_is_better
    )
    legend = "".join(
        f'<span class="key">{_swatch(found, shown, one.run)}{safe(brief(one.name, LONGEST_NAME))}</span>'
        for one in strokes
    )
    return f"<figure><figcaption><b>{safe(row.name)}</b><br>{legend}</figcaption>{picture}</figure>"


def _models(found: Comparison) -> Iterator[str]:
    if found.graphs:
        yield "<h2>Models</h2>"
    for parity in found.graphs:
        sheet = tables.models(found, parity)
        if parity.alignment.same and len(found.graphs) > 1:
            told = f"{sheet.title}: the same layer by layer"
            yield f"<details><summary>{safe(told)}</summary>{table(sheet, '')}</details>"
        else:
            yield section(sheet)


def _programs(found: Comparison) -> Iterator[str]:
    sheet = tables.programs(found)
    if not sheet.rows:
        return
    yield f"<h2>The code each took</h2>{table(sheet, '')}"
    texts = tables.program_texts(found)
    yield '<details><summary>The programs beside each other</summary><div class="beside">'
    for names, program in texts:
        head = f"<h3>{safe(program.name)} · {safe(names)}</h3>"
        yield f'<div>{head}<pre tabindex="0">{safe(tables.shown_text(program))}</pre></div>'
    yield "</div></details>"


def _differences(found: Comparison) -> Iterator[str]:
    yield "<h2>What differs</h2>"
    for title, facts in found.facts.items():
        if facts:
            yield _facts(tables.facts(found, title, facts))
    for names, code in tables.codes(found):
        yield f"<h3>Code of {safe(names)}</h3><p>{safe(code.said)}</p>"
        if code.diff:
            yield f'<pre tabindex="0">{diff(code.diff)}</pre>'


def _facts(sheet: Sheet) -> str:
    equal = one_of(sheet.equal, "value")
    inner = table(sheet.differing, f"Nothing: {equal} are the same." if sheet.equal else "Nothing.")
    if sheet.equal and sheet.differing.rows:
        inner += f'<p class="note">{equal} {"is" if sheet.equal == 1 else "are"} the same.</p>'
    return f"<h3>{safe(sheet.title)}</h3>{inner}"


def _swatch(found: Comparison, shown: Shown, place: int) -> str:
    colour = shown.colours[found.runs[place].run.run_id]
    return report_chart.swatch(colour, dash_of(place))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
