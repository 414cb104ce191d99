"""TorchTracker: what it stores is what the loop itself computes, and the loop does not notice it."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import stepscope  # noqa: E402
from stepscope.storage.errors import BadInput  # noqa: E402
from stepscope.trackers.pytorch import TorchTracker  # noqa: E402
from stored import Stored  # noqa: E402


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
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def batch(size: int = 16) -> tuple[Any, Any]:
    return torch.randn(size, 1, 8, 8), torch.randint(0, 10, (size,))


def train_step(model: Any, optimizer: Any, size: int = 16) -> Any:
    x, y = batch(size)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def test_values_are_those_of_the_loop(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    tracker = TorchTracker(run, model, optimizer, histogram_every=4, gradient_norm_every=2)
    norms: dict[int, float] = {}
    rates: dict[int, float] = {}
    gradients: dict[int, Any] = {}
    weights: dict[int, Any] = {}
    for step in range(1, 9):
        x, y = batch()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        norms[step] = float(torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm())
        gradients[step] = model[0].weight.grad.numpy().copy()
        rates[step] = optimizer.param_groups[0]["lr"]
        optimizer.step()
        weights[step] = model[0].weight.detach().numpy().copy()
        assert tracker.step == step
        run.log({"loss/train": loss})
        schedule.step()
    stored = Stored(run)
    assert stored.scalar("learning_rate") == pytest.approx(rates)
    assert stored.scalar("gradient_norm") == pytest.approx({s: norms[s] for s in (1, 2, 4, 6, 8)})
    assert list(stored.scalar("loss/train")) == list(range(1, 9))
    for name, truth in (("gradients", gradients), ("weights", weights)):
        found = stored.records("histogram", f"{name}/0/weight")
        assert list(found) == [1, 4, 8]
        for step, histogram in found.items():
            assert histogram.count == truth[step].size == 36
            assert (histogram.min, histogram.max) == (truth[step].min(), truth[step].max())
            assert histogram.mean == pytest.approx(truth[step].mean(dtype=np.float64))
    assert stored.names("weights/") == {f"weights/{p}" for p in
        ("0/weight", "0/bias", "1/weight", "1/bias", "4/weight", "4/bias")}  # fmt: skip
    assert stored.run.framework == "torch"


def test_the_graph_comes_with_the_first_step(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer)
    for _ in range(3):
        train_step(model, optimizer)
    found = Stored(run).records("graph", "model")
    assert list(found) == [1]
    assert found[1].source == "torch.export"
    assert found[1].parameters == sum(p.numel() for p in model.parameters())


def test_the_graph_of_a_given_example(run: Any) -> None:
    TorchTracker(run, small_net(), example_input=batch()[0]).close()
    assert list(Stored(run).records("graph", "model")) == [0]


def test_steps_times_and_samples(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False)
    run.log({"loss/validation": 9.0})
    for size in (16, 32, 8):
        train_step(model, optimizer, size)
    model.eval()
    model(batch(64)[0])
    model.train()
    run.log({"loss/validation": 1.0})
    train_step(model, optimizer, 16)
    stored = Stored(run)
    assert list(stored.scalar("loss/validation")) == [0, 3]
    seconds, speed = stored.scalar("step_time"), stored.scalar("samples_per_second")
    assert list(seconds) == list(speed) == [1, 2, 3, 4]
    samples = {step: round(seconds[step] * speed[step]) for step in seconds}
    assert samples == {1: 16, 2: 32, 3: 8, 4: 16}
    assert all(0 < value < 5 for value in seconds.values())


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 2)

    def forward(self, batch: Any, *, scale: float) -> Any:
        return self.out(batch["pair"][1]) * scale


def test_a_batch_may_come_in_containers(run: Any) -> None:
    model = Words()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer)
    for _ in range(3):
        model({"id": 7, "pair": (None, torch.randn(12, 4))}, scale=2.0).sum().backward()
        optimizer.step()
    stored = Stored(run)
    assert round(stored.scalar("step_time")[3] * stored.scalar("samples_per_second")[3]) == 12
    assert stored.records("graph", "model")[1].source == "torch.export"


def test_accumulated_gradients_are_one_step(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracker = TorchTracker(run, model, optimizer, graph=False)
    for _ in range(2):
        optimizer.zero_grad()
        for _ in range(3):
            x, y = batch()
            nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    stored = Stored(run)
    assert tracker.step == 2
    assert round(stored.scalar("step_time")[2] * stored.scalar("samples_per_second")[2]) == 48


def test_parameter_groups_have_rates_of_their_own(run: Any) -> None:
    model = small_net()
    groups = [{"params": model[0].parameters(), "lr": 0.1, "name": "stem"}, {"params": model[4].parameters()}]
    optimizer = torch.optim.SGD(groups, lr=0.2)
    TorchTracker(run, model, optimizer, graph=False)
    train_step(model, optimizer)
    stored = Stored(run)
    assert stored.scalar("learning_rate/stem") == {1: 0.1}
    assert stored.scalar("learning_rate/1") == {1: 0.2}
    assert "learning_rate" not in stored.names()


def test_the_optimizer_is_found_at_its_first_step(run: Any) -> None:
    model, other = small_net(), small_net()
    theirs = torch.optim.SGD(other.parameters(), 0.5)
    mine = torch.optim.SGD(model.parameters(), 0.1)
    tracker = TorchTracker(run, model, graph=False)
    train_step(other, theirs)
    assert tracker.step == 0
    train_step(model, mine)
    train_step(other, theirs)
    assert tracker.step == 1
    assert Stored(run).scalar("learning_rate") == {1: 0.1}
    tracker.close()
    hooks = import_module("torch.optim.optimizer")
    assert not hooks._global_optimizer_pre_hooks
    assert not hooks._global_optimizer_post_hooks


def test_a_closure_and_a_scaler(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracker = TorchTracker(run, model, optimizer, graph=False, gradient_norm_every=1)
    x, y = batch()

    def closure() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    norms = {1: float(nn.utils.get_total_norm([p.grad for p in model.parameters()]))}
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizer.zero_grad()
    scaler.scale(nn.functional.cross_entropy(model(x), y)).backward()
    scaler.step(optimizer)
    scaler.update()
    norms[2] = float(nn.utils.get_total_norm([p.grad for p in model.parameters()]))
    optimizer.zero_grad()
    scaler.scale(nn.functional.cross_entropy(model(x), y) * float("inf")).backward()
    scaler.step(optimizer)  # skipped, so not counted
    assert tracker.step == 2
    assert Stored(run).scalar("gradient_norm") == pytest.approx(norms)
    assert norms[2] < 50


def test_a_fused_optimizer_is_given_scaled_gradients(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=True)
    TorchTracker(run, model, optimizer, graph=False)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x, y = batch()
    scaler.scale(nn.functional.cross_entropy(model(x), y)).backward()
    true_norm = float(nn.utils.get_total_norm([p.grad for p in model.parameters()])) / 1024.0
    scaler.step(optimizer)
    assert Stored(run).scalar("gradient_norm") == pytest.approx({1: true_norm})


def test_sparse_gradients_and_frozen_parameters(run: Any) -> None:
    model = nn.Sequential(nn.Embedding(50, 4, sparse=True), nn.Linear(4, 2), nn.Linear(2, 2))
    model[2].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer)
    model(torch.tensor([1, 2, 2])).sum().backward()
    optimizer.step()
    stored = Stored(run)
    assert stored.records("histogram", "gradients/0/weight")[1].count == 8
    assert "weights/2/weight" not in stored.names()
    assert stored.scalar("gradient_norm")[1] > 0


def test_training_is_bit_for_bit_the_same(run: Any) -> None:
    states: list[Any] = []
    for tracked in (False, True):
        torch.manual_seed(1)
        model = nn.Sequential(small_net(), nn.Dropout(0.5))
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        if tracked:
            TorchTracker(run, model, optimizer, histogram_every=1, gradient_norm_every=1)
        for _ in range(5):
            train_step(model, optimizer)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def hooks_of(model: Any, optimizer: Any) -> int:
    parameters = sum(len(p._post_accumulate_grad_hooks or ()) for p in model.parameters())
    on_optimizer = len(optimizer._optimizer_step_pre_hooks) + len(optimizer._optimizer_step_post_hooks)
    return parameters + on_optimizer + sum(len(m._forward_pre_hooks) for m in model.modules())


def test_close_and_the_end_of_the_run_remove_every_hook(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracker = TorchTracker(run, model, optimizer, graph=False)
    compiled = torch.compile(model, backend="aot_eager")
    train_step(compiled, optimizer)
    assert hooks_of(model, optimizer) == 4
    tracker.close()
    assert hooks_of(model, optimizer) == 0
    train_step(compiled, optimizer)
    assert tracker.step == 1
    second = TorchTracker(run, model, optimizer, graph=False)
    train_step(model, optimizer)
    assert second.step == 2
    run.finish()
    assert hooks_of(model, optimizer) == 0
    train_step(model, optimizer)


def test_a_watched_model_can_be_copied_and_pickled(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False)
    train_step(model, optimizer)
    average = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    assert b"stepscope" not in file.getvalue()
    file.seek(0)
    for twin in (average, torch.load(file, weights_only=False)):
        assert torch.equal(twin(batch()[0][:1] * 0), twin(batch()[0][:1] * 0))
    train_step(model, optimizer, 16)
    stored = Stored(run)
    assert round(stored.scalar("step_time")[2] * stored.scalar("samples_per_second")[2]) == 16


def compiled_counts(run: Any | None, *, before: bool = True) -> dict[str, Any]:
    """Train compiled, with or without a tracker, and return what torch.compile counted."""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    torch.manual_seed(3)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    if run is not None and before:
        TorchTracker(run, model, optimizer, histogram_every=2, gradient_norm_every=1)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    if run is not None and not before:
        TorchTracker(run, compiled, optimizer, histogram_every=2, gradient_norm_every=1)
    for step in range(8):
        optimizer.zero_grad()
        for _ in range(2):
            x, y = batch(16 if step < 6 else 12)
            nn.functional.cross_entropy(compiled(x), y).backward()
        optimizer.step()
        if step == 3:
            compiled.eval()
            compiled(batch(16)[0])
            compiled.train()
    compiled(batch(9)[0])
    return {
        group: dict(found) for group, found in counters.items() if group in ("stats", "graph_break", "frames")
    }


@pytest.mark.parametrize("before", [True, False], ids=["tracker-then-compile", "compile-then-tracker"])
def test_compiled_as_often_as_without(run: Any, before: bool) -> None:
    without = compiled_counts(None)
    assert without["stats"]["unique_graphs"] == 3  # training, evaluation, another batch size
    assert compiled_counts(run, before=before) == without
    stored = Stored(run)
    assert len(stored.scalar("gradient_norm")) == 8
    assert "gradients/0/weight" in stored.names()
    assert stored.records("graph", "model")[1].source == "torch.export"
    seconds, speed = stored.scalar("step_time"), stored.scalar("samples_per_second")
    assert {step: round(seconds[step] * speed[step]) for step in (3, 8)} == {3: 32, 8: 24}


def test_a_compiled_optimizer_step_is_seen_too(run: Any) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracker = TorchTracker(run, model, optimizer, graph=False)
    step = torch.compile(optimizer.step, backend="eager")
    for _ in range(2):
        nn.functional.cross_entropy(model(batch()[0]), batch()[1]).backward()
        step()
    assert tracker.step == 2


def test_a_resumed_run_counts_on(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    for _ in range(2):
        model = small_net()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        first = not store.exists()
        run = stepscope.init(store=store, name="long", resume=None if first else "long")
        tracker = TorchTracker(run, model, optimizer, graph=False)
        for _ in range(3):
            train_step(model, optimizer)
        run.finish()
    assert tracker.step == 6


def test_samples_are_counted_over_epochs_attempts_and_partial_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for resumed in (False, True):
        run = stepscope.init(name="long", resume="long" if resumed else None)
        tracker = TorchTracker(run, model, optimizer, graph=False)
        for _ in range(3):
            for batches in ((4, 4), (4, 4), (4, 4), (4, 1)):
                for size in batches:  # gradient accumulation
                    model(torch.ones(size, 2)).sum().backward()
                optimizer.step()
        tracker.close()
        seen = Stored(run).scalar("samples")
        run.finish()
    assert seen == {1: 8, 10: 74, 12: 87, 20: 145, 24: 174}


def test_no_total_of_samples_where_those_of_a_step_are_not_known(run: Any) -> None:
    models = {name: nn.Linear(2, 1) for name in ("generator", "critic")}
    optimizers = {name: torch.optim.SGD(model.parameters(), 0.1) for name, model in models.items()}
    for name, model in models.items():
        TorchTracker(run, model, optimizers[name], graph=False, name=name)
    for step in range(1, 21):
        for name, model in models.items():
            given = torch.ones(4, 2)
            out = model(given) if (name, step) != ("critic", 5) else given @ model.weight.T
            out.sum().backward()
            optimizers[name].step()
    stored = Stored(run)
    assert stored.scalar("samples/generator") == {1: 4, 10: 40, 20: 80}
    assert stored.scalar("samples/critic") == {1: 4}


def test_a_count_that_ended_before_the_training_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init(name="long") as run:
        for step in range(30):
            run.log({"step_time": 1.0} | ({"samples": 4.0 * step} if step < 20 else {}), step=step)
    with stepscope.init(resume="long") as run:
        assert run.samples_before("samples") is None
    with stepscope.init() as run:
        assert run.samples_before("samples") == 0
        run.log({"step_time": 1.0, "samples": 70.0}, step=12)
    with stepscope.init(resume=run.id) as run:
        assert run.samples_before("samples") == 70


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": "model"}, "needs a torch.nn.Module to watch, but got str"),
    ({"optimizer": "adam"}, "needs a torch.optim.Optimizer, but got str"),
    (
        {"histogram_every": 1.5},
        "histogram_every must be a whole number of steps, or 0 for never, but got float 1.5",
    ),
    (
        {"gradient_norm_every": -1},
        "gradient_norm_every must be a whole number of steps, or 0 for never, but got int -1",
    ),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_wrong_arguments_are_told_and_do_not_stop_the_loop(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with stepscope.init(store=tmp_path / "s.db") as run:
        tracker = TorchTracker(run, **{"model": model, "optimizer": optimizer, **wrong})
        train_step(model, optimizer)
        assert tracker.step == 0
    assert said in caplog.text


def test_an_idle_tracker_says_what_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    with stepscope.init(store=tmp_path / "s.db") as run:
        TorchTracker(run, small_net())
    assert "saw no optimizer step" in caplog.text


def test_wrong_arguments_raise_when_strict(run: Any) -> None:
    with pytest.raises(BadInput, match=r"needs a torch\.optim\.Optimizer, but got str"):
        TorchTracker(run, small_net(), "adam")  # type: ignore[arg-type]


def test_an_error_in_the_tracker_stays_in_the_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with stepscope.init(store=tmp_path / "s.db") as run:
        tracker = TorchTracker(run, model, optimizer, graph=False)
        monkeypatch.setattr(model, "named_parameters", None)
        for _ in range(3):
            train_step(model, optimizer)
        assert tracker.step == 3
    assert caplog.text.count("while reading weights") == 1


def test_values_advance_while_no_step_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with stepscope.init() as run:
        TorchTracker(run, model, optimizer, graph=False)
        for _ in range(3):
            run.log({"loss/train": 1.0})
        assert list(Stored(run).scalar("loss/train")) == [0, 1, 2]
        train_step(model, optimizer)
        run.log({"loss/validation": 1.0})
        assert list(Stored(run).scalar("loss/validation")) == [1]
    assert "went back" not in caplog.text


def test_several_optimizers_need_several_trackers(run: Any) -> None:
    model = small_net()
    both = [torch.optim.SGD(layer.parameters(), 0.1) for layer in (model[0], model[4])]
    with pytest.raises(BadInput, match=r"got list\. Make one tracker for each optimizer and its model"):
        TorchTracker(run, model, both)  # type: ignore[arg-type]


def test_two_models_on_one_run_have_names(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    models = {name: nn.Linear(2, 1) for name in ("generator", "critic")}
    optimizers = {name: torch.optim.SGD(model.parameters(), 0.1) for name, model in models.items()}
    for name, model in models.items():
        TorchTracker(run, model, optimizers[name], name=name)
    for name, model in models.items():
        model(torch.ones(3, 2)).sum().backward()
        optimizers[name].step()
    stored = Stored(run)
    for name in models:
        assert {
            f"weights/{name}/bias", f"gradients/{name}/weight", f"learning_rate/{name}",
            f"gradient_norm/{name}", f"model/{name}"} <= stored.names()  # fmt: skip
    assert not {"learning_rate", "gradient_norm", "model"} & stored.names()
    assert "same series" not in caplog.text


def test_models_that_step_unequally_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT", raising=False)
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    models = {name: small_net() for name in ("generator", "critic")}
    optimizers = {name: torch.optim.SGD(model.parameters(), 0.1) for name, model in models.items()}
    with stepscope.init() as run:
        for name, model in models.items():
            TorchTracker(run, model, optimizers[name], graph=False, gradient_norm_every=1, name=name)
        for name in ("critic", "critic", "critic", "generator") * 2:
            train_step(models[name], optimizers[name])
        stored = Stored(run)
        assert list(stored.scalar("gradient_norm/critic")) == [1, 2, 3, 4, 5, 6]
        assert list(stored.scalar("gradient_norm/generator")) == [1, 2]
    assert "went back" not in caplog.text


def test_two_models_without_names_are_told(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        model = nn.Linear(2, 1)
        TorchTracker(run, model, torch.optim.SGD(model.parameters(), 0.1))
    assert caplog.text.count("two trackers write to the same series") == 1


def test_weights_of_one_number_are_histograms(run: Any) -> None:
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    TorchTracker(run, model, optimizer, graph=False)
    model(torch.ones(4, 8)).sum().backward()
    optimizer.step()
    stored = Stored(run)
    assert stored.records("histogram", "gradients/bias")[1].mean == 4.0
    assert stored.records("histogram", "weights/bias")[1].count == 1


def test_the_first_argument_must_be_a_run() -> None:
    with pytest.raises(BadInput, match=r"^TorchTracker needs the run that stepscope\.init returned"):
        TorchTracker(5, small_net())  # type: ignore[arg-type]
