"""What a forward of each layer costs: arithmetic and memory, found with fake tensors, so without computing.

Products of matrices, convolutions and attention are counted, a multiply-add as two operations. What goes
through a tensor element by element (activations, norms, pooling) is not: its time is that of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ...storage.kinds.graph import TensorShape
from .forward import batch_size
from .twin import Arguments, make_fake, named_modules, shapes_of

_Sizes = Sequence[int]


@dataclass(slots=True)
class Forward:
    """What one module did in a forward of one sample, without what the modules inside it did."""

    shape: TensorShape | None = None
    """Of what it returned first, in the batch that it was called with."""
    flops: int | None = None
    returned: int = 0
    """Bytes of what it returned, unless they were returned before it: by a module inside, or in place."""


def forward_of(model: nn.Module, called: Arguments) -> dict[str, Forward]:
    """Run a fake forward and return module path -> what the module did. Modules never called are left out."""
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415  slow to load

    mode, twin, (args, kwargs) = make_fake(model, called)
    counter = FlopCounterMode(display=False, custom_mapping=_missing_formulas())
    watch = _Watch(counter.get_total_flops)
    for path, module in named_modules(twin):
        watch.attach(path, module)
    with mode, counter:
        twin(*args, **kwargs)
    return watch.of_one_sample(max(batch_size(args, kwargs), 1))


def _missing_formulas() -> dict[Any, Callable[..., int]]:
    """Return how to count the operations that torch's own counter does not know."""
    ops: Any = torch.ops.aten
    return {
        ops._scaled_dot_product_flash_attention_for_cpu: _attention,
        ops.mkldnn_rnn_layer: _recurrent_on_cpu,
        ops._cudnn_rnn: _recurrent,
    }


def _attention(query: _Sizes, key: _Sizes, value: _Sizes, *_: Any, **__: Any) -> int:
    from torch.utils import flop_counter  # noqa: PLC0415  loaded by now

    return cast("Any", flop_counter).sdpa_flop_count(query, key, value)


def _recurrent_on_cpu(x: _Sizes, of_input: _Sizes, of_state: _Sizes, *_: Any, **__: Any) -> int:
    return _recurrent(x, [of_input, of_state])


def _recurrent(x: _Sizes, weights: Iterable[_Sizes], *_: Any, **__: Any) -> int:
    """Count each matrix once for each of the (time, batch) rows."""
    return sum(2 * x[0] * x[1] * sizes[0] * sizes[1] for sizes in weights if len(sizes) == 2)


class _Watch:
    """Hooks that split the arithmetic among the modules that are being called, the innermost first."""

    def __init__(self, total: Callable[[], int]) -> None:
        self._total = total
        self._open: list[tuple[int, int]] = []
        self._inside = 0  # of what was counted, what belongs to modules that have returned
        self._found: dict[str, Forward] = {}
        self._storages: dict[int, Any] = {}  # kept, so that no other gets the same id

    def attach(self, path: str, module: nn.Module) -> None:
        def begin(_module: nn.Module, _args: Any) -> None:
            self._open.append((self._total(), self._inside))

        def end(_module: nn.Module, _args: Any, output: Any) -> None:
            self._end(path, output)

        module.register_forward_pre_hook(begin)
        module.register_forward_hook(end)

    def of_one_sample(self, samples: int) -> dict[str, Forward]:
        for forward in self._found.values():
            forward.flops = (forward.flops or 0) // samples
            forward.returned //= samples
        return self._found

    def _end(self, path: str, output: Any) -> None:
        began, inside = self._open.pop()
        own = self._total() - began - (self._inside - inside)
        self._inside += own
        forward = self._found.setdefault(path, Forward())
        forward.flops = (forward.flops or 0) + own
        forward.returned += self._new_bytes(output)
        if forward.shape is None:
            forward.shape = next(iter(shapes_of(output)), None)

    def _new_bytes(self, output: Any) -> int:
        found = 0
        leaves: list[Any] = cast("Any", pytree).tree_leaves(output)
        for tensor in leaves:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata  # pyright: ignore[reportPrivateUsage]
                if key not in self._storages:
                    self._storages[key] = storage
                    found += tensor.numel() * tensor.element_size()
        return found
