"""Wrapped values that are made of several parts: what they become, and what is refused with which words."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stepscope import Embedding, Figure, HParams, Image, Mesh, PrCurve, Table, Video
from stepscope.storage.errors import BadInput
from stepscope.storage.kinds import KIND_OF, RawValue
from stepscope.trackers.media import Loggable, figure, table, video
from stepscope.trackers.values import prepare


def stored(value: Loggable) -> Any:
    """Take a value as far as the store would, and back."""
    payload = value.payload()
    data = payload.data if isinstance(payload.data, bytes) else np.ascontiguousarray(payload.data).tobytes()
    kept = KIND_OF[payload.kind].encode(RawValue(payload.meta(), data))
    return KIND_OF[payload.kind].decode(kept.meta, kept.data)


def refused(value: Loggable, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        value.payload()


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5, 8, 9, 3), "THWC"),
        ((5, 3, 8, 9), "TCHW"),
        ((5, 1, 8, 9), "TCHW"),
        ((5, 3, 8, 3), "THWC"),
        ((5, 8, 9, 1), "THWC"),
    ],
)
def test_the_layout_of_frames_is_told_as_of_images(shape: tuple[int, ...], layout: str) -> None:
    assert Video(np.zeros(shape)).payload().facts["layout"] == layout


def test_torch_puts_channels_first_and_a_stated_layout_wins() -> None:
    torch = pytest.importorskip("torch")
    assert Video(torch.zeros(5, 3, 8, 3)).payload().facts["layout"] == "TCHW"
    assert Video(torch.zeros(5, 3, 8, 3), layout="THWC").payload().facts["layout"] == "THWC"
    assert Video(np.zeros((5, 3, 8, 3)), layout="TCHW").payload().facts["layout"] == "TCHW"


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (
            np.zeros((8, 9, 3)),
            {},
            r"a video needs shape \(T, H, W, C\) or \(T, C, H, W\) .* but got \(8, 9, 3\)",
        ),
        (np.zeros((2, 5, 3, 8, 9)), {}, r"but got \(2, 5, 3, 8, 9\)\. Pass one stack, or a layout"),
        (np.zeros((0, 8, 9, 3)), {}, r"but got \(0, 8, 9, 3\)"),
        (np.zeros((5, 8, 9, 2)), {}, r"with 1, 3 or 4 channels, but got \(5, 8, 9, 2\)"),
        (np.zeros((5, 8, 9, 3)), {"layout": "TCHW"}, r"but got \(5, 8, 9, 3\) as TCHW"),
        (np.zeros((5, 8, 9, 3)), {"layout": "HWC"}, r'the layout "THWC" or "TCHW", but got \'HWC\''),
        (np.zeros((5, 8, 9, 3)), {"fps": 0}, r"needs fps as a number from 0\.001 to 1000, but got 0"),
        (np.zeros((5, 8, 9, 3)), {"fps": "fast"}, "but got 'fast'"),
        (b"RIFF....AVI ", {}, r"must be MP4, WebM or GIF, but it begins with b'RIFF\.\.\.\.AVI '"),
        (Path("/nowhere/film.mp4"), {}, "a video's file cannot be read: .*/nowhere/film.mp4"),
        (5, {}, r"a video needs shape .* but got \(\)"),
    ],
)
def test_what_is_no_video_is_refused(data: Any, options: dict[str, Any], message: str) -> None:
    refused(Video(data, **options), message)


def test_a_video_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MOST_BYTES", 1 << 20)
    message = (
        r"a video may have 1 MiB, but this one has 3 MiB\. Log fewer or smaller frames, or .*log_artifact"
    )
    refused(Video(np.zeros((1, 1024, 1024, 3), np.uint8)), message)
    refused(Video(b"GIF89a" + bytes(3 << 20)), message)


def test_a_table_of_rows_that_come_one_by_one() -> None:
    made = Table(columns=["a", "b"], data=[[1, "x"]])
    made.add_data(np.int64(2), None)
    assert stored(made).rows == ((1, "x"), (2, None))


class Colour(IntEnum):
    RED = 3


def test_cells_become_plain_values() -> None:
    cells = [
        np.float32(0.5),
        np.bool_(True),
        np.arange(2),
        (1, [2.0]),
        {"a": np.int8(1)},
        pd.NA,
        pd.Timestamp("2024-05-01"),
        Colour.RED,
    ]
    expected = [0.5, True, [0, 1], [1, [2.0]], {"a": 1}, None, "2024-05-01T00:00:00", 3]
    assert list(stored(Table(["x"] * 8, [cells])).rows[0]) == expected


def test_a_dataframe() -> None:
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan], 3: ["a", None]}, index=["one", "two"])
    made = Table(dataframe=frame)
    made.add_data(3, 1.5, "c")
    found = stored(made)
    assert found.columns == ("n", "x", "3")
    assert repr(found.column(1)) == "[0.5, nan, 1.5]"
    assert [type(cell) for cell in found.column(0)] == [int, int, int]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Table(), "a table needs columns, or a dataframe"),
        (Table(["a"], [[1], [1, 2]]), r"need 1 cells, one for each of its columns, but row 1 is \[1, 2\]"),
        (Table(["a"], ["x"]), "but row 0 is 'x'"),
        (Table(["a"], [5]), "but row 0 is 5"),  # type: ignore[list-item]
        (Table(["a"], [[object]]), "a cell must be a number, a text, a boolean, None or a list of these"),
        (Table(["a"], 5), "but row 0 is 5"),  # type: ignore[arg-type]
        (Table(dataframe=[[1]]), "a table's dataframe must be one of pandas, but got list"),
    ],
)
def test_what_is_no_table_is_refused(made: Table, message: str) -> None:
    refused(made, message)


class FakeTensor:
    """What torch, TensorFlow and JAX have in common."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.arange(1, 3)


