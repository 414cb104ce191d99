"""A run that tries to run scripts in the viewer's browser from every place that a run can write to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

import stepscope
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer

MARK = "hacked"
"""What a script that ran would call."""


def attack(where: str) -> str:
    """Return a text that runs a script wherever it is taken for HTML, Markdown or an address."""
    call = f"{MARK}('{where}')"
    return (
        f"\"'><img src=x onerror={call}><script>{call}</script><svg onload={call}>"
        f"[x](javascript:{call}) ![y](http://evil.example/{where}.png) ${{{call}}} {{{{{call}}}}} `</code>"
    )


SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{MARK}(1)"><script>{MARK}(1)</script></svg>'
PAGE = f"<!doctype html><script>{MARK}(1)</script>"


def values(rng: np.random.Generator) -> dict[str, Any]:
    """Return a hostile value for every kind of data: kind -> value."""
    rows = [[attack("label"), attack("class")]] * 5
    layout = {
        "title": {"text": attack("title")},
        "annotations": [{"text": f"<a href='javascript:{MARK}(1)'>{attack('note')}</a>", "x": 0, "y": 0}],
        "images": [{"source": f"data:image/svg+xml,{SVG}", "x": 0, "y": 1, "sizex": 1, "sizey": 1}],
    }
    trace = {
        "type": "bar",
        "name": attack("trace"),
        "x": ["a", "b"],
        "y": [1, 2],
        "text": [attack("text")] * 2,
        "hovertemplate": attack("hover"),
    }
    corners = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    return {
        "scalar": 1.0,
        "histogram": rng.normal(size=50),
        "image": stepscope.Image(rng.random((8, 8)), caption=attack("image")),
        "audio": stepscope.Audio(np.sin(np.arange(800) / 10), 8000, caption=attack("audio")),
        "text": stepscope.Text(f"# {attack('markdown')}\n\n{attack('markdown')}\n\n<iframe srcdoc='{PAGE}'>"),
        "video": stepscope.Video(rng.random((3, 16, 16, 3)), fps=5, caption=attack("video")),
        "figure": stepscope.Figure(go.Figure({"data": [trace], "layout": layout}), caption=attack("figure")),
        "table": stepscope.Table([attack("column"), "b"], [[attack("cell"), attack("cell")]] * 3),
        "pr_curve": stepscope.PrCurve(rng.random(20) > 0.5, rng.random(20)),
        "embedding": stepscope.Embedding(rng.normal(size=(5, 4)), rows, None, [attack("field"), "class"]),
        "mesh": stepscope.Mesh(corners, [[0, 1, 2]], None, {attack("mesh"): attack("mesh")}),
        "hparams": stepscope.HParams({attack("hparam"): attack("value")}, {attack("metric"): 0.5}),
        "graph": stepscope.Graph(_graph()),
    }


def fill_hostile(store: str, folder: Path) -> str:
    """Log one hostile run; return its id.

    Args:
        store: where.
        folder: an empty one, for the files of its artifact.
    """
    config = {attack("key"): attack("config"), "nested": {attack("inner"): [attack("item")]}}
    (folder / "<img src=x onerror=hacked(1)>.html").write_text(PAGE)
    (folder / "picture.svg").write_text(SVG)
    run = stepscope.init(
        project=attack("project"),
        name=attack("name"),
        group=attack("group"),
        tags=(attack("tag"),),
        config=config,
        store=store,
    )
    run.notes = f"# {attack('notes')}\n\n{attack('notes')}\n\n{PAGE}"
    run.summary[attack("summary")] = attack("summary")
    for step in (0, 1):
        for kind, value in values(np.random.default_rng(step)).items():
            run.log({f"{kind}/{attack('series')}": value}, step=step, context={"split": attack("context")})
            run.log({kind: value}, step=step)
    run.log({"page": stepscope.Html(PAGE)}, step=0)
    run.alert(attack("alert"), attack("alert"))
    # Its name is letters and digits only.
    metadata = {attack("meta"): attack("meta")}
    run.log_artifact(folder, "artifact", type=attack("type"), metadata=metadata)
    print(attack("console"))
    try:
        with run:
            raise ValueError(attack("error"))
    except ValueError:
        return run.id


def _graph() -> GraphData:
    nodes = (
        GraphNode(attack("node"), attack("operation"), "", (), ((None, 8),)),
        GraphNode(
            "linear",
            "aten.linear",
            f"{attack('module')}/fc",
            (attack("node"),),
            ((None, 4),),
            {"a": attack("b")},
        ),
    )
    layers = (
        Layer("", attack("model")),
        Layer(attack("module"), attack("class")),
        Layer(f"{attack('module')}/fc", "Linear", 36, 36, (None, 4)),
    )
    return GraphData(
        name=attack("graph"), framework="torch", source="torch.export", nodes=nodes, layers=layers
    )
