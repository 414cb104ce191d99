"""A sentence for browsers that cannot draw in space; nothing for all others."""

from __future__ import annotations

import streamlit.components.v2 as components_v2

SENTENCE = (
    "This browser cannot draw in space: it has no WebGL. Turn on hardware acceleration in its settings, or "
    "look at embeddings in 2-D."
)
_SCRIPT = """
let able;
export default function ({ parentElement, data }) {
  able ??= Boolean(document.createElement("canvas").getContext("webgl"));
  if (able || parentElement.querySelector("p")) return;
  const said = parentElement.appendChild(document.createElement("p"));
  said.setAttribute("role", "alert");
  said.style.cssText = "margin:0;color:var(--st-text-color);font:14px/1.5 var(--st-font)";
  said.textContent = data.sentence;
}
"""
_render = components_v2.component("stepscope_webgl", js=_SCRIPT)


def warn() -> None:
    """Say so, where the browser has no WebGL."""
    _render(data={"sentence": SENTENCE}, key="webgl")
