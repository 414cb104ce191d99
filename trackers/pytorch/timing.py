"""The part that records how fast the loop goes, and where its time goes."""

from __future__ import annotations

from typing import Any, cast

import torch

from ..hooks.samples import samples_of
from .clock import Span, clock_of
from .forward import ForwardWatch, batch_size
from .part import Part, Step, Watched

_UNSEEN_STEPS = 3


class Timing(Part):
    """Records `step_time`, what it is made of, samples and their speed; tells what the model was given."""

    doing = "timing a step"

    def __init__(self, watched: Watched) -> None:
        """Hook the model's forward."""
        self._watched = watched
        self._model = watched.model
        device = next((p.device for p in self._model.parameters()), torch.device("cpu"))
        self.clock = clock_of(device)
        clock: Any = self.clock
        self._mark = clock.mark
        self._watch = ForwardWatch(self.clock)
        self._samples = samples_of(watched.run, watched.out)
        called = watched.called
        self._handles: list[Any] = [
            called.register_forward_pre_hook(self._watch, with_kwargs=True),
            called.register_forward_hook(self._watch.end),
        ]
        self._backwards: int | None = None
        """How many batches of this step have their gradients; None before a step of several was seen."""
        self._unseen = 0
        self._last = 0
        self._gradients_at: Any = None
        self._update_began: Any = None

    def before_step(self, step: Step) -> None:
        """Note that the gradients are there."""
        self._gradients_at = self._mark()
        self._update_began = None
        step.called = self._watch.called

    def begin_update(self) -> None:
        """Note that the optimizer begins to change the weights: the last moment before it."""
        self._update_began = self._mark()

    def after_step(self, step: Step) -> None:
        """Add the step's times; called before all other parts."""
        watch, values, now = self._watch, step.values, self._mark()
        if self._update_began is not None:
            values["optimizer_time"] = now - self._update_began
        if watch.earlier:
            self._add_batches(values)
        elif watch.ended is not None:
            if watch.step_ended is not None:
                values["data_time"] = watch.begun - watch.step_ended
            values["forward_time"] = watch.ended - watch.begun
            if self._update_began is not None:
                values["backward_time"] = self._gradients_at - watch.ended
        step.called, samples = watch.called, watch.samples
        # What is guessed below, of compiled code, is no part of a total.
        self._samples.add(samples)
        values.update(self._samples.at(step.number))
        self._last = step.number
        if step.called is None:
            self._say_unseen()
        elif watch.earlier or not samples:
            samples = self._count_backwards(step.called, samples)
        step.seconds = seconds = watch.end_step(now, step.now)
        if seconds:
            values["step_time"] = seconds
            if samples:
                values["samples_per_second"] = samples / seconds
        self._watched.cost.now += watch.spent
        watch.spent = 0.0

    def reset(self) -> None:
        """Forget the step so far: its time was not the loop's."""
        self._watch.reset()

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()
        self._samples.end(self._watched.run, self._last)

    def _add_batches(self, values: dict[str, Any]) -> None:
        """Add the times of a step of several batches.

        When the gradients of each were ready is seen from the second such step on. What lies between two
        forwards without a backward is left out.
        """
        watch = self._watch
        batches = [*watch.earlier, (watch.begun, watch.ended, self._gradients_at)]
        if any(ended is None for _, ended, _ in batches):
            return
        values["forward_time"] = self.clock.seconds([(begun, ended) for begun, ended, _ in batches])
        if self._backwards is None:
            return
        passes: list[Span] = [(ended, ready) for _, ended, ready in batches if ready is not None]
        values["backward_time"] = self.clock.seconds(passes)
        ready_before = [watch.step_ended, *(ready for _, _, ready in watch.earlier)]
        gaps = zip(ready_before, batches, strict=True)
        waits: list[Span] = [(ready, begun) for ready, (begun, _, _) in gaps if ready is not None]
        if waits:
            values["data_time"] = self.clock.seconds(waits)

    def _count_backwards(self, called: Any, samples: int) -> int:
        """See from the next step on when each backward is through; return the samples of this one."""
        if self._backwards is None:
            parameter = next((p for p in self._model.parameters() if p.requires_grad), None)
            if parameter is not None:
                register: Any = cast("Any", parameter).register_post_accumulate_grad_hook
                self._handles.append(register(self._end_backward))
        backwards, self._backwards = self._backwards or 0, 0
        # A model that is called in compiled code counts nothing.
        return samples or batch_size(*called) * max(1, backwards)

    def _end_backward(self, _parameter: Any) -> None:
        self._backwards = (self._backwards or 0) + 1
        if self._watch.ended is not None:
            self._watch.backward_ended = self._mark()

    def _say_unseen(self) -> None:
        self._unseen += 1
        if self._unseen == _UNSEEN_STEPS:
            self._watched.run.guard.say(
                "torch-forward-unseen",
                "TorchTracker sees no call of the model in train mode, so samples_per_second, data_time, "
                "forward_time, backward_time and the graph are missing. It was compiled and called before "
                "the tracker was made (make that first, or give it what torch.compile returned), or only "
                "parts of it are called (watch those), or it trains in eval mode.",
            )
