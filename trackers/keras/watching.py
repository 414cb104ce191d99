"""A KerasTracker that needs no place in `callbacks`: the model's own `fit` takes it along."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from ..run import Run
from .tracker import KerasTracker

_keras: Any = keras  # its types say little


def watch_fit(run: Run, model: Any, **options: Any) -> Callable[[], None]:
    """Make `model.fit` train with a KerasTracker; return what undoes it.

    Args:
        run: from stepscope.init.
        model: a Keras model; only this instance is changed.
        options: for KerasTracker.
    """
    tracker, fit = KerasTracker(run, **options), model.fit
    parameters = inspect.signature(fit)

    @functools.wraps(fit)
    def watched_fit(*args: Any, **kwargs: Any) -> Any:
        called = parameters.bind(*args, **kwargs)
        given: Any = called.arguments.get("callbacks")
        is_list = isinstance(given, _keras.callbacks.CallbackList)
        if is_list:
            given.append(tracker)
        else:
            called.arguments["callbacks"] = [*(given or ()), tracker]
        return fit(*called.args, **called.kwargs)

    def unwatch() -> None:
        if model.fit is watched_fit:
            del model.fit
        tracker.close()

    model.fit = watched_fit
    # A model that is watched in a run that ended is trained by its own fit again.
    run.on_finish(unwatch)
    return unwatch
