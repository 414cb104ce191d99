"""Which samples there are: pairs of files beside run_all.py that differ in their last word."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
FRAMEWORKS = {"pytorch": ("torch",), "keras": ("keras", "tensorflow"), "tensorflow": ("tensorflow",)}
"""Last word of a sample's name -> what it imports."""
_BESIDES = {
    "transformer_pytorch": ("transformers", "accelerate"),
    "deployment_keras": ("ai_edge_litert",),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One file."""

    file: Path
    framework: str

    @property
    def pair(self) -> str:
        """The name of the pair, which is that of the project of its runs."""
        return self.file.stem.rpartition("_")[0].replace("_", "-")

    @property
    def has_own_seeds(self) -> bool:
        """Whether it runs under several seeds by itself."""
        return self.pair == "seeds"

    def missing(self) -> list[str]:
        """Return the packages that it needs and that are not installed."""
        needed = (*FRAMEWORKS[self.framework], *_BESIDES.get(self.file.stem, ()))
        return [name for name in needed if find_spec(name) is None]


def find_samples() -> dict[str, list[Sample]]:
    """Return pair -> its twins, PyTorch's first; sorted."""
    found: dict[str, list[Sample]] = {}
    for framework in FRAMEWORKS:
        for file in FOLDER.glob(f"*_{framework}.py"):
            sample = Sample(file, framework)
            found.setdefault(sample.pair, []).append(sample)
    return dict(sorted(found.items()))
