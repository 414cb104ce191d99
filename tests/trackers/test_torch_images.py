"""One call each for filters, predictions, feature maps and saliency; the model stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import stepscope
from stepscope.storage.errors import BadInput

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from stepscope.trackers.pytorch import (  # noqa: E402
    log_feature_maps,
    log_filters,
    log_predictions,
    log_saliency,
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 3)
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        x = torch.relu(self.conv2(torch.relu(self.norm(self.conv1(x)))))
        return self.head(self.drop(x.mean((2, 3))))


def logged(store_url: str, series: str, log: Any) -> list[Any]:
    """Return the images of a series that `log` recorded, which must be at the run's last step."""
    with stepscope.init(store=store_url) as run:
        run.log({"loss": 1.0}, step=6)
        state = torch.random.get_rng_state()
        log(run)
        assert run.step == 6
        assert torch.equal(torch.random.get_rng_state(), state)
    with stepscope.open(store_url) as store:
        records = store.run(run.id).records(series)
        assert {record.step for record in records} == {6}
        return [record.load() for record in records]


@pytest.fixture
def untouched() -> Iterator[Any]:
    """Yield a model in train mode with gradients; all of it must stay as it was."""
    model = Net().train()
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    yield model
    assert all(module.training for module in model.modules())
    assert model.calls == 1
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.requires_grad
        assert torch.equal(parameter.grad, gradient)


def test_filters_of_the_first_convolution(store_url: str, untouched: Any) -> None:
    (image,) = logged(store_url, "filters/conv1", lambda run: log_filters(run, untouched))
    assert (image.height, image.width, image.channels) == (49, 49, 1)
    assert image.caption.startswith("4 filters of 3 x 3 x 1; grey is 0, white 0.")


def test_filters_of_a_linear_layer_are_squares(store_url: str) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    (image,) = logged(store_url, "filters/1", lambda run: log_filters(run, nn.DataParallel(model)))
    assert image.caption.startswith("5 filters of 8 x 8 x 1")


@pytest.mark.parametrize("convolution", [nn.Conv1d, nn.Conv3d])
def test_filters_of_other_dimensions(store_url: str, convolution: Any) -> None:
    model = nn.Sequential(convolution(3, 4, 5))
    (image,) = logged(store_url, "filters/0", lambda run: log_filters(run, model))
    assert image.caption.startswith("4 filters of ")


def test_predictions_tell_what_was_right(store_url: str) -> None:
    inputs, logits = torch.rand(20, 3, 8, 8), torch.eye(20)[:, :4] * 9
    labels = torch.arange(20) % 4
    images = logged(
        store_url, "predictions", lambda run: log_predictions(run, inputs, logits, labels, classes="abcd")
    )
    assert len(images) == 16
    assert [image.caption for image in images[:2]] == ["a · 100 % ✓", "b · 100 % ✓"]
    assert images[5].caption == "a · 25 % ✗ (is b)"
    assert (images[0].height, images[0].width, images[0].channels) == (8, 8, 3)


def test_feature_maps_of_chosen_layers(store_url: str, untouched: Any) -> None:
    inputs = torch.rand(2, 1, 8, 8)
    (image,) = logged(
        store_url, "feature_maps/conv2", lambda run: log_feature_maps(run, untouched, inputs, "conv*")
    )
    assert image.caption == "6 maps of 4 x 4, each from its least to its largest"
    (image,) = logged(store_url, "feature_maps/conv1", lambda run: log_feature_maps(run, untouched, inputs))
    assert image.caption.startswith("4 maps of 6 x 6")


def test_saliency_of_the_largest_score_and_of_a_given_one(store_url: str, untouched: Any) -> None:
    inputs = torch.rand(10, 1, 8, 8)
    images = logged(store_url, "saliency", lambda run: log_saliency(run, untouched, inputs, 2, most=3))
    assert [image.caption for image in images] == ["what class 2 depends on"] * 3
    assert images[0].array().shape == (8 * 3, 8 * 3 * 2 + 1, 1)
    images = logged(store_url, "saliency", lambda run: log_saliency(run, untouched, inputs))
    assert len(images) == 8
    assert not inputs.requires_grad


def test_saliency_finds_the_pixel_that_matters(store_url: str) -> None:
    class Corner(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[:, 0, 0, :2] * torch.tensor([1.0, 5.0])

    (image,) = logged(
        store_url, "saliency", lambda run: log_saliency(run, Corner(), torch.zeros(1, 1, 30, 30), 1)
    )
    beside = image.array()[:, 31:, 0]
    assert beside[0, 1] == 255
    assert beside.sum() == 255


def test_what_cannot_be_drawn_is_said(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        with pytest.raises(
            BadInput, match=r"no layer 'conv9' has filters. The layers are conv1, norm, conv2"
        ):
            log_filters(run, Net(), "conv9")
        with pytest.raises(BadInput, match="the model has no convolution and no linear layer"):
            log_filters(run, nn.Sequential(nn.ReLU()))
        with pytest.raises(BadInput, match="no layer that fits 'head' returned feature maps"):
            log_feature_maps(run, Net(), torch.rand(1, 1, 8, 8), "head")
        with pytest.raises(BadInput, match=r"pictures must be \(samples, channels, height, width\), but"):
            log_predictions(run, torch.rand(4, 8), torch.rand(4, 2))


def test_a_loop_goes_on_when_nothing_can_be_drawn(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STRICT", "0")
    with stepscope.init(store=store_url) as run:
        log_saliency(run, Net(), torch.rand(2, 5))
        log_feature_maps(run, Net(), torch.rand(2, 3, 8, 8))
