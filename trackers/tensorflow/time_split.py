"""What a step of an eager loop is made of, from the times at which model and optimizer are called."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import functools
from time import perf_counter
from typing import Any

from ..keras.tap import own_call, set_call
from .tap import is_taped_eagerly


class TimeSplit:
    """The clock around a model's `call`, on the instance."""

    def __init__(self) -> None:
        """Begin without a model."""
        self._model: Any = None
        self._own: Any = None
        self._clocked: Any = None
        self._ended: float | None = None
        self._first: float | None = None
        self._last = self._forward = 0.0

    def clock(self, model: Any) -> None:
        """Wrap the `call` of a Keras model; what has none is not clocked."""
        call = getattr(model, "call", None)
        if call is None:
            return

        @functools.wraps(call)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            if not is_taped_eagerly():
                return call(*args, **kwargs)
            began = perf_counter()
            self._first = began if self._first is None else self._first
            result = call(*args, **kwargs)
            self._last = perf_counter()
            self._forward += self._last - began
            return result

        self._model, self._own, self._clocked = model, own_call(model), clocked
        set_call(model, clocked)

    def end_step(self, began: float, seconds: float) -> dict[str, float]:
        """Return the times of the step whose optimizer was called at `began` and took `seconds`."""
        times = {"optimizer_time": seconds}
        if self._first is not None:
            times["forward_time"] = self._forward
            times["backward_time"] = began - self._last
            if self._ended is not None:
                times["data_time"] = self._first - self._ended
        self._ended = perf_counter()
        self._first, self._forward = None, 0.0
        return times

    def pause(self) -> None:
        """Leave out the time from now to the next step."""
        self._ended = self._first = None
        self._forward = 0.0

    def close(self) -> None:
        """Give the model its own `call` back."""
        if self._model is not None and own_call(self._model) is self._clocked:
            set_call(self._model, self._own)
        self._model = None
