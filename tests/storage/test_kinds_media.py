"""Videos, tables, figures, curves, embeddings, meshes and hyperparameters come back as what they were."""

from __future__ import annotations

import io
import json
import math
from importlib import util
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from stepscope import Embedding, Figure, HParams, Mesh, PrCurve, Table, Video
from stepscope.storage.errors import BadInput, MissingExtra, StoreDamaged
from stepscope.storage.kinds import KIND_OF, RawValue
from stepscope.storage.kinds import video as videos
from stepscope.storage.kinds.base import EncodedValue
from stepscope.storage.kinds.embedding import WIDEST_SPRITE, EmbeddingData
from stepscope.storage.kinds.figure import FigureData
from stepscope.storage.kinds.parts import inflate, join, pack, split, unpack
from stepscope.storage.kinds.video import VideoData
from stepscope.trackers.media import Loggable


def encoded(value: Loggable) -> EncodedValue:
    payload = value.payload()
    data = payload.data if isinstance(payload.data, bytes) else np.ascontiguousarray(payload.data).tobytes()
    # Through JSON, as in the journal.
    return KIND_OF[payload.kind].encode(RawValue(json.loads(json.dumps(payload.meta())), data))


def stored(value: Loggable) -> Any:
    kept = encoded(value)
    return KIND_OF[value.kind].decode(json.loads(json.dumps(kept.meta)), kept.data)


def smooth(frames: int = 6, height: int = 33, width: int = 47) -> np.ndarray:
    """Return frames (t, h, w, 3) such as a codec keeps well."""
    t, y, x = np.mgrid[0 : 1 : frames * 1j, 0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return (np.stack([x, y, t], axis=-1) * 255).astype(np.uint8)


@pytest.mark.parametrize("layout", ["THWC", "TCHW"])
def test_frames_become_an_mp4_that_browsers_play(layout: Any) -> None:
    import av

    frames = smooth()
    given_frames = frames.transpose(0, 3, 1, 2) if layout == "TCHW" else frames
    video = stored(Video(given_frames, fps=7.5, caption="waves", layout=layout))
    assert (video.media_type, video.fps, video.frames) == ("video/mp4", 7.5, 6)
    assert (video.width, video.height, video.caption) == (47, 33, "waves")
    with av.open(io.BytesIO(video.data)) as container:
        stream = container.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, float(stream.average_rate)) == ("h264", "yuv420p", 7.5)
    # Both sides are made even by repeating the edge.
    assert video.array().shape == (6, 34, 48, 3)
    np.testing.assert_allclose(video.array()[:, :33, :47].astype(int), frames, atol=24)


def test_grey_and_clear_frames_are_shown_as_colours() -> None:
    frames = smooth()
    grey = stored(Video(frames[..., :1])).array()
    assert np.abs(grey[..., 0].astype(int) - grey[..., 2]).max() <= 3
    clear = np.concatenate([frames, np.zeros((*frames.shape[:3], 1), np.uint8)], axis=-1)
    assert stored(Video(clear)).array().shape == (6, 34, 48, 3)


def test_without_pyav_frames_become_an_animated_webp(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "av" else find(name))
    video = stored(Video(smooth(), fps=5))
    assert (video.media_type, video.frames, video.width, video.height) == ("image/webp", 6, 47, 33)
    assert video.is_animation
    np.testing.assert_allclose(video.array().astype(int), smooth(), atol=40)
    with Pillow.open(io.BytesIO(video.gif())) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (6, (47, 33), 200)


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_files_are_kept_to_the_byte(tmp_path: Any, suffix: str) -> None:
    film = stored(Video(smooth()))
    data = film.gif() if suffix == "gif" else film.data
    path = tmp_path / f"film.{suffix}"
    path.write_bytes(data)
    for given_file in (path, str(path), data):
        found = stored(Video(given_file, caption="a file"))
        assert (found.data, found.caption, found.fps, found.frames) == (data, "a file", None, None)
        assert found.media_type.endswith(suffix)
        assert len(found.array()) == 6


def test_a_long_wide_video_becomes_a_short_small_gif() -> None:
    frames = np.zeros((450, 4, 400, 1), np.uint8)
    frames[::2] = 255
    with Pillow.open(io.BytesIO(stored(Video(frames, fps=30)).gif())) as gif:
        assert gif.size == (320, 3)
        assert gif.n_frames <= 200


