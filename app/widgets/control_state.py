"""Controls whose value is also changed by something else on the page.

With each request, the browser tells what all controls show. What it told before it heard of a newer value
would count as the viewer's own choice of the older one. So a control whose value was changed by anything
but itself gets a new key, and what the browser still says of the one before is not listened to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

Value = TypeVar("Value")
_MEMORY = "told "


def tell(name: str, value: object) -> str:
    """Set what a control shows, at each drawing; return the key under which it is drawn now.

    Args:
        name: of the control; unique on the page.
        value: what it is to show.
    """
    key, _ = begin(name, value)
    st.session_state[key] = value
    return key


def begin(name: str, value: Value) -> tuple[str, Value]:
    """Return the key under which a control is drawn now, and the value with which it begins under that key.

    For controls that are set several times in quick succession: what a drawing told, the browser would show
    in place of what the viewer has set since.

    Args:
        name: of the control; unique on the page.
        value: what it is to show.
    """
    number, known, first = st.session_state.get(_MEMORY + name, (0, value, value))
    if known != value:
        number += 1
    # Also when the viewer comes back from another page.
    if known != value or _key(name, number) not in st.session_state:
        first = value
    st.session_state[_MEMORY + name] = (number, value, first)
    return _key(name, number), first


def hear(name: str, key: str, act: Callable[[Any], None], read: Callable[[Any], Any] | None = None) -> None:
    """Act on what the viewer set a control to: the callback of each control that has its key from here.

    Args:
        name: of the control.
        key: under which it was drawn.
        act: called with the value, unless the control has another key by now.
        read: returns the value from what st.session_state holds, if that is not the value itself.
    """
    number, _, first = st.session_state[_MEMORY + name]
    if key != _key(name, number):
        return
    value = st.session_state[key] if read is None else read(st.session_state[key])
    st.session_state[_MEMORY + name] = (number, value, first)
    act(value)


def _key(name: str, number: int) -> str:
    return f"{name} {number}" if number else name
