"""NaN and infinity are told of with the layer, the direction and the step where they came first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import stepscope
from stepscope.storage.errors import BadInput
from stepscope.storage.events import Alert, alerts_of
from stored import Stored

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from stepscope.trackers.pytorch import TorchTracker  # noqa: E402
from stepscope.trackers.pytorch import watchdog as watchdog_file  # noqa: E402


@pytest.fixture(autouse=True)
def _store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)


class Spoiled(torch.autograd.Function):
    """Passes numbers on, and spoils the gradients of the first row."""

    @staticmethod
    def forward(_ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, gradient: Any) -> Any:
        gradient = gradient.clone()
        gradient[0] = torch.nan
        return gradient


class Layer(nn.Module):
    """Does nothing until it is told what to spoil."""

    def __init__(self) -> None:
        super().__init__()
        self.spoils = ""
        self.once = False

    def forward(self, x: Any) -> Any:
        spoils = self.spoils
        if self.once:
            self.spoils = ""
        if spoils == "forward":
            return torch.cat([x[:1] / 0.0, x[1:]])
        return Spoiled.apply(x) if spoils == "backward" else x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.body = nn.Sequential(nn.Linear(8, 8), Layer(), nn.Linear(8, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(torch.relu(self.first(x))))


def train(
    spoil: Callable[[Any], None],
    *,
    net: Any = None,
    at: int = 7,
    steps: int = 12,
    compiled: Any = None,
    **options: Any,
) -> list[Alert]:
    """Train, spoil the net before a step; return the alerts."""
    torch.manual_seed(0)
    net = net or Net()
    model = torch.compile(net, backend=compiled) if compiled else net
    with stepscope.init() as run:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        TorchTracker(run, model, optimizer, graph=False, histogram_every=0, **options)
        for step in range(1, steps + 1):
            if step == at:
                spoil(net)
            optimizer.zero_grad()
            model(torch.rand(16, 4)).square().mean().backward()
            optimizer.step()
    return alerts_of(Stored(run).reader, [run.id])


def spoil_nothing(_net: Any) -> None:
    pass


def spoil_forward(net: Any) -> None:
    net.body[1].spoils = "forward"


def spoil_backward(net: Any) -> None:
    net.body[1].spoils = "backward"


def spoil_weights(net: Any) -> None:
    with torch.no_grad():
        net.body[2].weight[3, 3] = torch.nan


@pytest.mark.parametrize("compiled", ["", "aot_eager"])
@pytest.mark.parametrize("options", [{"gradient_norm_every": 0}, {"watchdog": "layers"}])
@pytest.mark.parametrize(
    ("spoil", "title"),
    [
        (spoil_forward, "infinity in the forward pass of body/1"),
        (spoil_backward, "NaN in the backward pass of body/1"),
        (spoil_weights, "NaN in the weights of body/2"),
    ],
)
def test_the_layer_the_direction_and_the_step(spoil: Any, title: str, options: Any, compiled: str) -> None:
    (alert,) = train(spoil, compiled=compiled, **options)
    assert (alert.title, alert.level, alert.step) == (title, "error", 7)
    assert alert.text.startswith("At step 7. ")


class Around(nn.Module):
    """Spoils by itself the gradients of what its layers made: the layers are not to blame."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 4)))

    def forward(self, x: Any) -> Any:
        return Spoiled.apply(self.layers(x))


def test_what_a_layer_does_behind_its_layers_is_its_own() -> None:
    model = nn.Sequential(nn.Linear(4, 4), Around(), nn.Linear(4, 1))
    optimizer: Any = torch.optim.SGD(model.parameters(), 0.1)
    with stepscope.init() as run:
        TorchTracker(run, model, optimizer)
        model(torch.ones(3, 4)).sum().backward()
        optimizer.step()
    (alert,) = alerts_of(Stored(run).reader, [run.id])
    assert alert.title == "NaN in the backward pass of 1"


