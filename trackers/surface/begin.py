"""`stepscope.init` as it is called: trackers/init.py, with what scripts for wandb pass as well."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...storage.errors import BadInput
from ...storage.location import STORE_VARIABLE, StoreArgument
from ..guard import Guard
from ..init import init as begin_run
from ..run import Run
from ..settings import is_strict
from ..tracked_dict import as_config
from .active import active_run, enter
from .disabled import disabled_run
from .resuming import choose
from .watching import watch_model

_MEANINGLESS = frozenset(
    {
        "allow_val_change",
        "anonymous",
        "entity",
        "force",
        "fork_from",
        "magic",
        "monitor_gym",
        "resume_from",
        "save_code",
        "sync_tensorboard",
        "tensorboard",
    }
)
_MODES = (None, "online", "offline", "shared", "disabled")


def init(
    project: str | None = None,
    name: str | None = None,
    *,
    group: str | None = None,
    tags: Iterable[str] | None = None,
    notes: str | None = None,
    config: Any = None,
    store: StoreArgument = None,
    resume: str | bool | None = None,
    console: bool | None = None,
    mirror: str | None = None,
    id: str | None = None,
    job_type: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    mode: str | None = None,
    reinit: bool | str | None = None,
    config_include_keys: Iterable[str] | None = None,
    config_exclude_keys: Iterable[str] | None = None,
    settings: Any = None,
    **others: Any,
) -> Run:
    """Begin a run and record what surrounds it: code, command, packages, machine.

    Args:
        project: runs of one project are looked at together; "default" when left out.
        name: for people; "run-1", "run-2" ... when left out. Names need not be unique.
        group: any word that several runs share, such as the sweep they belong to.
        tags: words to filter by.
        notes: a text in markdown.
        config: hyperparameters: a dict, an argparse.Namespace or a dataclass.
        store: a path, `sqlite:///...` or `postgresql+psycopg://...`; left out, STEPSCOPE_STORE, or
            ./stepscope.db.
        resume: the id or the unique name of a run to continue, as a new attempt. Or a word about `id`:
            "allow" goes on with it if there is one, "must" raises if there is none, "never" if there is one;
            "auto" or True without an id goes on with the project's newest run that broke off.
        console: whether what the program prints is kept with the run; left out, it is, unless
            STEPSCOPE_CONSOLE=0.
        mirror: a Visdom server that shows the run while it trains, such as "visdom://localhost:8097/env";
            left out, STEPSCOPE_MIRROR, or none. See docs/guide/visdom.md.
        id: any text that names the run for good; a run that has it goes on. `run.id` is made of it.
        job_type: becomes the tag `job_type:<word>`.
        dir: the folder of the store, when neither `store` nor STEPSCOPE_STORE says where it is.
        mode: "disabled" records nothing; "online" and "offline" are the same here.
        reinit: what becomes of a run that is open: it stays open when left out; True or "finish_previous"
            finishes it, False or "return_previous" returns it instead of a new one.
        config_include_keys: only these entries of `config` are kept.
        config_exclude_keys: these are not.
        settings: not looked at.
        others: what else wandb.init takes; said once, and not looked at.

    In a distributed training (torchrun, Slurm, MPI, torch.distributed ...) every rank calls it, and gets the
    same run: what a rank logs has its `rank` in the context. What the run is, and how it ends, rank 0 says.

    Returns:
        A Run; also a context manager that finishes it. It is the run that `stepscope.log` and the other
        functions of the module write to, until it is finished. If the store is locked or its server is away,
        the run waits in a journal and is stored when that is over. If the store cannot be used at
        all, the run says so once and drops what it is given, so that training goes on; with
        STEPSCOPE_STRICT=1 the error is raised.

    Raises:
        BadInput: resume="must" without a run of that id, or "never" with one.
        TypeError: there is no such argument.
    """
    unknown = sorted(set(others) - _MEANINGLESS)
    if unknown:
        raise TypeError(f"init() got an unexpected keyword argument {unknown[0]!r}")
    with Guard(strict=is_strict())("beginning a run"):
        _check_mode(mode)
    before = active_run()
    if before is not None and reinit in (False, "return_previous"):
        return before
    if before is not None and reinit in (True, "finish_previous"):
        before.finish()
    words = _tags(tags, job_type)
    kept = _filtered(config, config_include_keys, config_exclude_keys)
    if mode == "disabled":
        return enter(disabled_run(project, name, kept))
    place = _in_folder(dir) if store is None and dir is not None else store
    chosen = choose(place, project, id, resume)
    run = begin_run(
        project,
        chosen.name if name is None else name,
        group=group,
        tags=words,
        notes=notes,
        config=kept,
        store=place,
        resume=chosen.resume,
        console=console,
        mirror=mirror,
        run_id=chosen.run_id,
    )
    ignored = [*sorted(others), *(["settings"] if settings is not None else [])]
    if ignored:
        run.guard.say(
            "ignored", f"init takes {', '.join(ignored)} as other trackers do; here it means nothing."
        )
    run.watcher = watch_model
    return enter(run)


def _in_folder(folder: str | os.PathLike[str]) -> Path | None:
    if os.environ.get(STORE_VARIABLE):
        return None
    # Where that fails, beginning the run says why the store cannot be made.
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
    return Path(folder, "stepscope.db")


def _tags(tags: Iterable[str] | None, job_type: str | None) -> Iterable[str] | None:
    if job_type is None:
        return tags
    given = [tags] if isinstance(tags, str) else list(tags or ())
    return [*given, f"job_type:{job_type}"]


def _filtered(config: Any, include: Iterable[str] | None, exclude: Iterable[str] | None) -> Any:
    if include is None and exclude is None:
        return config
    entries = as_config(config)
    wanted = set(entries) if include is None else set(include)
    return {key: value for key, value in entries.items() if key in wanted - set(exclude or ())}


def _check_mode(mode: object) -> None:
    if mode not in _MODES:
        raise BadInput(f'init takes mode as "online", "offline" or "disabled", but got {mode!r}: it records.')
