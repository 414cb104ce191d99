"""What a TorchTracker records of a step beside its gradients: times, update, activations, memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.trackers.device import PendingValue, PendingValues  # noqa: E402
from stepscope.trackers.pytorch import TorchTracker  # noqa: E402
from stepscope.trackers.pytorch.clock import CudaClock  # noqa: E402
from stepscope.trackers.pytorch.memory import memory_of  # noqa: E402
from stepscope.trackers.pytorch.norms import total_norm  # noqa: E402
from stored import Stored  # noqa: E402

PARTS = {"data_time", "forward_time", "backward_time", "optimizer_time"}
EVERYTHING = ("weights", "gradients", "activations")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STEPSCOPE_STRICT", "1")
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        yield run


def small_net() -> Any:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Linear(16, 4))


def train(model: Any, optimizer: Any, steps: int = 1, batches: int = 1) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        for _ in range(batches):
            model(torch.randn(6, 8)).square().mean().backward()
        optimizer.step()


def make(run: Any, **wanted: Any) -> tuple[Any, Any]:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False, **wanted)
    return model, optimizer


def as_vector(model: Any) -> Any:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).clone()


def test_the_update_is_set_against_the_weights(run: Any) -> None:
    model, optimizer = make(run, gradient_norm_every=2)
    truth: dict[int, float] = {}
    for step in range(1, 21):
        before = as_vector(model)
        train(model, optimizer)
        truth[step] = float((as_vector(model) - before).norm() / as_vector(model).norm())
    found = Stored(run).scalar("update_ratio")
    assert found == pytest.approx({step: truth[step] for step in (1, 20)}, rel=1e-4)


def test_numbers_of_quick_steps_wait_for_each_other_and_none_is_lost(run: Any) -> None:
    model, optimizer = make(run, gradient_norm_every=0, histogram_every=0, memory_every=0)
    train(model, optimizer, 13)
    run.log({"loss/train": 1.0})
    stored = Stored(run)
    assert list(stored.scalar("learning_rate")) == list(stored.scalar("step_time")) == list(range(1, 14))
    assert list(stored.scalar("loss/train")) == [13]


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_the_norm_of_all_gradients_is_that_of_one_vector(scale: float) -> None:
    tensors = [torch.randn(5, 3) * scale, torch.randn(7) * scale]
    truth = torch.cat([tensor.double().reshape(-1) for tensor in tensors]).norm().item()
    assert total_norm(tensors) == pytest.approx(truth, rel=1e-5)


def test_of_one_parameter_the_update_is_seen_as_well(run: Any) -> None:
    model = nn.Linear(3, 2, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False)
    before = model.weight.detach().clone()
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    moved = float((model.weight.detach() - before).norm() / model.weight.detach().norm())
    assert Stored(run).scalar("update_ratio") == pytest.approx({1: moved})


def test_of_a_large_model_every_so_many_rows_stand_for_all(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepscope.trackers.pytorch.weights._MOST_COPIED", 1000)
    model = nn.Linear(100, 400)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False)
    before = as_vector(model)
    model(torch.ones(1, 100)).sum().backward()
    optimizer.step()
    truth = float((as_vector(model) - before).norm() / as_vector(model).norm())
    assert Stored(run).scalar("update_ratio") == pytest.approx({1: truth}, rel=0.1)


def test_a_step_is_split_into_its_parts(run: Any) -> None:
    model, optimizer = make(run)
    train(model, optimizer, 3)
    model.eval()
    model(torch.randn(2, 8))
    model.train()
    train(model, optimizer)
    stored = Stored(run)
    parts = {name: stored.scalar(name) for name in PARTS}
    assert {name: list(steps) for name, steps in parts.items()} == {
        "data_time": [2, 3], "forward_time": [1, 2, 3, 4], "backward_time": [1, 2, 3, 4],
        "optimizer_time": [1, 2, 3, 4]}  # fmt: skip
    whole = stored.scalar("step_time")
    for step in (2, 3):
        assert 0 < sum(parts[name][step] for name in PARTS) <= whole[step]


def test_a_step_of_several_batches_is_split_once_their_ends_are_seen(run: Any) -> None:
    model, optimizer = make(run)
    train(model, optimizer, 3, batches=3)
    stored = Stored(run)
    assert list(stored.scalar("forward_time")) == [1, 2, 3]
    assert list(stored.scalar("backward_time")) == list(stored.scalar("data_time")) == [2, 3]
    parts = sum(stored.scalar(name)[3] for name in PARTS)
    assert 0 < parts <= stored.scalar("step_time")[3]


def test_device_time_is_read_when_its_events_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    queue: list[Any] = []

    class Event:
        """An event of a device whose queue the test works off."""

        passed_at: float | None = None

        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            queue.append(self)

        def query(self) -> bool:
            return self.passed_at is not None

        def elapsed_time(self, end: Any) -> float:
            assert self.query()
            assert end.query()
            return end.passed_at - self.passed_at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    clock = CudaClock()
    marks = [clock.mark() for _ in range(4)]
    assert queue == [mark.event for mark in marks]
    pending = PendingValues()
    spans = [(marks[0], marks[1]), (marks[2], marks[3])]
    pending.put(PendingValue("forward_time", {}, 1, 0.0, clock.seconds(spans)))
    for milliseconds, event in zip((10.0, 30.0, 50.0), queue, strict=False):
        event.passed_at = milliseconds
        assert not pending.take_ready()
    queue[3].passed_at = 55.0
    (ready,) = pending.take_ready()
    assert ready.snapshot.read() == pytest.approx(0.025)


def test_memory_has_the_name_that_other_frameworks_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("memory_allocated", 3), ("memory_reserved", 5), ("max_memory_allocated", 4)):
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    assert memory_of(torch.device("cuda", 1)) == {
        "memory/gpu:1/allocated": 3.0, "memory/gpu:1/reserved": 5.0, "memory/gpu:1/peak": 4.0}  # fmt: skip


def test_the_cpu_has_no_memory_of_its_own(run: Any) -> None:
    train(*make(run, memory_every=1))
    assert not Stored(run).names("memory/")


def test_activations_are_those_of_the_moment(run: Any) -> None:
    model, optimizer = make(run, histograms=EVERYTHING, histogram_every=2)
    for _ in range(2):
        train(model, optimizer)
        with torch.no_grad():
            x = torch.randn(6, 8)
            first = model[0](x)
        optimizer.zero_grad()
    found = Stored(run)
    assert found.names("activations/") == {"activations/0", "activations/1", "activations/2"}
    assert list(found.records("histogram", "activations/0")) == [1, 2]
    linear, rectified = (found.records("histogram", f"activations/{i}")[1] for i in (0, 1))
    assert linear.count == rectified.count == first.numel()
    assert linear.min < 0 == rectified.min  # though the ReLU works in place, after it


def test_activations_of_a_known_batch(run: Any) -> None:
    model, optimizer = make(run, histograms="activations", layers="2")
    x = torch.randn(6, 8)
    output = model(x)
    truth = output.detach().numpy().copy()
    output.sum().backward()
    optimizer.step()
    stored = Stored(run)
    assert stored.names("activations/") == {"activations/2"}
    assert not stored.names("weights/") | stored.names("gradients/")
    found = stored.records("histogram", "activations/2")[1]
    assert (found.count, found.min, found.max) == (24, truth.min(), truth.max())
    assert found.mean == pytest.approx(truth.mean(dtype=np.float64))


def compiled_counts(run: Any | None, *, wrapped: bool) -> dict[str, Any]:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    if run is not None:
        given = compiled if wrapped else model
        TorchTracker(run, given, optimizer, graph=False, histogram_every=2, histograms=EVERYTHING)
    for size in (6, 6, 6, 4, 6):
        optimizer.zero_grad()
        compiled(torch.randn(size, 8)).square().mean().backward()
        optimizer.step()
    return {group: dict(found) for group, found in counters.items() if group in ("stats", "graph_break")}


@pytest.mark.parametrize("wrapped", [True, False], ids=["what-compile-returned", "the-model"])
def test_activations_of_compiled_code_leave_one_graph(run: Any, wrapped: bool) -> None:
    without = compiled_counts(None, wrapped=wrapped)
    # A hook's buffer is one more thing that the graph calls, and no graph more.
    with_tracker = compiled_counts(run, wrapped=wrapped)
    assert with_tracker["stats"]["unique_graphs"] == without["stats"]["unique_graphs"] == 2
    assert "graph_break" not in with_tracker
    stored = Stored(run)
    assert stored.names("activations/") == {"activations/0", "activations/1", "activations/2"}
    rectified = stored.records("histogram", "activations/1")
    assert list(rectified) == [1, 2, 4]
    assert rectified[2].min == 0 < rectified[2].max
    assert ("forward_time" in stored.names()) is wrapped
    assert "optimizer_time" in stored.names()


def test_a_tracker_that_comes_after_the_first_compiled_call_says_what_it_misses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    torch._dynamo.reset()
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    compiled = torch.compile(model, backend="aot_eager")
    train(compiled, optimizer)
    with stepscope.init(store=tmp_path / "s.db") as run:
        TorchTracker(run, model, optimizer, graph=False, histograms=EVERYTHING)
        train(compiled, optimizer, 4)
    assert "sees no activations: the model was compiled and called before" in caplog.text
    assert "sees no call of the model in train mode, so samples_per_second" in caplog.text


def test_layers_are_chosen_by_patterns(run: Any) -> None:
    train(*make(run, layers=["0", "2/bias"]))
    assert Stored(run).names("weights/") == {"weights/0/weight", "weights/0/bias", "weights/2/bias"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"histograms": ("weights", "biases")}, r'must be some of "weights", "gradients" and "activations", but'),
    ({"layers": 3}, r'layers must be a pattern such as "encoder/\*", or several in a list, but got int 3'),
    ({"memory_every": -1}, r"memory_every must be a whole number of steps, or 0 for never, but got int -1"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_wrong_arguments_are_told(run: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        make(run, **wrong)


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process group of this process alone: the wrappers do what they do in a larger one."""
    from torch import distributed

    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1")):
        monkeypatch.setenv(name, value)
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def sharded(model: Any) -> Any:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (1,))
    for layer in (model[0], model[2], model):
        fully_shard(layer, mesh=mesh)
    return model