def test_frames_of_an_mp4_need_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    film = stored(Video(smooth()))

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(videos, "import_module", missing)
    with pytest.raises(MissingExtra, match=r'frames of a video needs .* pip install "stepscope\[video\]"'):
        film.array()


@pytest.mark.parametrize("media_type", videos.MEDIA_TYPES)
def test_a_video_that_is_none_is_damaged(media_type: str) -> None:
    with pytest.raises(StoreDamaged, match=f"a video of 4 bytes is no {media_type}"):
        VideoData(b"gone", media_type).array()


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_any_table_keeps_its_cells_and_their_types(data: Any) -> None:
    columns = data.draw(st.lists(st.text(max_size=4), min_size=1, max_size=3))
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(columns)), max_size=4))
    found = stored(Table(columns, rows))
    assert found.columns == tuple(columns)
    # By repr: NaN equals itself, and 1 is neither 1.0 nor True.
    assert repr(found.rows) == repr(tuple(rows))


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text()),
    st.dictionaries(st.text(), st.floats()),
)
@settings(deadline=None, max_examples=40)
def test_any_hyperparameters(values: dict[str, Any], metrics: dict[str, float]) -> None:
    found = stored(HParams(values, metrics))
    assert repr((found.values, found.metrics)) == repr((values, metrics))


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_any_mesh(data: Any) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    count, faces = data.draw(st.integers(1, 30)), data.draw(st.none() | st.integers(0, 20))
    vertices = random.normal(size=(count, 3)).astype(np.float32)
    triangles = None if faces is None else random.integers(0, count, (faces, 3))
    colors = data.draw(st.booleans()) and random.integers(0, 256, (count, 3))
    found = stored(Mesh(vertices, triangles, None if colors is False else colors, {"a": [1, None]}))
    np.testing.assert_array_equal(found.vertices, vertices)
    assert found.config == {"a": [1, None]}
    for kept, was in ((found.faces, triangles), (found.colors, None if colors is False else colors)):
        assert (kept is None) == (was is None)
        if was is not None:
            np.testing.assert_array_equal(kept, was)


def test_colors_of_a_mesh_as_floats_span_0_to_1() -> None:
    found = stored(Mesh(np.zeros((2, 3)), colors=[[0.0, 0.5, 1.0], [1.0, 0.0, 0.0]]))
    assert found.hex_colors() == ["#0080ff", "#ff0000"]
    assert found.hex_colors(2) == ["#0080ff"]


def counted(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, n: int) -> list[list[float]]:
    """Count as the definition says, one threshold at a time."""
    rows = []
    for place in range(n):
        positive = np.floor(scores * (n - 1)) >= place
        tp, fp = (weights[positive & (labels == known)].sum() for known in (1, 0))
        tn, fn = (weights[~positive & (labels == known)].sum() for known in (0, 1))
        rows.append([tp, fp, tn, fn, tp / max(1e-7, tp + fp), tp / max(1e-7, tp + fn)])
    return np.array(rows).T.tolist()


