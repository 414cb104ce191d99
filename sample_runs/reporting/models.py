"""What models are: their graphs, what was recorded of them, their serving forms, and the code they took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stepscope.app.comparison.programs import Lines, lines_of

from .measures import Measured
from .samples import find_samples
from .spread import SIDES, spread_of
from .tables import Table, told, twins_of


def graphs(runs: Sequence[Measured]) -> list[Table]:
    """Return the twins' layers, parameters and operations."""
    rows: list[list[str]] = []
    for task, sides in twins_of(runs).items():
        left, right = (side[-1].graph() for side in sides)  # of all seeds the same
        if left is not None and right is not None:
            rows.append([task, *_described(left), *_described(right), _same(left, right)])
    columns = [
        "task",
        *(f"{side}: {what}" for side in SIDES for what in ("trained parameters", "operations", "found by")),
        "layers with weights",
    ]
    same = sum(row[-1] == "the same" for row in rows)
    said = f"In {same} of {len(rows)} rows the layers with weights are as many, as large, and in one order."
    caption = "**What the graph of each model holds**, as the hooks found it; of two models the larger."
    return [Table(caption, columns, rows, [said])]


def kinds(runs: Sequence[Measured]) -> list[Table]:
    """Return how many series of each kind the twins recorded."""
    twins = {task: [side[-1].kinds for side in sides] for task, sides in twins_of(runs).items()}
    every = sorted({kind for sides in twins.values() for found in sides for kind in found})
    rows = [
        [task, *(f"{left.get(kind, 0)} / {right.get(kind, 0)}" for kind in every)]
        for task, (left, right) in twins.items()
    ]
    alike = sum(left.keys() == right.keys() for left, right in twins.values())
    said = f"In {alike} of {len(rows)} rows both sides recorded the same kinds of data."
    caption = "**What there is to look at**: series of each kind, PyTorch / TensorFlow."
    return [Table(caption, ["task", *every], rows, [said])]


def deployment(runs: Sequence[Measured]) -> list[Table]:
    """Return size, speed and faithfulness of each serving form."""
    found: dict[tuple[int, str, str], list[Sequence[Any]]] = {}
    for one in runs:
        for record in one.run.records("deployment")[-1:] if one.run.series("deployment") else ():
            for form, *figures in record.load().rows:
                found.setdefault((one.side, one.run.name, form), []).append(figures)
    rows = [[f"{name}: {form}", *_served(figures)] for (_, name, form), figures in sorted(found.items())]
    columns = ["form", "size", "one picture", "64 pictures", "largest difference of an answer"]
    below = ["Of the model in the program, the size is that of its weights, where the sample tells it."]
    caption = "**Forms to serve a model in**, loaded back and asked again (less is better)."
    return [Table(caption, columns, rows, below)]


def code(_runs: Sequence[Measured]) -> list[Table]:
    """Return how long the twins' programs are."""
    rows: list[list[str]] = []
    total = [Lines(0, 0), Lines(0, 0)]
    for pair, samples in find_samples().items():
        both = [lines_of(sample.file.read_text(encoding="utf-8")) or Lines(0, 0) for sample in samples]
        rows.append([pair, *_lengths(both)])
        total = [Lines(a.code + b.code, a.tracker + b.tracker) for a, b in zip(total, both, strict=True)]
    rows.append(["all", *_lengths(total)])
    columns = ["pair", *(f"{side}: {what}" for side in SIDES for what in ("lines", "of them Stepscope's"))]
    left, right = total
    said = f"PyTorch's twins have {left.code / right.code:.2f} times as many lines as the others."
    caption = "**Lines of code** of the files in `sample_runs/`, without empty ones, comments and docstrings."
    return [Table(caption, columns, rows, [said])]


def _lengths(both: Sequence[Lines]) -> list[str]:
    return [f"{number:,}" for lines in both for number in (lines.code, lines.tracker)]


def _described(graph: Any) -> list[str]:
    trained = sum(layer.trainable for layer in graph.layers)
    return [f"{trained:,}", str(len(graph.nodes)), graph.source]


def _same(left: Any, right: Any) -> str:
    one, two = ([layer.trainable for layer in graph.layers if layer.trainable] for graph in (left, right))
    return "the same" if one == two else f"{len(one)} / {len(two)}"


def _served(rows: Sequence[Sequence[Any]]) -> list[str]:
    size, one, many, difference = (spread_of(column) for column in zip(*rows, strict=True))
    kib = spread_of(row[0] / 1024 for row in rows)
    return [
        told(kib, "KiB") if size and size.median else "",
        told(one, "ms"),
        told(many, "ms"),
        told(difference),
    ]
