"""Tensors on a device: nobody waits, and what is stored is the value of the moment it was logged."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from device_queue import Device, Tensor
from stepscope.storage.kinds import histogram
from stepscope.storage.kinds.base import RawValue
from stepscope.storage.read import Reader
from stepscope.trackers import device as stepscope_device
from stepscope.trackers import device_bins, device_torch
from stepscope.trackers.device import MOST_PENDING, PendingValues
from stored import Stored
from support import wait_until


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device()
    monkeypatch.setitem(sys.modules, "torch", made.as_torch())
    monkeypatch.setattr(device_torch, "_pinned", device_torch._Pinned())
    monkeypatch.setattr(device_torch, "_streams", {})
    return made


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


def test_a_loss_is_that_of_its_moment_and_nobody_waits(device: Device, run: Any) -> None:
    loss = Tensor(device, 1.0)
    for step in range(3):
        loss.fill_(step / 4)
        run.log({"loss": loss}, step=step)
    loss.fill_(99.0)
    assert device.ran == []
    assert [what for what, _ in device.training.work] == [
        "fill", "copy", "event 1", "fill", "copy", "event 2", "fill", "copy", "event 3", "fill",
    ]  # fmt: skip
    device.run()
    assert Stored(run).scalar("loss") == {0: 0.0, 1: 0.25, 2: 0.5}
    # A number travels by itself, with no second stream.
    assert device.streams == [device.training]


def test_the_writer_takes_only_what_has_passed(device: Device) -> None:
    pending = PendingValues()
    snapshots = [device_torch.snapshot_torch(Tensor(device, [2.5]), histogram=False) for _ in range(2)]
    for made in snapshots:
        pending.put(_pending(made))
    assert pending.take_ready() == []
    device.run(until=snapshots[0].ready)
    (taken,) = pending.take_ready()
    assert taken.snapshot.read() == 2.5
    assert len(pending) == 1


def _pending(snapshot: Any) -> Any:
    from stepscope.trackers.device import PendingValue

    return PendingValue("loss", {}, 0, 0.0, snapshot)


def test_an_array_is_brought_on_a_stream_that_waits_for_its_event(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    binned: list[Tensor] = []

    def count(values: Tensor) -> Tensor:
        made = Tensor(device, np.zeros(3))
        binned.append(values)
        device.current.queue("bin", lambda: np.copyto(made.numbers, values.numbers[:3]))
        return made

    monkeypatch.setattr(device_torch, "count_on_device", count)
    monkeypatch.setattr(device_torch, "payload_of", lambda found: found.tolist())
    weights = Tensor(device, np.full(5000, 7.0))
    later = device_torch.snapshot_torch(weights, histogram=True)
    weights.fill_(0.0)
    # As when somebody flushes: before the event has passed.
    assert not later.ready()
    assert later.read() == [7.0, 7.0, 7.0]
    _, side = device.streams
    order = device.ran
    assert [what for what in order if what.startswith("side")] == [
        "side 1: wait event 1", "side 1: bin", "side 1: copy", "side 1: event 2",
    ]  # fmt: skip
    assert order.index("training: event 1") < order.index("side 1: wait event 1")
    assert binned[0].used_by == [side]
    assert binned[0] is not weights


def test_few_numbers_travel_as_they_are(device: Device, run: Any) -> None:
    bias = Tensor(device, [1.0, 2.0, 4.0])
    run.log({"bias": stepscope.Histogram(bias), "one": stepscope.Histogram(Tensor(device, [3.0]))}, step=1)
    bias.fill_(0.0)
    stored = Stored(run)
    assert stored.records("histogram", "bias")[1].mean == pytest.approx(7 / 3)
    assert stored.records("histogram", "one")[1].count == 1


def test_what_is_logged_under_capture_is_skipped_and_counted(device: Device, run: Any) -> None:
    device.capturing = True
    run.log({"loss": Tensor(device, 1.0), "lr": 0.1}, step=0)
    assert not device.training.work
    device.capturing = False
    run.log({"loss": Tensor(device, 2.0)}, step=1)
    stored = Stored(run)
    assert stored.scalar("loss") == {1: 2.0}
    assert stored.scalar("lr") == {0: 0.1}
    with Reader.open() as reader:
        assert dict(reader.run(run.id).dropped) == {"logged while a CUDA graph was captured": 1}


def test_pinned_places_are_used_again(device: Device) -> None:
    for _ in range(3 * MOST_PENDING):
        later = device_torch.snapshot_torch(Tensor(device, [1.0]), histogram=False)
        assert later.read() == 1.0
    del later
    held = [
        device_torch.snapshot_torch(Tensor(device, [2.0]), histogram=False) for _ in range(MOST_PENDING + 3)
    ]
    # More than there are places for: those are cloned, as arrays are.
    assert [one.read() for one in held[:MOST_PENDING]] == [2.0] * MOST_PENDING
    assert [one.read().numbers.tolist() for one in held[MOST_PENDING:]] == [[2.0]] * 3


def test_a_tensor_on_the_cpu_is_copied_at_once(run: Any) -> None:
    import torch

    loss, weights = torch.tensor(1.0), torch.ones(3)
    run.log({"loss": loss, "weights": weights}, step=0)
    loss.fill_(5.0)
    weights.fill_(5.0)
    stored = Stored(run)
    assert stored.scalar("loss") == {0: 1.0}
    assert stored.records("histogram", "weights")[0].mean == 1.0


def test_values_arrive_in_the_order_in_which_they_were_logged(device: Device, run: Any) -> None:
    loss = Tensor(device, 0.0)
    for step in range(4):
        run.log({"loss": loss}, step=step)
        loss.fill_(step + 1.0)  # in place, as an optimizer would
    run.log({"host": 1.0}, step=4)
    with Reader.open() as reader:
        wait_until(lambda: reader.series(run.id, name="host"), what="the value of the host")
        assert not reader.series(run.id, name="loss"), "a value was read before its turn"
        device.run(until=lambda: device.ran[-1:] == ["training: event 3"])
        wait_until(lambda: reader.series(run.id, name="loss"), what="the values of the device")
    assert Stored(run).scalar("loss") == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}


def test_finish_waits_for_what_is_on_its_way(device: Device, run: Any) -> None:
    run.log({"weights": Tensor(device, [1.0, 2.0, 5.0])}, step=7)
    run.finish()
    assert Stored(run).records("histogram", "weights")[7].mean == 8 / 3


def test_too_many_device_values_are_counted(
    device: Device, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepscope_device, "MOST_PENDING", 5)
    for _ in range(8):
        run.log({"loss": Tensor(device, 0.5)})
    run.finish()
    assert list(Stored(run).scalar("loss")) == [0, 1, 2, 3, 4]
    with Reader.open() as reader:
        dropped = reader.run(run.id).dropped
    assert dropped == {"too many device values were waiting to be copied": 3}


@pytest.mark.parametrize("strict", ["0", "1"])
def test_a_device_value_that_cannot_be_read_costs_only_itself(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    monkeypatch.setenv("STEPSCOPE_STRICT", strict)
    run = stepscope.init()
    run.log({"loss": Tensor(device, 0.5)})
    monkeypatch.setattr(Tensor, "numpy", _broken)  # a number is read without it
    run.log({"loss": Tensor(device, [1.0, 2.0])})
    run.log({"loss": Tensor(device, 1.5)})
    run.finish()
    assert Stored(run).scalar("loss") == {0: 0.5, 2: 1.5}
    with Reader.open() as reader:
        assert sum(reader.run(run.id).dropped.values()) == 1


def _broken(_: Tensor) -> None:
    raise RuntimeError("the device is gone")


CASES = {
    "normal": lambda rng: rng.normal(size=20_000).astype(np.float32),
    "wide": lambda rng: np.exp(rng.normal(size=20_000) * 15).astype(np.float32) * rng.choice([-1, 1], 20_000),
    "float64": lambda rng: rng.normal(size=(40, 500)) * 10.0 ** rng.integers(-300, 300, (40, 500)),
    "huge": lambda rng: rng.choice([1e308, -1e308, 1.0], 10_000),
    "half": lambda rng: rng.normal(size=9000).astype(np.float16),
    "whole": lambda rng: rng.integers(-1000, 1000, 10_000),
    "bools": lambda rng: rng.integers(0, 2, 10_000).astype(bool),
    "powers": lambda _: np.exp2(np.arange(-140, 127, dtype=np.float32)),
    "zeros": lambda _: np.zeros(5000, np.float32),
    "tiny": lambda rng: rng.normal(size=5000) * 5e-324,
    "odd": lambda rng: rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.5, -2.5], 9000).astype(np.float32),
    "none": lambda _: np.full(5000, np.nan, np.float32),
    "equal": lambda _: np.full(5000, -0.1),
}


@pytest.mark.parametrize("case", CASES)
def test_bins_on_the_device_are_those_of_the_store(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(device_bins, "_BLOCK", 4096)
    values = CASES[case](np.random.default_rng(3))
    counted = device_bins.count_on_device(torch.from_numpy(values))
    assert counted.numel() < 5000 or values.dtype == np.float64
    payload = device_bins.payload_of(counted.numpy())
    assert isinstance(payload.data, np.ndarray)
    found = histogram.encode(RawValue(payload.meta(), payload.data.tobytes()))
    wanted = histogram.encode(RawValue({"dtype": values.dtype.str, "shape": values.shape}, values.tobytes()))
    assert found.data == wanted.data
    assert found.meta == pytest.approx(wanted.meta, rel=1e-9, abs=1e-320)
    assert histogram.decode(found.meta, found.data).count == wanted.meta["count"]


def test_a_brain_float_is_binned() -> None:
    import torch

    values = torch.randn(6000, generator=torch.Generator().manual_seed(1)).bfloat16()
    payload = device_bins.payload_of(device_bins.count_on_device(values).numpy())
    exact = values.float().numpy()
    wanted = histogram.encode(RawValue({"dtype": "<f4", "shape": exact.shape}, exact.tobytes()))
    assert isinstance(payload.data, np.ndarray)
    assert histogram.encode(RawValue(payload.meta(), payload.data.tobytes())).data == wanted.data
