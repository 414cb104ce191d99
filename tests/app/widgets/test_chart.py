from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from stepscope.app.widgets.chart import pack


def test_arrays_travel_as_their_bytes() -> None:
    packed = json.loads(pack({"y": np.array([1.0, np.nan]), "n": np.array([1, 2]), "z": np.zeros((2, 3))}))
    numbers = np.frombuffer(base64.b64decode(packed["y"]["bdata"]), packed["y"]["dtype"])
    np.testing.assert_array_equal(numbers, [1.0, np.nan])
    assert packed["n"]["dtype"] == "f8"
    assert packed["z"]["shape"] == "2,3"


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match=r"plain values and arrays, but .* is a set"):
        pack({"x": {1}})
