"""TensorBoard's DataProvider over the store: TensorBoard shows the runs as they are, with no export.

Each method reads what TensorBoard asks for and no more, so a large store costs what the charts on screen
cost. Scalars are served from the kind scalar and the metrics of hparams, tensors from histogram, text, table,
PR curve and mesh, sequences of blobs from image, video, figure, audio and graph; config and hyperparameters
of a run lie in the metadata of tensors that hold no data, which is how TensorBoard's own writers keep them.
Embeddings are shown by an export only: the projector reads files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tensorboard import errors as _errors
from tensorboard.data import provider as _provider

from ..storage.errors import StepscopeError, StoreNotFound
from ..storage.location import locate
from ..storage.model import Series
from ..storage.read import Reader
from . import tensorboard_series as found
from .tensorboard_keys import decode_blob_key
from .tensorboard_series import BLOBS, HPARAMS, MESHES, SCALARS, TENSORS, ByRunAndTag, Metric

# TensorBoard carries no types: a type checker would take its abstract methods to return None.
errors: Any = _errors
provider: Any = _provider

T = TypeVar("T")


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
        self._reader: Reader | None = None
        self._file_id = 0

    def experiment_metadata(self, _ctx: Any = None, **_: Any) -> Any:
        """Return what TensorBoard shows as the place of the data."""
        place = self._ask(lambda reader: reader.location.display, "")
        return provider.ExperimentMetadata(data_location=place)

    def list_plugins(self, _ctx: Any = None, **_: Any) -> list[str]:
        """Return the plugins for which there are data."""
        return self._ask(found.active_plugins, [])

    def list_runs(self, _ctx: Any = None, **_: Any) -> list[Any]:
        """Return every run; its name is its identity."""
        return self._ask(lambda reader: [found.listed_run(run) for run in reader.runs()], [])

    def list_scalars(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Describe the series of numbers."""
        return self._scalars(plugin_name, run_tag_filter, found.describe_scalars, found.describe_metric)

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

        def read(reader: Reader, series: Series) -> list[Any]:
            return [
                provider.ScalarDatum(step=step, wall_time=time, value=value)
                for step, time, value in found.sampled_points(reader, series, downsample)
            ]

        return self._scalars(plugin_name, run_tag_filter, read, lambda metric: [found.metric_datum(metric)])

    def read_last_scalars(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Return the newest number of each series, out of the series' own summary."""

        def last(_reader: Reader, series: Series) -> Any:
            return provider.ScalarDatum(
                step=series.last_step, wall_time=series.last_time, value=series.last_value
            )

        return self._scalars(plugin_name, run_tag_filter, last, found.metric_datum)

    def list_tensors(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Describe the series that are numbers or texts in TensorBoard, or give the configs of the runs."""
        if plugin_name == HPARAMS:
            return self._ask(
                lambda reader: found.configs(reader, found.chosen_runs(reader, run_tag_filter)), {}
            )
        if plugin_name == MESHES:
            return self._ask(lambda reader: found.described_meshes(reader, run_tag_filter), {})
        return self._each(TENSORS.get(plugin_name), run_tag_filter, found.describe_tensors)

    def read_tensors(
        self,
        _ctx: Any = None,
        *,
        plugin_name: str,
        downsample: int,
        run_tag_filter: Any = None,
        **_: Any,
    ) -> ByRunAndTag:
        """Return histograms, float64 (k, 3), PR curves, float32 (6, n), meshes, texts; the last included."""
        if plugin_name == MESHES:
            return self._ask(lambda reader: found.mesh_tensors(reader, run_tag_filter, downsample), {})

        def read(reader: Reader, series: Series) -> list[Any]:
            convert = found.TENSOR_OF[series.kind]
            return [
                provider.TensorDatum(
                    step=record.step, wall_time=record.time, numpy=convert(reader.load(series, record))
                )
                for record in found.one_a_step(reader, series, downsample)
            ]

        return self._each(TENSORS.get(plugin_name), run_tag_filter, read)

    def list_blob_sequences(
        self, _ctx: Any = None, *, plugin_name: str, run_tag_filter: Any = None, **_: Any
    ) -> ByRunAndTag:
        """Describe the series of pictures, sounds or graphs."""
        return self._each(BLOBS.get(plugin_name), run_tag_filter, found.describe_blobs)

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

        def read(reader: Reader, series: Series) -> list[Any]:
            return [
                found.blob_sequence(series, record) for record in found.one_a_step(reader, series, downsample)
            ]

        return self._each(BLOBS.get(plugin_name), run_tag_filter, read)

    def read_blob(self, _ctx: Any = None, *, blob_key: str) -> bytes:
        """Return the bytes behind a key.

        Raises:
            NotFoundError: the key is not one that this provider made, or its data are gone.
        """
        key = decode_blob_key(blob_key)
        data = None if key is None else self._ask(lambda reader: found.read_blob(reader, key), None)
        if data is None:
            raise errors.NotFoundError(f"there is no blob with the key {blob_key[:80]!r}")
        return data

    def _scalars(
        self,
        plugin_name: str,
        run_tag_filter: Any,
        make: Callable[[Reader, Series], Any],
        make_metric: Callable[[Metric], Any],
    ) -> ByRunAndTag:
        """Return `make` of every series of numbers, and `make_metric` of metrics that are none of them."""
        if plugin_name not in SCALARS:
            return {}
        answer = self._each(SCALARS[plugin_name], run_tag_filter, make)
        for metric in self._ask(lambda reader: list(found.metrics(reader, run_tag_filter)), []):
            answer.setdefault(metric.run, {}).setdefault(metric.tag, make_metric(metric))
        return answer

    def _each(
        self, kinds: Sequence[str] | None, run_tag_filter: Any, make: Callable[[Reader, Series], Any]
    ) -> ByRunAndTag:
        """Return `make` of every series of some kinds that passes the filter."""
        if kinds is None:
            return {}

        def work(reader: Reader) -> ByRunAndTag:
            answer: ByRunAndTag = {}
            for run, tag, series in found.chosen_series(reader, kinds, run_tag_filter):
                answer.setdefault(run, {})[tag] = make(reader, series)
            return answer

        return self._ask(work, {})

    def _ask(self, work: Callable[[Reader], T], nothing: T) -> T:
        """Return what `work` finds in the store, or `nothing` while there is no store."""
        try:
            return work(self._open())
        except StoreNotFound:
            return nothing
        except StepscopeError as error:
            raise StoreUnreadable(str(error)) from error

    def _open(self) -> Reader:
        path = self._location.path
        # A store that was replaced is another file: the old reader would go on showing the old one.
        file_id = path.stat().st_ino if path is not None and path.exists() else 0
        with self._lock:
            if self._reader is None or file_id != self._file_id:
                # The old reader is not closed here: another request may be reading through it.
                self._reader = Reader.open(self._location.url)
                self._file_id = file_id
            return self._reader
