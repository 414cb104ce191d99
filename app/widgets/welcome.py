"""What someone sees before the first run: how to make one."""

from __future__ import annotations

import shlex

import streamlit as st

from ...storage.location import locate
from ..views.words import plain

_TORCH = """
import stepscope
from stepscope.trackers.pytorch import TorchTracker

with stepscope.init(project="my-project", config={{"lr": 1e-3}}{store}) as run:
    TorchTracker(run, model, optimizer)      # weights, gradients, learning rate, graph
    for step, (images, labels) in enumerate(loader):
        loss = train_step(images, labels)    # your own code
        run.log({{"loss/train": loss}}, step=step)
"""

_KERAS = """
import stepscope
from stepscope.trackers.keras import KerasTracker

with stepscope.init(project="my-project", config={{"epochs": 5}}{store}) as run:
    model.fit(x, y, epochs=5, validation_split=0.2, callbacks=[KerasTracker(run)])
"""

_NUMPY = """
import numpy as np
import stepscope

with stepscope.init(project="my-project"{store}) as run:
    for step in range(100):
        run.log({{"loss": 1 / (step + 1), "noise": np.random.randn(1000)}}, step=step)
"""


def show() -> None:
    """Show how to log a first run; the page notices it by itself."""
    location = locate()
    # The address of a server may hold a password: there, the name of the variable must do.
    argument = f", store={str(location.path)!r}" if location.path else ""
    st.subheader("No runs yet", anchor=False)
    st.markdown(
        f"This dashboard shows **{plain(location.display)}**, which holds no run. Log one, for example like "
        "this: it appears here within seconds, without a reload."
    )
    if not argument:
        st.caption("The environment variable STEPSCOPE_STORE tells `init` the address of this store.")
    torch, keras, numpy, demo = st.tabs(["PyTorch", "Keras", "Only numpy", "Demo"])
    for tab, code in ((torch, _TORCH), (keras, _KERAS), (numpy, _NUMPY)):
        tab.code(code.strip().format(store=argument), language="python")
    demo.markdown("This trains one network in PyTorch and in Keras, and shows it here:")
    demo.code(
        f"stepscope demo --store {shlex.quote(str(location.path))}" if location.path else "stepscope demo",
        language="sh",
    )
    demo.markdown("This shows runs that were recorded, in a dashboard of their own:")
    demo.code("stepscope demo --recorded", language="sh")
