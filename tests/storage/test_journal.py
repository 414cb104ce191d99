"""What was appended is read, once and in order, whatever the sizes and wherever a segment ends."""

from __future__ import annotations

import contextlib
import dis
import errno
import functools
import itertools
import math
import os
import shutil
import struct
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepscope.storage import journal_read, lanes
from stepscope.storage.entries import ENTRY, SLOT, EntryType
from stepscope.storage.errors import StoreDamaged
from stepscope.storage.journal import Journal
from stepscope.storage.journal_plain import PlainJournal, PlainSlotLane
from stepscope.storage.journal_read import JournalReader, Position
from stepscope.storage.lanes import EntryLane, JournalFull, SlotLane
from stepscope.storage.os_files import acquire_lock
from stepscope.storage.segments import HEADER_BYTES
from support import wait_until

# Two headers, seven slots and a half.
SMALL = 2 * HEADER_BYTES + 7 * SLOT.size + 16


class SmallJournal(Journal):
    """A journal whose segments are full soon."""

    def _entry_lane(self, name: str, segment_bytes: int) -> EntryLane:  # noqa: ARG002
        return super()._entry_lane(name, SMALL)

    def _slot_lane(self, name: str, segment_bytes: int) -> SlotLane:  # noqa: ARG002
        return super()._slot_lane(name, SMALL)


class SmallPlainJournal(PlainJournal):
    """The same by plain writes, as on Windows."""

    def _entry_lane(self, name: str, segment_bytes: int) -> EntryLane:  # noqa: ARG002
        return super()._entry_lane(name, SMALL)

    def _slot_lane(self, name: str, segment_bytes: int) -> PlainSlotLane:  # noqa: ARG002
        return super()._slot_lane(name, SMALL)


class Follower:
    """Reads a journal as a drain does: from where it stopped, and removing what it has."""

    def __init__(self, journal: Journal) -> None:
        self.reader = JournalReader(journal.folder)
        self.at = (Position(), Position())
        self.points: list[tuple[int, float]] = []
        self.values: list[tuple[int, bytes]] = []
        self.metas: list[dict[str, Any]] = []

    def follow(self) -> None:
        while True:
            slots, points = self.reader.points(self.at[0], 5)
            entries, values = self.reader.values(self.at[1], 200)
            if not len(slots) and not entries:
                return
            self.points += zip(slots["step"].tolist(), slots["value"].tolist(), strict=True)
            self.values += [(entry.step, entry.data) for entry in entries]
            self.metas += [entry.meta for entry in entries]
            self.at = (points, values)
            self.reader.remove_before(points, values)


@pytest.fixture
def journal(tmp_path: Path) -> Generator[Journal]:
    opened = SmallJournal(tmp_path, "RUN", 0)
    yield opened
    opened.close()


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("points"), st.integers(1, 20)),
        st.tuples(st.just("value"), st.integers(0, 600)),
        st.just(("prepare", 0)),
        st.just(("read", 0)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("kind", [SmallJournal, SmallPlainJournal])
@given(actions=ACTIONS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_that_is_appended_is_read_once_and_in_order(
    tmp_path: Path, kind: type[Journal], actions: list[tuple[str, int]]
) -> None:
    journal = kind(tmp_path, "RUN", 0)
    follower = Follower(journal)
    series = journal.define_series("loss", "scalar", {})
    points: list[tuple[int, float]] = []
    values: list[tuple[int, bytes]] = []
    for action, size in actions:
        if action == "points":
            for _ in range(size):
                points.append((len(points), len(points) / 7))
                journal.append_number(series, points[-1][0], 1.0, points[-1][1])
        elif action == "value":
            values.append((len(values), bytes([len(values) % 251]) * size))
            journal.append_value(series, values[-1][0], 1.0, {"n": size}, values[-1][1])
        elif action == "prepare":
            journal.prepare()
        else:
            follower.follow()
    follower.follow()
    journal.close()
    assert follower.points == points
    assert follower.values == values
    shutil.rmtree(journal.folder)


def test_many_series_cross_segments_too(journal: Journal) -> None:
    numbers = [journal.define_series(f"name {n}", "scalar", {"rank": n}) for n in range(50)]
    found = JournalReader(journal.folder).definitions()
    assert list(found) == numbers
    assert [(d.name, d.kind, d.context) for d in found.values()] == [
        (f"name {n}", "scalar", {"rank": n}) for n in range(50)
    ]


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 4), (40, 41)])
@pytest.mark.parametrize("kind", ["|u1", "<f4", "<i8", "|b1", "<f2"])
def test_arrays_are_copied_as_they_are_now(journal: Journal, shape: tuple[int, ...], kind: str) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(kind)
    expected = array.tobytes()
    journal.append_value(1, 0, 1.0, {}, array)
    array[...] = 0
    entries, _ = JournalReader(journal.folder).values(Position(), 1)
    assert [entry.data for entry in entries] == [expected]