WRAPPERS: dict[str, Any] = {
    "DataParallel": nn.DataParallel,
    "DDP": nn.parallel.DistributedDataParallel,
    "FSDP": sharded,
    "compiled-DDP": lambda model: nn.parallel.DistributedDataParallel(
        torch.compile(model, backend="aot_eager")
    ),
}


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_model_is_recorded_under_the_same_names(run: Any, wrapper: str) -> None:
    torch._dynamo.reset()
    model = WRAPPERS[wrapper](small_net())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False, histograms=EVERYTHING, gradient_norm_every=1)
    norms: dict[int, float] = {}
    for step in (1, 2):
        optimizer.zero_grad()
        model(torch.randn(6, 8)).square().mean().backward()
        gradients = [getattr(p.grad, "to_local", lambda p=p: p.grad)() for p in model.parameters()]
        norms[step] = float(torch.cat([g.reshape(-1) for g in gradients]).norm())
        optimizer.step()
    stored = Stored(run)
    assert stored.scalar("gradient_norm") == pytest.approx(norms)
    paths = {"0/weight", "0/bias", "2/weight", "2/bias"}
    assert stored.names("gradients/") == {f"gradients/{path}" for path in paths}
    assert stored.names("weights/") == {f"weights/{path}" for path in paths}
    assert stored.names("activations/") == {"activations/0", "activations/1", "activations/2"}
    assert stored.names() >= {*PARTS, "samples_per_second", "update_ratio"}


def _rank(rank: int, folder: str) -> None:
    from torch import distributed

    os.environ.update(STEPSCOPE_STORE=f"{folder}/s.db", STEPSCOPE_STRICT="1", RANK=str(rank), WORLD_SIZE="2")
    distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(small_net())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    run = stepscope.init(name="ddp")
    TorchTracker(run, model, optimizer, graph=False, gradient_norm_every=1, histogram_every=0)
    torch.manual_seed(rank)
    train(model, optimizer, 3)
    run.finish()
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.long
def test_two_processes_have_the_gradients_of_both(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_rank, (str(tmp_path),), nprocs=2)
    from stepscope.storage.read import Reader

    reader = Reader.open(tmp_path / "s.db")
    found = [
        dict(zip(points.step.tolist(), points.last.tolist(), strict=True))
        for run in reader.runs()
        for series in reader.series(run.run_id)
        if series.name == "gradient_norm"
        for points in (reader.points(series),)
    ]
    assert len(found) == 2
    assert found[0] == pytest.approx(
        found[1]
    )  # read after the all-reduce, so equal though the batches differ
