"""Values on a device, killed: those that were copied are there once and in order, the others are counted."""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import time

import numpy as np
import pytest

import stepscope
from feed import series_of
from killed import KILLS, end_if_there, kill_after, random_moments, recover_all
from stepscope.storage.read import Reader
from stepscope.trackers import device
from support import forked, wait_until

ROUNDS = max(3, KILLS // 10)

pytestmark = [pytest.mark.crash, pytest.mark.timeout(60 + 3 * KILLS)]


class OnDevice:
    """Stands for a tensor of TensorFlow on an accelerator."""

    __module__ = "tensorflow.python"
    device = "/device:GPU:0"

    def __init__(self, value: float) -> None:
        self.value = value

    def numpy(self) -> np.ndarray:
        return np.array(self.value)


def train(store: str, told: mmap.mmap) -> None:
    """Log values of a device that takes its time, telling how many calls have returned."""
    # The writer looks twice a second for those that are ready.
    rng = random.Random(os.getpid())
    setattr(device, "always", lambda: rng.random() < 0.95)  # noqa: B010
    run = stepscope.init(store=store)
    told[:10] = run.id.encode()
    for step in range(3000):
        run.log({"loss": OnDevice(step / 3)}, step=step)
        struct.pack_into("<Q", told, 16, step + 1)
        if step % 50 == 49:
            time.sleep(0.01)
    signal.pause()


def test_killed_with_values_on_a_device(store_url: str) -> None:
    rng = random_moments("device")
    lost: list[int] = []
    for _ in range(ROUNDS):
        told = mmap.mmap(-1, 4096)
        child = forked(lambda told=told: train(store_url, told))
        try:
            wait_until(lambda told=told: struct.unpack_from("<Q", told, 16)[0], what="a first call")
            assert kill_after(child, rng.random() * 1.5)
        finally:
            end_if_there(child)
        (returned,) = struct.unpack_from("<Q", told, 16)
        lost.append(check(store_url, told[:10].decode(), returned))
    assert any(lost), "no kill came in time"


def check(store: str, run_id: str, returned: int) -> int:
    """Assert that each value is there or counted; return how many are not there."""
    recover_all(store)
    with Reader.open(store) as reader:
        there = 0
        if reader.series(run_id, name="loss"):
            points = reader.points(series_of(reader, run_id, "loss"))
            there = len(points)
            np.testing.assert_array_equal(points.step, np.arange(there))
            np.testing.assert_array_equal(points.last, np.arange(there) / 3)
        dropped = dict(reader.run(run_id).dropped)
        lost = dropped.pop("still on a device when the process ended", 0)
        assert dropped == {}
        # The call under way at the end may be counted or not, and so may the value that was being copied.
        assert returned <= there + lost <= returned + 2, f"{returned} returned: {there} there, {lost} lost"
        return lost


def test_what_ends_well_has_nothing_left_on_a_device(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        for step in range(100):
            run.log({"loss": OnDevice(step / 3)}, step=step)
    with Reader.open(store_url) as reader:
        assert series_of(reader, run.id, "loss").count == 100
        assert reader.run(run.id).dropped == {}