@given(st.integers(0, 999), st.integers(1, 60), st.sampled_from([2, 5, 127]), st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_pr_curve_counts_as_its_definition_says(seed: int, count: int, n: int, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    labels, scores = random.integers(0, 2, count), random.integers(0, 101, count) / 100
    weights = random.random(count) if weighted else np.ones(count)
    found = stored(PrCurve(labels, scores, thresholds=n, weights=weights if weighted else None))
    np.testing.assert_allclose(found.rows(), counted(labels, scores, weights, n), atol=1e-9)
    assert found.thresholds[[0, -1]].tolist() == [0, 1]


def test_a_pr_curve_of_counts_is_kept_to_the_bit() -> None:
    rows = np.random.default_rng(0).random((6, 9))
    np.testing.assert_array_equal(stored(PrCurve.from_counts(*rows)).rows(), rows)


def test_average_precision() -> None:
    assert stored(PrCurve([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])).average_precision == pytest.approx(1.0)
    assert stored(PrCurve([1, 0], [0.1, 0.9])).average_precision == pytest.approx(0.5)


def test_an_embedding_with_all_there_is() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (5, 4, 6, 3), np.uint8)
    found = stored(Embedding(random.random((5, 3)), [(1, "a")] * 5, images, header=["n", "name"]))
    assert (found.header, found.rows[4], found.image_size) == (("n", "name"), ("1", "a"), (6, 4))
    with Pillow.open(io.BytesIO(found.sprite)) as sheet:
        assert (sheet.format, sheet.size) == ("PNG", (18, 12))
        pixels = np.asarray(sheet)
    np.testing.assert_array_equal(pixels[4:8, 0:6], images[3])
    assert found.vectors.dtype == np.float32


def test_pictures_of_a_sheet_that_is_too_wide_are_made_smaller() -> None:
    found = stored(Embedding(np.zeros((4, 2)), images=np.ones((4, 10, WIDEST_SPRITE, 1), np.uint8)))
    with Pillow.open(io.BytesIO(found.sprite)) as sheet:
        assert sheet.size == (WIDEST_SPRITE, 10)
    assert found.image_size == (WIDEST_SPRITE // 2, 5)


def test_labels_alone_and_vectors_alone() -> None:
    found = stored(Embedding([[1.0, 2.0]], ["a\tb"]))
    assert (found.header, found.rows, found.sprite) == ((), (("a\tb",),), None)
    assert stored(Embedding([[1.0, 2.0]])).rows == ()


def test_the_projection_keeps_what_differs_most() -> None:
    along = np.linspace(-1, 1, 3000)
    vectors = np.zeros((3000, 50), np.float32)
    vectors[:, 7], vectors[:, 3] = 5 * along, along**2
    points, share = EmbeddingData(vectors).projected()
    assert points.shape == (3000, 2)
    assert share == pytest.approx(1.0)
    assert abs(np.corrcoef(points[:, 0], along)[0, 1]) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("vectors", [np.zeros((1, 4)), np.ones((9, 1)), np.full((3, 2), np.nan)])
def test_a_projection_of_what_does_not_differ(vectors: np.ndarray) -> None:
    points, share = EmbeddingData(vectors.astype(np.float32)).projected()
    assert (points.tolist(), share) == ([[0.0, 0.0]] * len(vectors), 1.0)


def test_a_plotly_figure() -> None:
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=np.arange(4), y=[1, None, 3, 4], name="a"))
    found = stored(Figure(figure, caption="four"))
    assert (found.is_picture, found.caption) == (False, "four")
    assert json.loads(found.data) == json.loads(figure.to_json())
    assert found.spec()["data"][0]["name"] == "a"


def test_a_matplotlib_figure_is_a_picture_of_twice_its_size() -> None:
    from matplotlib.figure import Figure as Drawn

    drawn = Drawn(figsize=(2, 1), dpi=50)
    drawn.subplots().plot([1, 2])
    found = stored(Figure(drawn))
    assert (found.is_picture, found.width, found.height) == (True, 200, 100)
    with Pillow.open(io.BytesIO(found.data)) as picture:
        assert (picture.format, picture.size) == ("PNG", (200, 100))
    assert drawn.dpi == 50


def spec(**figure: Any) -> dict[str, Any]:
    return FigureData(json.dumps(figure).encode(), "application/json").spec()


def test_a_figure_loads_nothing_from_elsewhere() -> None:
    elsewhere = "http://elsewhere.example/x"
    found = spec(
        data=[
            {"type": "scattermapbox"},
            {"type": "choropleth"},
            {"type": "image", "source": elsewhere},
            {"type": "heatmap", "z": [[1]]},
            {"type": "treemap"},
            {"y": [1, math.nan], "text": f"<a href='{elsewhere}'>x</a>"},
            "no trace",
        ],
        layout={
            "images": [{"source": elsewhere}],
            "mapbox2": {"style": elsewhere},
            "geo": {},
            "template": {"layout": {"images": [{"source": elsewhere}], "colorway": ["red"]}},
            "updatemenus": [{"buttons": [{"args": [{"images[0].source": elsewhere, "type": "scattergeo"}]}]}],
            "title": {"text": "< A HREF='javascript:alert(1)'>x</a><b>bold</b>"},
        },
    )
    assert [trace.get("type") for trace in found["data"]] == ["image", "heatmap", "treemap", None]
    assert found["left_out"] == 3
    assert found["data"][-1]["y"] == [1, None]
    assert elsewhere not in json.dumps(found).replace(f"&lt;a href='{elsewhere}'", "")
    assert found["layout"] == {
        "colorway": ["red"],
        "updatemenus": [{"buttons": [{"args": [{"type": "scatter"}]}]}],
        "title": {"text": "&lt;A HREF='javascript:alert(1)'>x&lt;/a><b>bold</b>"},
    }


