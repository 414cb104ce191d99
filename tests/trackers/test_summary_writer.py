"""The drop-in takes what the original takes, raises what it raises, and stores what it writes."""

from __future__ import annotations

import inspect
import io
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import stepscope
from stepscope.storage.errors import BadInput
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.trackers.exports import export_tensorboard
from stepscope.trackers.summary_writer import SummaryWriter
from stepscope.trackers.summary_writer.numbers import as_number, histogram
from support import run_python

# TensorBoard's readers import all of TensorFlow unless a module of this name is there.
sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))

torch = pytest.importorskip("torch")

from torch.utils.tensorboard import SummaryWriter as Original  # noqa: E402 - after the line above

METHODS = [
    name
    for name, _ in inspect.getmembers(Original, inspect.isfunction)
    if not name.startswith("_") or name in ("__enter__", "__exit__", "_get_file_writer")
]
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=1000)
PIXELS = torch.tensor(RANDOM.random((3, 8, 10)))
BATCH = RANDOM.integers(0, 256, (10, 1, 6, 7)).astype(np.uint8)
SOUND = RANDOM.uniform(-1.2, 1.2, (1, 500))
LABELS, SCORES = RANDOM.integers(0, 2, 100), RANDOM.random(100)
VECTORS = torch.tensor(RANDOM.normal(size=(5, 3)))
CORNERS = torch.tensor(RANDOM.normal(size=(2, 4, 3)), dtype=torch.float32)
CURVE = [np.linspace(0, 9, 7) + number for number in range(6)]
BUCKETS = {"min": 0.5, "max": 9.0, "num": 6, "sum": 30.0, "sum_squares": 200.0}


def program(writer: Any) -> None:
    """Call what programs call."""
    for step in range(20):
        writer.add_scalar("loss", 1 / (step + 1), step, walltime=1e9 + step)
    writer.add_scalar("one", torch.tensor([[0.5]]), torch.tensor(7))
    writer.add_scalar("text", "0.25", 2.9, new_style=True)
    writer.add_scalar("half", torch.tensor(1.5, dtype=torch.bfloat16), np.int64(3))
    writer.add_scalar("gone", float("nan"), 1)
    writer.add_scalars("both", {"sin": 0.5, "cos": np.float32(0.25)}, 4, walltime=5.0)
    writer.add_histogram("own", NUMBERS, 1)
    writer.add_histogram("ten", torch.tensor(NUMBERS), 2, bins=10)
    writer.add_histogram("few", NUMBERS, 3, bins=50, max_bins=7)
    writer.add_histogram("odd", np.array([1.0, 2.0, np.nan, np.inf]), 4, bins=[0.0, 1.5, 3.0])
    writer.add_histogram_raw("raw", **BUCKETS, bucket_limits=[0, 4, 8, 12], bucket_counts=[0, 1, 3, 2])
    writer.add_image("chw", PIXELS, 1, walltime=6.0)
    writer.add_image("hw", BATCH[0, 0], 2, dataformats="HW")
    writer.add_images("grid", BATCH, 3)
    writer.add_image_with_boxes("boxes", PIXELS, np.array([[1, 1, 6, 5]]), 4, rescale=2, labels="a")
    writer.add_text("notes", "*good*", 5)
    writer.add_audio("tone", SOUND, 6, sample_rate=8000)
    writer.add_pr_curve("curve", torch.tensor(LABELS), SCORES, 1, num_thresholds=11, weights=2.0)
    writer.add_pr_curve_raw("counts", *CURVE, 2, num_thresholds=7)
    writer.add_mesh("cloud", CORNERS, global_step=3)
    writer.add_embedding(VECTORS, metadata=list("abcde"), global_step=4, tag="space")
    writer.add_hparams({"lr": 0.1, "layers": torch.tensor([3.0])}, {"best": 0.75}, run_name="trial")
    writer.add_custom_scalars_marginchart(["loss", "one", "half"], title="margin")


