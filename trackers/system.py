"""What the machine does while a run trains: processor, memory and NVIDIA GPUs, sampled by a thread.

Names: `system/cpu_percent` (of all cores together, 0 to 100), `system/memory_used_gb`,
`system/process_memory_gb` (this process), `system/disk_read_mb_per_second`, `disk_written_mb_per_second`,
`network_received_mb_per_second` and `network_sent_mb_per_second` (of the whole machine, since the reading
before), and for each GPU `system/gpu0/utilization_percent`, `memory_used_gb`, `temperature_c` and `power_w`.
A GB is 10^9 bytes, an MB 10^6.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil

_log = logging.getLogger("stepscope")

Reading = dict[str, float]
Source = Callable[[], Reading]


class SystemSampler:
    """Calls `log` with fresh readings every `interval` seconds, on a daemon thread of its own.

    The first readings come one interval after `start`, so that a run of a second has none. A source that
    raises is left out from then on: a machine without GPU is silent.
    """

    def __init__(
        self,
        log: Callable[[Reading], None],
        interval: float = 5.0,
        sources: Iterable[Callable[[], Source]] | None = None,
    ) -> None:
        """Sample `sources`, functions that make a reading function; by default all of this file."""
        self._log = log
        self._interval = interval
        self._makers = list(sources) if sources is not None else [host_source, traffic_source, gpu_source]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stepscope-system", daemon=True)

    def start(self) -> None:
        """Begin to sample. Call it once."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop sampling. Nothing is logged afterwards, unless a driver call takes over `timeout` seconds."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        # Made here, not in start(): loading the GPU driver may take a second.
        sources = [source for maker in self._makers if (source := _try(maker)) is not None]
        while not self._stopped.wait(self._interval):
            reading: Reading = {}
            for source in list(sources):
                found = _try(source)
                if found is None:
                    sources.remove(source)
                else:
                    reading |= found
            if reading and not self._stopped.is_set():
                self._log(reading)


def host_source() -> Source:
    """Return a function that reads the processor and the memory."""
    process = psutil.Process()
    psutil.cpu_percent()  # percentages are since the last call, so the first one is empty

    def read() -> Reading:
        return {
            "system/cpu_percent": psutil.cpu_percent(),
            "system/memory_used_gb": _gb(psutil.virtual_memory().total - psutil.virtual_memory().available),
            "system/process_memory_gb": _gb(process.memory_info().rss),
        }

    return read


def traffic_source() -> Source:
    """Return a function that reads how fast disks and network move data.

    What the machine does not count (disks in many containers) is left out.
    """
    before, then = _moved(), time.monotonic()

    def read() -> Reading:
        nonlocal before, then
        now, moved = time.monotonic(), _moved()
        rates = {name: (moved[name] - before[name]) / (now - then) / 1e6 for name in moved.keys() & before}
        before, then = moved, now
        # A counter that was set back says nothing.
        return {name: rate for name, rate in rates.items() if rate >= 0}

    return read


def _moved() -> dict[str, float]:
    """Return how many bytes disks and network have moved since the machine began."""
    found: dict[str, float] = {}
    if disk := _try(psutil.disk_io_counters):
        found["system/disk_read_mb_per_second"] = disk.read_bytes
        found["system/disk_written_mb_per_second"] = disk.write_bytes
    if network := _try(psutil.net_io_counters):
        found["system/network_received_mb_per_second"] = network.bytes_recv
        found["system/network_sent_mb_per_second"] = network.bytes_sent
    return found


def gpu_source() -> Source:
    """Return a function that reads every NVIDIA GPU that this machine has.

    Raises:
        Exception: whatever says that there is none: no nvidia-ml-py, no driver, no device.
    """
    nvml, devices = _nvml()
    readers: dict[str, Callable[[Any], float]] = {
        "utilization_percent": lambda device: nvml.nvmlDeviceGetUtilizationRates(device).gpu,
        "memory_used_gb": lambda device: _gb(nvml.nvmlDeviceGetMemoryInfo(device).used),
        "temperature_c": lambda device: nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),
        "power_w": lambda device: nvml.nvmlDeviceGetPowerUsage(device) / 1000,
    }
    # What a device cannot tell (power on many laptops, use under MIG) is left out for it alone.
    able = [
        (f"system/gpu{i}/{name}", reader, device)
        for i, device in enumerate(devices)
        for name, reader in readers.items()
        if _try(lambda reader=reader, device=device: reader(device)) is not None
    ]
    return lambda: {name: float(reader(device)) for name, reader, device in able}


def gpu_names() -> list[str]:
    """Return the names of the NVIDIA GPUs, [] when there are none or they cannot be asked."""

    def ask() -> list[str]:
        nvml, devices = _nvml()
        return [str(nvml.nvmlDeviceGetName(device)) for device in devices]

    return _try(ask) or []


def _nvml() -> tuple[Any, list[Any]]:
    nvml: Any = importlib.import_module("pynvml")  # of the extra `gpu`; without types
    nvml.nvmlInit()
    return nvml, [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]


def _try(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:  # drivers raise errors of their own kinds
        _log.debug("system: %s", error)
        return None


def _gb(size: float) -> float:
    return size / 1e9
