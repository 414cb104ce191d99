"""What the address keeps without a control of Streamlit's own, and what it does not take."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from stepscope.app.url_state import LONGEST_TEXT, MOST_TEXTS

SHOW = """
import streamlit as st
from stepscope.app import url_state
st.write("|".join(url_state.texts("pins")))
st.write(url_state.text("find"))
def keep(pins, find):
    url_state.set_texts("pins", pins)
    url_state.set_text("find", find)
st.button("set", on_click=keep, args=(["a/b", "ü, c"], "x"))
st.button("forget", on_click=keep, args=([], ""))
"""


def shown(test: AppTest) -> list[str]:
    assert not test.exception
    return [str(one.value) for one in test.markdown]


def test_texts_are_kept_and_come_back_to_an_address_that_was_emptied() -> None:
    test = AppTest.from_string(SHOW, default_timeout=60).run()
    test.button[0].click().run()
    assert shown(test) == ["a/b|ü, c", "x"]
    assert (test.query_params["pins"], test.query_params["find"]) == ('["a/b","ü, c"]', "x")
    # As Streamlit does when the page is changed.
    del test.query_params["pins"], test.query_params["find"]
    test.run()
    assert shown(test) == ["a/b|ü, c", "x"]
    assert json.loads(str(test.query_params["pins"])) == ["a/b", "ü, c"]
    test.button[1].click().run()
    assert shown(test)[:1] == [""]
    assert "pins" not in test.query_params
    assert "find" not in test.query_params


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ('["a","b"]', "a|b"),
        ("[1, null, {}]", ""),
        ("{", ""),
        ('{"a": 1}', ""),
        ("[" * 30_000, ""),
        (json.dumps(["x" * (LONGEST_TEXT + 1), "b"]), "b"),
        (json.dumps(["a"] * (MOST_TEXTS + 5)), "|".join(["a"] * MOST_TEXTS)),
    ],
)
def test_what_is_no_list_of_texts_is_not_taken(address: str, told: str) -> None:
    test = AppTest.from_string(SHOW, default_timeout=60)
    test.query_params["pins"] = address
    assert shown(test.run())[0] == told