def test_the_offending_numbers_are_told() -> None:
    (alert,) = train(spoil_weights)
    assert "Its weights: 1 NaN of 64 numbers; the finite ones lie from -0.3" in alert.text
    (alert,) = train(spoil_backward)
    assert "The gradients that came out of it: 8 NaN of 128 numbers" in alert.text
    assert (
        "Of 8 parameters, the gradients of 4 are bad: first/weight, first/bias, body/0/weight and 1 more."
        in (alert.text)
    )


@pytest.mark.parametrize("watchdog", [True, "layers"])
def test_a_training_that_is_well_gives_no_alert(watchdog: Any) -> None:
    assert train(spoil_nothing, watchdog=watchdog) == []


def test_nobody_watches_when_it_is_off() -> None:
    assert train(spoil_forward, watchdog=False) == []


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_what_happens_once_is_seen_by_looking_at_all_layers(direction: str) -> None:
    def once(net: Any) -> None:
        net.body[1].spoils, net.body[1].once = direction, True

    (alert,) = train(once, watchdog="layers")
    assert alert.title.endswith(f"in the {direction} pass of body/1")
    assert (alert.step, "finite ones" in alert.text) == (7, True)


def test_what_happens_once_is_told_by_the_gradients_else() -> None:
    def once(net: Any) -> None:
        net.body[1].spoils, net.body[1].once = "backward", True

    (alert,) = train(once)
    assert (alert.title, alert.step) == ("NaN in the backward pass of body/0", 7)
    assert "Called again with the last inputs of the step, the model gave finite numbers." in alert.text


def test_the_model_is_left_as_it_was() -> None:
    class Careful(Net):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)
            self.calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return nn.functional.dropout(self.norm(super().forward(x)), training=self.training)

    def end(watchdog: bool) -> Any:
        torch.manual_seed(1)
        net = Careful()
        assert len(train(spoil_backward, net=net, watchdog=watchdog, at=3, steps=3)) == watchdog
        return net, torch.get_rng_state()

    (watched, state), (alone, expected) = end(True), end(False)
    assert torch.equal(state, expected)
    assert watched.calls == alone.calls == 3
    for key, value in alone.state_dict().items():
        assert torch.equal(value.nan_to_num(), watched.state_dict()[key].nan_to_num())
    for one, other in zip(watched.parameters(), alone.parameters(), strict=True):
        assert torch.equal(one.grad.nan_to_num(), other.grad.nan_to_num())


def test_a_bad_batch() -> None:
    torch.manual_seed(0)
    net = Net()
    with stepscope.init() as run:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        TorchTracker(run, net, optimizer, graph=False)
        for x in (torch.rand(8, 4), torch.full((8, 4), torch.nan)):
            net(x).sum().backward()
            optimizer.step()
    (alert,) = alerts_of(Stored(run).reader, [run.id])
    assert (alert.title, alert.step) == ("NaN in the input of the model", 2)
    assert "The input: 32 NaN of 32 numbers, none finite." in alert.text


def test_a_bad_loss_of_a_good_model() -> None:
    torch.manual_seed(0)
    net = Net()
    with stepscope.init() as run:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        TorchTracker(run, net, optimizer, graph=False)
        (net(torch.rand(8, 4)) * torch.nan).sum().backward()
        optimizer.step()
    (alert,) = alerts_of(Stored(run).reader, [run.id])
    assert (alert.title, alert.step) == ("NaN in the loss", 1)
    assert "The gradients of all parameters are bad." in alert.text


def test_complex_weights_are_left_to_the_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")

    class Spectrum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4, dtype=torch.complex64))
            self.out = nn.Linear(4, 1)

        def forward(self, x: Any) -> Any:
            return self.out((self.scale * x).real)

    net = Spectrum()
    with stepscope.init() as run:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        TorchTracker(run, net, optimizer, graph=False, histogram_every=0)
        for x in (torch.rand(8, 4), torch.full((8, 4), torch.nan)):
            net(x).sum().backward()
            optimizer.step()
    assert len(alerts_of(Stored(run).reader, [run.id])) == 1


