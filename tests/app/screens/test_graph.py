"""The Graph page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import stepscope
from contracts.filled_store import GRAPH, HOSTILE, fill
from pages import change, charts, opened, said
from stepscope.storage.kinds.graph import GraphData, GraphNode, Layer

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

KERAS = GraphData(
    "sequential",
    "keras",
    "tf.function",
    (
        GraphNode("args", "input", "", (), ((None, 8),)),
        GraphNode("fc1/MatMul", "MatMul", "fc1", ("args",), ((None, 4),)),
        GraphNode("fc1/Relu", "Relu", "fc1", ("fc1/MatMul",), ((None, 4),)),
        GraphNode("fc2/MatMul", "MatMul", "fc2", ("fc1/Relu",), ((None, 3),)),
    ),
    (
        Layer("", "Sequential"),
        Layer("fc1", "Dense", 36, 36, (None, 4)),
        Layer("fc2", "Dense", 15, 15, (None, 3)),
    ),
)


def log(name: str, *graphs: GraphData, **more: Any) -> str:
    """Log graphs as a run; return its id."""
    with stepscope.init(project="graphs", name=name) as run:
        for place, graph in enumerate(graphs):
            run.log({f"model{place or ''}": stepscope.Graph(graph)}, step=0)
        for series, value in more.items():
            run.log({series: value}, step=0)
        return run.id


def drawings(test: AppTest) -> list[dict[str, Any]]:
    drawn = [one.proto for one in test.get("bidi_component")]
    return [json.loads(one.bytes) for one in drawn if one.component_name == "stepscope_graph"]


def titles(test: AppTest) -> list[list[str]]:
    return [[box["title"] for box in drawn["boxes"]] for drawn in drawings(test)]


def calm(test: AppTest) -> AppTest:
    assert not test.exception
    assert not test.error
    assert not test.warning, said(test)
    return test


def test_only_what_is_open_is_sent_to_the_browser(store: str) -> None:
    fill(store)
    assert titles(calm(opened("graph"))) == [["placeholder", "fc1", "relu", "fc2"]]
    closed = calm(opened("graph", opened='[""]'))
    assert titles(closed) == [["placeholder", "body"]]
    (frame,) = drawings(opened("graph", opened='["","body","no such module"]'))[0]["frames"]
    assert (frame["id"], frame["open"]) == ("body", True)
    assert "46 parameters · 3 layers · 4 operations · from torch\\.export" in said(closed)


@pytest.mark.usefixtures("store")
def test_a_chosen_layer_tells_everything_about_itself() -> None:
    log("a", GRAPH, **{"weights/body/fc1/weight": np.arange(9.0), "gradients/body/fc2/bias": np.arange(9.0)})
    test = calm(opened("graph", layer="body/fc1"))
    told = said(test).replace("\\", "")
    assert ":gray[Input] ? × 8 · :gray[Output] ? × 4 · :gray[Parameters] 36 (78.3% of the model)" in told  # noqa: RUF001
    assert "weights/body/fc1/weight of a" in charts(test)
    assert len(charts(test)) == 1
    (box,) = [box for box in drawings(test)[0]["boxes"] if box["chosen"]]
    assert box["id"] == "body/fc1"
    table = test.dataframe[0].value
    assert table["Type"].tolist() == ["Net", "Sequential", "Linear", "Linear"]
    assert test.session_state[test.dataframe[0].key]["selection"]["rows"] == [2]
    operations = test.dataframe[1].value
    assert operations["Attributes"].tolist() == ["bias=True"]
    assert calm(opened("graph", layer="operation relu:0")).dataframe[1].value["Name"].tolist() == ["relu:0"]


def test_a_search_narrows_the_table_and_marks_the_boxes(store: str) -> None:
    fill(store)
    test = calm(opened("graph", find_layer="LINEAR fc2", opened='["","body"]'))
    assert test.dataframe[0].value["Layer"].tolist() == ["body/fc2"]
    assert [box["mark"] for box in drawings(test)[0]["boxes"]] == ["", "", "", "found"]
    closed = opened("graph", find_layer="linear", opened='[""]')
    assert [box["mark"] for box in drawings(closed)[0]["boxes"]] == ["", "2 found"]
    assert "No layer's name or type contains" in said(opened("graph", find_layer="lstm"))


@pytest.mark.usefixtures("store")
def test_two_runs_side_by_side() -> None:
    keras, torch = log("in keras", KERAS), log("in torch", GRAPH)
    test = opened("graph", run=torch, beside=keras)
    assert not test.exception
    assert [one.value for one in test.warning] == ["1 pair of layers of 2 differ\\."]
    table = test.dataframe[0].value
    assert table[""].tolist() == ["= same", "≠ shape, parameters"]
    assert table["in torch"].tolist() == ["body/fc1", "body/fc2"]
    assert table["Type"].tolist() == ["Linear | Dense"] * 2
    assert ":gray[Parameters] 46 | 51" in said(test).replace("\\", "")
    left, right = drawings(test)
    assert [box["mark"] for box in left["boxes"]] == ["", "", "", "≠ shape, parameters"]
    assert [box["differs"] for box in right["boxes"]] == [False, False, True]
    both = opened(
        "graph", run=torch, beside=keras, layer="body/fc1", layer_beside="fc1", only_differing="true"
    )
    assert said(both).count(":gray[Parameters] 36") == 2
    assert len(both.dataframe[0].value) == 1
    assert "has no partner of this layer" in said(opened("graph", run=torch, beside=keras, layer="body/fc1"))


@pytest.mark.usefixtures("store")
def test_the_same_model_twice_is_said_to_be_the_same() -> None:
    first, second = log("a", GRAPH), log("b", GRAPH)
    test = calm(opened("graph", run=first, beside=second))
    (told,) = [str(one.value) for one in test.success]
    assert told.replace("\\", "") == "The models are the same, layer by layer: 2 pairs, no difference."


@pytest.mark.usefixtures("store")
def test_a_broken_graph_leaves_the_other_one(store: str) -> None:
    good, bad = log("good", GRAPH), log("bad", KERAS)
    change(store, f"UPDATE records SET payload = x'00' WHERE run_id = '{bad}'")
    for query in ({"run": good, "beside": bad}, {"run": bad, "beside": good}):
        test = opened("graph", **query)
        assert not test.exception
        (told,) = [str(one.value) for one in test.warning]
        assert "graph model of run bad cannot be shown" in told
        assert len(drawings(test)) == 1


@pytest.mark.usefixtures("store")
def test_a_run_with_several_graphs_shows_the_chosen_one() -> None:
    log("a", GRAPH, KERAS)
    test = calm(opened("graph"))
    assert test.selectbox[0].options == ["model", "model1"]
    test.selectbox[0].select("model1").run()
    assert titles(test) == [["input", "fc1", "fc2"]]
    assert test.query_params["graph"] in ("model1", ["model1"])


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        (GraphData("nothing", "torch", "modules"), "neither layers nor operations"),
        (replace(GRAPH, layers=()), "operations only, no layers"),
        (replace(GRAPH, nodes=()), "from torch"),
        (GraphData("flat", "onnx", "onnx", tuple(GraphNode(str(n), "Add") for n in range(900))), "900 boxes"),
    ],
    ids=["empty", "no layers", "no operations", "flat and large"],
)
def test_a_graph_of_which_little_is_known(graph: GraphData, sentence: str) -> None:
    log("a", graph)
    assert sentence in said(calm(opened("graph")))
    other = log("b", GRAPH)
    assert not opened("graph", beside=other).exception


@pytest.mark.usefixtures("store")
def test_names_of_any_kind_and_length_stay_text() -> None:
    endless = "/".join([HOSTILE, "x" * 2000, "half \ud800", ":red[y] ![z](http://evil.example)"])
    nodes = (GraphNode(HOSTILE, HOSTILE, endless), GraphNode("b" * 5000, "c" * 5000, endless, (HOSTILE,)))
    data = GraphData(HOSTILE, HOSTILE, HOSTILE, nodes, (Layer("", HOSTILE), Layer(endless, HOSTILE, 5, 5)))
    run, other = log(HOSTILE, data), log("other", GRAPH)
    for query in ({"layer": HOSTILE}, {"layer": "x" * 9000, "opened": "{", "find_layer": HOSTILE}):
        test = calm(opened("graph", run=run, **query))
        assert "![" not in said(test).replace("\\!\\[", "")
        assert "x" * 1500 not in said(test)
    beside = opened("graph", run=run, beside=other)
    assert not beside.exception
    assert not any(element.proto.allow_html for element in beside.markdown)


@pytest.mark.usefixtures("store")
def test_of_layers_without_sizes_none_is_told() -> None:
    layers = (Layer("", "Sequential"), Layer("fc1", "Dense"), Layer("fc2", "Dense"))
    log("imported", GraphData("sequential", "keras", "keras", layers=layers))
    test = calm(opened("graph"))
    assert "parameter" not in said(test)
    (table,) = test.dataframe
    assert list(table.value.columns) == ["Layer", "Type"]
