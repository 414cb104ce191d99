"""What an export to event files brings beside values: sub-runs, titles, layouts, originals, framing."""

from __future__ import annotations

import glob
import io
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import stepscope
from contracts.filled_store import fill
from event_files import read_events, served
from stepscope.storage.metric_definitions import METRICS, MetricDefinition
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_tensorboard
from stepscope.trackers.sinks.tensorboard.layout import LAYOUT_NAME, layout_as_text
from stepscope.trackers.sinks.tensorboard.protos import layout_pb2
from stepscope.trackers.sinks.tensorboard.records import HEADER_BYTES, framed, length_of
from stepscope.trackers.sinks.tensorboard.sidecar import PLUGIN
from stepscope.trackers.sinks.tensorboard.steps import COLUMNS
from stepscope.trackers.surface.metrics import payload_of


@given(st.binary(max_size=2000))
def test_records_are_those_of_tensorboards_own_writer(data: bytes) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    RecordWriter(stream).write(data)
    assert framed(data) == stream.getvalue()
    assert length_of(framed(data)[:HEADER_BYTES]) == len(data)
    assert length_of(b"\1" + framed(data)[1 : HEADER_BYTES - 1] + b"\1") is None


def exported(store: str, folder: Path) -> Path:
    """Export all runs; return the folder of the newest."""
    with Reader.open(store) as reader:
        runs = reader.runs()
        export_tensorboard(reader, [run.run_id for run in runs], folder)
    return next(folder.glob(f"*{runs[0].run_id}"))


def tensors(folder: Path, tag: str) -> list[Any]:
    from tensorboard.util import tensor_util

    return [tensor_util.make_ndarray(one.tensor_proto) for one in read_events(folder).Tensors(tag)]


def test_splits_are_sub_runs_with_one_tag(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url, name="keras") as run:
        for split, value in (("train", 1.0), ("validation", 2.0)):
            run.log({"epoch_loss": value}, step=0, context={"split": split, "rank": 1})
        run.log({"lr": 0.5}, step=0)
    folder = exported(store_url, tmp_path)
    for split, value in (("train", 1.0), ("validation", 2.0)):
        [event] = read_events(folder / split).Scalars("epoch_loss [rank=1]")
        assert event.value == value
    assert "epoch_loss [rank=1]" not in read_events(folder).Tags()["scalars"]
    with Reader.open(store_url) as reader:
        export_tensorboard(reader, [run.id], tmp_path)
    assert len(list(folder.rglob("events*"))) == 3


def test_several_of_one_step_are_shown_together(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url) as run:
        for step in (0, 1):
            for number in range(3):
                run.log({"grid": stepscope.Image(np.full((2, 3), number / 2))}, step=step)
                run.log({"said": stepscope.Text(f"{number}")}, step=step)
                run.log({"tone": stepscope.Audio(np.full(9, number / 9), 8000)}, step=step)
    folder = exported(store_url, tmp_path)
    grids = tensors(folder, "grid")
    assert [found.tolist()[:2] for found in grids] == [[b"3", b"2"]] * 2
    assert all(len(set(found.tolist()[2:])) == 3 for found in grids)
    assert [found.tolist() for found in tensors(folder, "said")] == [[b"0", b"1", b"2"]] * 2
    assert [found.shape for found in tensors(folder, "tone")] == [(3, 2)] * 2


def test_display_names_and_descriptions(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url) as run:
        for name in ("loss", "weights"):
            said = MetricDefinition(name, None, (), "minimize", False, f"The {name}", f"*{name}* of all")
            run._report(METRICS, payload_of(said), 0, 0.0)
        run.log({"loss": 1.0, "weights": np.arange(9.0)}, step=0)
        run.log({"loss": 0.5}, step=1)
    events = read_events(exported(store_url, tmp_path))
    assert [event.value for event in events.Scalars("loss")] == [1.0, 0.5]
    for tag in ("loss", "weights"):
        known = events.SummaryMetadata(tag)
        assert (known.display_name, known.summary_description) == (f"The {tag}", f"*{tag}* of all")


def layout_of(folder: Path) -> Any:
    [content] = tensors(folder, LAYOUT_NAME)
    return layout_pb2.Layout.FromString(content.item())


def test_each_metric_has_a_chart_of_its_splits(store_url: str, tmp_path: Path) -> None:
    with stepscope.init(store=store_url) as run:
        run.log({"train/loss": 1.0, "val/loss": 2.0, "lr": 0.5}, step=0)
    layout = layout_of(exported(store_url, tmp_path))
    charts = {chart.title: list(chart.multiline.tag) for one in layout.category for chart in one.chart}
    assert charts["loss"] == ["^train/loss$", "^val/loss$"]


def test_a_layout_that_was_imported_leaves_as_it_was(store_url: str, tmp_path: Path) -> None:
    mine = layout_pb2.Layout(category=[{"title": "mine", "chart": [{"multiline": {"tag": ["a|b"]}}]}])
    with stepscope.init(store=store_url) as run:
        run.log({"a": 1.0, LAYOUT_NAME: stepscope.Text(layout_as_text(mine))}, step=0)
    assert layout_of(exported(store_url, tmp_path)) == mine


def test_step_statistics_colour_the_graph(store_url: str, tmp_path: Path) -> None:
    rows = [["/device:CPU:0", "fc1/matmul", 10, 25, 4096]]
    with stepscope.init(store=store_url) as run:
        run.log({"profile": stepscope.Table(COLUMNS, rows)}, step=3)
    [stats] = read_events(exported(store_url, tmp_path)).RunMetadata("profile").step_stats.dev_stats
    [node] = stats.node_stats
    assert (node.node_name, node.all_end_rel_micros, node.memory[0].total_bytes) == ("fc1/matmul", 25, 4096)


def test_no_page_of_tensorboard_shows_the_originals(store_url: str, tmp_path: Path) -> None:
    from tensorboard.context import RequestContext
    from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin

    fill(store_url)
    shown = served(exported(store_url, tmp_path).parent)
    context, provider = RequestContext(), shown.data_provider
    plugins = set(provider.list_plugins(context, experiment_id="")) - {PLUGIN}
    ask = {"ctx": context, "experiment_id": ""}
    for plugin in plugins:
        for listed in (provider.list_tensors, provider.list_scalars, provider.list_blob_sequences):
            for tags in listed(**ask, plugin_name=plugin).values():
                assert not [tag for tag in tags if "stepscope" in tag], plugin
    [run] = GraphsPlugin(shown).info_impl(context, "").values()
    assert run["run_graph"]
    assert run["tags"]["model"]["conceptual_graph"]


def test_a_video_that_nobody_can_read_is_kept(tmp_path: Path) -> None:
    with stepscope.init(store=tmp_path / "s.db") as run:
        run.log({"a": stepscope.Video(b"GIF89a and nothing")}, step=3)
    folder = exported(str(tmp_path / "s.db"), tmp_path / "logs")
    [path] = glob.glob(str(folder / "events*"))
    assert b"GIF89a and nothing" in Path(path).read_bytes()
