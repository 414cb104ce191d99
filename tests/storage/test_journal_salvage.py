"""What a dead process left is read past every hole, and what is missing is counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from stepscope.storage import journal as journal_module
from stepscope.storage.entries import SLOT
from stepscope.storage.errors import StoreDamaged
from stepscope.storage.journal import Journal
from stepscope.storage.journal_read import Position
from stepscope.storage.journal_salvage import SalvageReader
from stepscope.storage.segments import HEADER_BYTES, segment_path

PAGE = 4096
POINTS, VALUES = 700, 40
SLOTS = (2 * PAGE - 2 * HEADER_BYTES) // SLOT.size
"""How many slots a segment of two pages has."""


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of several small segments, whose owner is gone."""
    for name in ("_POINTS_BYTES", "_VALUES_BYTES", "_SERIES_BYTES"):
        monkeypatch.setattr(journal_module, name, 2 * PAGE)
    journal = Journal(tmp_path, "RUN", 0)
    for number in range(1, 6):
        assert journal.define_series(f"series {number}", "scalar", {}) == number
    for step in range(POINTS):
        journal.append_number(1 + step % 5, step, 1.0, step / 3)
    for step in range(VALUES):
        journal.append_value(1, step, 1.0, {"n": step}, bytes([step + 1]) * (37 * step))
    journal.close()
    return journal.folder


def points(reader: SalvageReader, most: int = 1000) -> list[int]:
    found: list[int] = []
    position = Position()
    while True:
        slots, position = reader.points(position, most)
        if not len(slots):
            return found
        np.testing.assert_array_equal(slots["value"], slots["step"] / 3)
        found += slots["step"].tolist()


def values(reader: SalvageReader, most_bytes: int = 1000) -> list[int]:
    found: list[int] = []
    position = Position()
    while True:
        entries, position = reader.values(position, most_bytes)
        if not entries:
            return found
        for entry in entries:
            if entry.meta.get("n") is not None:
                assert entry.data == bytes([entry.step + 1]) * (37 * entry.step)
                found.append(entry.step)


def damaged(reader: SalvageReader) -> int:
    """Count the values whose head is there and whose body is not."""
    entries, _ = reader.values(Position(), 1 << 30)
    return sum(1 for entry in entries if "n" not in entry.meta)


def places(folder: Path) -> list[tuple[Path, int, int]]:
    """Return where each value lies: file, begin and end."""
    reader, position = SalvageReader(folder), Position()
    found: list[tuple[Path, int, int]] = []
    while True:
        entries, end = reader.values(position, 1)
        if not entries:
            return found
        begin = position.offset if end.segment == position.segment else HEADER_BYTES
        found.append((segment_path(folder, "values", end.segment), begin, end.offset))
        position = end


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def test_a_whole_journal_is_read_whole(left: Path) -> None:
    for most in (1, 7, 1000):
        reader = SalvageReader(left)
        assert points(reader, most) == list(range(POINTS))
        assert values(reader, most) == list(range(VALUES))
        assert list(reader.definitions()) == [1, 2, 3, 4, 5]
        assert reader.take_lost() == {}


def test_a_reading_may_begin_anywhere(left: Path) -> None:
    for most in (1, 500, 3000):
        _, at = SalvageReader(left).points(Position(), most)
        entries, there = SalvageReader(left).values(Position(), most)
        later = SalvageReader(left)
        slots, _ = later.points(at, 10_000)
        rest, _ = later.values(there, 1 << 30)
        assert slots["step"].tolist() == list(range(POINTS - len(slots), POINTS))
        assert rest[0].step == len(entries)
        assert later.take_lost() == {}


