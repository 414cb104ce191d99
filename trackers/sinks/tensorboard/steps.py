"""Step statistics: what the operations of a graph took in one step. Pure.

Event files bring them as RunMetadata; a store keeps them as a table with the columns of COLUMNS, one row for
each operation on each device. This makes RunMetadata of the table again, by which TensorBoard's page "Graphs"
colours the operations.
"""

from __future__ import annotations

from typing import Any

from ....storage.kinds.table import TableData
from .protos import config_pb2

COLUMNS = ("device", "node", "start_us", "duration_us", "memory_bytes")


def is_step_statistics(value: TableData) -> bool:
    """Return whether a table holds step statistics."""
    return tuple(value.columns) == COLUMNS


def step_statistics(value: TableData) -> Any:
    """Return the RunMetadata of a table that `is_step_statistics` fits; rows that are none are left out."""
    made = config_pb2.RunMetadata()
    devices: dict[str, Any] = {}
    for device, node, start, duration, memory in value.rows:
        if not (isinstance(device, str) and isinstance(node, str)):
            continue
        if device not in devices:
            devices[device] = made.step_stats.dev_stats.add(device=device)
        micros = _whole(duration)
        devices[device].node_stats.add(
            node_name=node,
            all_start_micros=_whole(start),
            op_end_rel_micros=micros,
            all_end_rel_micros=micros,
            memory=[{"allocator_name": device, "total_bytes": _whole(memory)}],
        )
    return made


def _whole(cell: Any) -> int:
    return max(0, int(cell)) if isinstance(cell, int | float) and abs(cell) < 2**62 else 0
