"""A device that runs what was queued on its streams when it is told to, and not before.

It takes the place of `torch` for tensors that are logged: what is recorded here is the order of work on each
stream, who waits for whom, and which memory was still in use when it was given back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np


class Stream:
    """Work in the order in which it was queued."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.work: deque[tuple[str, Callable[[], bool]]] = deque()

    def queue(self, what: str, work: Callable[[], object]) -> None:
        self.work.append((what, lambda: (work(), True)[1]))

    def wait_event(self, event: Event) -> None:
        self.work.append((f"wait {event.name}", lambda: event.passed))


class Event:
    """Passes when the stream has come to it."""

    def __init__(self, device: Device) -> None:
        self.device, self.passed, self.name = device, False, ""

    def record(self, stream: Stream) -> None:
        self.device.events += 1
        self.name = f"event {self.device.events}"

        def pass_it() -> None:
            self.passed = True

        stream.queue(self.name, pass_it)

    def query(self) -> bool:
        return self.passed

    def synchronize(self) -> None:
        # Only the writer's thread may: here it is that the device is told to work.
        self.device.run(until=lambda: self.passed)


class Place(NamedTuple):
    """What a tensor says it lies on."""

    type: str


class Tensor:
    """Numbers on the device, or on the host."""

    def __init__(self, device: Device, numbers: Any, *, host: bool = False) -> None:
        self.numbers = np.asarray(numbers, dtype=np.float64)
        self.on, self.host = device, host
        self.device = Place("cpu" if host else "cuda")
        self.is_cpu = host
        self.dtype, self.shape = self.numbers.dtype, self.numbers.shape
        self.used_by: list[Stream] = []

    def numel(self) -> int:
        return self.numbers.size

    def is_complex(self) -> bool:
        return False

    def is_floating_point(self) -> bool:
        return True

    def element_size(self) -> int:
        return 8

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        assert self.host, "a copy to the host by .cpu() waits for the device"
        return self

    def numpy(self) -> np.ndarray:
        return self.numbers

    def reshape(self, *shape: int) -> Tensor:
        return self._view(self.numbers.reshape(*shape))

    def __getitem__(self, place: slice) -> Tensor:
        return self._view(self.numbers[place])

    def __float__(self) -> float:
        assert self.host
        return float(self.numbers[0])

    def _view(self, numbers: np.ndarray) -> Tensor:
        view = Tensor(self.on, 0.0, host=self.host)
        view.numbers, view.shape = numbers, numbers.shape
        return view

    def clone(self) -> Tensor:
        made = Tensor(self.on, np.full(self.shape, np.nan))
        self.on.current.queue("clone", lambda: np.copyto(made.numbers, self.numbers))
        return made

    def copy_(self, other: Tensor, *, non_blocking: bool) -> None:
        assert non_blocking
        self.on.current.queue("copy", lambda: np.copyto(self.numbers, other.numbers))

    def fill_(self, number: float) -> None:
        """What a training loop does next: overwrite in place."""
        self.on.current.queue("fill", lambda: self.numbers.fill(number))

    def record_stream(self, stream: Stream) -> None:
        self.used_by.append(stream)


class Device:
    """Streams that run when they are told to."""

    def __init__(self) -> None:
        self.training = self.current = Stream("training")
        self.streams = [self.training]
        self.events = 0
        self.ran: list[str] = []
        self.capturing = False

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Work on all streams in turn, until something holds or nothing can go on."""
        going = True
        while going and not until():
            steps = [self._step(stream) for stream in self.streams]
            going = any(steps)

    def _step(self, stream: Stream) -> bool:
        if not stream.work or not stream.work[0][1]():
            return False
        self.ran.append(f"{stream.name}: {stream.work.popleft()[0]}")
        return True

    def make_stream(self, _device: object) -> Stream:
        self.streams.append(Stream(f"side {len(self.streams)}"))
        return self.streams[-1]

    @contextmanager
    def stream(self, stream: Stream) -> Generator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before

    def as_torch(self) -> Any:
        """Return what stands for the module torch."""
        module = SimpleNamespace(
            Stream=self.make_stream,
            Event=lambda: Event(self),
            stream=self.stream,
            current_stream=lambda _device: self.current,
            is_current_stream_capturing=lambda: self.capturing,
        )

        def empty(shape: Any, *, dtype: Any, pin_memory: bool) -> Tensor:
            assert pin_memory
            return Tensor(self, np.full(shape, np.nan, dtype), host=True)

        return SimpleNamespace(
            Tensor=Tensor, get_device_module=lambda _device: module, empty=empty, float64=np.float64
        )
