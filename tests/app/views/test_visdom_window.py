"""Windows of Visdom as figures of the page."""

from __future__ import annotations

import io

from PIL import Image

from stepscope.app.views.visdom_window import HEIGHT, TALLEST, WIDTH, magnified, network, plot


def test_curves_have_the_colours_of_their_runs_and_are_told_apart() -> None:
    traces = [
        {"type": "scatter", "name": name, "x": [0], "y": [1], "meta": {"run": run_id}}
        for name, run_id in (("a", "R1"), ("a [rank=1]", "R1"), ("b", "R2"), ("c", "gone"))
    ]
    drawn = plot({"data": traces, "layout": {"title": {"text": "loss"}}}, {"R1": "#111111", "R2": "#222222"})
    lines = [trace.get("line") for trace in drawn["data"]]
    assert lines == [
        {"color": "#111111", "dash": "solid"},
        {"color": "#111111", "dash": "dash"},
        {"color": "#222222", "dash": "solid"},
        None,
    ]
    assert drawn["layout"]["height"] == HEIGHT
    assert "title" not in drawn["layout"]


def test_a_plot_loads_nothing_from_elsewhere() -> None:
    layout = {"images": [{"source": "http://example.org/a.png"}], "title": "<a href='x'>t</a>"}
    drawn = plot({"data": [{"type": "scattergeo"}, {"type": "bar", "y": [1]}], "layout": layout}, {})
    assert [trace["type"] for trace in drawn["data"]] == ["bar"]
    assert "images" not in drawn["layout"]


def content(count: int, *arrows: tuple[int, int]) -> dict[str, object]:
    nodes = [{"name": place, "label": f"<{place}>"} for place in range(count)]
    return {"nodes": nodes, "edges": [{"source": one, "target": other} for one, other in arrows]}


def test_a_network_is_drawn_from_top_to_bottom() -> None:
    lines, marks = network(content(4, (0, 1), (1, 3), (0, 2), (0, 3)))["data"]
    assert marks["y"] == [0.0, -1.0, -1.0, -2.0]
    assert len(set(zip(marks["x"], marks["y"], strict=True))) == 4
    assert marks["text"][0] == "&lt;0&gt;"
    assert lines["x"].count(None) == 4


def test_a_ring_and_an_empty_network_are_drawn() -> None:
    assert len(network(content(3, (0, 1), (1, 2), (2, 0)))["data"][1]["x"]) == 3
    assert network(content(0))["data"][1]["x"] == []


def test_the_pixels_of_a_small_picture_are_squares() -> None:
    def picture(width: int, height: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("P", (width, height)).save(buffer, "PNG")
        return buffer.getvalue()

    data, width = magnified(picture(8, 4))
    with Image.open(io.BytesIO(data)) as shown:
        assert shown.size == (width, width // 2) == (51 * 8, 51 * 4)
    data, width = magnified(picture(1000, 500))
    assert (data, width) == (picture(1000, 500), WIDTH)
    assert magnified(picture(10, 1000))[1] == round(10 * TALLEST / 1000)
