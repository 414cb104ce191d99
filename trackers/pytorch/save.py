"""Saves a PyTorch model in the forms that servers load, each as an artifact of the run."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ...storage.artifacts import Artifact
from ...storage.errors import BadInput
from ..run import Run
from .forward import batch_size
from .twin import is_sharded, make_twin, unwrap

_LARGEST_ONNX = 1_500_000_000
"""Bytes of weights that one ONNX file takes; the weights of larger models lie beside it."""


def save_model(
    run: Run,
    model: nn.Module,
    example_input: Any = None,
    formats: Sequence[str] = ("export",),
    name: str = "model",
) -> dict[str, Artifact]:
    """Save a model with a run, with size and digest; what a format cannot say is told, the others are saved.

    | format | artifact | who loads it |
    |---|---|---|
    | "export" | `<name>.pt2` | torch.export.load, AOTInductor |
    | "torchscript" | `<name>.pt` | torch.jit.load, C++, Triton, TorchServe |
    | "onnx" | `<name>.onnx`, with onnx and onnxscript installed | ONNX Runtime, Triton, OpenVINO |
    | "state_dict" | `<name>_weights.pt` | model.load_state_dict, to train on |

    All but the last are saved as in eval mode; the model itself keeps its mode. What is saved belongs to the
    device that the model is on.

    Args:
        run: from stepscope.init.
        model: the model; wrapped by torch.compile or DataParallel, or not.
        example_input: a batch as the model takes it, on its device; a tuple for several arguments. The
            batch's length stays open where the model allows it. Only "state_dict" needs none.
        formats: which of those in the table; one or several.
        name: of the artifacts.

    Returns:
        The artifact of each format that could be saved.
    """
    saved: dict[str, Artifact] = {}
    with run.guard("saving a model"), tempfile.TemporaryDirectory(prefix="stepscope-") as folder:
        wanted = _checked(model, example_input, formats)
        given = _Given(unwrap(model), _arguments(example_input), Path(folder), name)
        for one in wanted:
            with run.guard(f"saving a model as {one}"):
                path = _FORMATS[one](given)
                facts = {"format": one, "framework": f"torch {torch.__version__}", "step": max(run.step, 0)}
                saved[one] = run.log_artifact(path, type="model", metadata=facts)
    return saved


@dataclass(frozen=True)
class _Given:
    model: nn.Module
    args: tuple[Any, ...]
    folder: Path
    name: str

    def twin(self) -> nn.Module:
        """Return the model in eval mode: another module, with the same weights."""
        weights = {id(parameter) for parameter in self.model.parameters()}
        return make_twin(self.model, lambda t: t if id(t) in weights else t.clone(), hooks=True).eval()


def _checked(model: Any, example_input: Any, formats: Sequence[str]) -> list[str]:
    if not isinstance(model, nn.Module):
        raise BadInput(f"save_model needs a torch.nn.Module here, but got {type(model).__name__}")
    wanted = [formats] if isinstance(formats, str) else list(formats)
    unknown = [one for one in wanted if one not in _FORMATS]
    if unknown:
        known = ", ".join(f'"{one}"' for one in _FORMATS)
        raise BadInput(f"save_model knows the formats {known}, but got {unknown[0]!r}")
    if example_input is None and wanted != ["state_dict"]:
        raise BadInput(f"save_model needs an example_input, a batch as the model takes it, for {wanted[0]!r}")
    if is_sharded(unwrap(model)):
        raise BadInput(
            "save_model needs all weights in one process, but FSDP shards these. Gather them with "
            "torch.distributed.checkpoint.state_dict, load them into a plain model, and save that."
        )
    return wanted


def _arguments(example: Any) -> tuple[Any, ...]:
    """Return the model's arguments, of two samples at least: of one, export takes the length for fixed."""
    args: tuple[Any, ...] = cast("Any", example) if isinstance(example, tuple) else (example,)
    leaves: list[Any] = cast("Any", pytree).tree_leaves(args)
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if tensors and all(tensor.dim() and tensor.shape[0] == 1 for tensor in tensors):
        return cast("Any", pytree).tree_map_only(torch.Tensor, _twice, args)
    return args


def _twice(tensor: torch.Tensor) -> torch.Tensor:
    return torch.cat([tensor, tensor])


def _as_export(given: _Given) -> Path:
    path = given.folder / f"{given.name}.pt2"
    torch.export.save(_exported(given), path)
    return path


def _as_torchscript(given: _Given) -> Path:
    path = given.folder / f"{given.name}.pt"
    jit: Any = getattr(torch, "jit", None)
    if not hasattr(jit, "trace"):
        raise BadInput(f'torch {torch.__version__} has no TorchScript any more. Save as "export"')
    with _aside(given, "traced"):
        jit.trace(given.twin(), given.args, check_trace=False).save(str(path))
    return path


def _as_onnx(given: _Given) -> Path:
    missing = [package for package in ("onnx", "onnxscript") if find_spec(package) is None]
    if missing:
        raise BadInput(f"it needs the package {missing[0]}. Run: pip install {' '.join(missing)}")
    path = given.folder / f"{given.name}_onnx" / f"{given.name}.onnx"
    path.parent.mkdir()
    beside = sum(p.numel() * p.element_size() for p in given.model.parameters()) > _LARGEST_ONNX
    program = _exported(given)
    with _aside(given, "exported to ONNX"):
        cast("Any", torch.onnx).export(program, (), path, dynamo=True, external_data=beside, verbose=False)
    return path.parent if beside else path


def _as_state_dict(given: _Given) -> Path:
    path = given.folder / f"{given.name}_weights.pt"
    torch.save(given.model.state_dict(), path)
    return path


def _exported(given: _Given) -> torch.export.ExportedProgram:
    samples = batch_size(given.args, {})

    def open_length(leaf: Any) -> Any:
        has_batch = isinstance(leaf, torch.Tensor) and leaf.dim() and leaf.shape[0] == samples
        return {0: torch.export.Dim.AUTO} if has_batch else None

    shapes = cast("Any", pytree).tree_map(open_length, given.args)
    with _aside(given, "exported"):
        return torch.export.export(given.twin(), given.args, dynamic_shapes=shapes, strict=False)


@contextmanager
def _aside(given: _Given, done: str) -> Generator[None]:
    """Keep exporters quiet, and random numbers as they were; say in one sentence what a model cannot.

    Raises:
        BadInput: the exporter gave up.
    """
    devices = {p.device.index or 0 for p in given.model.parameters() if p.device.type == "cuda"}
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            with cast("Any", torch.random).fork_rng(sorted(devices)):
                yield
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        raise BadInput(
            f"the model cannot be {done}: {type(error).__name__}: {first[:300]}. What its forward does must "
            f'not depend on the values of tensors. "state_dict" saves any model.'
        ) from error


_FORMATS: dict[str, Callable[[_Given], Path]] = {
    "export": _as_export,
    "torchscript": _as_torchscript,
    "onnx": _as_onnx,
    "state_dict": _as_state_dict,
}