def test_a_picture_that_lies_in_the_figure_is_shown() -> None:
    source = "data:image/png;base64,AAAA"
    assert spec(data=[{"type": "image", "source": source}])["data"][0]["source"] == source


@pytest.mark.parametrize("figure", ["[]", "7", '{"data": 7}', '{"layout": []}', "no JSON"])
def test_a_figure_that_is_none_is_damaged(figure: str) -> None:
    with pytest.raises(StoreDamaged, match=f"a figure of {len(figure)} bytes is not plotly's JSON"):
        FigureData(figure.encode(), "application/json").spec()


def test_a_png_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="a figure of 4 bytes is not a PNG"):
        KIND_OF["figure"].encode(RawValue({"media_type": "image/png"}, b"gone"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["<f4", "<i8", "|u1", "|b1"]), st.lists(st.integers(0, 4), max_size=3).map(tuple)
        ),
        max_size=4,
    )
)
@settings(deadline=None, max_examples=40)
def test_any_arrays_are_joined_and_split(forms: list[tuple[str, tuple[int, ...]]]) -> None:
    random = np.random.default_rng(0)
    arrays = {
        str(place): (random.random(shape) * 9).astype(dtype) for place, (dtype, shape) in enumerate(forms)
    }
    for found in (split(*join(arrays)), unpack("parts", (kept := pack(arrays, {})).meta, kept.data)):
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([{"name": "a", "dtype": "<f4", "shape": [2]}], "4 bytes, but 'a' ends at 8"),
        ([{"name": "a", "dtype": "|u1", "shape": [3]}], "4 bytes, but the parts have 3"),
        ([{"name": "a", "dtype": "|O", "shape": [1]}], "a part of type object"),
        ([{"name": "a", "dtype": "|u1", "shape": [-4]}], r"a part of type uint8 and shape \[-4\]"),
        ([{"name": "a", "dtype": "|u1", "shape": [2**40, 2**40]}], f"ends at {2**80}"),
    ],
)
def test_parts_that_do_not_fit_the_bytes_are_told(parts: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split(parts, b"1234")


def test_a_frame_that_claims_another_size_is_not_unpacked() -> None:
    kept = pack({"a": np.zeros(1000)}, {})
    with pytest.raises(ValueError, match="8000 bytes are compressed in it, but 10 were stored"):
        inflate(kept.data, 10)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("video", "a video is one of video/mp4, video/webm, image/gif, image/webp, but its row is {}"),
        ("table", "a table of 4 bytes cannot be read"),
        ("figure", "a figure of 4 bytes cannot be read"),
        ("pr_curve", "a PR curve of 4 bytes does not fit {}"),
        ("embedding", "an embedding of 4 bytes cannot be read"),
        ("mesh", "a mesh of 4 bytes cannot be read"),
        ("hparams", "hyperparameters of 4 bytes cannot be read"),
    ],
)
def test_what_cannot_be_decoded_is_damaged(kind: str, message: str) -> None:
    with pytest.raises(StoreDamaged, match=message):
        KIND_OF[kind].decode({}, b"gone")


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (Mesh(np.zeros((2, 3))), {"parts": [{"name": "vertices", "dtype": "<f4", "shape": [3, 2]}]}),
        (Mesh(np.zeros((2, 3))), {"parts": [{"name": "other", "dtype": "<f4", "shape": [2, 3]}]}),
        (Embedding(np.zeros((2, 3))), {"parts": [{"name": "vectors", "dtype": "<f4", "shape": [6]}]}),
        (HParams({}), {}),
    ],
)
def test_what_is_decoded_to_something_else_is_damaged(value: Loggable, change: dict[str, Any]) -> None:
    kept = encoded(value)
    data = b"[]" if value.kind == "hparams" else kept.data
    with pytest.raises(StoreDamaged, match="cannot be read"):
        KIND_OF[value.kind].decode({**kept.meta, **change}, data)
