"""What a W&B log says of its run: name, config, summary, state, surroundings. Read without the values."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ....storage.model import Run, RunState
from ....storage.nested import flatten
from .log import read_log
from .wire import HISTORY, OUTPUT, OUTPUT_RAW, STATS, SUMMARY, content_of

_PLENTIFUL = (HISTORY, SUMMARY, OUTPUT, STATS, OUTPUT_RAW)
_BY_THE_USER = b"\xc2\x0c"
"""The tag of the field that tells who sent a record, at its front or end: the user's process did."""
_QUIET_SECONDS = 1800
"""A run that said no end, and that has written nothing for so long, is gone. W&B writes its log in blocks of
32 KiB, which a run that does little but measure its machine fills in some fifteen minutes."""
_INTERRUPTED = 255
_PACKAGES_BYTES = 1 << 20


class LogFacts:
    """The facts of one log, read on as it grows."""

    def __init__(self, path: Path, parse: Callable[[bytes], Any]) -> None:
        """Read nothing yet; `parse` makes W&B's Record of its bytes."""
        self.path = path
        self.run: Any = None
        """The newest of W&B's RunRecord; None as long as there is none."""
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self._parse = parse
        self._position = 0
        self._summarized = False
        self._exit: Any = None
        self._environment: dict[str, Any] = {}

    def update(self) -> None:
        """Read what was added. Raises OSError."""
        for record in read_log(self.path, self._position):
            if record.data:
                self._take(record.data)
            self._position = record.end

    @property
    def run_id(self) -> str:
        """W&B's id of the run; of a log whose beginning is lost, as its name has it."""
        return self.run.run_id if self.run else self.path.stem.removeprefix("run-")

    @property
    def key(self) -> str:
        """What is the same in all logs of a run, and in no other's."""
        if self.run is None:
            return f"wandb/{self.path.parent.name}/{self.run_id}"
        return "/".join(("wandb", self.run.entity, self.run.project, self.run.run_id))

    @property
    def started_at(self) -> float:
        """Seconds since the epoch; 0.0 when it is not known."""
        return seconds(self.run.start_time) if self.run and self.run.HasField("start_time") else 0.0

    @property
    def host(self) -> str:
        """The machine's name."""
        return str(self.run.host) if self.run else ""

    @property
    def is_quiet(self) -> bool:
        """Whether the run has written nothing for long."""
        written = [self.path, self.path.with_name("files") / "output.log"]
        newest = max(path.stat().st_mtime for path in written if path.exists())
        return time.time() - newest > _QUIET_SECONDS

    def stored(self, attempt: int) -> Run:
        """Return the run of which this is the newest log."""
        run, state = self.run, self._state()
        started = self.started_at
        return Run(
            run_id="",
            project=str(run.project if run and run.project else "uncategorized"),
            name=str(run.display_name if run and run.display_name else self.run_id),
            state=state,
            created_at=started,
            updated_at=started,
            finished_at=None if state is RunState.RUNNING else started + self._runtime(),
            group=str(run.run_group) if run and run.run_group else None,
            tags=self._tags(),
            notes=str(run.notes) if run else "",
            host=self.host,
            attempt=attempt,
            config={key: value for key, value in self.config.items() if key != "_wandb"},
            summary={key: value for key, value in self.summary.items() if _is_plain(key, value)},
            environment=self._surroundings(),
            error=self._error(state),
        )

    def _tags(self) -> tuple[str, ...]:
        if self.run is None:
            return ()
        # As `stepscope.init` has it for scripts that pass a job_type.
        work = [f"job_type:{self.run.job_type}"] if self.run.job_type else []
        return tuple(dict.fromkeys([*map(str, self.run.tags), *work]))

    def _state(self) -> RunState:
        if self._exit is not None:
            code = self._exit.exit_code
            ended = RunState.KILLED if code == _INTERRUPTED else RunState.FAILED
            return RunState.FINISHED if code == 0 else ended
        return RunState.KILLED if self.is_quiet else RunState.RUNNING

    def _error(self, state: RunState) -> str | None:
        return f"The program ended with code {self._exit.exit_code}." if state is RunState.FAILED else None

    def _runtime(self) -> float:
        return float(self._exit.runtime) if self._exit is not None else 0.0

    def _take(self, data: bytes) -> None:
        kind = content_of(data).kind
        if kind == SUMMARY and (
            self._summarized or (_BY_THE_USER in data[:20] or _BY_THE_USER in data[-100:])
        ):
            record = self._parse(data)
            self._take_summary(record.summary, by_user=record._info.stream_id != "")
        if kind in _PLENTIFUL:
            return
        record = self._parse(data)
        which = record.WhichOneof("record_type")
        if which == "run":
            self.run = record.run
            self._take_config(record.run.config)
        elif which == "config":
            self._take_config(record.config)
        elif which == "exit":
            self._exit = record.exit
        elif which == "environment":
            self._environment |= _environment(record.environment)
        elif which == "metric" and record.metric.HasField("summary"):
            self._summarized = True

    def _take_config(self, config: Any) -> None:
        for item in config.remove:
            _remove(self.config, path_of(item))
        for item in config.update:
            enter(self.config, path_of(item), parsed(item.value_json))

    def _take_summary(self, summary: Any, *, by_user: bool) -> None:
        for item in summary.remove if by_user else ():
            _remove(self.summary, path_of(item))
        for item in summary.update:
            path, text = path_of(item), item.value_json
            if by_user:
                enter(self.summary, path, parsed(text))
            elif len(path) == 1 and text.startswith("{") and not path[0].startswith("_"):
                # What define_metric asked for: {"max": 1, "min": 0}.
                words = cast("dict[str, Any]", parsed(text))
                self.summary |= {f"{path[0]}.{word}": value for word, value in words.items()}

    def _surroundings(self) -> dict[str, Any]:
        told = dict(self._environment) or _metadata(self.path.with_name("files") / "wandb-metadata.json")
        packages = _packages(self.path.with_name("files") / "requirements.txt")
        own = {"id": self.run_id}
        if self.run is not None:
            own |= {"entity": self.run.entity, "sweep": self.run.sweep_id}
        known = {"packages": packages, "wandb": {key: value for key, value in own.items() if value}}
        return told | {key: value for key, value in known.items() if value}


