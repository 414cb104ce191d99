"""How much memory of each GPU TensorFlow holds; of a CPU it does not know."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import Any

import tensorflow

tf: Any = tensorflow  # its types say little


def device_memory() -> dict[str, float]:
    """Return `memory/gpu:<n>/allocated` and `memory/gpu:<n>/peak` in bytes, empty without a GPU."""
    found: dict[str, float] = {}
    for device in tf.config.list_logical_devices("GPU"):
        short = ":".join(str(device.name).split(":")[-2:])
        info = tf.config.experimental.get_memory_info(short)
        found[f"memory/{short.lower()}/allocated"] = float(info["current"])
        found[f"memory/{short.lower()}/peak"] = float(info["peak"])
    return found
