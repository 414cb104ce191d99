"""Stepscope records what happens inside a PyTorch or TensorFlow training run and shows it.

    run = stepscope.init(project="digits", config={"lr": 0.001})
    run.log({"loss": 0.3})
    run.finish()

Names are loaded when they are first used, so that the import stays cheap. `stepscope.run`, `.config` and
`.summary` are those of the run that is open at the moment, as `import stepscope as wandb` needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app.notebook import notebook as notebook
    from .storage.query import open as open
    from .trackers.public import *  # noqa: F403 - trackers/public.py lists the names
    from .trackers.public import Run
    from .trackers.tracked_dict import TrackedDict

    run: Run | None
    config: TrackedDict
    summary: TrackedDict

__version__ = "0.1.0"

_LIVE = ("config", "run", "summary")
_OTHERS = {"open": "storage.query", "notebook": "app.notebook"}


def __getattr__(name: str) -> Any:
    if name in _LIVE:
        return _load("trackers.surface.active").live(name)
    if name in _OTHERS:
        value = getattr(_load(_OTHERS[name]), name)
    elif name == "__all__":
        value = sorted([*_load("trackers.public").__all__, *_OTHERS])
    elif not name.startswith("_") and name in _load("trackers.public").__all__:
        value = getattr(_load("trackers.public"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__getattr__("__all__"), "__version__"])


def _load(module: str) -> Any:
    return import_module(f".{module}", __name__)
