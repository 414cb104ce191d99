from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from stepscope.app.widgets.chart import pack

DRAW = """
import numpy as np
import streamlit as st
from stepscope.app.views import figures
from stepscope.app.widgets import chart
trace = {"type": "scatter", "x": np.arange(9.0), "y": np.arange(9.0)}
figure = {"data": [trace], "layout": figures.layout("loss")}
zoom = chart.draw(figure, key="loss", alt="loss", cursor="step", zoomable=True)
others = chart.zoomed("loss", "step"), chart.zoomed("loss", "time"), chart.clicked("loss")
st.session_state["seen"] = (zoom, *others)
"""


def test_arrays_travel_as_their_bytes() -> None:
    packed = json.loads(pack({"y": np.array([1.0, np.nan]), "n": np.array([1, 2]), "z": np.zeros((2, 3))}))
    numbers = np.frombuffer(base64.b64decode(packed["y"]["bdata"]), packed["y"]["dtype"])
    np.testing.assert_array_equal(numbers, [1.0, np.nan])
    assert packed["n"]["dtype"] == "f8"
    assert packed["z"]["shape"] == "2,3"


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match=r"plain values and arrays, but .* is a set"):
        pack({"x": {1}})


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ('["d67e4ad6:10:20.5::"]', (10.0, 20.5, None, None)),
        ('["00000000:1:2::","d67e4ad6:10:20:-1:1"]', (10.0, 20.0, -1.0, 1.0)),
        ('["d67e4ad6:::-1:1"]', None),
        ('["d67e4ad6:nan:inf::"]', None),
        ('["d67e4ad6:1:2"]', None),
        ('["d67e4ad6:<script>:2::"]', None),
        ("no JSON", None),
    ],
)
def test_a_zoom_comes_from_the_address_when_it_is_one(address: str, seen: object) -> None:
    test = AppTest.from_string(DRAW, default_timeout=60)
    test.query_params["zoom"] = address
    test.run()
    assert not test.exception
    zoom, before, on_another_axis, clicked = test.session_state["seen"]
    assert (zoom and (zoom.first, zoom.last, zoom.low, zoom.high)) == seen
    assert before == zoom
    assert on_another_axis is None
    assert clicked is None
