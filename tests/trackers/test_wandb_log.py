"""The framing of W&B's logs, cut and damaged anywhere; and rows as other versions write them."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from stepscope.trackers.sources.printed import Printed
from stepscope.trackers.sources.wandb.history import Rows
from stepscope.trackers.sources.wandb.log import MAGIC, read_log
from stepscope.trackers.sources.wandb.protos import load_protos
from stepscope.trackers.sources.wandb.wire import HISTORY, content_of
from wandb_frames import framed


def made_records(seed: int) -> list[bytes]:
    """Return records of all sizes, some larger than a block, some that end just before one does."""
    rng = random.Random(seed)
    sizes = [rng.choice((1, 5, 100, 3000, 32_760, 32_754, 40_000, 100_000)) for _ in range(12)]
    return [bytes([number + 1]) * size for number, size in enumerate(sizes)]


def read(path: Path, position: int = 0) -> list[bytes]:
    return [record.data for record in read_log(path, position) if record.data]


@pytest.mark.parametrize("seed", range(6))
def test_records_come_back_from_every_position(tmp_path: Path, seed: int):
    records, path = made_records(seed), tmp_path / "run-a.wandb"
    path.write_bytes(framed(records))
    whole = list(read_log(path))
    assert [one.data for one in whole] == records
    for place, one in enumerate(whole):
        assert read(path, one.start) == records[place:]


@pytest.mark.parametrize("seed", range(6))
def test_a_log_that_grows_is_read_once(tmp_path: Path, seed: int):
    records, path, rng = made_records(seed), tmp_path / "run-a.wandb", random.Random(seed)
    data, found, position = framed(records), list[bytes](), 0
    for end in [*sorted(rng.randrange(len(data)) for _ in range(8)), len(data)]:
        path.write_bytes(data[:end])
        for record in read_log(path, position):
            assert record.is_tail == bool(record.problem)
            found += [record.data] if record.data else []
            position = record.end
    assert found == records


@pytest.mark.parametrize("seed", range(6))
def test_damage_costs_what_it_hit(tmp_path: Path, seed: int):
    records, path, rng = made_records(seed), tmp_path / "run-a.wandb", random.Random(seed)
    data = bytearray(framed(records))
    at = rng.randrange(len(MAGIC), len(data) - 200)
    data[at : at + 50] = bytes(255 - byte for byte in data[at : at + 50])
    path.write_bytes(data)
    found = read(path)
    assert set(found) <= set(records)
    assert len(records) - len(found) in (0, 1, 2)
    problems = [one.problem for one in read_log(path) if one.problem]
    assert problems or found == records
    assert all(str(path) in text for text in problems)


def _taken(*rows: Any) -> tuple[Rows, dict[str, list[tuple[int, float]]]]:
    protos = load_protos()
    taken = Rows(Path("run") / "files", protos.item)
    for row in rows:
        data = row.SerializeToString()
        content = content_of(data)
        assert content.kind == HISTORY
        taken.take(data, content, 5.0)
    return taken, {
        definition.name: list(zip(points.step.tolist(), points.value.tolist(), strict=True))
        for definition, points in taken.drain()
    }


def _row(step: int, **items: str) -> Any:
    record: Any = load_protos().record(b"")
    record.num = 1 << 20
    record.history.step.num = step
    for name, text in items.items():
        record.history.item.add(nested_key=[name], value_json=text)
    return record


def test_rows_of_all_versions_are_understood():
    old, typed = _row(-3), _row(1 << 40)
    old.history.item.add(key="plain", value_json="1.5")
    old.history.item.add(key="tree", value_json='{"a": 2, "b": {"c": true}, "d": [1]}')
    old.history.item.add(key="word", value_json='"NaN"')
    typed.history.item.add(key="number").number = 0.25
    typed.history.item.add(key="integer").integer = -(2**40)
    typed.history.item.add(key="boolean").boolean = True
    typed.history.item.add(key="text").text = "hi"
    typed.history.item.add(key="json").json = "[1, 2]"
    taken, found = _taken(old, typed)
    [(step, not_a_number)] = found.pop("word")
    assert (step, math.isnan(not_a_number)) == (-3, True)
    assert found == {
        "plain": [(-3, 1.5)],
        "tree.a": [(-3, 2)],
        "tree.b.c": [(-3, 1)],
        "number": [(1 << 40, 0.25)],
        "integer": [(1 << 40, -(2**40))],
        "boolean": [(1 << 40, 1)],
    }
    assert [(one.definition.name, one.encoded.data) for one in taken.records] == [
        ("tree.d", b"[1]"),
        ("text", b"hi"),
        ("json", b"[1, 2]"),
    ]


def test_a_name_that_was_met_may_have_other_values():
    long = "1" + "0" * 200
    rows = [_row(0, a="1"), _row(1, a='"word"'), _row(2, a="null"), _row(3, a=long), _row(4, a="-Infinity")]
    taken, found = _taken(*rows)
    assert found == {"a": [(0, 1), (3, 1e200), (4, -math.inf)]}
    assert [(one.step, one.encoded.data) for one in taken.records] == [(1, b"word")]


def test_steps_that_are_none_are_named():
    taken, found = _taken(_row(1, a="1"), _row(2, a="2", _step="1e300"), _row(3, a="3", _step="NaN"))
    assert found == {"a": [(1, 1), (1, 2), (1, 3)]}
    assert taken.problems == [
        "run: a row has the step 1e+300: it got that before.",
        "run: a row has the step nan: it got that before.",
    ]


def test_values_that_are_nested_too_deep_are_kept_as_texts():
    deep = "[" * 100_000
    taken, found = _taken(_row(1, a=deep))
    assert found == {}
    assert [one.encoded.data for one in taken.records] == [deep.encode()]


def test_notes_without_their_files_are_named():
    note = '{"_type": "image-file", "path": "media/none.png"}'
    elsewhere = '{"_type": "html-file", "path": "../../../etc/hostname"}'
    taken, found = _taken(
        _row(1, gone=note, out=elsewhere, odd='{"_type": "bokeh-file"}', part='{"_type": 1}')
    )
    assert found == {}
    assert len(taken.problems) == 4
    assert "run: gone: a image-file (media/none.png) cannot be read" in taken.problems[0]
    assert "does not lie in the run's folder" in taken.problems[1]
    assert taken.problems[2] == "run: odd: there is no place for what W&B calls 'bokeh-file'"


def test_what_was_printed_goes_on_where_it_was_left():
    printed = Printed()
    printed.pass_over("before\n")
    printed.take("one\ntw", 1.0)
    [first] = printed.drain(0)
    printed.take("o\n\x1b[31mred\x1b[0m 1%\r 2%\r", 2.0)
    printed.take(" 3%\nerr", 3.0)
    printed.take("or\n", 4.0, is_error=True)
    [second] = printed.drain(0)
    assert first.encoded.data == b"\x01one\n\x01tw"
    assert second.encoded.data == b"\x01o\n\x01 3%\n\x01err\x02or\n"
    assert first.encoded.meta == {"at": 7, "end": 13}
    assert second.encoded.meta["at"] == 13
    assert printed.drain(0) == []
