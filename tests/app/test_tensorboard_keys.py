"""What goes through the browser comes back as it was, or as nothing."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepscope.app.tensorboard_keys import BlobKey, decode_blob_key, run_id_of, run_name
from stepscope.storage.model import Run, RunState

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
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


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("baseline", "baseline-7K2M9QX4AB"),
        ("a/b: c", "a_b_ c-7K2M9QX4AB"),
        ("", "7K2M9QX4AB"),
        ("x-0000000000", "x-0000000000-7K2M9QX4AB"),
    ],
)
def test_a_run_is_found_by_its_name(name: str, shown: str) -> None:
    run = Run("7K2M9QX4AB", "project", name, RunState.RUNNING, created_at=0.0, updated_at=0.0)
    assert run_name(run) == shown
    assert run_id_of(shown) == run.run_id


@pytest.mark.parametrize("name", ["", "baseline", "baseline-7K2M9QX4A", "baseline-7K2M9QX4AL"])
def test_another_name_is_no_run(name: str) -> None:
    assert run_id_of(name) is None