def read_events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    keep_all = dict.fromkeys(["images", "audio", "scalars", "histograms", "tensors"], 0)
    return EventAccumulator(str(folder), size_guidance=keep_all).Reload()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory):
    """Yield the original's events, a reader of ours with the run, and the events of our export."""
    folder = tmp_path_factory.mktemp("writers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("STEPSCOPE_STRICT", "1")
        with Original("theirs") as theirs:
            program(theirs)
        with SummaryWriter("ours") as ours:
            program(ours)
        with Reader.open() as reader:
            [run] = reader.runs()
            export_tensorboard(reader, [run.run_id], folder / "logs")
            yield SimpleNamespace(
                folder=folder,
                theirs=read_events(folder / "theirs"),
                reader=reader,
                run=run,
                exported=read_events(next((folder / "logs").iterdir())),
            )


def stored(three: Any, name: str, kind: str) -> list[Any]:
    [series] = three.reader.series(three.run.run_id, name=name, kind=kind)
    return [(record, three.reader.load(series, record)) for record in three.reader.records(series)]


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_the_arguments_are_those_of_the_original(name: str) -> None:
    theirs = list(inspect.signature(getattr(Original, name)).parameters.values())
    ours = list(inspect.signature(getattr(SummaryWriter, name)).parameters.values())
    if name == "__init__":
        ours = [one for one in ours if one.name not in ("run", "event_files")]
    assert [(one.name, one.kind, one.default) for one in ours] == [
        (one.name, one.kind, one.default) for one in theirs
    ]


@pytest.mark.parametrize("name", ["loss", "one", "half", "gone"])
def test_numbers(three: Any, name: str) -> None:
    [series] = three.reader.series(three.run.run_id, name=name)
    points, theirs, exported = (
        three.reader.points(series),
        three.theirs.Scalars(name),
        three.exported.Scalars(name),
    )
    assert points.step.tolist() == [event.step for event in theirs] == [event.step for event in exported]
    np.testing.assert_array_equal(points.last.astype(np.float32), [event.value for event in theirs])
    np.testing.assert_array_equal([event.value for event in exported], [event.value for event in theirs])
    if name == "loss":
        assert points.time.tolist() == [event.wall_time for event in theirs]
        assert [event.wall_time for event in exported] == [event.wall_time for event in theirs]


def test_numbers_in_the_new_style(three: Any) -> None:
    [theirs] = three.theirs.Tensors("text")
    [series] = three.reader.series(three.run.run_id, name="text")
    assert (
        (theirs.step, theirs.tensor_proto.float_val[0]) == (series.last_step, series.last_value) == (2, 0.25)
    )


def test_lines_of_one_chart_are_one_series_in_two_contexts(three: Any) -> None:
    found = three.reader.series(three.run.run_id, name="both")
    assert {one.context["line"]: one.last_value for one in found} == {"sin": 0.5, "cos": 0.25}
    for line in ("sin", "cos"):
        [theirs] = read_events(three.folder / "theirs" / f"both_{line}").Scalars("both")
        [folder] = three.folder.rglob(f"*-{three.run.run_id}/both_{line}")
        [exported] = read_events(folder).Scalars("both")
        assert (theirs.step, theirs.wall_time, theirs.value) == (
            exported.step,
            exported.wall_time,
            exported.value,
        )


@pytest.mark.parametrize("name", ["own", "ten", "few", "raw"])
def test_histograms_have_the_same_moments(three: Any, name: str) -> None:
    [theirs] = three.theirs.Histograms(name)
    [(record, ours)] = stored(three, name, "histogram")
    old = theirs.histogram_value
    assert record.step == theirs.step
    assert (ours.min, ours.max, ours.count) == (old.min, old.max, old.num)
    assert ours.mean * ours.count == pytest.approx(old.sum)
    assert (ours.std**2 + ours.mean**2) * ours.count == pytest.approx(old.sum_squares)


@pytest.mark.parametrize("name", ["ten", "few", "odd", "raw"])
def test_bins_of_ones_own_stay(three: Any, name: str) -> None:
    [theirs] = three.theirs.Histograms(name)
    [(_, ours)] = stored(three, name, "histogram")
    old = theirs.histogram_value
    filled = [(limit, count) for limit, count in zip(old.bucket_limit, old.bucket, strict=True) if count]
    kept = ours.counts > 0
    np.testing.assert_array_equal(ours.counts[kept], [count for _, count in filled])
    if name != "raw":  # whose last bucket ends at the largest number
        np.testing.assert_allclose(ours.edges[1:][kept], [limit for limit, _ in filled])
    [exported] = three.exported.Tensors(name)
    from tensorboard.util import tensor_util

    np.testing.assert_array_equal(tensor_util.make_ndarray(exported.tensor_proto)[:, 2], ours.counts)


def test_the_default_bins_are_as_fine(three: Any) -> None:
    [theirs] = three.theirs.Histograms("own")
    [(_, ours)] = stored(three, "own", "histogram")
    old = theirs.histogram_value
    for share in (0.1, 0.4, 0.6, 0.9):
        exact = float(np.quantile(NUMBERS, share))
        for limits, counts in [(old.bucket_limit, old.bucket), (ours.edges[1:], ours.counts)]:
            found = limits[int(np.searchsorted(np.cumsum(counts), share * 1000))]
            assert found == pytest.approx(exact, rel=0.11)


def test_a_histogram_counts_what_is_no_number(three: Any) -> None:
    [(_, ours)] = stored(three, "odd", "histogram")
    assert (ours.count, ours.nan_count, ours.posinf_count, ours.min, ours.max) == (2, 1, 1, 1.0, 2.0)


@pytest.mark.parametrize("name", ["chw", "hw", "grid", "boxes"])
def test_pictures_are_the_same_to_the_pixel(three: Any, name: str) -> None:
    [theirs] = three.theirs.Images(name)
    [(record, ours)] = stored(three, name, "image")
    pixels = np.asarray(Pillow.open(io.BytesIO(theirs.encoded_image_string)))
    np.testing.assert_array_equal(ours.array(), pixels)
    assert record.step == theirs.step
    assert name != "chw" or record.time == theirs.wall_time == 6.0
    [exported] = three.exported.Tensors(name)
    np.testing.assert_array_equal(
        np.asarray(Pillow.open(io.BytesIO(exported.tensor_proto.string_val[2]))), pixels
    )


def test_sounds_are_the_same_to_the_sample(three: Any) -> None:
    [theirs] = three.theirs.Audio("tone")
    [(record, ours)] = stored(three, "tone", "audio")
    assert record.step == theirs.step
    with wave.open(io.BytesIO(theirs.encoded_audio_string)) as one, wave.open(io.BytesIO(ours.data)) as other:
        assert one.getparams() == other.getparams()
        assert one.readframes(500) == other.readframes(500)


def test_texts(three: Any) -> None:
    [theirs] = three.theirs.Tensors("notes/text_summary")
    [(record, ours)] = stored(three, "notes", "text")
    [exported] = three.exported.Tensors("notes")
    assert theirs.tensor_proto.string_val[0] == ours.text.encode() == exported.tensor_proto.string_val[0]
    assert record.step == theirs.step == exported.step


@pytest.mark.parametrize("name", ["curve", "counts"])
def test_precision_and_recall(three: Any, name: str) -> None:
    from tensorboard.util import tensor_util

    [theirs] = three.theirs.Tensors(name)
    [(record, ours)] = stored(three, name, "pr_curve")
    np.testing.assert_allclose(ours.rows(), tensor_util.make_ndarray(theirs.tensor_proto), rtol=1e-6)
    assert record.step == theirs.step


def test_meshes(three: Any) -> None:
    from tensorboard.util import tensor_util

    [theirs] = three.theirs.Tensors("cloud_VERTEX")
    found = stored(three, "cloud", "mesh")
    np.testing.assert_array_equal(
        np.stack([mesh.vertices for _, mesh in found]), tensor_util.make_ndarray(theirs.tensor_proto)
    )
    assert {record.step for record, _ in found} == {theirs.step}


def test_embeddings(three: Any) -> None:
    folder = three.folder / "theirs" / "00004" / "space"
    [(record, ours)] = stored(three, "space", "embedding")
    np.testing.assert_allclose(ours.vectors, np.loadtxt(folder / "tensors.tsv"), rtol=1e-6)
    assert [row[0] for row in ours.rows] == (folder / "metadata.tsv").read_text().split()
    assert record.step == 4


def test_hyperparameters(three: Any) -> None:
    from tensorboard.plugins.hparams import metadata

    theirs = read_events(three.folder / "theirs" / "trial")
    found = {}
    for which, events in [("theirs", theirs), ("exported", three.exported)]:
        content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        start = metadata.parse_session_start_info_plugin_data(content)
        found[which] = {name: value.number_value for name, value in start.hparams.items()}
    assert found["theirs"] == found["exported"] == dict(three.run.config) == {"lr": 0.1, "layers": 3.0}
    [(_, trial)] = stored(three, "trial", "hparams")
    assert (trial.values, trial.metrics) == (three.run.config, three.run.summary)
    assert theirs.Scalars("best")[0].value == three.exported.Scalars("best")[0].value == 0.75


def test_a_layout_is_kept_as_a_table(three: Any) -> None:
    [(_, text)] = stored(three, "custom_scalars__config__", "text")
    assert text.text.splitlines()[-1] == "| default | margin | Margin | loss, one, half |"


@pytest.mark.parametrize(
    "call",
    [
        lambda writer: writer.add_scalar("a", [1.0]),
        lambda writer: writer.add_scalar("a", None),
        lambda writer: writer.add_scalar("a", torch.zeros(2)),
        lambda writer: writer.add_scalar("a", "word"),
        lambda writer: writer.add_scalar(5, 1.0),
        lambda writer: writer.add_scalar("a", 1.0, "first"),
        lambda writer: writer.add_scalars("a", {"b": np.zeros(2)}),
        lambda writer: writer.add_tensor("a", np.zeros(2)),
        lambda writer: writer.add_tensor("a", torch.empty(2**29, dtype=torch.float64, device="meta")),
        lambda writer: writer.add_histogram("a", np.zeros(0)),
        lambda writer: writer.add_histogram("a", [1.0]),
        lambda writer: writer.add_histogram("a", np.ones(3), bins=[5.0, 6.0, 7.0]),
        lambda writer: writer.add_histogram("a", np.ones(3), bins="nobody"),
        lambda writer: writer.add_histogram_raw("a", 0, 1, 1, 1, 1, [1.0], [1.0, 2.0]),
        lambda writer: writer.add_image("a", np.zeros((2, 2))),
        lambda writer: writer.add_image("a", np.zeros((3, 2, 2)), dataformats="CHC"),
        lambda writer: writer.add_images("a", np.zeros((2, 5, 2, 2))),
        lambda writer: writer.add_image("a", "picture.png"),
        lambda writer: writer.add_video("a", np.zeros((2, 2))),
        lambda writer: writer.add_audio("a", np.zeros((2, 50))),
        lambda writer: writer.add_text("a", 5),
        lambda writer: writer.add_onnx_graph("missing.onnx"),
        lambda writer: writer.add_embedding(np.zeros(5)),
        lambda writer: writer.add_embedding(np.zeros((2, 3)), metadata=["a"]),
        lambda writer: writer.add_embedding(
            np.zeros((2, 3)), metadata=[["a"]] * 2, metadata_header=["x", "y"]
        ),
        lambda writer: writer.add_embedding(np.zeros((2, 3)), label_img=np.zeros((3, 1, 2, 2))),
        lambda writer: writer.add_custom_scalars_marginchart(["a"]),
        lambda writer: writer.add_custom_scalars({"a": {"b": ["Margin", ["c"]]}}),
        lambda writer: writer.add_hparams([], {}),
        lambda writer: writer.add_hparams({"a": [1]}, {}),
        lambda writer: writer.add_hparams({"a": 1}, {}, {"a": ["x"]}),
        lambda writer: writer.add_hparams({"a": 1}, {}, ["a"]),
        lambda writer: writer.add_hparams({"a": 1}, {"m": "word"}),
    ],
    ids=lambda call: inspect.getsource(call).partition("writer.")[2].strip().rstrip(","),
)
def test_errors_are_those_of_the_original(
    call: Callable[[Any], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_hand: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    ours, theirs = at_hand
    with pytest.raises(Exception) as first:  # noqa: PT011 - the original says which
        call(theirs)
    with pytest.raises(first.type):
        call(ours)


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("errors")
    with (
        stepscope.init(store=str(folder / "stepscope.db")) as run,
        Original(folder / "theirs") as theirs,
        SummaryWriter(folder / "ours", run=run) as ours,
    ):
        yield ours, theirs
    assert not run.guard.take_drops()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only_run() -> Any:
    with Reader.open() as reader:
        [run] = reader.runs()
    return run


def points(name: str) -> list[tuple[int, float]]:
    with Reader.open() as reader:
        [series] = reader.series(only_run().run_id, name=name)
        found = reader.points(series)
    return list(zip(found.step.tolist(), found.last.tolist(), strict=True))


@pytest.mark.usefixtures("here")
def test_without_a_step_each_tag_counts_for_itself() -> None:
    with SummaryWriter("logs") as writer:
        for value in (0.5, 0.25):
            writer.add_scalar("a", value)
        writer.add_scalars("b", {"x": 1.0, "y": 2.0})
        writer.add_scalar("c", 4.0)
    assert points("a") == [(0, 0.5), (1, 0.25)]
    assert points("c") == [(0, 4.0)]


@pytest.mark.usefixtures("here")
def test_frames_of_several_videos_lie_in_a_grid() -> None:
    from torch.utils.tensorboard._utils import _prepare_video

    videos = RANDOM.random((3, 4, 3, 6, 8)).astype(np.float32)
    with SummaryWriter("logs") as writer:
        writer.add_video("v", torch.tensor(videos), 2, fps=8)
    expected = (_prepare_video(videos) * np.float32(255)).astype(np.uint8)
    with Reader.open() as reader:
        [series] = reader.series(only_run().run_id, name="v")
        [record] = reader.records(series)
        video = reader.load(series, record)
    assert record.step == 2
    assert (video.width, video.height) == expected.shape[2:0:-1]


def test_figures(here: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    with Original("theirs") as theirs, SummaryWriter("ours") as ours:
        for writer in (theirs, ours):
            figure, axes = pyplot.subplots(figsize=(2, 1))
            axes.plot([1, 3, 2])
            writer.add_figure("one", figure, close=False)
            writer.add_figure("two", [figure, figure], 1)
            assert not pyplot.fignum_exists(figure.number)
    events = read_events(here / "theirs")
    with Reader.open() as reader:
        for name in ("one", "two"):
            [series] = reader.series(only_run().run_id, name=name)
            [record] = reader.records(series)
            pixels = np.asarray(Pillow.open(io.BytesIO(events.Images(name)[0].encoded_image_string)))
            np.testing.assert_array_equal(reader.load(series, record).array(), pixels)


@pytest.mark.usefixtures("here")
def test_graphs(capsys: pytest.CaptureFixture[str]) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    with SummaryWriter("logs") as writer:
        writer.add_graph(model, torch.zeros(1, 3), verbose=True)
    with Reader.open() as reader:
        [series] = reader.series(only_run().run_id, kind="graph")
        graph = reader.load(series, reader.records(series)[0])
    assert graph.parameters == 16
    assert "aten.relu" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_graphs_of_onnx_files() -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("Relu", ["x"], ["r"], name="first"), helper.make_node("Neg", ["r"], ["y"])]
    ends = [helper.make_tensor_value_info(name, kind, ["n", 2]) for name in ("x", "y")]
    onnx.save(helper.make_model(helper.make_graph(nodes, "tiny", ends[:1], ends[1:])), "tiny.onnx")
    with SummaryWriter("logs") as writer:
        writer.add_onnx_graph("tiny.onnx")
    with Reader.open() as reader:
        [series] = reader.series(only_run().run_id, kind="graph")
        graph = reader.load(series, reader.records(series)[0])
    assert [(node.node_id, node.op, node.inputs) for node in graph.nodes] == [
        ("x", "input", ()),
        ("first", "Relu", ("x",)),
        ("Neg_1", "Neg", ("first",)),
    ]
    assert graph.nodes[-1].output_shapes == ((None, 2),)


@pytest.mark.usefixtures("here")
def test_tensors_are_tables() -> None:
    values = torch.arange(12.0).reshape(2, 3, 2)
    with SummaryWriter("logs") as writer:
        writer.add_tensor("t", values)
        writer.add_tensor("u", torch.tensor(5))
    with Reader.open() as reader:
        tables = []
        for name in ("t", "u"):
            [series] = reader.series(only_run().run_id, name=name)
            tables.append(reader.load(series, reader.records(series)[0]))
    assert tables[0].columns == ("index 0", "index 1", "0", "1")
    assert [list(row) for row in tables[0].rows[3:5]] == [[1, 0, 6.0, 7.0], [1, 1, 8.0, 9.0]]
    assert (tables[1].columns, [list(row) for row in tables[1].rows]) == (("0",), [[5]])


@pytest.mark.usefixtures("here")
def test_the_run_is_named_after_the_folder_which_is_there() -> None:
    writer = SummaryWriter(Path("runs") / "first")
    assert writer.get_logdir() == Path("runs/first")
    assert Path("runs/first").is_dir()
    writer.close()
    assert only_run().name == "runs/first"
    default = SummaryWriter(comment="_lr")
    default.close()
    assert default.log_dir.startswith("runs/")
    assert default.log_dir.endswith("_lr")


@pytest.mark.usefixtures("here")
def test_what_comes_after_close_resumes_the_run() -> None:
    writer = SummaryWriter("logs")
    writer.add_scalar("a", 1.0, 1)
    writer.close()
    writer.close()
    assert only_run().state is RunState.FINISHED
    writer.add_scalar("a", 2.0, 2)
    writer.close()
    assert points("a") == [(1, 1.0), (2, 2.0)]
    assert only_run().attempt == 1


@pytest.mark.usefixtures("here")
def test_a_block_that_raises_is_a_failed_run() -> None:
    with pytest.raises(ZeroDivisionError), SummaryWriter("logs") as writer:
        writer.add_scalar("a", 1 / 0)
    assert only_run().state is RunState.FAILED


@pytest.mark.usefixtures("here")
def test_purge_step_goes_on_with_the_run_of_that_folder() -> None:
    with SummaryWriter("logs", purge_step=3) as writer:
        for step in range(6):
            writer.add_scalar("a", 1.0, step)
    with SummaryWriter("logs", purge_step=3) as writer:
        for step in range(3, 5):
            writer.add_scalar("a", 2.0, step)
    assert points("a") == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


@pytest.mark.usefixtures("here")
def test_a_run_of_ones_own_stays_open(caplog: pytest.LogCaptureFixture) -> None:
    with stepscope.init(name="mine") as run:
        with SummaryWriter("logs", run=run) as writer:
            writer.add_scalar("a", 1.0, 100)
            writer.add_scalar("b", 1.0, 3)
        run.log({"c": 2.0})
    assert points("c") == [(0, 2.0)]
    assert not caplog.records
    with pytest.raises(BadInput, match=r"needs run= as stepscope.init returned it, but got str"):
        SummaryWriter("logs", run="mine")


def test_event_files_beside(here: Path) -> None:
    with SummaryWriter("logs", filename_suffix=".mine", event_files=True) as writer:
        writer.add_scalar("a", 0.5, 3, walltime=7.0)
        writer.flush()
        with pytest.raises(AssertionError, match="Tensor should contain one element"):
            writer.add_scalar("a", np.zeros(2))
    [event] = read_events(here / "logs").Scalars("a")
    assert (event.step, event.value, event.wall_time) == (3, 0.5, 7.0)
    assert points("a") == [(3, 0.5)]
    assert next(Path("logs").iterdir()).name.endswith(".mine")


@pytest.mark.usefixtures("here")
def test_summaries_that_are_handed_to_the_file_writer(caplog: pytest.LogCaptureFixture) -> None:
    from torch.utils.tensorboard import summary

    writer = SummaryWriter("logs")
    for part in summary.hparams({"lr": 0.1, "name": "sgd"}, {"best": 0.5}):
        writer.file_writer.add_summary(part)
    inner = writer._get_file_writer()
    inner.add_summary(summary.scalar("a", 0.5), 3, 7.0)
    inner.add_summary(summary.scalar("b", 0.25, new_style=True), 4)
    inner.add_summary(summary.histogram("h", NUMBERS, writer.default_bins), 5)
    inner.add_summary(summary.image("i", PIXELS, dataformats="CHW"), 6)
    inner.add_summary(summary.text("t", "words"), 7)
    inner.add_summary(summary.custom_scalars({}), 8)
    assert inner.get_logdir() == "logs"
    assert list(writer.all_writers) == ["logs"]
    inner.flush()
    inner.close()
    assert writer.all_writers is None
    assert points("a") == [(3, 0.5)]
    assert points("b") == [(4, 0.25)]
    assert only_run().config == {"lr": 0.1, "name": "sgd"}
    with Reader.open() as reader:
        kinds = {one.name: one.kind for one in reader.series(only_run().run_id)}
    assert (kinds["h"], kinds["i"], kinds["t/text_summary"]) == ("histogram", "image", "text")
    assert "a summary of custom_scalars plugin, 'custom_scalars__config__', is not stored" in caplog.text


def test_a_tensor_on_a_device_is_handed_on_unread() -> None:
    # The meta device holds no numbers: reading one would raise.
    assert as_number(torch.zeros((1, 1), device="meta")).device.type == "meta"
    assert histogram(torch.zeros(5, device="meta"), "tensorflow", None).values.device.type == "meta"
    with pytest.raises(AssertionError, match="Was given size: 2 and 1 dimensions"):
        as_number(torch.zeros(2, device="meta"))
    with pytest.raises(ValueError, match="The input has no element"):
        histogram(torch.zeros(0, device="meta"), "tensorflow", None)


def test_neither_torch_nor_tensorboard_is_imported(here: Path) -> None:
    run_python(
        "-c",
        "import os, sys\n"
        f"os.chdir({str(here)!r})\n"
        "from stepscope.trackers.summary_writer import SummaryWriter\n"
        "with SummaryWriter('logs') as writer:\n"
        "    writer.add_scalar('a', 0.5, 1)\n"
        "    writer.add_image('i', __import__('numpy').zeros((3, 4, 4)))\n"
        "assert not {'torch', 'tensorboard', 'tensorflow'} & set(sys.modules)\n",
    )
