"""The part that records how fast the loop goes, and where its time goes."""

from __future__ import annotations

from typing import Any, cast

import torch

from ..hooks.pace import rates
from .clock import clock_of
from .forward import ForwardWatch, batch_size
from .part import Part, Step, Watched
from .twin import Arguments

_UNSEEN_STEPS = 3


class Timing(Part):
    """Records `step_time`, what it is made of, and `samples_per_second`; tells what the model was given."""

    doing = "timing a step"

    def __init__(self, watched: Watched) -> None:
        """Hook the model's forward."""
        self._watched = watched
        self._model = watched.model
        device = next((p.device for p in self._model.parameters()), torch.device("cpu"))
        self.clock = self._clock = clock_of(device)
        self._watch = ForwardWatch(self._clock)
        called = watched.called
        self._handles: list[Any] = [
            called.register_forward_pre_hook(self._watch, with_kwargs=True),
            called.register_forward_hook(self._watch.end),
        ]
        self._backwards: int | None = None
        self._unseen = 0
        self._began: Any = None

    def begin_update(self) -> None:
        """Note that the optimizer begins to change the weights: the last moment before it."""
        self._began = self._clock.mark()

    def before_step(self, step: Step) -> None:
        """Note that the gradients are there."""
        self._watch.end_gradients()
        step.called = self._watch.called

    def after_step(self, step: Step) -> None:
        """Add the step's times."""
        watch, clock, values = self._watch, self._clock, step.values
        if self._began is not None:
            values["optimizer_time"] = clock.seconds([(self._began, clock.mark())])
        if watch.forward and (watch.forwards == 1 or self._backwards is not None):
            if watch.data:
                values["data_time"] = clock.seconds(watch.data)
            values["forward_time"] = clock.seconds(watch.forward)
            if watch.backward:
                values["backward_time"] = clock.seconds(watch.backward)
        several = watch.forwards > 1
        step.seconds, step.samples, step.called = watch.end_step()
        if step.called is None:
            self._say_unseen()
        elif several or not step.samples:
            self._count_backwards(step)
        values.update(rates(step.seconds, step.samples))
        self._watched.cost.spend(watch.take_spent())

    def reset(self) -> None:
        """Forget the step so far: its time was not the loop's."""
        self._watch.reset()

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _count_backwards(self, step: Step) -> None:
        """See from the next step on when each backward is through, for steps of several batches."""
        if self._backwards is None:
            self._backwards = 0
            parameter = next((p for p in self._model.parameters() if p.requires_grad), None)
            if parameter is not None:
                register: Any = cast("Any", parameter).register_post_accumulate_grad_hook
                self._handles.append(register(self._end_backward))
        backwards, self._backwards = self._backwards, 0
        if not step.samples:  # the model was called in compiled code, which counts nothing
            called: Arguments = cast("Arguments", step.called)
            step.samples = batch_size(*called) * max(1, backwards)

    def _end_backward(self, _parameter: Any) -> None:
        self._backwards = (self._backwards or 0) + 1
        self._watch.end_backward()

    def _say_unseen(self) -> None:
        self._unseen += 1
        if self._unseen == _UNSEEN_STEPS:
            self._watched.run.guard.say(
                "torch-forward-unseen",
                "TorchTracker sees no call of the model in train mode, so samples_per_second, data_time, "
                "forward_time, backward_time and the graph are missing. It was compiled and called before "
                "the tracker was made (make the tracker first, or give it what torch.compile returned), or only "
                "parts of it are called (watch those), or it trains in eval mode.",
            )