def test_masks_are_not_blamed() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(4, 4)
            self.mask = nn.Identity()
            self.spoilt = Layer()

        def forward(self, x: Any) -> Any:
            scores = self.mask(torch.tensor([0.0, 0.0, 0.0, -torch.inf])) + self.project(x)
            return self.spoilt(scores.softmax(1))

    def spoil(net: Any) -> None:
        net.spoilt.spoils = "backward"

    (alert,) = train(spoil, net=Masked())
    assert alert.title == "NaN in the backward pass of spoilt"


def test_a_branch_that_the_first_layer_does_not_see_is_seen_by_the_norm() -> None:
    class Branches(Net):
        def __init__(self) -> None:
            super().__init__()
            self.aside = nn.Sequential(nn.Linear(4, 2), Layer())

        def forward(self, x: Any) -> Any:
            return super().forward(x) + self.aside(x)

    def spoil(net: Any) -> None:
        net.aside[1].spoils = "backward"

    told = {"watchdog": "layers"}, {"gradient_norm_every": 7}
    for options in told:
        (alert,) = train(spoil, net=Branches(), **options)
        assert (alert.title, alert.step) == ("NaN in the backward pass of aside/1", 7)
    # Else by the weights, after the update that it spoiled.
    (alert,) = train(spoil, net=Branches())
    assert (alert.title, alert.step) == ("NaN in the weights of aside/0", 8)
    assert "They went bad after the forward pass of the step before." in alert.text


def test_a_training_that_recovers_is_watched_again() -> None:
    net = Net()
    with stepscope.init() as run:
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        TorchTracker(run, net, optimizer, graph=False, gradient_norm_every=1)
        for bad in (0, 1, 1, 0, 0, 1, 1):
            optimizer.zero_grad()
            net.body[1].spoils = "backward" * bad
            net(torch.rand(8, 4)).sum().backward()
            for parameter in net.parameters():
                parameter.grad = parameter.grad if not bad else torch.full_like(parameter, torch.nan)
            with torch.no_grad():
                kept = [parameter.clone() for parameter in net.parameters()]
                optimizer.step()
                for parameter, value in zip(net.parameters(), kept, strict=True):
                    parameter.copy_(value)
    assert sorted(alert.step for alert in alerts_of(Stored(run).reader, [run.id])) == [2, 6]


class SlowEvent:
    """A device that is two looks behind."""

    def __init__(self, values: Any) -> None:
        self._values, self._looks = values.clone(), 0

    def ready(self) -> bool:
        self._looks += 1
        return self._looks > 2

    def read(self) -> list[float]:
        return self._values.tolist()


@pytest.mark.parametrize(
    ("options", "title"),
    [({}, "NaN in the gradients"), ({"watchdog": "layers"}, "NaN in the backward pass of body/1")],
)
def test_on_a_device_the_step_is_exact_though_it_is_read_later(
    monkeypatch: pytest.MonkeyPatch, options: Any, title: str
) -> None:
    monkeypatch.setattr(watchdog_file, "is_on_host", lambda _tensor: False)
    monkeypatch.setattr(watchdog_file, "later", SlowEvent)
    monkeypatch.setattr("stepscope.trackers.pytorch.probes.is_on_host", lambda _tensor: False)
    (alert,) = train(spoil_backward, steps=30, **options)
    assert (alert.title, alert.step) == (title, 7)
    assert ('TorchTracker(watchdog="layers")' in alert.text) == (not options)


def test_compiled_code_stays_one_graph() -> None:
    graphs: list[Any] = []

    def count(graph: Any, _example: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    assert train(spoil_nothing, compiled=count, watchdog="layers") == []
    assert len(graphs) == 1


def test_a_choice_there_is_not() -> None:
    with stepscope.init() as run, pytest.raises(BadInput, match='must be True, False or "layers", but got 3'):
        TorchTracker(run, Net(), watchdog=3)