def test_cells_that_have_no_place_in_json_become_text() -> None:
    picture = Image(np.zeros((2, 2)), "dog")
    cells = [Decimal("1.5"), PurePosixPath("/x"), pd.Period("2024-05"), picture, FakeTensor()]
    expected = ["1.5", "/x", "2024-05", "(Image) dog", [1, 2]]
    assert list(stored(Table(["x"] * 5, [cells])).rows[0]) == expected


@pytest.mark.parametrize("made", [Table(pd.DataFrame({"a": [1]})), Table(data=pd.DataFrame({"a": [1]}))])  # type: ignore[arg-type]
def test_a_dataframe_in_any_place(made: Table) -> None:
    assert (stored(made).columns, list(stored(made).rows[0])) == (("a",), [1])


def test_half_a_character_is_replaced() -> None:
    found = stored(Table(["a\ud800"], [["ü\udfff"]]))
    assert (found.columns, list(found.rows[0])) == (("a?",), ["ü?"])
    assert Image(np.zeros((2, 2)), caption="\ud800").payload().facts["caption"] == "?"


def test_columns_that_are_added() -> None:
    made = Table()
    made.add_column("a", np.arange(2))
    made.add_column("b", ["x", "y"])
    assert [list(row) for row in stored(made).rows] == [[0, "x"], [1, "y"]]
    made.add_column("c", [1])
    refused(made, r"need 3 cells, one for each of its columns, but row 1 is")


def test_a_figure_needs_no_wrapping() -> None:
    from matplotlib import pyplot
    from plotly.graph_objects import Figure as Plotly

    for drawn, media_type in ((pyplot.figure(), "image/png"), (Plotly(), "application/json")):
        (payload,) = prepare("chart", drawn)
        assert (payload.kind, payload.facts["media_type"]) == ("figure", media_type)


def test_a_huge_figure_of_matplotlib_gets_fewer_pixels() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.figure(figsize=(200, 100))
    found = stored(Figure(pyplot))  # pyplot stands for its current figure
    pyplot.close()
    assert found.width * found.height < 1.01 * 2**24
    assert found.width == pytest.approx(2 * found.height, abs=2)


def test_a_table_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_CELLS", 5)
    refused(Table(["a", "b"], [[1, 2]] * 3), "may have 5 cells, but this one has 3 rows of 2. Log a part")


def test_nested_hyperparameters_are_flat() -> None:
    found = stored(HParams({"optimizer": {"lr": 0.1}, "sizes": (8, 4)}, {"acc": np.float32(0.5)}))
    assert (found.values, found.metrics) == ({"optimizer.lr": 0.1, "sizes": [8, 4]}, {"acc": 0.5})


@pytest.mark.parametrize(
    ("values", "metrics", "message"),
    [
        ([1], None, "hyperparameters need values as a mapping, but got list"),
        ({}, [1], "hyperparameters need metrics as a mapping, but got list"),
        ({}, {"acc": [1, 2]}, r"the metric 'acc' needs one number, but got shape \(2,\)"),
        ({}, {"acc": "high"}, "the metric 'acc' needs real numbers, but got str"),
        ({"f": print}, None, "but got builtin_function_or_method"),
    ],
)
def test_what_are_no_hyperparameters_is_refused(values: Any, metrics: Any, message: str) -> None:
    refused(HParams(values, metrics), message)


