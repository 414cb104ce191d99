"""Controls whose value is also changed by something else on the page.

With each request, the browser tells what all controls show. What it told before it heard of a newer value
would count as the viewer's own choice of the older one. So a control whose value was changed by anything
but itself gets a new key, and what the browser still says of the one before is not listened to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

_MEMORY = "told "


def tell(name: str, value: object, state: object = None) -> str:
    """Set what a control shows; return the key under which it is drawn now.

    Args:
        name: of the control; unique on the page.
        value: what it is to show.
        state: how st.session_state holds that for such a control, if in another way.
    """
    number, known = st.session_state.get(_MEMORY + name, (0, value))
    if known != value:
        number += 1
    st.session_state[_MEMORY + name] = (number, value)
    key = _key(name, number)
    st.session_state[key] = value if state is None else state
    return key


def hear(name: str, key: str, act: Callable[[Any], None], read: Callable[[Any], Any] | None = None) -> None:
    """Act on what the viewer set a control to: the callback of each control that is told its value.

    Args:
        name: of the control.
        key: under which it was drawn.
        act: called with the value, unless the control has another key by now.
        read: returns the value from what st.session_state holds, if that is not the value itself.
    """
    number, _ = st.session_state[_MEMORY + name]
    if key != _key(name, number):
        return
    value = st.session_state[key] if read is None else read(st.session_state[key])
    st.session_state[_MEMORY + name] = (number, value)
    act(value)


def _key(name: str, number: int) -> str:
    return f"{name} {number}" if number else name