@pytest.mark.parametrize("page", range(2))
@pytest.mark.parametrize("number", range(POINTS // SLOTS + 1))
def test_slots_behind_a_page_of_zeros_are_read(left: Path, number: int, page: int) -> None:
    path = segment_path(left, "points", number)
    before = path.read_bytes()
    overwrite(path, page * PAGE, bytes(PAGE))
    offset, end = (HEADER_BYTES, PAGE) if page == 0 else (PAGE, len(before) - HEADER_BYTES)
    first = number * SLOTS + (offset - HEADER_BYTES) // SLOT.size
    gone = set(range(first, min(POINTS, first + (end - offset) // SLOT.size)))
    reader = SalvageReader(left)
    assert points(reader) == [step for step in range(POINTS) if step not in gone]
    # Of what was last of all, nobody knows that it was there.
    last = max(gone, default=0) == POINTS - 1
    assert reader.take_lost() == ({"damaged in the journal": len(gone)} if gone and not last else {})


def test_a_segment_that_is_gone_is_counted(left: Path) -> None:
    segment_path(left, "points", 1).unlink()
    segment_path(left, "values", 1).unlink()
    reader = SalvageReader(left)
    assert points(reader) == [*range(SLOTS), *range(2 * SLOTS, POINTS)]
    assert reader.take_lost() == {"damaged in the journal": SLOTS}
    found = values(reader)
    assert reader.take_lost() == {"damaged in the journal": VALUES - len(found)}


def test_a_first_page_of_zeros_leaves_the_header_at_the_end(left: Path) -> None:
    path = segment_path(left, "points", 0)
    overwrite(path, 0, bytes(PAGE))
    overwrite(path, len(path.read_bytes()) - HEADER_BYTES, bytes(HEADER_BYTES))
    reader = SalvageReader(left)
    assert points(reader) == list(range(SLOTS, POINTS)), "without any header nobody knows the mark"
    assert sum(reader.take_lost().values()) >= SLOTS


@pytest.mark.parametrize("kind", ["cut", "zeros", "hole"])
def test_values_cut_at_any_byte(left: Path, kind: str) -> None:
    where = places(left)
    path = where[VALUES // 3][0]
    whole = path.read_bytes()
    size = len(whole) - HEADER_BYTES
    for at in (*range(HEADER_BYTES if kind == "hole" else 0, 130), *range(130, size, 101)):
        end = {"cut": len(whole), "zeros": size, "hole": min(size, at + 100)}[kind]
        path.write_bytes(whole[:at] if kind == "cut" else whole[:at] + bytes(end - at) + whole[end:])
        now = path.read_bytes()
        intact = [
            step
            for step, (file, begin, stop) in enumerate(where)
            if file != path
            or (now[begin:stop] == whole[begin:stop] and (at >= HEADER_BYTES or kind != "cut"))
        ]
        reader = SalvageReader(left)
        found = values(reader)
        # Of one, the padding at its end may be all that was hit.
        assert set(intact) <= set(found), f"{kind} at {at}"
        assert len(found) <= len(intact) + 1
        lost = sum(reader.take_lost().values())
        assert len(found) + lost + damaged(reader) == VALUES, f"{kind} at {at}"


def test_a_series_that_is_lost_leaves_the_others(left: Path) -> None:
    path = segment_path(left, "series", 0)
    overwrite(path, HEADER_BYTES, bytes(100))
    assert list(SalvageReader(left).definitions()) == [2, 3, 4, 5] or list(
        SalvageReader(left).definitions()
    ) == [3, 4, 5]


def test_a_file_that_is_no_segment_is_named(left: Path) -> None:
    path = segment_path(left, "points", 1)
    overwrite(path, 0, b"something else" + bytes(PAGE))
    overwrite(path, len(path.read_bytes()) - HEADER_BYTES, bytes(HEADER_BYTES))
    with pytest.raises(StoreDamaged, match=r"points-00000001\.seg is not a segment of a journal; it begins"):
        SalvageReader(left).points(Position(), 10_000)


@pytest.mark.parametrize("seed", range(20))
def test_random_pages_of_zeros(left: Path, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    copy = shutil.copytree(left, tmp_path / "copy")

    def changed(path: Path, begin: int, stop: int) -> bool:
        return (copy / path.name).read_bytes()[begin:stop] != path.read_bytes()[begin:stop]

    for path in sorted([*copy.glob("points-*"), *copy.glob("values-*")]):
        for page in range(len(path.read_bytes()) // PAGE):
            if rng.random() < 0.3:
                overwrite(path, page * PAGE, bytes(PAGE - HEADER_BYTES if page else PAGE))
    slots = [
        step
        for step in range(POINTS)
        if not changed(
            segment_path(left, "points", step // SLOTS),
            HEADER_BYTES + step % SLOTS * SLOT.size,
            HEADER_BYTES + (step % SLOTS + 1) * SLOT.size,
        )
    ]
    reader = SalvageReader(copy)
    assert points(reader) == slots
    lost = sum(reader.take_lost().values())
    assert max(slots) + 1 - len(slots) <= lost <= POINTS - len(slots)
    intact = [step for step, place in enumerate(places(left)) if not changed(*place)]
    assert [step for step in values(reader) if step in intact] == intact