def test_arrays_that_are_not_contiguous_are_copied_in_order(journal: Journal) -> None:
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5).transpose(2, 0, 1)[::2]
    journal.append_value(1, 0, 1.0, {}, array)
    entries, _ = JournalReader(journal.folder).values(Position(), 1)
    assert entries[0].data == array.tobytes()


def test_meta_of_any_length_and_letters(journal: Journal) -> None:
    metas = [{"caption": "ä€😀"[: size % 4] * size, "nan": None} for size in range(20)]
    for size, meta in enumerate(metas):
        journal.append_value(1, size, 1.0, meta, b"x" * size)
    found = Follower(journal)
    found.follow()
    assert [(step, len(data)) for step, data in found.values] == [(size, size) for size in range(20)]
    assert found.metas == metas


def test_changes_and_drops_are_entries(journal: Journal) -> None:
    journal.append_run(5.0, {"config": {"lr": 0.1}, "odd": Path("x")})
    journal.append_drops(6.0, {"disk full": 3})
    entries, _ = JournalReader(journal.folder).values(Position(), 1 << 20)
    assert [(entry.entry_type, entry.time, entry.meta) for entry in entries] == [
        (EntryType.RUN, 5.0, {"config": {"lr": 0.1}, "odd": "x"}),
        (EntryType.DROPS, 6.0, {"disk full": 3}),
    ]


def test_a_prepared_segment_is_used(journal: Journal) -> None:
    def spares() -> list[Path]:
        return list(journal.folder.glob("spare-*"))

    for step in range(2):
        journal.append_number(1, step, 1.0, 0.0)
    journal.prepare()
    assert not spares()
    for step in range(4):
        journal.append_number(1, step, 1.0, 0.0)
    journal.prepare()
    journal.prepare()
    (spare,) = spares()
    inode = spare.stat().st_ino
    for step in range(2):
        journal.append_number(1, step, 1.0, 0.0)
    assert not spares()
    assert (journal.folder / "points-00000001.seg").stat().st_ino == inode


def test_the_keeper_has_the_next_segment_ready(tmp_path: Path) -> None:
    journal = SmallJournal(tmp_path, "RUN", 0)
    journal.keep_ahead()
    for step in range(6):
        journal.append_number(1, step, 1.0, 0.0)
    journal.append_value(1, 0, 1.0, {}, bytes(100))
    wait_until(lambda: len(list(journal.folder.glob("spare-*"))) == 2, what="the next segments")
    ready = {path.stat().st_ino for path in journal.folder.glob("spare-*")}
    for step in range(6, 8):
        journal.append_number(1, step, 1.0, 0.0)
    journal.append_value(1, 1, 1.0, {}, bytes(100))
    assert {(journal.folder / f"{lane}-00000001.seg").stat().st_ino for lane in ("points", "values")} == ready
    journal.close()
    assert "stepscope-journal" not in {thread.name for thread in threading.enumerate()}


