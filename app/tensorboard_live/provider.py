"""TensorBoard's DataProvider over the store: TensorBoard shows the runs as they are, with no export.

Each method reads what TensorBoard asks for and no more, so a large store costs what the charts on screen
cost. Scalars are served from the kind scalar and the metrics of hparams, tensors from histogram, text, table,
PR curve and mesh, sequences of blobs from image, video, figure, audio and graph; config and hyperparameters
of a run lie in the metadata of tensors that hold no data, which is how TensorBoard's own writers keep them.
The projector asks for files instead: projector.py answers it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from tensorboard import errors as _errors
from tensorboard.data import provider as _provider

from ...storage.errors import StepscopeError, StoreNotFound
from ...storage.location import locate
from ...storage.read import Reader
from . import blobs as blobs
from . import scalars as scalars
from . import tensors as tensors
from .catalogue import Catalogue, Shown
from .hparams import HPARAMS, configs, has_hparams
from .keys import decode_blob_key

# TensorBoard carries no types: a type checker would take its abstract methods to return None.
errors: Any = _errors
provider: Any = _provider

T = TypeVar("T")

ByRunAndTag: TypeAlias = dict[str, dict[str, Any]]
"""What TensorBoard gets: `answer[run][tag]`."""

SCALARS = "scalars"


class StoreUnreadable(errors.PublicError):
    """The store is there, but cannot be read. TensorBoard passes the sentence on to the browser."""

    http_code = 503


class StoreDataProvider(provider.DataProvider):
    """Answers TensorBoard out of one store, which need not exist yet. Thread-safe.

    Answers are nested dicts, `answer[run][tag]`. The context and the experiment of a request are not looked
    at: the dashboard serves one user, and the store is the one experiment.
    """

    def __init__(self, store: str | None) -> None:
        """Take the store; it is opened once it is asked for and there."""
        self._location = locate(store)
        self._lock = threading.Lock()
        self._catalogue: Catalogue | None = None
        self._file_id = 0
        self._samples = scalars.Samples()
        self._sizes = blobs.StepSizes()

    def experiment_metadata(self, _ctx: Any = None, **_: Any) -> Any:
        """Return what TensorBoard shows as the place of the data."""
        place = self.ask(lambda catalogue: catalogue.reader.location.display, "")
        return provider.ExperimentMetadata(data_location=place)

    def list_plugins(self, _ctx: Any = None, **_: Any) -> list[str]:
        """Return the plugins for which there are data."""
        return self.ask(_active_plugins, [])

    def list_runs(self, _ctx: Any = None, **_: Any) -> list[Any]:
        """Return every run and sub-run; its name is its identity."""

        def listed(catalogue: Catalogue) -> list[Any]:
            return [
                provider.Run(run_id=name, run_name=name, start_time=run.run.created_at)
                for run in catalogue.runs().values()
                for name in run.names
            ]

        return self.ask(listed, [])

    def list_scalars(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Describe the series of numbers."""
        return self._scalars(
            plugin_name,
            run_tag_filter,
            lambda _, chosen: map(scalars.describe_scalars, chosen),
            scalars.describe_metric,
        )

    def read_scalars(
        self,
        _ctx: Any = None,
        *,
        plugin_name: str,
        downsample: int,
        run_tag_filter: Any = None,
        **_: Any,
    ) -> ByRunAndTag:
        """Return the numbers of the series, at most `downsample` of each, the first and last one included."""

        def read(reader: Reader, chosen: list[Shown]) -> Iterable[Any]:
            return self._samples.read(reader, [shown.series for shown in chosen], downsample)

        return self._scalars(plugin_name, run_tag_filter, read, lambda metric: [metric.datum])

    def read_last_scalars(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Return the newest number of each series, out of the series' own summary."""
        return self._scalars(
            plugin_name,
            run_tag_filter,
            lambda _, chosen: map(scalars.last_datum, chosen),
            lambda metric: scalars.with_short_step(metric.datum),
        )

    def list_tensors(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Describe the series that are numbers or texts in TensorBoard, or give the configs of the runs."""
        if plugin_name == HPARAMS:
            return self.ask(lambda catalogue: configs(catalogue, run_tag_filter), {})
        if plugin_name == tensors.MESHES:
            return self.ask(lambda catalogue: tensors.described_meshes(catalogue, run_tag_filter), {})
        return self._tensors(plugin_name, run_tag_filter, tensors.describe_tensors)

    def read_tensors(
        self,
        _ctx: Any = None,
        *,
        plugin_name: str,
        downsample: int,
        run_tag_filter: Any = None,
        **_: Any,
    ) -> ByRunAndTag:
        """Return histograms, PR curves, meshes, texts, or the layout of the custom scalars."""
        if plugin_name == tensors.CUSTOM_SCALARS:
            return self.ask(tensors.layouts, {})
        if plugin_name == tensors.MESHES:
            return self.ask(lambda catalogue: tensors.mesh_tensors(catalogue, run_tag_filter, downsample), {})
        return self._tensors(
            plugin_name,
            run_tag_filter,
            lambda reader, shown: tensors.tensor_data(reader, shown, downsample),
        )

    def list_blob_sequences(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Describe the series of pictures, sounds or graphs."""
        if plugin_name not in blobs.PLUGINS:
            return {}
        return self.ask(
            lambda catalogue: blobs.described_blobs(catalogue, self._sizes, plugin_name, run_tag_filter), {}
        )

    def read_blob_sequences(
        self,
        _ctx: Any = None,
        *,
        plugin_name: str,
        downsample: int,
        run_tag_filter: Any = None,
        **_: Any,
    ) -> ByRunAndTag:
        """Return the keys of pictures, sounds or graphs; the last one included."""
        if plugin_name not in blobs.PLUGINS:
            return {}
        return self.ask(
            lambda catalogue: blobs.blob_sequences(catalogue, plugin_name, run_tag_filter, downsample), {}
        )

    def read_blob(self, _ctx: Any = None, *, blob_key: str) -> bytes:
        """Return the bytes behind a key.

        Raises:
            NotFoundError: the key is not one that this provider made, or its data are gone.
        """
        key = decode_blob_key(blob_key)
        data = None if key is None else self.ask(lambda catalogue: blobs.read_blob(catalogue, key), None)
        if data is None:
            raise errors.NotFoundError(f"there is no blob with the key {blob_key[:80]!r}")
        return data

    def ask(self, work: Callable[[Catalogue], T], nothing: T) -> T:
        """Return what `work` finds in the store, or `nothing` while there is no store.

        Raises:
            StoreUnreadable: the store is there, but cannot be read.
        """
        try:
            return work(self._open())
        except StoreNotFound:
            return nothing
        except StepscopeError as error:
            raise StoreUnreadable(str(error)) from error

    def _scalars(
        self,
        plugin_name: str,
        run_tag_filter: Any,
        make: Callable[[Reader, list[Shown]], Iterable[Any]],
        make_metric: Callable[[scalars.Metric], Any],
    ) -> ByRunAndTag:
        """Return `make` of every series of numbers, and `make_metric` of metrics that are none of them."""
        if plugin_name != SCALARS:
            return {}

        def work(catalogue: Catalogue) -> ByRunAndTag:
            chosen = catalogue.chosen(("scalar",), run_tag_filter)
            answer = _by_run_and_tag(chosen, make(catalogue.reader, chosen))
            for metric in scalars.metrics(catalogue, run_tag_filter):
                answer.setdefault(metric.run, {}).setdefault(metric.tag, make_metric(metric))
            return answer

        return self.ask(work, {})

    def _tensors(
        self, plugin_name: str, run_tag_filter: Any, make: Callable[[Reader, Shown], Any]
    ) -> ByRunAndTag:
        kinds = tensors.TENSORS.get(plugin_name, ())

        def work(catalogue: Catalogue) -> ByRunAndTag:
            chosen = catalogue.chosen(kinds, run_tag_filter)
            return _by_run_and_tag(chosen, (make(catalogue.reader, shown) for shown in chosen))

        return self.ask(work, {})

    def _open(self) -> Catalogue:
        path = self._location.path
        # A store that was replaced is another file: the old reader would go on showing the old one.
        file_id = path.stat().st_ino if path is not None and path.exists() else 0
        with self._lock:
            if self._catalogue is None or file_id != self._file_id:
                # The old reader is not closed here: another request may be reading through it.
                self._catalogue = Catalogue(Reader.open(self._location.url))
                self._file_id = file_id
            return self._catalogue


def _by_run_and_tag(chosen: list[Shown], made: Iterable[Any]) -> ByRunAndTag:
    answer: ByRunAndTag = {}
    for shown, value in zip(chosen, made, strict=True):
        answer.setdefault(shown.run, {})[shown.tag] = value
    return answer


def _active_plugins(catalogue: Catalogue) -> list[str]:
    """Return TensorBoard's names of the plugins for which there are data."""
    runs = catalogue.runs().values()
    kinds = {kind for run in runs for kind in run.of_kind}
    known = {**tensors.TENSORS, **blobs.BLOBS, **blobs.OF_GRAPHS}
    found = [plugin for plugin, needed in known.items() if kinds.intersection(needed)]
    found += [SCALARS] if kinds & {"scalar", "hparams"} else []
    found += [tensors.CUSTOM_SCALARS] if "scalar" in kinds else []
    found += [tensors.MESHES] if "mesh" in kinds else []
    found += [HPARAMS] if any(map(has_hparams, runs)) else []
    return found
