"""Models saved in their serving forms answer as the model did, once they are loaded back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from stepscope.storage.errors import BadInput

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from stepscope.trackers.pytorch import save_model  # noqa: E402

FORMATS = ("export", "torchscript", "onnx", "state_dict")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.head(self.drop(torch.relu(self.norm(self.conv(x))).mean((2, 3))))


class Choosing(Net):
    """Looks at values, which cannot be exported."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) if x.sum().item() > 0 else x


@pytest.fixture(autouse=True)
def _store(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", store_url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    net = Net()
    net(torch.rand(16, 1, 8, 8) * 3)  # other averages than those of an untrained norm
    return net


def by_export(path: Path) -> Callable[[Any], Any]:
    return torch.export.load(path).module()


def by_torchscript(path: Path) -> Callable[[Any], Any]:
    return torch.jit.load(str(path))


def by_onnx(path: Path) -> Callable[[Any], Any]:
    reference = pytest.importorskip("onnx.reference")
    session = reference.ReferenceEvaluator(str(path))
    return lambda x: torch.from_numpy(np.asarray(session.run(None, {session.input_names[0]: x.numpy()})[0]))


def by_state_dict(path: Path) -> Callable[[Any], Any]:
    net = Net()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval()


LOADERS = dict(zip(FORMATS, (by_export, by_torchscript, by_onnx, by_state_dict), strict=True))


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_form_is_loaded_back_and_answers_as_the_model(one: str, model: Any) -> None:
    with stepscope.init() as run:
        run.log({"loss": 1.0}, step=30)
        state = torch.random.get_rng_state()
        artifact = save_model(run, model, torch.rand(1, 1, 8, 8, generator=torch.Generator()), one)[one]
        assert torch.equal(torch.random.get_rng_state(), state)
        assert model.training
        path = Path(artifact.path)
        content = path.read_bytes()
        assert artifact.size == len(content)
        assert artifact.metadata == {"format": one, "framework": f"torch {torch.__version__}", "step": 30}
        assert hashlib.sha256(content).hexdigest() in {file.digest for file in artifact.files}
        other_length = torch.rand(5, 1, 8, 8)
        expected = by_state_dict_of(model)(other_length)
        torch.testing.assert_close(LOADERS[one](path)(other_length), expected)


def by_state_dict_of(model: Any) -> Any:
    net = Net()
    net.load_state_dict(model.state_dict())
    return net.eval()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_all_forms_at_once_with_several_arguments() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, x: Any, y: Any) -> Any:
            return self.scale * x + y

    with stepscope.init() as run:
        saved = save_model(run, Sum(), (torch.ones(2, 3), torch.ones(2, 3)), FORMATS, name="sum")
        assert [saved[one].name for one in FORMATS] == ["sum.pt2", "sum.pt", "sum.onnx", "sum_weights.pt"]
        loaded = torch.export.load(saved["export"].path).module()
        assert loaded(torch.ones(4, 3), torch.zeros(4, 3)).tolist() == [[2.0] * 3] * 4


def test_a_model_that_cannot_be_exported_is_told_and_the_rest_is_saved(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = torch.rand(2, 1, 8, 8)
    with (
        stepscope.init() as run,
        pytest.raises(BadInput, match=r"the model cannot be exported: .*must not depend"),
    ):
        save_model(run, Choosing(), batch)
    monkeypatch.setenv("STEPSCOPE_STRICT", "0")
    with stepscope.init() as run:
        saved = save_model(run, Choosing(), batch, ("export", "state_dict"))
        assert list(saved) == ["state_dict"]
    assert "while saving a model as export: the model cannot be exported" in caplog.text


def test_what_cannot_be_saved_at_all() -> None:
    with stepscope.init() as run:
        with pytest.raises(
            BadInput, match='knows the formats "export", "torchscript", "onnx", "state_dict", but'
        ):
            save_model(run, Net(), None, "pickle")
        with pytest.raises(
            BadInput, match="save_model needs an example_input, a batch as the model takes it"
        ):
            save_model(run, Net())
        with pytest.raises(BadInput, match=r"save_model needs a torch.nn.Module here, but got dict"):
            save_model(run, {}, None, "state_dict")


def test_onnx_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepscope.trackers.pytorch.save.find_spec", lambda _name: None)
    with stepscope.init() as run, pytest.raises(BadInput, match="Run: pip install onnx onnxscript"):
        save_model(run, Net(), torch.rand(2, 1, 8, 8), "onnx")


def test_torchscript_may_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "jit")
    with (
        stepscope.init() as run,
        pytest.raises(BadInput, match=r'has no TorchScript any more. Save as "export"'),
    ):
        save_model(run, Net(), torch.rand(2, 1, 8, 8), "torchscript")
