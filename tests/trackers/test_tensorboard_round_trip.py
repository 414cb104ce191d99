"""Runs that leave as event files and come back are the same, and so do event files that come and leave."""

from __future__ import annotations

import itertools
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stepscope
from contracts.filled_store import GRAPH, fill
from stepscope.storage.chunks import Columns
from stepscope.storage.journal_read import Position, SeriesDefinition
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Batch, Writer
from stepscope.storage.write_points import NewPoints
from stepscope.storage.write_series import NewRecord
from stepscope.trackers.exports import export_tensorboard
from stepscope.trackers.imports import import_runs
from stepscope.trackers.media.base import Loggable
from stepscope.trackers.sources.base import record
from stepscope.trackers.sources.tensorboard.source import TensorBoardSource

BEGAN = 1_700_000_000.0


def there_and_back(store: str, run_id: str, folder: Path) -> str:
    """Export a run and import it into a new store; return that."""
    with Reader.open(store) as reader:
        export_tensorboard(reader, [run_id], folder / "logs")
    back = str(folder / "back.db")
    done = import_runs(TensorBoardSource(folder / "logs"), back)
    assert done.problems == {}
    return back


def series_of(store: str, run_id: str) -> dict[tuple[str, str, str], Any]:
    """Return what pages show: (kind, name, context) -> steps, times and values, numbers as float32."""
    with Reader.open(store) as reader:
        found: dict[tuple[str, str, str], Any] = {}
        for one in reader.series(run_id):
            key = (one.kind, one.name, repr(sorted(one.context.items())))
            if one.kind == "scalar":
                points = reader.points(one)
                with np.errstate(over="ignore"):
                    numbers = points.last.astype(np.float32)
                found[key] = (points.step.tolist(), points.time.tolist(), list(map(repr, numbers.tolist())))
            else:
                found[key] = [
                    (
                        known.step,
                        known.time,
                        repr(dict(known.meta)),
                        reader.blob(run_id, known.digest) if known.digest else known.payload,
                    )
                    for known in reader.records(one)
                ]
        return found


def test_every_kind_and_all_that_is_known_of_the_run_come_back(store_url: str, tmp_path: Path) -> None:
    run_id = fill(store_url)
    with Writer.open(store_url) as writer:
        writer.update_run(run_id, {"tags": ("best", "ä"), "notes": "# why", "group": "g"})
    back = there_and_back(store_url, run_id, tmp_path)
    assert series_of(back, run_id) == series_of(store_url, run_id)
    with Reader.open(store_url) as old, Reader.open(back) as new:
        known, found = old.run(run_id).to_json(), new.run(run_id).to_json()
        assert found == known
        assert new.attempts(run_id) == old.attempts(run_id)
        environment = new.environment(run_id)
        assert environment.pop("imported")
        assert environment == old.environment(run_id)


@dataclass
class Made:
    """A run as hypothesis makes it: for each attempt, points and records in the order they were logged."""

    attempts: Sequence[Sequence[tuple[SeriesDefinition, int, float]]]
    records: Sequence[tuple[SeriesDefinition, int, Loggable]]
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
names = st.sampled_from(["loss", "train/loss", "a b", "_stepscope_/run", "custom", "é/ß", "x" * 300]) | texts
contexts = st.dictionaries(
    st.sampled_from(["split", "rank", "who"]),
    st.sampled_from(["train", "a/b", "..", "projector", 0, 3, ""]) | texts,
    max_size=2,
)
steps = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5)
numbers = st.floats(allow_nan=True, allow_infinity=True)
values: st.SearchStrategy[Loggable] = st.one_of(
    texts.map(stepscope.Text),
    st.integers(1, 3).map(lambda size: stepscope.Image(np.full((size, 2), 0.5), caption=f"<{size}>")),
    st.just(stepscope.Audio(np.zeros(8), 8000, caption="ä")),
    st.lists(numbers, max_size=5).map(lambda found: stepscope.Histogram(np.array(found, np.float64))),
    st.lists(st.tuples(texts, numbers), max_size=3).map(lambda rows: stepscope.Table(["a", "b"], rows)),
    st.just(stepscope.Mesh([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])),
    st.just(stepscope.HParams({"lr": 0.5, "none": None}, {"best": math.inf})),
    st.just(stepscope.Graph(GRAPH)),
    st.just(stepscope.Embedding(np.eye(3), ["a", "b\tc", "d\ne"])),
    st.just(stepscope.PrCurve([True, False], [0.25, 0.75])),
    st.just(stepscope.Video(b"GIF89a and nothing")),
)
scalars = st.builds(SeriesDefinition, names, st.just("scalar"), contexts)


@st.composite
def made_runs(draw: st.DrawFn) -> Made:
    known = draw(st.lists(scalars, min_size=1, max_size=4))
    points = st.lists(st.tuples(st.sampled_from(known), steps, numbers), max_size=12)
    of_kinds = [
        (SeriesDefinition(draw(names), value.payload().kind, draw(contexts)), draw(steps), value)
        for value in draw(st.lists(values, max_size=6))
    ]
    config = draw(st.dictionaries(texts, st.none() | st.booleans() | numbers | texts, max_size=3))
    return Made(draw(st.lists(points, min_size=1, max_size=3)), of_kinds, config)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Writer, str, Path]]:
    """Yield a writer of a store, the store, and a folder."""
    folder = tmp_path_factory.mktemp("made")
    with Writer.open(str(folder / "made.db")) as writer:
        yield writer, str(folder / "made.db"), folder


@given(made=made_runs())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_odd_runs_come_back(stores: tuple[Writer, str, Path], made: Made) -> None:
    writer, store, folder = stores
    run_id = write(writer, made)
    with Reader.open(store) as reader:
        known = reader.run(run_id)
        export_tensorboard(reader, [run_id], folder / run_id)
    back = str(folder / "back.db")
    done = import_runs(TensorBoardSource(folder / run_id), back)
    assert done.problems == {}
    assert series_of(back, run_id) == series_of(store, run_id)
    with Reader.open(back) as reader:
        assert repr(reader.run(run_id).config) == repr(known.config)


def write(writer: Writer, made: Made) -> str:
    """Store a run, each attempt in a journal of its own; return its id."""
    run_id = "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(10))
    run = Run(run_id, "odd", "made", RunState.FINISHED, BEGAN, BEGAN, BEGAN + 9, config=made.config)
    writer.create_run(run)
    time = itertools.count()
    for attempt, points in enumerate(made.attempts):
        cursor = writer.open_journal(run_id, f"{run_id}-{attempt}", attempt)
        records = [] if attempt else [
            NewRecord(one, step, BEGAN + next(time), record(one.name, value, step, 0.0).encoded)
            for one, step, value in made.records
        ]  # fmt: skip
        batch = Batch(Position(1), Position(1), points=columns_of(points, time), records=records)
        writer.commit(cursor, batch)
    return run_id


def columns_of(
    points: Sequence[tuple[SeriesDefinition, int, float]], time: Iterator[int]
) -> NewPoints | None:
    if not points:
        return None
    known = {repr(one): one for one, _, _ in points}
    number_of = {key: number for number, key in enumerate(known)}
    return NewPoints(
        np.array([number_of[repr(one)] for one, _, _ in points], np.uint32),
        Columns(
            np.array([step for _, step, _ in points], np.int64),
            np.array([BEGAN + next(time) for _ in points], np.float64),
            np.array([number for _, _, number in points], np.float64),
        ),
        dict(enumerate(known.values())),
    )