def test_floats_of_known_names_are_taken_at_once(journal: Journal) -> None:
    series = {f"m{n}": n for n in range(20)}
    values: dict[str, Any] = {f"m{n}": n / 3 for n in range(0, 40, 2)}
    assert journal.points.append_floats({**values, "m4": 4, "m6": "x", "m8": True}, series, 5, 1.5) == [
        "m4", "m6", "m8", *(f"m{n}" for n in range(20, 40, 2))
    ]  # fmt: skip
    slots, _ = JournalReader(journal.folder).points(Position(), 100)
    taken = [n for n in range(0, 20, 2) if n not in (4, 6, 8)]
    assert [slot.tolist()[:4] for slot in slots] == [(5, 1.5, n / 3, n) for n in taken]


def test_floats_without_room_are_left_to_others(tmp_path: Path) -> None:
    journal = SmallJournal(tmp_path, "RUN", 0, limit=3 * SMALL)
    series = {f"m{n}": n for n in range(20)}
    rest = journal.points.append_floats(dict.fromkeys(series, 0.5), series, 0, 1.0)
    assert rest == [f"m{n}" for n in range(7, 20)]
    journal.close()


def test_values_on_a_full_disk_are_refused_and_leave_no_hole(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal.append_value(1, 0, 1.0, {}, b"before")
    with monkeypatch.context() as patch:
        patch.setattr(lanes, "write_at", full)
        with pytest.raises(
            JournalFull, match=r"No space left on device\. New values are dropped and counted"
        ):
            journal.append_value(1, 1, 1.0, {}, b"lost")
    journal.append_value(1, 2, 1.0, {}, b"after")
    entries, _ = JournalReader(journal.folder).values(Position(), 1 << 20)
    assert [(entry.data, entry.ordinal) for entry in entries] == [(b"before", 0), (b"after", 1)]


def test_at_the_limit_nothing_is_taken_until_there_is_room(tmp_path: Path) -> None:
    journal = SmallJournal(tmp_path, "RUN", 0, limit=4 * SMALL)
    for step in range(14):
        journal.append_number(1, step, 1.0, 0.0)
    with pytest.raises(JournalFull, match="the journal reached its limit of 0 MiB because the store does"):
        journal.append_number(1, 14, 1.0, 0.0)
    reader = JournalReader(journal.folder)
    slots, position = reader.points(Position(), 100)
    assert slots["step"].tolist() == list(range(14))
    journal.room.give(reader.remove_before(position, Position()))
    journal.append_number(1, 99, 1.0, 0.0)
    slots, _ = reader.points(position, 100)
    assert slots["step"].tolist() == [99]
    journal.close()


def test_a_value_larger_than_the_limit_is_refused_alone(tmp_path: Path) -> None:
    journal = SmallJournal(tmp_path, "RUN", 0, limit=6 * SMALL)
    with pytest.raises(JournalFull):
        journal.append_value(1, 0, 1.0, {}, bytes(6 * SMALL))
    journal.append_value(1, 1, 1.0, {}, b"small")
    entries, _ = JournalReader(journal.folder).values(Position(), 1)
    assert [entry.data for entry in entries] == [b"small"]
    journal.close()


@pytest.mark.parametrize("kind", [SmallJournal, SmallPlainJournal])
def test_a_folder_that_is_gone_is_said_to_be(tmp_path: Path, kind: type[Journal]) -> None:
    journal = kind(tmp_path, "RUN", 0)
    follower = Follower(journal)
    for step in range(7):
        journal.append_number(1, step, 1.0, 0.0)
    follower.follow()
    journal.folder.rename(tmp_path / "away")
    for _ in range(3):
        with pytest.raises(JournalFull, match=r"cannot grow.*: No such file or directory"):
            journal.append_number(1, 7, 1.0, 0.0)
    (tmp_path / "away").rename(journal.folder)
    journal.append_number(1, 8, 1.0, 0.0)
    follower.follow()
    assert [step for step, _ in follower.points] == [0, 1, 2, 3, 4, 5, 6, 8]
    journal.close()


def cut_copies(journal: Journal, name: str, to: Path) -> Generator[tuple[int, Path]]:
    """Yield copies of the journal whose segment `name` ends, or is zeros, from each byte on."""
    whole = (journal.folder / name).read_bytes()
    copy = to / "copy"
    shutil.copytree(journal.folder, copy)
    for size in range(HEADER_BYTES, len(whole)):
        (copy / name).write_bytes(whole[:size])
        yield size, copy
        (copy / name).write_bytes(whole[:size].ljust(len(whole), b"\0"))
        yield size, copy


def test_points_cut_at_any_byte_are_read_up_to_there(journal: Journal, tmp_path: Path) -> None:
    for step in range(6):
        journal.append_number(1, step, 1.0, step / 3)
    for size, copy in cut_copies(journal, "points-00000000.seg", tmp_path / "cut"):
        slots, _ = JournalReader(copy).points(Position(), 100)
        whole = min(6, (size - HEADER_BYTES) // SLOT.size)
        # The last bytes of a mark may be zeros themselves.
        assert whole <= len(slots) <= whole + 1
        assert slots["step"].tolist() == list(range(len(slots)))
        assert slots["value"].tolist() == [step / 3 for step in range(len(slots))]


def test_values_cut_at_any_byte_are_read_up_to_there(journal: Journal, tmp_path: Path) -> None:
    expected = [b"a" * 20, b"b" * 9, b"c" * 8]
    for step, data in enumerate(expected):
        journal.append_value(1, step, 1.0, {"n": step}, data)
    for _, copy in cut_copies(journal, "values-00000000.seg", tmp_path / "cut"):
        entries, _ = JournalReader(copy).values(Position(), 1 << 20)
        if entries and entries[-1].entry_type is EntryType.DROPS:
            assert entries.pop().meta == {"damaged in the journal": 1}
        assert [entry.data for entry in entries] == expected[: len(entries)]


def test_slots_of_an_older_file_are_not_taken_for_new_ones(journal: Journal) -> None:
    for step in range(3):
        journal.append_number(1, step, 1.0, 0.5)
    path = journal.folder / "points-00000000.seg"
    mark = SLOT.unpack_from(path.read_bytes(), HEADER_BYTES)[-1]
    old = SLOT.pack(77, 1.0, 0.5, 1, (mark + 1) & 0xFFFFFFFF)
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES + 3 * SLOT.size)
        file.write(4 * old)
    slots, _ = JournalReader(journal.folder).points(Position(), 100)
    assert slots["step"].tolist() == [0, 1, 2]


def test_a_slot_that_is_being_written_is_not_read_half(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seen if the reader is interrupted within a slot: old bytes in front, the new mark behind.
    journal.append_number(1, 7, 1.0, 0.5)
    read_at = journal_read.read_at
    torn = [True]

    def interrupted(descriptor: int, size: int, offset: int) -> bytes:
        data = read_at(descriptor, size, offset)
        if offset == HEADER_BYTES and torn.pop():
            torn.append(False)
            return bytes(24) + data[24:]
        return data

    monkeypatch.setattr(journal_read, "read_at", interrupted)
    slots, _ = JournalReader(journal.folder).points(Position(), 100)
    assert [(slot["step"], slot["value"]) for slot in slots] == [(7, 0.5)]


@pytest.mark.parametrize("size", [4, 100_000])
@pytest.mark.parametrize("part", ["meta", "data"])
def test_a_damaged_entry_is_counted_and_passed_over(tmp_path: Path, part: str, size: int) -> None:
    journal = Journal(tmp_path, "RUN", 0)
    for step in (1, 2):
        journal.append_value(1, step, 1.0, {"n": step}, b"data" * size)
    overwrite(journal, HEADER_BYTES + ENTRY.size + (0 if part == "meta" else 8 + 2 * size), b"zeros")
    entries, _ = JournalReader(journal.folder).values(Position(), 1 << 20)
    assert [(entry.entry_type, entry.meta, entry.ordinal) for entry in entries] == [
        (EntryType.DROPS, {"damaged in the journal": 1}, 0),
        (EntryType.VALUE, {"n": 2}, 1),
    ]
    journal.close()


@pytest.mark.parametrize("value", [0.0, 2.0, -0.0, -2.0, 0.1])
def test_a_page_that_did_not_reach_the_disk_shows(tmp_path: Path, value: float) -> None:
    journal = Journal(tmp_path, "RUN", 0)
    journal.append_value(1, 1, 1.0, {}, np.full(100_000, value))
    before = (journal.folder / "values-00000000.seg").read_bytes()[5 * 4096 : 6 * 4096]
    overwrite(journal, 5 * 4096, bytes(4096))
    (entry,), _ = JournalReader(journal.folder).values(Position(), 1)
    assert (entry.entry_type is EntryType.VALUE) == (before == bytes(4096))
    journal.close()


def test_behind_a_damaged_head_nothing_is_read(journal: Journal) -> None:
    for step in (1, 2):
        journal.append_value(1, step, 1.0, {}, b"data")
    overwrite(journal, HEADER_BYTES + 20, b"\1")
    assert JournalReader(journal.folder).values(Position(), 1 << 20) == ([], Position())


def test_the_second_header_stands_in_for_the_first(journal: Journal) -> None:
    journal.append_value(1, 1, 1.0, {}, b"data")
    overwrite(journal, 0, bytes(HEADER_BYTES))
    entries, _ = JournalReader(journal.folder).values(Position(), 1)
    assert [entry.data for entry in entries] == [b"data"]


def test_a_journal_of_the_first_version_is_read(tmp_path: Path) -> None:
    header = struct.pack("<8sIIQ", b"STEPJRN1", 7, 0, 1000).ljust(HEADER_BYTES, b"\0")
    meta = b'{"n": 1}'
    entries = b"".join(
        struct.pack("<QIIqdII", 5, len(meta), 3, step, 1.5, EntryType.VALUE, 7) + meta + b"data\n\0\0\0"
        for step in range(2)
    )
    (tmp_path / "values-00000000.seg").write_bytes((header + entries).ljust(1000, b"\0"))
    (tmp_path / "points-00000000.seg").write_bytes((header + SLOT.pack(9, 1.5, 0.1, 3, 7)).ljust(1000, b"\0"))
    found, _ = JournalReader(tmp_path).values(Position(), 1 << 20)
    assert [(e.step, e.series, e.time, e.meta, e.data) for e in found] == [
        (step, 3, 1.5, {"n": 1}, b"data\n") for step in range(2)
    ]
    slots, _ = JournalReader(tmp_path).points(Position(), 10)
    assert [slot.tolist() for slot in slots] == [(9, 1.5, 0.1, 3, 7)]


def overwrite(journal: Journal, at: int, data: bytes) -> None:
    with (journal.folder / "values-00000000.seg").open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_file_that_is_no_segment_is_named(journal: Journal) -> None:
    (journal.folder / "values-00000000.seg").write_bytes(b"foreign".ljust(500))
    with pytest.raises(StoreDamaged, match=r"values-00000000\.seg is not a segment of a journal; it begins"):
        JournalReader(journal.folder).values(Position(), 1 << 20)


def test_a_folder_without_description_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text('{"run_id": "X"}')
    with pytest.raises(StoreDamaged, match=r"journal\.json does not describe a journal"):
        JournalReader(tmp_path).info()


def test_the_lock_tells_whether_the_owner_lives(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "RUN", 3)
    with pytest.raises(BlockingIOError):
        acquire_lock(journal.folder)
    journal.close()
    os.close(acquire_lock(journal.folder))
    info = JournalReader(journal.folder).info()
    assert (info.run_id, info.attempt, info.name, info.pid, info.main) == (
        "RUN", 3, journal.folder.name, os.getpid(), True
    )  # fmt: skip


def can_lock(folder: Path) -> bool:
    try:
        os.close(acquire_lock(folder))
    except BlockingIOError:
        return False
    return True


def test_a_forked_child_keeps_neither_lock_nor_mapping(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "RUN", 0)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(writable)
            with pytest.raises(TypeError, match="mmap"):
                journal.append_number(1, 666, 1.0, 0.0)
            os.read(readable, 1)  # lives on until the parent has looked
        except BaseException:
            os._exit(1)
        os._exit(0)
    os.close(readable)
    journal.close()
    # Until the child has run its first lines, it holds what it was born with.
    wait_until(lambda: can_lock(journal.folder), what="the lock")
    slots, _ = JournalReader(journal.folder).points(Position(), 10)
    os.close(writable)
    assert os.waitpid(child, 0)[1] == 0
    assert len(slots) == 0


def test_a_journal_that_cannot_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(JournalFull):
        Journal(tmp_path, "RUN", 0, limit=1 << 20)
    assert not list(tmp_path.iterdir())
    assert set(os.listdir("/proc/self/fd")) == before


def interrupt_after_call(number: int) -> Callable[[FrameType, str, Any], Any]:
    """Return a tracer that raises where a signal handler would: after the n-th call within the journal."""
    left = [number]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != lanes.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_lasti in _after_calls(frame.f_code):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
        return trace

    return trace


@functools.cache
def _after_calls(code: CodeType) -> set[int]:
    found = list(dis.get_instructions(code))
    return {
        after.offset
        for before, after in itertools.pairwise(found)
        if before.opname.startswith("CALL") or before.opname == "RESUME"
    }


@pytest.mark.parametrize("size", [None, 10, 2 * SMALL])
def test_ctrl_c_in_the_middle_of_an_append_loses_no_other_one(tmp_path: Path, size: int | None) -> None:
    def append(step: int) -> None:
        if size is None:
            journal.append_number(1, step, 1.0, float(step))
        else:
            # Each larger than the one before, so that it never fits where that was to go.
            journal.append_value(1, step, 1.0, {}, bytes([step]) * (size + 8 * step))

    before = sys.gettrace()  # that of the coverage, maybe
    for number in itertools.count(1):
        journal = SmallJournal(tmp_path, "RUN", 0)
        follower = Follower(journal)
        interrupted = []
        for step in range(12):
            sys.settrace(interrupt_after_call(number) if step == 7 else before)
            try:
                append(step)
            except KeyboardInterrupt:
                interrupted = [step]
            finally:
                sys.settrace(before)
            follower.follow()
        journal.close()
        found = [step for step, _ in follower.points + follower.values]
        assert [step for step in found if step not in interrupted] == [
            step for step in range(12) if step not in interrupted
        ], f"after call {number}"
        assert found == sorted(set(found))
        if not interrupted:
            return


def test_a_value_that_cannot_be_packed_leaves_no_hole(journal: Journal) -> None:
    for step in (1, 2**70, 2):
        with pytest.raises(struct.error) if step == 2**70 else contextlib.nullcontext():
            journal.append_number(1, step, 1.0, 0.0)
        with pytest.raises(struct.error) if step == 2**70 else contextlib.nullcontext():
            journal.append_value(1, step, 1.0, {}, b"data")
    follower = Follower(journal)
    follower.follow()
    assert [step for step, _ in follower.points] == [step for step, _ in follower.values] == [1, 2]


def test_the_forms_on_disk_stay_as_they_are() -> None:
    assert (SLOT.size, ENTRY.size, HEADER_BYTES) == (32, 56, 64)
