"""Config and hyperparameters of runs as TensorBoard's hyperparameters: metadata of tensors without data."""

from __future__ import annotations

from typing import Any, TypeAlias

from tensorboard.data import provider as _provider
from tensorboard.plugins.hparams import metadata as hparams

from ...storage.kinds.hparams import HParamsData
from ...storage.model import Record
from ...storage.read import Reader
from ...trackers.sinks.tensorboard.hparams import session_end, session_start
from ..kept import Kept
from .catalogue import Catalogue, ShownRun

provider: Any = _provider  # carries no types

HPARAMS = hparams.PLUGIN_NAME

Logged: TypeAlias = list[tuple[Record, HParamsData]]

_logged = Kept[Logged](10_000)


def has_hparams(run: ShownRun) -> bool:
    """Return whether TensorBoard lists the run among the hyperparameters."""
    return bool(run.run.config) or "hparams" in run.of_kind


def configs(catalogue: Catalogue, run_tag_filter: Any) -> dict[str, dict[str, Any]]:
    """Return the hyperparameters and the end of each run that has any, `answer[run][tag]`."""
    answer: dict[str, dict[str, Any]] = {}
    for run in filter(has_hparams, catalogue.chosen_runs(run_tag_filter).values()):
        answer[run.name] = {
            value.tag: provider.TensorTimeSeries(
                max_step=0,
                max_wall_time=run.run.updated_at,
                plugin_content=value.metadata.plugin_data.content,
                description="",
                display_name="",
            )
            for value in _values(catalogue.reader, run)
        }
    return answer


def _values(reader: Reader, run: ShownRun) -> list[Any]:
    logged: dict[str, Any] = {}
    for _, value in logged_hparams(reader, run):
        logged.update(value.values)
    end = session_end(run.run)
    return [session_start(run.run, logged), *([] if end is None else [end])]


def logged_hparams(reader: Reader, run: ShownRun) -> Logged:
    """Return the newest hyperparameters that the run logged beside its config, of each series of them."""
    found: Logged = []
    for shown in (one for of_tag in run.of_kind.get("hparams", {}).values() for one in of_tag):
        series = shown.series
        found += _logged.get(
            (reader.url, series.run_id, series.series_id),
            lambda series=series: [
                (record, reader.load(series, record))
                for record in reader.records(series, first_step=series.last_step)
            ],
            (series.count, series.last_time),
        )
    return found
