"""What is new in a series is told once, with the steps that it touches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepscope.storage.chunks import CHUNK_POINTS, Columns
from stepscope.storage.journal_read import Position, SeriesDefinition
from stepscope.storage.kinds import EncodedValue
from stepscope.storage.model import Run, RunState, Series
from stepscope.storage.news import news_of
from stepscope.storage.read import Reader
from stepscope.storage.write import Batch, Writer
from stepscope.storage.write_points import NewPoints
from stepscope.storage.write_series import NewRecord

RUN = "AB12345678"
LOSS, SAID = SeriesDefinition("loss", "scalar", {}), SeriesDefinition("said", "text", {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Writer, Reader]]:
    url = str(tmp_path / "s.db")
    with Writer.open(url) as writer:
        writer.create_run(Run(RUN, "p", "n", RunState.FINISHED, 1.0, 1.0))
        with Reader.open(url) as reader:
            yield writer, reader


def log(writer: Writer, steps: Any, journal: str = "a") -> None:
    cursor = writer.open_journal(RUN, journal, 0)
    step = np.asarray(steps, np.int64)
    columns = Columns(step, np.ones(len(step)), np.ones(len(step)))
    points = NewPoints(np.zeros(len(step), np.uint32), columns, {0: LOSS})
    writer.commit(cursor, Batch(Position(0, cursor.points_position.offset + 1), Position(), points=points))


def series_of(reader: Reader) -> Series:
    [series] = reader.series(RUN)
    return series


@pytest.mark.parametrize("first", [1, 100, CHUNK_POINTS - 1, CHUNK_POINTS, 2 * CHUNK_POINTS + 7])
def test_points(store: tuple[Writer, Reader], first: int) -> None:
    writer, reader = store
    log(writer, np.arange(first))
    news = news_of(reader, series_of(reader), {})
    assert news is not None
    assert (news.first_step, news.last_step, sum(news.seen.values())) == (0, first - 1, first)
    assert news_of(reader, series_of(reader), news.seen) is None
    for steps in ([first + 5, first + 2], np.arange(CHUNK_POINTS) + first + 9, [3]):
        log(writer, steps)
        log(writer, steps, "b")
        news = news_of(reader, series_of(reader), news.seen)
        assert news is not None
        assert (news.first_step, news.last_step) == (np.min(steps), np.max(steps))


def test_records(store: tuple[Writer, Reader]) -> None:
    writer, reader = store
    cursor, seen = writer.open_journal(RUN, "a", 0), dict[int, int]()
    for place, steps in enumerate(([4, 7], [9], [2, 3]), 1):
        new = [NewRecord(SAID, step, 1.0, EncodedValue(b"text", {"bytes": 4})) for step in steps]
        writer.commit(cursor, Batch(Position(0, place), Position(), records=new))
        news = news_of(reader, series_of(reader), seen)
        assert news is not None
        assert (news.first_step, news.last_step) == (min(steps), max(steps))
        seen = dict(news.seen)
    assert news_of(reader, series_of(reader), seen) is None