@pytest.mark.parametrize(
    ("labels", "scores", "options", "message"),
    [
        ([1, 0], [0.5], {}, "needs a score for each label, but got 2 labels and 1 scores"),
        ([], [], {}, "but got 0 labels and 0 scores"),
        ([1, 2], [0.5, 0.5], {}, "labels must be 0 or 1, but they go from 1 to 2"),
        ([1, 0], [0.5, 2.5], {}, r"between 0 and 1, but they go from 0.5 to 2.5. Pass probabilities: logits"),
        ([1, 0], [0.5, np.nan], {}, "must lie between 0 and 1"),
        ([1, 0], [0.5, 0.5], {"thresholds": 1}, "thresholds as a whole number from 2 to 1000, but got 1"),
        ([1, 0], [0.5, 0.5], {"thresholds": 2.5}, "but got 2.5"),
        (
            [1, 0],
            [0.5, 0.5],
            {"weights": [1, 2, 3]},
            "must be one number or 2, finite and not negative, but got 3",
        ),
        ([1, 0], [0.5, 0.5], {"weights": [1, -2]}, "but got 2 from -2 to 1"),
    ],
)
def test_what_is_no_pr_curve_is_refused(
    labels: Any, scores: Any, options: dict[str, Any], message: str
) -> None:
    refused(PrCurve(labels, scores, **options), message)


def test_counts_of_a_pr_curve_have_one_length() -> None:
    refused(PrCurve.from_counts([1], *[[1, 2]] * 5), r"six arrays of one length, 2 to 1000, .* \[1, 2, 2")
    refused(PrCurve.from_counts(*[[1]] * 6), r"but they have \[1, 1, 1, 1, 1, 1\]")


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (np.zeros(3), {}, r"needs vectors of shape \(n, d\), but got \(3,\)"),
        (np.zeros((0, 3)), {}, r"but got \(0, 3\)"),
        (np.zeros((2, 3)), {"metadata": ["a"]}, "of 2 vectors needs as much metadata, but got 1"),
        (np.zeros((2, 3)), {"header": ["a"]}, r"header names columns of metadata, but got \['a'\] alone"),
        (
            np.zeros((1, 3)),
            {"header": ["a", "b"], "metadata": [["x"]]},
            r"needs 2 cells as its header, but got \['x'\]",
        ),
        (np.zeros((2, 3)), {"header": ["a", "b"], "metadata": "xy"}, "needs 2 cells as its header"),
        (
            np.zeros((2, 3)),
            {"images": np.zeros((3, 4, 4, 3))},
            "of 2 vectors needs as many images, but got 3",
        ),
        (np.zeros((2, 3)), {"images": np.zeros((2, 4, 4))}, r"an embedding's images needs shape"),
        ([["a"]], {}, "an embedding needs real numbers"),
    ],
)
def test_what_is_no_embedding_is_refused(vectors: Any, options: dict[str, Any], message: str) -> None:
    refused(Embedding(vectors, **options), message)


def test_a_mesh_with_a_dimension_of_one_in_front() -> None:
    found = stored(Mesh(np.zeros((1, 4, 3)), np.array([[[0, 1, 2]]]), np.full((1, 4, 3), 9)))
    assert (found.vertices.shape, found.faces.shape, found.colors.shape) == ((4, 3), (1, 3), (4, 3))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Mesh(np.zeros((4, 2))), r"a mesh's vertices need shape \(n, 3\), but got \(4, 2\)"),
        (Mesh(np.zeros((2, 4, 3))), r"but got \(2, 4, 3\)\. For several, log a list of Mesh"),
        (Mesh(np.zeros((0, 3))), "needs 1 to 2,000,000 vertices, but got 0"),
        (
            Mesh(np.zeros((4, 3)), [[0, 1, 4]]),
            "must name vertices from 0 to 3, but they go from 0 to 4",
        ),
        (Mesh(np.zeros((4, 3)), [[-1, 1, 2]]), "but they go from -1 to 2"),
        (Mesh(np.zeros((4, 3)), [[0.0, 1, 2]]), "faces must be whole numbers, but got float64"),
        (Mesh(np.zeros((4, 3)), None, [[1, 2, 3]]), "a color for each of its 4 vertices, but got 1"),
        (Mesh(np.zeros((4, 3)), config={"a": print}), "a mesh's config must be JSON-able, but"),
    ],
)
def test_what_is_no_mesh_is_refused(made: Mesh, message: str) -> None:
    refused(made, message)


class Broken:
    """Looks like both libraries' figures, and fails when it is drawn."""

    dpi = 100

    def get_size_inches(self) -> tuple[float, float]:
        return 6.4, 4.8

    def savefig(self, *_: Any, **__: Any) -> None:
        raise ValueError("no backend")


class BrokenPlotly(Broken):
    def to_plotly_json(self) -> None: ...

    def to_json(self) -> str:
        raise TypeError("not serializable")


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (np.zeros((4, 4)), "one of plotly or matplotlib, but got ndarray. For an array of pixels use Image"),
        (Broken(), "the matplotlib figure cannot be drawn: no backend"),
        (BrokenPlotly(), "the plotly figure cannot be written as JSON: not serializable"),
    ],
)
def test_what_is_no_figure_is_refused(drawn: Any, message: str) -> None:
    refused(Figure(drawn), message)


def test_a_figure_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import plotly.graph_objects as go

    monkeypatch.setattr(figure, "MOST_BYTES", 1000)
    refused(Figure(go.Figure()), "a figure may have 0 MiB, but this one has 0 MiB. Draw fewer points")
