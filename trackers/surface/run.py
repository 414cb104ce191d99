"""The part of a Run that scripts written for other trackers expect."""

from __future__ import annotations

import glob
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias, cast

from ...storage.artifacts import Artifact as StoredArtifact
from ...storage.errors import BadInput
from ...storage.metric_definitions import METRICS, MetricDefinition
from ...storage.read import Reader
from ..recorder import Recorder
from ..run_reports import Reports
from .artifact import Artifact
from .metrics import defined, payload_of, summarized

_FLUSH_SECONDS = 1.0
"""How long the end of a run waits for what its summary is made of."""
_LEVELS = {"warn": "warning"}
"""wandb's words for levels, in small letters, where ours are others."""
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]+")


Watcher: TypeAlias = Callable[[Any, Any, str | None, int, bool, int], Callable[[], None]]


class RunSurface(Reports):
    """Methods by the names that scripts call."""

    on_finish: Callable[[Callable[[], None]], None]
    flush: Callable[..., bool]

    url: None = None
    """The dashboard has no address of its own before `stepscope ui` is started."""

    def __init__(self) -> None:
        """Begin with nothing watched or defined."""
        self.watcher: Watcher | None = None
        """How `watch` attaches a hook: hooks know runs, so a run cannot know them."""
        self._definitions: dict[str, MetricDefinition] = {}
        self._watched: dict[int, Callable[[], None]] = {}
        self._alerted: dict[str, float] = {}
        self._dir: Path | None = None

    @property
    def dir(self) -> str:
        """A folder for files of this run, made when it is asked for; beside the store.

        What lies there when the run ends is kept with it, as artifact `files-<id>`.
        """
        if self._dir is None:
            self._dir = self._make_dir()
            self.on_finish(self._keep_dir)
        return str(self._dir)

    def define_metric(
        self,
        name: str,
        step_metric: str | None = None,
        step_sync: bool | None = None,  # noqa: ARG002 - values of one step belong together anyway
        hidden: bool | None = None,
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,  # noqa: ARG002 - the newest definition counts
    ) -> None:
        """Say which value stands for a metric in the summary, and what it is drawn over.

        Args:
            name: of the metric, or a pattern such as "val/*".
            step_metric: the metric that is its x-axis, such as "epoch".
            step_sync: without meaning here.
            hidden: whether charts may leave it out.
            summary: one or several of "min", "max", "mean", "last", "best", separated by commas; the run's
                summary gets `<name>.min` and so on when it ends.
            goal: "minimize" or "maximize": what "best" means.
            overwrite: without meaning here.
        """
        with self.guard("defining a metric"):
            definition = defined(name, step_metric, summary, goal, bool(hidden))
            self._report(METRICS, payload_of(definition), self._step, time.time())
            if not self._definitions:
                self.on_finish(self._summarize)
            self._definitions[name] = definition

    def watch(
        self,
        models: Any,
        criterion: Any = None,  # noqa: ARG002 - has no graph of its own
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Record what TorchTracker or KerasTracker sees of a model, or of several.

        Args:
            models: a torch.nn.Module, a Keras model (which `fit` trains), or a list of them.
            criterion: without meaning here.
            log: which histograms to make: "gradients", "parameters", "all" or None.
            log_freq: optimizer steps between histograms.
            idx: the number that tells several models apart, where they are watched one by one.
            log_graph: whether to record the model's graph.
        """
        with self.guard("watching a model"):
            if self.watcher is None:
                raise BadInput("watch needs a run that stepscope.init returned.")
            for model in _several(models):
                number = len(self._watched) if idx is None else idx
                close = self.watcher(self, model, log, log_freq, log_graph, number)
                self._watched[id(model)] = close

    def unwatch(self, models: Any = None) -> None:
        """Take the hooks off a model or several, or off all that are watched."""
        keys = list(self._watched) if models is None else [id(model) for model in _several(models)]
        for key in keys:
            with self.guard("unwatching a model"):
                self._watched.pop(key, _nothing)()

    def alert(
        self,
        title: str,
        text: str = "",
        level: str = "warning",
        *,
        step: int | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:
        """Tell people something about the run: on its page, in the list of runs, and once in the log.

        It is stored as values are, and not lost when the process is killed. Safe to call from any thread.

        Args:
            title: a few words, at most 200 characters.
            text: all that is to be said, at most 10,000 characters.
            level: "info", "warning" or "error"; or an AlertLevel.
            step: which step it is about; left out, the run's last one.
            wait_duration: seconds in which further alerts of the same title are left out.
        """
        word = str(level).lower() if isinstance(level, str) else level
        with self.guard("alerting"):
            if not wait_duration or self._is_time(str(title), wait_duration):
                self._give_alert(title, text, _LEVELS.get(word, word), step)

    def _is_time(self, title: str, wait: float | timedelta) -> bool:
        """Whether the last alert of this title is long enough ago; then this is the last one."""
        now = time.monotonic()
        seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
        self._alerted = {one: until for one, until in list(self._alerted.items()) if until > now}
        if title in self._alerted:
            return False
        self._alerted[title] = now + seconds
        return True

    def log_artifact(
        self,
        path: str | os.PathLike[str] | Artifact,
        name: str | None = None,
        *,
        type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        aliases: Iterable[str] = (),
    ) -> StoredArtifact:
        """Keep a file, or a folder with all files in it, with the run: a model, a data set, predictions.

        The files are copied before the call returns, so they may be changed at once. Where the file system
        can share blocks (btrfs, XFS) that takes no time, elsewhere about a second for each gigabyte. The
        rest is done in the background: digests, versions, the store.

        Args:
            path: the file or the folder; or a stepscope.Artifact, which says name, type and metadata itself.
            name: letters, digits, and _ . - ; left out, the name of the file. In a project, each new content
                of a name is its next version: v0, v1 ...
            type: what it is, such as "model" or "dataset".
            metadata: small facts about it.
            aliases: names for this version; an alias moves to the version that got it last. "latest" is
                always the newest version.

        Returns:
            The artifact; its digest, version and files wait until it is stored.
        """
        if not isinstance(path, Artifact):
            return self._keep_artifact(path, name, type, metadata, aliases)
        facts = {**path.metadata, **(metadata or {})}
        with path.gathered() as folder:
            stored = self._keep_artifact(folder, name or path.name, type or path.type, facts, aliases)
        path.is_logged(stored)
        return stored

    def use_artifact(self, artifact: str | Artifact, type: str | None = None) -> StoredArtifact:
        """Return an artifact of the project, and note with this run that it was used.

        Args:
            artifact: "name:latest", "name:v3" or "name:alias"; the name alone for its latest version;
                "project/name:v3" for one of another project.
            type: what it must be, if it matters.

        Raises:
            BadInput, ArtifactNotFound, StoreError: it cannot be had: a program that needs a file cannot go on
                without, so this is no matter of the tracker alone.
        """
        if isinstance(artifact, Artifact):
            return artifact.stored
        found = self._use_stored(artifact)
        if type is not None and found.type != type:
            raise BadInput(f"artifact {artifact!r} was asked for as {type!r}, but is of type {found.type!r}.")
        return found

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: Any = None,  # noqa: ARG002 - artifacts have names, no paths
        policy: str = "live",  # noqa: ARG002 - they are kept as they are now
    ) -> list[str]:
        """Keep files that match a pattern, each as an artifact of its name; return their paths."""
        found = [] if glob_str is None else sorted(glob.glob(os.fspath(glob_str), recursive=True))
        for path in found:
            self.log_artifact(path, _UNFIT.sub("_", Path(path).name).lstrip(".-") or "file", type="file")
        return found

    def log_code(
        self,
        root: str | os.PathLike[str] = ".",
        name: str | None = None,
        include_fn: Callable[[str], bool] = lambda path: path.endswith(".py"),
        exclude_fn: Callable[[str], bool] = lambda path: f"{os.sep}site-packages{os.sep}" in path,
    ) -> StoredArtifact:
        """Keep the source files of a folder, without hidden folders, as an artifact of type "code"."""
        code = Artifact(name or f"source-{_UNFIT.sub('_', self.project)}", type="code")
        for folder, inner, files in os.walk(root):
            inner[:] = sorted(one for one in inner if not one.startswith("."))
            for path in (os.path.join(folder, file) for file in sorted(files)):
                if include_fn(path) and not exclude_fn(os.path.abspath(path)):
                    code.add_file(path, os.path.relpath(path, root))
        return self.log_artifact(code)

    def _summarize(self) -> None:
        if isinstance(self._recorder, Recorder) and self.flush(_FLUSH_SECONDS):
            with Reader.open(self._recorder.settings.location.url) as reader:
                cast("Any", self).summary.update(summarized(reader, self.id, self._definitions))

    def _make_dir(self) -> Path:
        if not isinstance(self._recorder, Recorder):
            return Path(tempfile.mkdtemp(prefix="stepscope-"))
        spool = self._recorder.settings.location.spool
        folder = spool.with_name(f"{spool.name.removesuffix('.spool')}.work") / self.id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _keep_dir(self) -> None:
        if self._dir is not None and any(self._dir.iterdir()):
            self.log_artifact(self._dir, f"files-{self.id}", type="files")


def _several(models: Any) -> list[Any]:
    return list(models) if isinstance(models, list | tuple) else [models]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _nothing() -> None:
    pass
