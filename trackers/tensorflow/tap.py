"""The tap of TensorFlow: what it sees in a function is traced, behind flags, and read after the step.

The wrappers add assignments to shadow variables, all of them behind one branch: without a wish they cost
that branch alone, and they work under XLA (jit_compile=True), which takes no call back into Python. A
function that was traced before the tap was made is not changed.
"""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import Any, Self

import tensorflow
from tensorflow.python.eager import record  # the only place that knows whether a tape is recording

from ..guard import Guard
from ..keras.model import innermost
from ..keras.tap import Seen, Tap
from .flags import Wishes

tf: Any = tensorflow  # its types say little
_record: Any = record


class TensorFlowTap(Tap):
    """The wrappers around one optimizer of Keras on TensorFlow, and the layers of its model."""

    def __init__(self, optimizer: Any, guard: Guard) -> None:
        """Wrap `apply`, and find the strategy that the optimizer was made under."""
        super().__init__(optimizer, guard)
        self.strategy: Any = self.optimizer._distribution_strategy
        self.has_replicas: bool = self.strategy.num_replicas_in_sync > 1
        self.wishes = Wishes(self.strategy)

    @classmethod
    def on(cls, optimizer: Any, guard: Guard) -> Self | None:
        """Return the tap that is on an optimizer, or a new one; None under a strategy of several processes.

        There, making and reading variables would wait for all workers, also for those without a tracker.
        """
        strategy = innermost(optimizer)._distribution_strategy
        if strategy.num_replicas_in_sync == 1 or type(strategy) is tf.distribute.MirroredStrategy:
            return super().on(optimizer, guard)
        guard.say(
            "tf-strategy",
            f"gradients and activations are not recorded under {type(strategy).__name__}, since reading them "
            f"would wait for all workers. Under MirroredStrategy they are.",
        )
        return None

    def is_eager(self) -> bool:
        """Whether Python runs this at every step."""
        return bool(tf.executing_eagerly())

    def is_training(self) -> bool:
        """Whether a tape records: prediction, evaluation and export of a model have none."""
        return is_taped() and (not tf.executing_eagerly() or super().is_training())

    @tf.autograph.experimental.do_not_convert  # a user's tf.function would have all of it written anew
    def run_probes(self, seen: Seen, method: str) -> None:
        """Let every probe see; in a function, those with wishes behind one branch."""
        if self.has_replicas and self.is_eager():
            self.guard.say(
                "tf-eager-strategy",
                "gradients and activations are not recorded where strategy.run is called eagerly, without a "
                "tf.function around it.",
            )
            return
        self.run_some(seen, method, always=True)
        self.wishes.when_any(lambda: self.run_some(seen, method, always=False))

    def reachable(self, outputs: dict[str, Any]) -> dict[str, Any]:
        """Leave out what another function made: its tensors cannot be used here."""
        if tf.executing_eagerly():
            return {path: output for path, output in outputs.items() if hasattr(output, "numpy")}
        graphs: list[Any] = []
        graph = tf.compat.v1.get_default_graph()
        while graph is not None:
            graphs.append(graph)
            graph = getattr(graph, "outer_graph", None)
        return {path: output for path, output in outputs.items() if getattr(output, "graph", None) in graphs}


def is_taped() -> bool:
    """Whether a tape records what is computed now."""
    return bool(_record.could_possibly_record())


def is_taped_eagerly() -> bool:
    """Whether a tape records, and Python runs this at every step."""
    return bool(tf.executing_eagerly()) and is_taped()
