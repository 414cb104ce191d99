"""What a sample says to somebody who asks for a GPU where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sample_runs.sampling import FRAMEWORKS, SAMPLES, Samples

TWINS = sorted(path.stem for path in SAMPLES.glob("*_*.py") if path.stem.rsplit("_", 1)[1] in FRAMEWORKS)
SOME = {"digits_pytorch", "digits_keras", "distributed_pytorch"}
NAMES = {"torch": "PyTorch", "tensorflow": "TensorFlow"}


@pytest.mark.parametrize(
    "sample", [one if one in SOME else pytest.param(one, marks=pytest.mark.long) for one in TWINS]
)
def test_a_gpu_that_is_not_there_is_missed_at_once(samples: Samples, tmp_path: Path, sample: str) -> None:
    few = "0 GPUs, and 2 are needed" if sample.startswith("distributed_") else "no GPU"
    store = tmp_path / "stepscope.db"
    printed = samples.run(sample, "--device", "gpu", store=store, exit_code=2, CUDA_VISIBLE_DEVICES="-1")
    framework = NAMES[FRAMEWORKS[sample.rsplit("_", 1)[1]]]
    assert f"--device gpu: {framework} sees {few}" in printed
    assert not store.exists()