def path_of(item: Any) -> list[str]:
    """Return the keys, from the outermost on, that an item of W&B's is about."""
    return list(item.nested_key) or [item.key]


def parsed(text: str) -> Any:
    """Return what a JSON text says; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def seconds(stamp: Any) -> float:
    """Return a protobuf Timestamp as seconds since the epoch."""
    return stamp.seconds + stamp.nanos / 1e9


def enter(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Put a value into a nested dict, at the end of a path of keys. What is in its way gives way."""
    for key in path[:-1]:
        inner = tree.get(key)
        tree[key] = tree = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
    tree[path[-1]] = value


def _remove(tree: dict[str, Any], path: list[str]) -> None:
    for key in path[:-1]:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            return
        tree = cast("dict[str, Any]", inner)
    tree.pop(path[-1], None)


def _is_plain(key: str, value: Any) -> bool:
    """Tell what a user set from what W&B keeps there for itself: media, and `_step` and the like."""
    return not key.startswith("_") and not (isinstance(value, dict) and "_type" in value)


def _environment(found: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "os": found.os,
        "python": found.python,
        "executable": found.executable,
        "host": found.host,
        "cwd": found.root,
        "command": " ".join([found.program, *found.args]).strip(),
        "cuda": found.cuda_version,
        "gpu": [one.name for one in found.gpu_nvidia] or ([found.gpu_type] * found.gpu_count),
    }
    if found.cpu_count_logical or found.cpu.model:
        told["cpu"] = {"model": found.cpu.model, "cores": found.cpu_count_logical or found.cpu.count_logical}
    if found.memory.total:
        told["memory_gb"] = round(found.memory.total / 1e9, 1)
    if found.git.commit:
        told["git"] = {"commit": found.git.commit, "remote": found.git.remote_url}
    return {key: value for key, value in told.items() if value}


def _metadata(path: Path) -> dict[str, Any]:
    """Return what older versions wrote into a file of its own."""
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return flatten(cast("Mapping[str, Any]", found)) if isinstance(found, dict) else {}


def _packages(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_PACKAGES_BYTES).split()
    except OSError:
        return {}
    pairs = (line.partition("==") for line in lines)
    return {name: version for name, equals, version in pairs if equals}
