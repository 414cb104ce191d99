"""What the tracker runs beside a training leaves the training as it would have been."""

from __future__ import annotations

import functools
import random
import types
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

import stepscope
from stepscope.trackers.pytorch import TorchTracker


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)


class _Chance(_Layer):
    """Leaves layers out by chance, as Python's, numpy's and its own generators have it."""

    def __init__(self) -> None:
        super().__init__()
        self.own = torch.Generator().manual_seed(1)
        self.of_numpy = np.random.default_rng(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        by_all = random.random() + np.random.rand() + float(self.of_numpy.random())
        return self.layer(x) * by_all + torch.randn(4, generator=self.own)


class _Memory(_Layer):
    """Keeps what it made in containers and in an object, and uses it at the next step."""

    def __init__(self) -> None:
        super().__init__()
        self.last = deque([torch.zeros(3, 4)], maxlen=3)
        self.by_name: dict[str, list[torch.Tensor]] = defaultdict(list)
        self.state = types.SimpleNamespace(made=torch.zeros(3, 4), calls=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layer(x) + torch.stack(list(self.last)).mean(0) + self.state.made
        self.by_name["y"].append(y.detach())
        self.last.append(y.detach())
        self.state.made, self.state.calls = y.detach() / 10, self.state.calls + 1
        return y + self.state.calls + torch.stack(self.by_name["y"]).mean(0)


class _Patched(_Layer):
    """Its forward was put on the instance, as accelerate does; a hook keeps what a layer made."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.calls = nn.BatchNorm1d(4), 0
        self.forward = functools.partial(types.MethodType(type(self).compute, self))
        self.seen = seen = list[torch.Tensor]()
        self.layer.register_forward_hook(lambda _module, _args, output: seen.append(output.detach()))

    def compute(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.norm(self.layer(x)) * self.calls + torch.stack(self.seen).mean()


class _Teacher(_Layer):
    """Holds a module in a list, so that it is not registered."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = [nn.BatchNorm1d(4)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) - self.teacher[0](x).detach() * self.teacher[0].num_batches_tracked


def _train(make: Callable[[], nn.Module], run: stepscope.Run | None) -> list[Any]:
    cast("Any", torch).manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    model = make()
    optimizer: Any = torch.optim.SGD(model.parameters(), 0.01)
    if run is not None:
        TorchTracker(run, model, optimizer)
    for step in range(5):
        # At the last step the watchdog calls the model again.
        model(torch.randn(3, 4) * (np.nan if step == 4 else 1)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    state = model.state_dict()
    drawn = (torch.rand(1), torch.tensor(random.random()), torch.tensor(np.random.rand()))
    return [*state.values(), *drawn]


@pytest.mark.parametrize("make", [_Chance, _Memory, _Patched, _Teacher])
def test_a_training_goes_as_without_a_tracker(make: Callable[[], nn.Module], tmp_path: Path) -> None:
    without = _train(make, None)
    with stepscope.init(store=tmp_path / "store.db") as run:
        tracked = _train(make, run)
    for one, other in zip(without, tracked, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    with stepscope.open(tmp_path / "store.db") as store:
        stored = store.run(run.id)
        assert [alert.title for alert in stored.alerts] == ["NaN in the input of the model"]
        assert stored.records("model")[0].load().source != "modules"


def test_what_a_model_is_given_stays_as_it_is(tmp_path: Path) -> None:
    class Given(_Layer):
        def forward(self, batches: Iterator[torch.Tensor], state: Any) -> torch.Tensor:
            state.made = self.layer(next(batches)) + state.made.detach()
            return state.made

    model = Given()
    optimizer: Any = torch.optim.SGD(model.parameters(), 0.1)
    batches = iter([torch.randn(3, 4) for _ in range(3)])
    state = types.SimpleNamespace(made=torch.zeros(3, 4))
    with stepscope.init(store=tmp_path / "store.db") as run:
        TorchTracker(run, model, optimizer)
        model(batches, state).sum().backward()
        optimizer.step()
    assert len(list(batches)) == 2
    assert type(state.made) is torch.Tensor
