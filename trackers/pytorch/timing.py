"""The part that records how fast the loop goes."""

from __future__ import annotations

from typing import Any, cast

from ..hooks.pace import rates
from .forward import ForwardWatch, batch_size
from .part import Part, Step, Watched
from .twin import Arguments


class Timing(Part):
    """Records `step_time` and `samples_per_second`, and tells other parts what the model was called with."""

    def __init__(self, watched: Watched) -> None:
        """Hook the model's forward."""
        self._model = watched.model
        self._watch = ForwardWatch()
        self._handles: list[Any] = [self._model.register_forward_pre_hook(self._watch, with_kwargs=True)]
        self._backwards: int | None = None

    def after_step(self, step: Step) -> None:
        """Add the step's times."""
        step.seconds, step.samples, step.called = self._watch.end_step()
        if step.called is not None and not step.samples:
            step.samples = self._compiled_samples(step.called)
        step.values.update(rates(step.seconds, step.samples))

    def reset(self) -> None:
        """Forget the step so far: its time was not the loop's."""
        self._watch.reset()

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _compiled_samples(self, called: Arguments) -> int:
        """Return the samples of a step from its last forward and the number of its backwards."""
        if self._backwards is None:  # the first compiled step; what it counts begins with the next
            self._backwards = 0
            parameter = next((p for p in self._model.parameters() if p.requires_grad), None)
            if parameter is not None:
                register: Any = cast("Any", parameter).register_post_accumulate_grad_hook
                self._handles.append(register(self._count_backward))
        backwards, self._backwards = self._backwards, 0
        return batch_size(*called) * max(1, backwards)

    def _count_backward(self, _parameter: Any) -> None:
        self._backwards = (self._backwards or 0) + 1
