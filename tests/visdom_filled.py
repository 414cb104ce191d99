"""An environment of a real Visdom server, filled by every method of Visdom's own client."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np


def visdom_client(url: str, env: str, **options: Any) -> Any:
    """Return Visdom's own client of a server."""
    import visdom

    logging.getLogger("visdom").setLevel(logging.ERROR)
    server, port = url.rsplit(":", 1)
    known = {"use_incoming_socket": False, "raise_exceptions": True, **options}
    return visdom.Visdom(server, port=int(port), env=env, **known)


STEPS = np.arange(5)
LOSS = np.array([1.0, 0.5, 0.25, 0.125, 0.0625])
PICTURE = np.arange(3 * 8 * 6, dtype=np.uint8).reshape(3, 8, 6)
SOUND = np.sin(np.linspace(0, 60, 800))
FILM = np.linspace(0, 1, 4 * 16 * 16 * 3).reshape(4, 16, 16, 3)
GRID = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
PROPERTIES: Sequence[dict[str, Any]] = (
    {"type": "text", "name": "optimizer", "value": "adam"},
    {"type": "number", "name": "lr", "value": "0.01"},
    {"type": "number", "name": "epochs", "value": "12"},
    {"type": "checkbox", "name": "amp", "value": True},
    {"type": "select", "name": "colour", "value": 1, "values": ["Red", "Green"]},
    {"type": "button", "name": "go", "value": "Start"},
)


def fill_every_window(client: Any) -> None:
    """Call every method of the client that makes a window; the title of each is the method's name."""
    _fill_lines(client)
    _fill_plots(client)
    _fill_media(client)
    _fill_texts(client)


def _fill_lines(client: Any) -> None:
    client.line(LOSS[:3], STEPS[:3], win="loss", opts={"title": "line"})
    client.line(LOSS[3:], STEPS[3:], win="loss", update="append")
    client.line(2 * LOSS, STEPS, win="loss", update="append", name="val")
    client.line(LOSS, opts={"title": "line without x"})
    client.line(np.stack([LOSS, -LOSS], 1), STEPS, opts={"title": "lines", "legend": ["up", "down"]})
    client.line(np.array([1.0, np.nan, 3.0]), np.arange(3), opts={"title": "line with a gap"})
    client.dual_axis_lines(STEPS, LOSS, 3 * LOSS, opts={"title": "dual_axis_lines"})
    days = [f"2024-01-0{day} 12:00:00" for day in (1, 2, 3)]
    trace = {"x": days, "y": [3.0, 2.0, 1.0], "type": "scatter", "mode": "lines", "name": "1"}
    client._send({"data": [trace], "win": None, "layout": {}, "opts": {"title": "line over days"}})


def _fill_plots(client: Any) -> None:
    client.scatter(GRID[:, :2], opts={"title": "scatter"})
    client.scatter(np.arange(12.0).reshape(4, 3), opts={"title": "scatter in space"})
    client.heatmap(GRID, opts={"title": "heatmap", "columnnames": ["a", "b", "c"]})
    client.bar(np.array([1, 2, 3]), opts={"title": "bar"})
    client.histogram(np.array([1.0, 2.0, 2.0, 3.0]), opts={"title": "histogram", "numbins": 3})
    client.boxplot(GRID, opts={"title": "boxplot"})
    client.surf(GRID, opts={"title": "surf"})
    client.contour(GRID, opts={"title": "contour"})
    client.quiver(GRID, GRID, opts={"title": "quiver"})
    client.stem(LOSS, opts={"title": "stem"})
    client.sunburst(np.array(["all", "one"]), np.array(["", "all"]), opts={"title": "sunburst"})
    client.pie(np.array([1, 2]), opts={"title": "pie", "legend": ["a", "b"]})
    client.mesh(np.eye(3), np.array([[0, 1, 2]]), opts={"title": "mesh"})
    client.graph([(0, 1), (1, 2), (0, 2)], ["a", "b", "c"], ["x", "y", "z"], {"title": "graph"})
    import plotly.graph_objects as go

    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4], mode="lines"), {"title": "plotlyplot"})
    client.plotlyplot(figure)


def _fill_media(client: Any) -> None:
    client.image(PICTURE, opts={"title": "image", "caption": "a picture"})
    client.image(PICTURE / 255.0, opts={"title": "image as jpeg", "jpgquality": 90})
    for shade in (0, 1, 2):
        told = {"title": "image history", "store_history": True, "caption": f"shade {shade}"}
        client.image(PICTURE // (shade + 1), win="history", opts=told)
    client.images(np.stack([PICTURE, PICTURE]), opts={"title": "images"})
    client.audio(SOUND, opts={"title": "audio", "sample_frequency": 8000})
    client.video(FILM, opts={"title": "video", "fps": 5})


def _fill_texts(client: Any) -> None:
    client.text("plain words", win="text", opts={"title": "text"})
    client.text("more", win="text", append=True)
    client.text("<b>bold</b> <script>alert(1)</script>", opts={"title": "html"})
    client.text("no title")
    client.text(
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>x</td></tr></table>", opts={"title": "table"}
    )
    client.svg('<svg width="4"><rect width="4"/></svg>', opts={"title": "svg"})
    client.properties(list(PROPERTIES), opts={"title": "properties"})
    import matplotlib.figure

    figure = matplotlib.figure.Figure()
    figure.subplots().plot([1, 2])
    client.matplot(figure, opts={"title": "matplot"})
    _fill_embedding(client)


def _fill_embedding(client: Any) -> None:
    import visdom

    def corners(features: Any) -> list[list[float]]:
        """Stand for t-SNE, whose backend is no package that could be installed."""
        return [[float(place), -float(place)] for place in range(len(features))]

    visdom.do_tsne = corners
    # Without its socket the client has nobody who could ask it for previews, and says so at the very end.
    client.use_socket = True
    client.embeddings(np.eye(3), ["a", "b", "a"], opts={"title": "embeddings"})
    client.use_socket = False
