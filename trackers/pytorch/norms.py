"""The norm of many tensors as one vector, without waiting for a device."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, nan
from typing import Any, cast

import torch
from torch import nn

Norm = float | torch.Tensor
"""A number where the tensors lie in host memory, shape () on their device elsewhere."""


def total_norm(tensors: Sequence[torch.Tensor]) -> Norm:
    """Return the 2-norm of all tensors as one vector, in float32 at least."""
    devices = {tensor.device for tensor in tensors}
    if len(devices) > 1:
        return nn.utils.get_total_norm([tensor.float() for tensor in tensors])
    # The squares of half-precision numbers would overflow.
    kind = torch.float32 if any(tensor.element_size() < 4 for tensor in tensors) else None
    norms: list[torch.Tensor] = cast("Any", torch)._foreach_norm(tensors, 2, kind)
    if devices == {_HOST}:
        return hypot(*[norm.item() for norm in norms])  # a third of what one more tensor operation takes
    return cast("Any", torch.stack(norms)).norm()


def quotient(part: Norm, whole: Norm) -> Norm:
    """Return part / whole, NaN when both are numbers and the whole is 0."""
    return nan if isinstance(whole, float) and not whole else part / whole


_HOST = torch.device("cpu")
