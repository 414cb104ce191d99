"""Videos, tables, figures, curves, embeddings, meshes and hyperparameters as a page shows them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

from stepscope.app.views import embedding, figure, hparams, mesh, pr_curve, table, video
from stepscope.storage.kinds.embedding import EmbeddingData
from stepscope.storage.kinds.figure import FigureData
from stepscope.storage.kinds.hparams import HParamsData
from stepscope.storage.kinds.mesh import MeshData
from stepscope.storage.kinds.pr_curve import PrCurveData
from stepscope.storage.kinds.table import TableData

BLUE = "#0072B2"


def test_a_film_is_told_to_the_browser() -> None:
    facts = {"digest": "ab", "media_type": "video/webm", "caption": "a <walk>", "frames": 1, "fps": 7.5}
    told = video.figure({**facts, "width": 640, "height": 480})
    assert told["caption"] == "a <walk>, 1 frame, 7.5 a second"
    assert (told["width"], told["height"], told["media_type"]) == (640, 480, "video/webm")


def test_nothing_but_a_film_is_told_to_be_one() -> None:
    told = video.figure({"digest": "ab", "media_type": "text/html"})
    assert (told["media_type"], told["width"], told["caption"]) == ("video/mp4", None, "")


def test_a_figure_that_is_a_picture_is_an_image() -> None:
    assert figure.picture({"digest": "ab", "width": 800, "height": 600})["width"] == 800


def test_columns_of_one_type_keep_it_and_others_are_text() -> None:
    rows = [
        (1, 0.5, True, "<b>x</b>", math.nan, 2**60, [1, {"a": 2}]),
        (2, None, None, "long" * 999, 1.0, 1, None),
    ]
    shown = table.figure(TableData(("n", "n", "is", "text", "odd", "big", "list"), tuple(rows)))
    assert list(shown) == ["n", "n (2)", "is", "text", "odd", "big", "list"]
    assert shown["n"] == [1, 2]
    assert shown["n (2)"] == [0.5, None]
    assert shown["is"] == [True, None]
    assert shown["text"][0] == "<b>x</b>"
    assert len(shown["text"][1]) == table.LONGEST_CELL
    assert shown["odd"] == ["NaN", "1.0"]
    assert shown["big"] == [str(2**60), "1"]
    assert shown["list"] == ['[1, {"a": 2}]', None]


def test_a_large_table_is_shown_in_part() -> None:
    data = TableData(tuple(map(str, range(150))), (tuple(range(150)),) * 1500)
    shown = table.figure(data)
    assert (len(shown), len(shown["0"])) == (table.MOST_COLUMNS, table.MOST_ROWS)
    assert table.is_cut(data)
    assert not table.is_cut(TableData(("a",), ()))


def plotly(**spec: Any) -> FigureData:
    return FigureData(json.dumps(spec).encode(), "application/json")


def test_a_plotly_figure_takes_the_pages_size_and_colours() -> None:
    drawn = figure.figure(plotly(data=[{"y": [1]}, {"y": [2]}], layout={"title": "two", "height": 10**9}))
    assert drawn is not None
    assert drawn["layout"]["height"] == figure.HEIGHT
    assert drawn["layout"]["colorway"][0] == BLUE
    assert drawn["layout"]["showlegend"]
    assert drawn["layout"]["margin"]["t"] == 50
    assert go.Figure(drawn)
    kept = figure.figure(plotly(data=[], layout={"height": 300, "margin": {"t": 7}, "showlegend": False}))
    assert kept is not None
    assert (kept["layout"]["height"], kept["layout"]["margin"]["t"]) == (300, 7)


def test_a_map_that_is_left_out_is_told() -> None:
    drawn = figure.figure(plotly(data=[{"type": "scattergeo"}], layout={"annotations": [{"text": "mine"}]}))
    assert drawn is not None
    texts = [one["text"] for one in drawn["layout"]["annotations"]]
    assert texts == ["mine", "1 map not shown: it would be loaded from another server"]


def test_a_picture_of_a_figure_is_not_for_plotly() -> None:
    assert figure.figure(FigureData(b"", "image/png", None, 1280, 960)) is None


def test_a_pr_curve_without_the_end_where_nothing_is_predicted() -> None:
    tp, fp = np.array([2.0, 1, 0]), np.array([1.0, 0, 0])
    data = PrCurveData(tp, fp, fp, tp, np.array([2 / 3, 1, 0]), np.array([1, 0.5, 0]))
    drawn = pr_curve.figure("of <b>b</b>", data, BLUE)
    (line,) = drawn["data"]
    assert line["x"].tolist() == [1, 0.5]
    assert line["customdata"].tolist() == [0, 0.5]
    assert "average precision 0.8333" in drawn["layout"]["title"]["subtitle"]["text"]
    assert "of &lt;b&gt;" in drawn["layout"]["title"]["text"]
    assert "average precision" in pr_curve.figure("", data, BLUE)["layout"]["title"]["text"]
    assert go.Figure(drawn)


def test_an_embedding_is_coloured_by_the_column_that_has_few_values() -> None:
    rows = tuple((str(place), f"<class {place % 3}>") for place in range(30))
    data = EmbeddingData(np.random.default_rng(0).random((30, 5), np.float32), ("id", "class"), rows)
    drawn = embedding.figure("", data, BLUE)
    assert [trace["name"] for trace in drawn["data"]] == [f"&lt;class {place}&gt;" for place in range(3)]
    assert len({trace["marker"]["color"] for trace in drawn["data"]}) == 3
    assert drawn["data"][1]["text"][0] == "id: 1<br>class: &lt;class 1&gt;"
    assert drawn["layout"]["showlegend"]
    assert go.Figure(drawn)


def test_a_large_embedding_is_drawn_in_part_and_says_so() -> None:
    data = EmbeddingData(np.random.default_rng(0).random((10_000, 2), np.float32))
    drawn = embedding.figure("", data, BLUE)
    (trace,) = drawn["data"]
    assert len(trace["x"]) == 2500
    assert "2,500 of 10,000 vectors of 2" in drawn["layout"]["title"]["text"]
    assert (trace["text"][1], trace["marker"]["color"]) == ("vector 4", BLUE)


def test_a_mesh_and_a_cloud() -> None:
    vertices = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 9]], np.int32)
    colors = np.array([[255, 0, 0]] * 4, np.uint8)
    (body,) = mesh.figure("", MeshData(vertices, faces, colors), BLUE)["data"]
    assert (body["type"], body["vertexcolor"]) == ("mesh3d", ["#ff0000"] * 4)
    assert body["k"].tolist() == [2]  # the other face names a vertex that is not there
    np.testing.assert_array_equal(body["x"], vertices[:, 0])
    (plain,) = mesh.figure("", MeshData(vertices, faces), BLUE)["data"]
    assert plain["color"] == BLUE
    (cloud,) = mesh.figure("", MeshData(vertices, None, colors), BLUE)["data"]
    assert (cloud["type"], cloud["marker"]["color"]) == ("scatter3d", ["#ff0000"] * 4)
    assert go.Figure(mesh.figure("", MeshData(vertices, faces), BLUE))


def test_a_large_mesh_is_drawn_in_part_and_says_so() -> None:
    drawn = mesh.figure("", MeshData(np.zeros((150_000, 3), np.float32)), BLUE)
    assert len(drawn["data"][0]["x"]) == mesh.MOST_POINTS
    assert "150,000 vertices, 50,000 of them drawn" in drawn["layout"]["title"]["text"]


def test_hyperparameters_and_metrics_are_one_table() -> None:
    shown = hparams.figure(HParamsData({"lr": 0.1, "norm": "batch", "sizes": [1, 2]}, {"loss": math.nan}))
    assert shown == {
        "Hyperparameter or metric": ["lr", "norm", "sizes", "loss (metric)"],
        "Value": ["0.1", "batch", "[1, 2]", "NaN"],
    }
