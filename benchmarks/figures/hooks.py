"""What the hooks add to a training step, beside what the trackers add that people have now.

All variants of one small CNN train in one process, on one thread of the framework, and take turns: step by
step in PyTorch, fit by fit in Keras. The cost of a hook is how much longer its turns take than those without
a tracker beside them, in microseconds a step, over blocks of 100 steps, which hold what is recorded every 100
steps as well: the median of the turns at the same place of all blocks, and of these the mean. What a hook
leaves to threads of its own slows all variants alike, so the processor time of all threads is measured too,
in blocks in which only one variant trains and at whose end its run is flushed.

Default settings: scalars each step, the gradient norm each 10, histograms of weights and gradients each 100.
Everything: the same, histograms of activations and the memory as well, each 10 steps; the same of the others.
The parts that need a GPU are left out where there is none.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Table, at_most, number


def _torch_cases(scale: Scale) -> list[Case]:
    return _cases("hooks_torch", scale)


def _keras_cases(scale: Scale) -> list[Case]:
    return _cases("hooks_keras", scale)


def _gpu_cases(scale: Scale) -> list[Case]:
    return _cases("hooks_gpu", scale) if shutil.which("nvidia-smi") else []


def _cases(figure: str, scale: Scale) -> list[Case]:
    return [
        Case(
            figure,
            OURS,
            {"blocks": scale.count(30, 1), "block": scale.block},
            rounds=min(3, scale.our_rounds),
        )
    ]


def _measure_torch(_: type[Peer], folder: Path, settings: Settings) -> Measures:
    from hooks.torch_steps import measure

    return measure(folder, settings["blocks"], settings["block"])


def _measure_keras(_: type[Peer], folder: Path, settings: Settings) -> Measures:
    from hooks.keras_fits import measure

    return measure(folder, settings["blocks"], settings["block"])


def _measure_gpu(_: type[Peer], folder: Path, settings: Settings) -> Measures:
    from hooks.gpu_steps import measure

    return measure(folder, settings["blocks"], settings["block"])


def _torch_goals(table: Table) -> list[Goal]:
    ours = table[OURS]
    rows = [
        _cost("PyTorch hook, default settings, a step", 25, ours, "default"),
        _share("PyTorch hook, default settings, all threads, of a step of 20 ms", ours),
        Goal(
            "graphs and graph breaks under torch.compile with the hook",
            "as many as without",
            f"{ours['graphs_hook']:.0f} and {ours['breaks_hook']:.0f}, without "
            f"{ours['graphs_none']:.0f} and {ours['breaks_none']:.0f}",
            (ours["graphs_hook"], ours["breaks_hook"]) == (ours["graphs_none"], ours["breaks_none"]),
        ),
    ]
    return rows + _half("PyTorch hook, everything each 10 steps", "wandb.watch", ours, "wandb")


def _keras_goals(table: Table) -> list[Goal]:
    ours = table[OURS]
    rows = [
        _cost("Keras hook, default settings, a step", 100, ours, "default"),
        _share("Keras hook, default settings, all threads, of a step of 20 ms", ours),
        Goal(
            "tracings of the train function with the hook",
            "as many as without",
            f"{ours['traces_hook']:.0f}, without {ours['traces_none']:.0f}",
            ours["traces_hook"] == ours["traces_none"],
        ),
    ]
    name = "TensorBoard(histogram_freq=1)"
    return rows + _half("Keras hook, everything each 10 steps", name, ours, "tensorboard")


def _gpu_goals(table: Table) -> list[Goal]:
    ours = table[OURS]
    share = 100 * ours["default_us"] / ours["step_us"]
    waits = ours["default_waits"] - ours["none_waits"]
    return [
        Goal(
            f"PyTorch hook on a GPU, default settings, of a step of {ours['step_us'] / 1e3:.1f} ms",
            "at most 1 %",
            f"{number(share)} %",
            share <= 1,
        ),
        Goal("waits for the GPU that the hook adds", "none", f"{waits:.0f}", waits <= 0),
    ]


def _cost(what: str, limit: float, ours: Measures, variant: str) -> Goal:
    return at_most(what, limit, ours[f"{variant}_us"], "us")


def _share(what: str, ours: Measures) -> Goal:
    return at_most(what, 1.5, 100 * ours["default_cpu_us"] / 20_000, "%")


def _half(what: str, other: str, ours: Measures, variant: str) -> list[Goal]:
    if f"{variant}_us" not in ours:
        return []
    mine, theirs = ours["everything_us"], ours[f"{variant}_us"]
    told = f"{number(mine)} us, {other} {number(theirs)} us"
    return [Goal(what, f"less than half of {other}", told, mine < theirs / 2)]


FIGURES = (
    Figure("hooks_torch", _torch_cases, _measure_torch, _torch_goals),
    Figure("hooks_keras", _keras_cases, _measure_keras, _keras_goals),
    Figure("hooks_gpu", _gpu_cases, _measure_gpu, _gpu_goals),
)
