"""What goes through the browser comes back as it was, or as nothing."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepscope.app.tensorboard_live.keys import BlobKey, decode_blob_key

INT64 = st.integers(-(2**63), 2**63 - 1)
NATURAL = st.integers(0, 2**63 - 1)


@given(NATURAL, INT64, NATURAL, NATURAL, st.sampled_from(["data", "width", "height"]))
def test_a_key_comes_back(series_id: int, step: int, attempt: int, seq: int, part: str) -> None:
    key = BlobKey("7K2M9QX4AB", series_id, step, attempt, seq, part)
    text = key.encode()
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert decode_blob_key(text) == key


@given(st.text())
def test_any_other_text_is_no_key(text: str) -> None:
    assert decode_blob_key(text) is None


@pytest.mark.parametrize(
    "plain",
    [
        "7K2M9QX4AB.1.2.0.0",
        "7K2M9QX4AB.1.2.0.0.data.data",
        "7K2M9QX4AB.9999999999999999999.2.0.0.data",
        "7K2M9QX4AB.1.2.0.0.../x",
        "7k2m9qx4ab.1.2.0.0.data",
        "7K2M9QX4AB.1.2.0.0.data\n",
    ],
)
def test_a_key_that_was_made_up_is_no_key(plain: str) -> None:
    assert decode_blob_key(base64.urlsafe_b64encode(plain.encode()).decode()) is None
