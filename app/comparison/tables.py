"""A comparison as tables of words, the same for the page, the report and the command line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..graphs.units import Unit
from ..views.words import NOTHING, brief, count, duration, number, one_of, shape, short_count
from .changes import CodeDifference
from .compare import Comparison, GraphParity, Parted
from .costs import FIRST_STEP, STARTUP, Cost, words
from .curves import Axis
from .facts import Fact
from .programs import Program
from .sheets import BEST, DIFFERS, LONGEST_HEAD, SAME, Row, Sheet, marked, names_of, with_multiples

COSTS = "Throughput, memory and size"
PROGRAMS = "The programs"
LONGEST_VALUE = 300
MOST_LINES = 1000
"""Lines of a program that are shown."""


def facts(found: Comparison, title: str, given: Sequence[Fact]) -> Sheet:
    """Return one line for each fact; the first column says by a sign whether it differs."""
    rows = [
        Row(
            (DIFFERS if fact.differs else SAME, fact.name, *(value[:LONGEST_VALUE] for value in fact.values)),
            fact.differs,
        )
        for fact in given
    ]
    return Sheet(title, ("", "Name", *names_of(found)), tuple(rows))


def costs(found: Comparison, given: Sequence[Cost]) -> Sheet:
    """Return what the runs cost, beside the baseline's as a multiple."""
    lines = [
        Row((cost.name, *_measures(cost)), len({words(value, cost.unit) for value in cost.values}) > 1)
        for cost in given
    ]
    return Sheet(COSTS, ("Measure", *names_of(found)), tuple(lines), ". ".join(_cost_notes(found)))


def _cost_notes(found: Comparison) -> Iterator[str]:
    yield f"In brackets: a multiple of the baseline's; {BEST} is the best of the runs"
    yield (
        f"“{FIRST_STEP}” counts from init to the first value that the training logged, with what is compiled "
        f"by then; imports and data that come before init are in “{STARTUP}”"
    )
    for one in found.runs:
        step, process = one.first_step, one.process
        if step is not None and step > 1:
            yield f"{one.name} logged its first value at step {count(step)}"
        if process.runs_before and process.peak_memory_gb is not None:
            many = one_of(process.runs_before, "earlier run")
            yield f"The process of {one.name} had {many} in it, whose memory counts in its peak"


def partings(found: Comparison, given: Sequence[Parted]) -> Sheet:
    """Return where the curves part from the baseline's."""
    lines = [
        Row((one.row.name, found.runs[one.run].name, *_parting(one)), one.parting.at is not None)
        for one in given
    ]
    head = ("Metric", "Run", "Parts at", "Then, in the median", "At the end")
    return Sheet(
        "Where the curves part",
        head,
        tuple(lines),
        f"From those of {found.runs[0].name}, by more than their own noise",
    )


def models(found: Comparison, parity: GraphParity) -> Sheet:
    """Return the layers of a run beside the baseline's."""
    lines = [
        Row(
            (
                DIFFERS if pair.matters else SAME,
                *_unit(pair.a),
                *_unit(pair.b),
                "; ".join(part for part in (", ".join(pair.differs), pair.note) if part),
            ),
            pair.matters,
        )
        for pair in parity.alignment.rows
    ]
    one, two = (brief(found.runs[run].name, LONGEST_HEAD) for run in (0, parity.run))
    head = (
        "",
        one,
        f"{one}: shape",
        f"{one}: parameters",
        two,
        f"{two}: shape",
        f"{two}: parameters",
        "Note",
    )
    return Sheet(f"Model: {one} and {two}", head, tuple(lines), " ".join(parity.alignment.notes))


def codes(found: Comparison) -> list[tuple[str, CodeDifference]]:
    """Return what is known of the code, with the names of the runs of which the same is known."""
    names: dict[CodeDifference, list[str]] = {}
    for run, code in zip(found.runs[1:], found.code, strict=True):
        names.setdefault(code, []).append(brief(run.name, LONGEST_HEAD))
    return [(", ".join(runs), code) for code, runs in names.items()]


def programs(found: Comparison) -> Sheet:
    """Return how long the program of each run is; no rows where none was kept."""
    kept = [one.program for one in found.runs]
    if not any(kept):
        return Sheet(PROGRAMS, (), ())
    lines = [one.lines if one else None for one in kept]
    told: dict[str, list[str]] = {
        "Script": [brief(one.name, LONGEST_HEAD) if one else NOTHING for one in kept],
        "Lines of code": [
            _lines(one, each.code if each else None) for one, each in zip(kept, lines, strict=True)
        ],
        "of which Stepscope's": [
            _lines(one, each.tracker if each else None) for one, each in zip(kept, lines, strict=True)
        ],
        "without them": [
            _lines(one, each.rest if each else None) for one, each in zip(kept, lines, strict=True)
        ],
    }
    rows = tuple(Row((name, *cells), len(set(cells)) > 1) for name, cells in told.items())
    note = (
        "The script as it lay there when the run began, without what it imports; blank lines, comments and "
        "docstrings are not counted. Stepscope's lines are those that name it, or what came from it"
    )
    return Sheet(PROGRAMS, ("Measure", *names_of(found)), rows, note)


def program_texts(found: Comparison) -> list[tuple[str, Program]]:
    """Return the programs, with the names of the runs of which each one is."""
    names: dict[tuple[str, str], list[str]] = {}
    kept: dict[tuple[str, str], Program] = {}
    for one in found.runs:
        if one.program is not None:
            key = one.program.name, one.program.text
            kept[key] = one.program
            names.setdefault(key, []).append(brief(one.name, LONGEST_HEAD))
    return [(", ".join(runs), kept[key]) for key, runs in names.items()]


def shown_text(program: Program) -> str:
    """Return the text of a program, at most MOST_LINES of it."""
    lines = program.text.splitlines()
    cut = [f"… only the first {count(MOST_LINES)} lines are shown"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *cut])


def _lines(program: Program | None, many: int | None) -> str:
    if many is not None:
        return count(many)
    return NOTHING if program is None else "longer than is kept" if program.truncated else "no Python"


def place(at: float, axis: Axis) -> str:
    """Return a place of an axis in words: "step 340", "epoch 5", "12 s"."""
    if axis is Axis.RELATIVE:
        return duration(at)
    return f"{axis} {count(round(at)) if at == round(at) else f'{at:.4g}'}"


def _measures(cost: Cost) -> list[str]:
    def say(value: float) -> str:
        return words(value, cost.unit)

    return with_multiples(marked(cost.values, upwards=cost.higher_is_better, say=say), cost.values)


def _parting(one: Parted) -> tuple[str, str, str]:
    found = one.parting
    if found.reason:
        return NOTHING, found.reason, ""
    if found.at is None:
        return "never", NOTHING, "together"
    gap = f"{number(found.gap)} {'higher' if found.higher else 'lower'}"
    return place(found.at, one.axis), gap, "together" if found.meet else "apart"


def _unit(unit: Unit | None) -> tuple[str, str, str]:
    if unit is None:
        return (NOTHING, "", "")
    return f"{unit.path or unit.type} ({unit.type})", shape(unit.shape), short_count(unit.parameters)
