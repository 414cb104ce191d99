"""What the machine is, and what processes on it use."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

SETTLE = "BENCH_SETTLE_SECONDS"
"""The environment variable by which bench.py tells its trials."""


def describe(folder: Path) -> str:
    """Return the machine in words: nothing that tells where it stands or whose it is."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return (
        f"{os.cpu_count()} cores of {_processor()}, {memory} GiB, {_system()}, {_file_system(folder)}, "
        f"Python {platform.python_version()}"
    )


def tree_seconds() -> float:
    """Return the processor seconds of this process and of all it started, those that ended included."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    used = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        used += times.user + times.system
    return used


def anonymous_mib() -> float:
    """Return the memory that belongs to this process alone and to no file, MiB."""
    rollup = Path("/proc/self/smaps_rollup")
    if rollup.exists():
        lines = dict(line.split(":", 1) for line in rollup.read_text().splitlines()[1:])
        return int(lines["Anonymous"].split()[0]) / 1024
    return psutil.Process().memory_full_info().uss / 2**20


def mapped_mib(part: str) -> float:
    """Return the size of the mapped files whose path has a part, MiB; 0 where there is no /proc."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return 0.0
    total = 0
    for line in maps.read_text().splitlines():
        if part in line:
            first, last = line.split(maxsplit=1)[0].split("-")
            total += int(last, 16) - int(first, 16)
    return total / 2**20


@contextmanager
def one_core(wanted: bool) -> Generator[None]:
    """Keep all threads of this process on one core; those of other processes stay free."""
    if not wanted or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    _pin({min(before)})
    try:
        yield
    finally:
        _pin(before)


def settle() -> None:
    """Let what an opening leaves in the background end, such as looking for git."""
    time.sleep(float(os.environ[SETTLE]))


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _pin(cores: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # a thread may end meanwhile
            os.sched_setaffinity(int(thread), cores)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        name = platform.platform(terse=True)
    return name


def _file_system(folder: Path) -> str:
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown file system"
