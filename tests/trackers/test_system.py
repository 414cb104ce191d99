"""The sampler reads the real machine, leaves out what fails, and stops."""

from __future__ import annotations

import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import psutil

from stepscope.trackers import system
from stepscope.trackers.system import Reading, SystemSampler

if TYPE_CHECKING:
    import pytest


class Heard:
    """Collects readings, and lets a test wait for a number of them."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self._news = threading.Condition()

    def __call__(self, reading: Reading) -> None:
        with self._news:
            self.readings.append(reading)
            self._news.notify_all()

    def wait_for(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.readings) >= count, timeout=10)


def test_processor_and_memory_are_read() -> None:
    heard = Heard()
    sampler = SystemSampler(heard, interval=0.02)
    sampler.start()
    heard.wait_for(3)
    sampler.stop()
    reading = heard.readings[-1]
    assert 0 <= reading["system/cpu_percent"] <= 100
    assert reading["system/memory_used_gb"] < psutil.virtual_memory().total / 1e9
    # Of this process alone: pages that it shares with others count here, but not as used memory.
    assert 0.01 < reading["system/process_memory_gb"] < psutil.virtual_memory().total / 1e9


def test_disk_and_network_are_rates_since_the_reading_before(monkeypatch: pytest.MonkeyPatch) -> None:
    network = [types.SimpleNamespace(bytes_recv=amount, bytes_sent=5) for amount in (0, 3_000_000, 1_000_000)]
    monkeypatch.setattr(psutil, "net_io_counters", lambda: network.pop(0))
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: None)  # what a container may say
    now = iter([10.0, 12.0, 13.0])
    monkeypatch.setattr(system.time, "monotonic", lambda: next(now))
    read = system.traffic_source()
    assert read() == {"system/network_received_mb_per_second": 1.5, "system/network_sent_mb_per_second": 0.0}
    assert read() == {"system/network_sent_mb_per_second": 0.0}


def test_nothing_comes_after_stop() -> None:
    heard = Heard()
    sampler = SystemSampler(heard, interval=0.005)
    sampler.start()
    heard.wait_for(1)
    sampler.stop()
    count = len(heard.readings)
    assert not any(thread.name == "stepscope-system" for thread in threading.enumerate())
    assert len(heard.readings) == count


def test_a_source_that_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    asked = 0

    def breaks() -> Reading:
        nonlocal asked
        asked += 1
        raise OSError("driver gone")

    def none_here() -> Any:
        raise ImportError("no such device")

    heard = Heard()
    sampler = SystemSampler(heard, 0.005, [lambda: breaks, none_here, lambda: lambda: {"system/x": 1.0}])
    sampler.start()
    heard.wait_for(3)
    sampler.stop()
    assert asked == 1
    assert heard.readings[0] == {"system/x": 1.0}
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_stop_without_start_and_from_within() -> None:
    SystemSampler(Heard()).stop()
    done = threading.Event()

    def stop_now(_reading: Reading) -> None:
        sampler.stop()
        done.set()

    sampler = SystemSampler(stop_now, 0.005, [lambda: lambda: {"system/x": 1.0}])
    sampler.start()
    assert done.wait(10)


def fake_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two devices, of which the second cannot tell its power: there is no GPU where tests run."""

    def power(device: int) -> int:
        if device == 1:
            raise RuntimeError("not supported")
        return 250_500

    module = types.ModuleType("pynvml")
    vars(module).update(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda i: i,
        nvmlDeviceGetName=lambda i: f"NVIDIA Test {i}",
        nvmlDeviceGetUtilizationRates=lambda _: types.SimpleNamespace(gpu=40, memory=10),
        nvmlDeviceGetMemoryInfo=lambda _: types.SimpleNamespace(used=2_500_000_000),
        nvmlDeviceGetTemperature=lambda *_: 61,
        nvmlDeviceGetPowerUsage=power,
        NVML_TEMPERATURE_GPU=0,
    )
    monkeypatch.setitem(sys.modules, "pynvml", module)


def test_gpus_are_read_in_watts_and_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml(monkeypatch)
    reading = system.gpu_source()()
    assert reading == {
        "system/gpu0/utilization_percent": 40.0,
        "system/gpu0/memory_used_gb": 2.5,
        "system/gpu0/temperature_c": 61.0,
        "system/gpu0/power_w": 250.5,
        "system/gpu1/utilization_percent": 40.0,
        "system/gpu1/memory_used_gb": 2.5,
        "system/gpu1/temperature_c": 61.0,
    }
    assert system.gpu_names() == ["NVIDIA Test 0", "NVIDIA Test 1"]


def test_no_gpu_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert system.gpu_names() == []
