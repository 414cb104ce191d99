"""What it takes to repeat a run: of both frameworks under equal names."""

from __future__ import annotations

import sys
from collections.abc import Generator
from types import ModuleType

import numpy as np
import pytest

import stepscope
from stepscope.trackers.reproducibility import capture_reproducibility, merged


@pytest.fixture
def torch() -> Generator[ModuleType]:
    found = pytest.importorskip("torch")
    seed = found.initial_seed()
    yield found
    found.use_deterministic_algorithms(False)
    found.set_float32_matmul_precision("highest")
    found.manual_seed(seed)


@pytest.fixture
def tensorflow() -> ModuleType:
    return pytest.importorskip("tensorflow")


def test_torch(torch: ModuleType) -> None:
    torch.manual_seed(1234)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("high")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = capture_reproducibility()["torch"]
    assert found["version"] == torch.__version__
    assert (found["seed"], found["deterministic"], found["float32_precision"]) == (1234, True, "high")
    assert (found["dtype"], found["autocast"]) == ("float32", "bfloat16")
    assert found["cudnn_benchmark"] is False
    if not torch.cuda.is_initialized():
        assert found["devices"] == []


@pytest.mark.usefixtures("torch")
def test_tensorflow_and_keras_tell_the_same(tensorflow: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = tensorflow.keras
    before = keras.config.dtype_policy()
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    keras.utils.set_random_seed(77)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = capture_reproducibility()
    finally:
        keras.config.set_dtype_policy(before)
    assert found["tensorflow"].keys() == found["torch"].keys()
    assert (found["tensorflow"]["seed"], found["keras"]["seed"]) == (77, 77)
    assert found["tensorflow"]["deterministic"] is True
    assert (found["keras"]["autocast"], found["keras"]["policy"]) == ("bfloat16", "mixed_bfloat16")


def test_numpy_and_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    state = np.random.get_state()
    try:
        np.random.seed(42)
        found = capture_reproducibility()
        assert found["numpy"]["seed"] == 42
        assert found["python"]["hash_seed"] == "5"
        np.random.rand()
        later = capture_reproducibility()
        assert later["numpy"]["seed"] is None
        assert merged(found, later)["numpy"]["seed"] == 42
    finally:
        np.random.set_state(state)


def test_a_library_that_is_half_loaded_costs_only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    found = capture_reproducibility()
    assert found["torch"] == {}
    assert "numpy" in found


def test_it_is_kept_with_the_run_as_it_is_when_a_hook_comes(store_url: str, torch: ModuleType) -> None:
    torch.manual_seed(1)
    with stepscope.init(store=store_url) as run:
        torch.manual_seed(2)
        run.set_framework("torch")
    with stepscope.open(store_url) as opened:
        environment = opened.run(run.id).environment
    assert environment["reproducibility"]["torch"]["seed"] == 2
    assert environment["python"]
    assert environment["packages"]
