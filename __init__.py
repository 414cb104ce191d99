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
    from .trackers.public import *  # noqa: F403 - trackers/public.py lists the names
    from .trackers.public import Run
    from .trackers.public import __all__ as __all__
    from .trackers.tracked_dict import TrackedDict

    run: Run | None
    config: TrackedDict
    summary: TrackedDict

__version__ = "0.1.0"

_LIVE = ("config", "run", "summary")


def __getattr__(name: str) -> Any:
    if name in _LIVE:
        return import_module(".trackers.surface.active", __name__).live(name)
    if name == "__all__" or not name.startswith("_"):
        public = import_module(".trackers.public", __name__)
        if name == "__all__" or name in public.__all__:
            value = globals()[name] = getattr(public, name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*import_module(".trackers.public", __name__).__all__, "__version__"])
