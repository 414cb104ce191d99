"""Scripts that were written for wandb run with one line changed, and functions find the active run."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import stepscope
from stepscope.storage.artifacts import artifacts_of_run
from stepscope.storage.errors import BadInput
from stepscope.storage.events import alerts_of
from stepscope.storage.metric_definitions import metric_definitions
from stepscope.storage.model import Run, RunState
from stepscope.storage.read import Reader

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    while stepscope.run is not None:
        stepscope.finish()


def runs() -> list[Run]:
    with Reader.open() as reader:
        return reader.runs()


def curve(name: str, run_id: str | None = None) -> list[tuple[int, float]]:
    with Reader.open() as reader:
        [series] = reader.series(run_id or runs()[0].run_id, name=name)
        points = reader.points(series)
    return list(zip(points.step.tolist(), points.last.tolist(), strict=True))


def kinds() -> dict[str, str]:
    with Reader.open() as reader:
        return {one.name: one.kind for one in reader.series(runs()[0].run_id)}


def program(text: str) -> Callable[..., dict[str, Any]]:
    """Make a script, with its import line changed, to be run with command line arguments."""
    code = compile(text.replace("import wandb", "import stepscope as wandb"), "train.py", "exec")

    def run(*arguments: str) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "__main__"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["train.py", *arguments])
            exec(code, names)  # noqa: S102 - it is what a user starts
        return names

    return run


PYTORCH = """
import torch
from torch import nn
import wandb

wandb.login()
wandb.init(
    project="digits",
    entity="team",
    config={"learning_rate": 0.1, "epochs": 2, "optimizer": {"name": "sgd"}},
    tags=["baseline"],
    save_code=True,
    settings=wandb.Settings(start_method="thread"),
)
config = wandb.config
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate)
wandb.watch(model, criterion, log="all", log_freq=2)
wandb.define_metric("epoch")
wandb.define_metric("val/*", step_metric="epoch", summary="max")
images, labels = torch.rand(32, 1, 8, 8), torch.randint(0, 10, (32,))
best = 0.0
for epoch in range(config["epochs"]):
    for start in range(0, 32, 8):
        loss = criterion(model(images[start : start + 8]), labels[start : start + 8])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        wandb.log({"train": {"loss": loss.item()}})
    with torch.no_grad():
        predicted = model(images).argmax(1)
    accuracy = (predicted == labels).float().mean()
    table = wandb.Table(columns=["label", "predicted"])
    for label, guess in zip(labels[:4], predicted[:4]):
        table.add_data(label.item(), guess.item())
    examples = [wandb.Image(image, caption=f"is {label}") for image, label in zip(images[:2], labels)]
    wandb.log({"epoch": epoch, "val/accuracy": accuracy, "examples": examples, "predictions": table})
    if accuracy > best:
        best = wandb.run.summary["best_accuracy"] = accuracy.item()
wandb.alert(title="Done", text=f"best {best}", level=wandb.AlertLevel.INFO)
torch.save(model.state_dict(), "model.pt")
artifact = wandb.Artifact("digits-model", type="model", metadata=dict(config))
artifact.add_file("model.pt")
wandb.log_artifact(artifact, aliases=["best"])
run_id = wandb.run.id
wandb.finish()
"""

KERAS = """
import keras
import numpy as np
import wandb

run = wandb.init(project="digits", name="keras", config=dict(units=8, epochs=2))
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(run.config.units), keras.layers.Dense(10)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
run.watch(model, log="gradients", log_freq=2)


class LogEnd(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        wandb.log({"mine": logs["loss"], "weights_hist": wandb.Histogram(model.layers[0].kernel.numpy())})


x, y = np.random.default_rng(0).random((32, 64)), np.arange(32) % 10
model.fit(x, y, 16, run.config.epochs, verbose=0, callbacks=[LogEnd()], validation_split=0.5)
model.save("model.keras")
wandb.save("model.keras")
run.finish(exit_code=0)
"""

RESUMED = """
import argparse
import json
import os
import wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--steps", type=int, default=3)
args = parser.parse_args()
with wandb.init(project="digits", id="my-run-1", resume="allow", config=args, dir="logs", reinit=True) as run:
    begin = 0
    if os.path.exists("checkpoint.json"):
        begin = json.load(open("checkpoint.json"))["step"]
    wandb.config.update({"begin": begin}, allow_val_change=True)
    for step in range(begin, begin + args.steps):
        wandb.log({"loss": args.lr * step}, commit=False)
        wandb.log({"step_again": step})
    json.dump({"step": step + 1}, open("checkpoint.json", "w"))
"""


def test_a_pytorch_script(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("torch")
    names = program(PYTORCH)()
    [run] = runs()
    assert run.run_id == names["run_id"]
    assert (run.project, run.tags, run.state, run.framework) == (
        "digits",
        ("baseline",),
        RunState.FINISHED,
        "torch",
    )
    assert run.config == {"learning_rate": 0.1, "epochs": 2, "optimizer": {"name": "sgd"}}
    assert [step for step, _ in curve("train.loss")] == list(range(1, 9))
    accuracies = [value for _, value in curve("val/accuracy")]
    assert run.summary["val/accuracy.max"] == max(accuracies)
    assert run.summary["best_accuracy"] == names["best"]
    found = kinds()
    assert (found["examples"], found["predictions"]) == ("image", "table")
    assert found["gradients/1/weight"] == found["weights/3/bias"] == "histogram"
    with Reader.open() as reader:
        assert [(alert.level, alert.title) for alert in alerts_of(reader, [run.run_id])] == [("info", "Done")]
        [model] = artifacts_of_run(reader, run.run_id)
        definitions = metric_definitions(reader, run.run_id)
    assert (model.name, model.type, "best" in model.aliases) == ("digits-model", "model", True)
    assert [file.path for file in model.files] == ["model.pt"]
    assert definitions["val/*"].step_metric == "epoch"
    assert definitions["val/*"].applies_to("val/accuracy")
    assert "init takes entity, save_code, settings as other trackers do; here it means nothing" in caplog.text


def test_a_keras_script() -> None:
    pytest.importorskip("keras")
    names = program(KERAS)()
    [run] = runs()
    assert (run.name, run.framework, run.state) == ("keras", "keras", RunState.FINISHED)
    found = kinds()
    assert found["weights_hist"] == "histogram"
    assert [name for name in found if name.startswith("gradients/")]
    assert not [name for name in found if name.startswith("weights/")]
    assert len(curve("mine")) == 2
    assert len(curve("epoch_val_loss")) == 2
    with Reader.open() as reader:
        assert [one.name for one in artifacts_of_run(reader, run.run_id)] == ["model.keras"]
    # The model is itself again.
    assert "fit" not in vars(names["model"])


def test_a_script_that_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    script = program(RESUMED)
    script("--lr", "0.5")
    script("--lr", "0.25", "--steps", "2")
    monkeypatch.setenv("STEPSCOPE_STORE", "logs/stepscope.db")
    [run] = runs()
    assert (run.name, run.attempt, run.state) == ("my-run-1", 1, RunState.FINISHED)
    assert run.config == {"lr": 0.25, "steps": 2, "begin": 3}
    assert curve("loss") == [(0, 0.0), (1, 0.5), (2, 1.0), (3, 0.75), (4, 1.0)]
    assert [step for step, _ in curve("step_again")] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: stepscope.log({"a": 1.0}),
            r"stepscope\.log needs a run, but none is open\. Call stepscope\.init",
        ),
        (lambda: stepscope.watch(None), r"stepscope\.watch needs a run"),
        (lambda: stepscope.define_metric("a"), r"stepscope\.define_metric needs a run"),
        (lambda: stepscope.alert("a"), r"stepscope\.alert needs a run"),
        (lambda: stepscope.save("a"), r"stepscope\.save needs a run"),
        (lambda: stepscope.log_artifact("a"), r"stepscope\.log_artifact needs a run"),
        (lambda: stepscope.use_artifact("a"), r"stepscope\.use_artifact needs a run"),
        (lambda: stepscope.config.lr, r"stepscope\.config needs a run"),
        (lambda: stepscope.config.update(lr=1), r"stepscope\.config needs a run"),
        (lambda: stepscope.config["lr"], r"stepscope\.config needs a run"),
        (lambda: stepscope.summary.__setitem__("best", 1), r"stepscope\.summary needs a run"),
        (lambda: setattr(stepscope.summary, "best", 1), r"stepscope\.summary needs a run"),
        (lambda: dict(stepscope.config), r"stepscope\.config needs a run"),
    ],
)
def test_without_a_run_people_are_told(call: Callable[[], object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        call()


def test_without_a_run_a_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    for _ in range(3):
        stepscope.log({"a": 1.0})
    stepscope.finish()
    stepscope.unwatch()
    assert caplog.text.count("stepscope.log needs a run") == 1


def test_run_config_and_summary_are_those_of_the_moment() -> None:
    assert stepscope.run is None
    early = stepscope.config
    first = stepscope.init(config={"lr": 1})
    second = stepscope.init(config={"lr": 2})
    assert stepscope.run is second
    assert stepscope.config.lr == 2
    second.finish()
    assert stepscope.run is first
    assert stepscope.config.lr == 1
    stepscope.summary["best"] = 3
    stepscope.finish(exit_code=1)
    assert stepscope.run is None
    assert (first.summary.best, runs()[1].state) == (3, RunState.FAILED)
    with pytest.raises(BadInput, match="needs a run"):
        _ = early.lr


def test_reinit() -> None:
    first = stepscope.init()
    assert stepscope.init(reinit="return_previous") is first
    assert stepscope.init(reinit=False) is first
    second = stepscope.init(reinit=True)
    assert stepscope.run is second
    second.finish()
    assert [run.state for run in runs()] == [RunState.FINISHED] * 2
    assert stepscope.run is None


def test_a_disabled_run_keeps_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with stepscope.init(project="p", config={"lr": 0.1}, mode="disabled") as run:
        run.log({"a": 1.0})
        stepscope.log({"b": stepscope.Image(np.zeros((2, 2)))}, commit=False)
        stepscope.summary["best"] = 1
        Path(run.dir, "file").write_text("")
        run.alert("a")
        assert (stepscope.config.lr, stepscope.summary.best) == (0.1, 1)
    assert not Path("stepscope.db").exists()
    assert [record.getMessage() for record in caplog.records] == ["stepscope: a"]


@pytest.mark.parametrize("mode", ["online", "offline", None])
def test_every_other_mode_records(mode: str | None) -> None:
    stepscope.init(mode=mode).finish()
    assert len(runs()) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": "of"}, BadInput, r'mode as "online", "offline" or "disabled", but got \'of\''),
        ({"projct": "p"}, TypeError, r"unexpected keyword argument 'projct'"),
        ({"resume": "must"}, BadInput, r'init\(resume="must"\) needs an id'),
        ({"resume": "must", "id": "new"}, BadInput, r"needs a run of that id, but there is none"),
    ],
)
def test_what_init_refuses(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        stepscope.init(**arguments)
    assert stepscope.run is None
    assert not Path("stepscope.db").exists()


def test_words_about_an_id() -> None:
    first = stepscope.init(id="mine", resume="never")
    first.finish()
    with pytest.raises(
        BadInput, match=rf'resume="never"\) needs a new id, but there is a run {first.id} of it'
    ):
        stepscope.init(id="mine", resume="never")
    for words in ({"resume": "must"}, {"resume": True}, {}):
        again = stepscope.init(id="mine", **words)
        again.finish()
        assert again.id == first.id
    by_id = stepscope.init(id=first.id, resume="must")
    by_id.finish()
    [run] = runs()
    assert (run.run_id, run.name, run.attempt) == (first.id, "mine", 4)


def test_the_newest_run_that_broke_off_goes_on() -> None:
    stepscope.init(project="p").finish("failed")
    broken = stepscope.init(project="p")
    broken.finish("failed")
    other = stepscope.init(project="q")
    other.finish("failed")
    again = stepscope.init(project="p", resume=True)
    again.finish()
    assert again.id == broken.id
    fresh = stepscope.init(project="p", resume="auto")
    fresh.finish()
    assert fresh.id not in (broken.id, other.id)


def test_a_folder_that_cannot_be_made_stops_no_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    Path("file").write_text("")
    with stepscope.init(dir="file/logs") as run:
        run.log({"a": 1.0})
    assert "nothing of this run is recorded" in caplog.text


def test_parts_of_a_config_and_a_job_type() -> None:
    config = {"a": 1, "b": 2, "c": 3}
    stepscope.init(config=config, config_exclude_keys=["a"], job_type="eval", tags="x").finish()
    stepscope.init(config=config, config_include_keys=["a", "b"], config_exclude_keys=["b"]).finish()
    second, first = runs()
    assert (first.config, first.tags) == ({"b": 2, "c": 3}, ("job_type:eval", "x"))
    assert (second.config, second.tags) == ({"a": 1}, ())


def test_values_wait_for_the_call_that_commits() -> None:
    with stepscope.init() as run:
        run.log({"a": 1.0}, commit=False)
        run.log({"b": 2.0}, commit=False)
        run.log({"a": 3.0, "c": {"d": 4.0, "e": {"f": 5.0}}})
        run.log({"a": 6.0}, commit=True)
        run.log({"a": 7.0}, step=9, commit=False)
    assert curve("a") == [(0, 3.0), (1, 6.0), (9, 7.0)]
    assert curve("b") == [(0, 2.0)]
    assert (curve("c.d"), curve("c.e.f")) == ([(0, 4.0)], [(0, 5.0)])


def test_what_stands_for_a_metric() -> None:
    run = stepscope.init()
    run.define_metric("loss", summary="min, last")
    run.define_metric("acc*", summary="best,mean", goal="maximize", hidden=True)
    run.define_metric("loss", step_metric="epoch", summary="min,max")
    for step, value in enumerate([3.0, 1.0, 2.0]):
        run.log({"loss": value, "acc/top1": value, "other": value}, step=step)
    with pytest.raises(BadInput, match=r"summary as words of min, max, .*, but got 'median'"):
        run.define_metric("loss", summary="median")
    with pytest.raises(BadInput, match=r'goal as "minimize" or "maximize", but got \'up\''):
        run.define_metric("loss", goal="up")
    with pytest.raises(BadInput, match=r"needs the name of a metric or a pattern, but got 5"):
        run.define_metric(5)
    run.finish()
    assert runs()[0].summary == {"loss.min": 1.0, "loss.max": 3.0, "acc/top1.best": 3.0, "acc/top1.mean": 2.0}
    with Reader.open() as reader:
        found = metric_definitions(reader, run.id)
    assert (found["loss"].step_metric, found["acc*"].hidden, found["acc*"].goal) == (
        "epoch",
        True,
        "maximize",
    )


def test_alerts_of_one_title_wait() -> None:
    with stepscope.init() as run:
        for title in ("a", "a", "b"):
            stepscope.alert(title, level=stepscope.AlertLevel.WARN, wait_duration=600)
        run.alert("a", level="error")
    with Reader.open() as reader:
        found = [(alert.title, alert.level) for alert in alerts_of(reader, [run.id])]
    assert found == [("a", "warning"), ("b", "warning"), ("a", "error")]


def test_an_alert_that_makes_no_sense_stops_no_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    with stepscope.init() as run:
        run.alert(["a"])  # type: ignore[arg-type]
        run.alert("b", wait_duration="long")  # type: ignore[arg-type]
        run.alert("c", level="WARN")
        for number in range(50):
            run.alert(f"{number}", wait_duration=1e-9)
    assert "while alerting: could not convert string to float: 'long'" in caplog.text
    assert len(run._alerted) <= 2  # pyright: ignore[reportPrivateUsage]
    with Reader.open() as reader:
        found = [(alert.title, alert.level) for alert in alerts_of(reader, [run.id])]
    assert found[:2] == [("['a']", "warning"), ("c", "warning")]


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "."])
def test_a_file_of_an_artifact_stays_within_it(name: str) -> None:
    Path("mine").write_text("mine")
    artifact = stepscope.Artifact("set")
    with pytest.raises(BadInput, match=r"is a path within it, but got"):
        artifact.add_file("mine", name=name)
    with pytest.raises(BadInput, match=r"is a path within it, but got"), artifact.new_file(name):
        pass


def test_new_files_may_be_open_at_once() -> None:
    artifact = stepscope.Artifact("set")
    with artifact.new_file("a") as a, artifact.new_file("b") as b:
        a.write("a")
        b.write("b")
    with stepscope.init() as run:
        files = run.log_artifact(artifact).path
    assert [(files / name).read_text() for name in "ab"] == ["a", "b"]


def test_arguments_that_mean_nothing_here_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with stepscope.init() as run:
        for step in range(2):
            frames = np.zeros((2, 3, 4, 4), np.uint8)
            run.log({"film": stepscope.Video(frames, fps=4, format="gif")}, step)
        run.log(
            {
                "picture": stepscope.Image(np.zeros((4, 4)), mode="L", masks={}),
                "histogram": stepscope.Histogram([1.0, 2.0], num_bins=2),
                "table": stepscope.Table(columns=["a"], rows=[[1]], allow_mixed_types=True),
            }
        )
    assert caplog.text.count("Video takes format as other trackers do; here it means nothing") == 1
    assert {"film", "picture", "histogram", "table"} <= set(kinds())
    with pytest.raises(TypeError, match=r"Image\(\) got an unexpected keyword argument 'captoin'"):
        stepscope.Image(np.zeros((4, 4)), captoin="c")


def test_artifacts_in_the_making(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "inner"
    folder.mkdir(parents=True)
    (folder / "b.txt").write_text("b")
    artifact = stepscope.Artifact("set", type="dataset", description="small", metadata={"n": 2})
    artifact.add_dir("data", name="all")
    artifact.add_file("data/inner/b.txt", name="c.txt")
    artifact.add_reference("s3://bucket/key")
    with artifact.new_file("made.txt") as file:
        file.write("made")
    with pytest.raises(BadInput, match="has no version before it is logged"):
        _ = artifact.version
    with pytest.raises(BadInput, match=r"needs a file, but data is none\. For a folder call add_dir"):
        artifact.add_file("data")
    with pytest.raises(BadInput, match=r"needs a folder, but nowhere is none"):
        artifact.add_dir("nowhere")
    with stepscope.init() as run:
        run.log_artifact(artifact)
        assert artifact.wait().version == "v0"
        assert run.use_artifact(artifact).version == "v0"
        used = stepscope.use_artifact("set:latest", type="dataset")
        with pytest.raises(BadInput, match=r"asked for as 'model', but is of type 'dataset'"):
            run.use_artifact("set", type="model")
        assert {file.path for file in used.files} == {"all/inner/b.txt", "c.txt", "made.txt"}
        assert (used.path / "made.txt").read_text() == "made"
        assert used.metadata == {"n": 2, "description": "small", "references": {"key": "s3://bucket/key"}}


def test_files_of_a_run() -> None:
    Path("a.py").write_text("pass")
    Path(".hidden").mkdir()
    Path(".hidden", "b.py").write_text("pass")
    with stepscope.init() as run:
        Path(run.dir, "model.pt").write_text("weights")
        assert stepscope.save("a.*") == ["a.py"]
        assert run.save() == []
        run.log_code(name="code")
    with Reader.open() as reader:
        found = {one.name: [file.path for file in one.files] for one in artifacts_of_run(reader, run.id)}
    assert found == {"a.py": ["a.py"], "code": ["a.py"], f"files-{run.id}": ["model.pt"]}
    assert Path(run.dir).parent.name == "stepscope.db.work"


def test_config_takes_what_scripts_give_it() -> None:
    import argparse

    with stepscope.init(config={"lr": 0.1}) as run:
        run.config.update(argparse.Namespace(batch=4), allow_val_change=True)
        run.config.setdefaults({"lr": 0.5, "seed": 1})
        assert run.config.as_dict() == {"lr": 0.1, "batch": 4, "seed": 1}
        run.name = "renamed"
    assert (runs()[0].config, runs()[0].name) == ({"lr": 0.1, "batch": 4, "seed": 1}, "renamed")


def test_values_by_the_names_of_scripts() -> None:
    Pillow.fromarray(np.full((2, 3), 7, np.uint8)).save("seven.png")
    Path("page.html").write_text("<b>page</b>")
    with stepscope.init() as run, open("page.html") as file:
        run.log(
            {
                "picture": stepscope.Image("seven.png", caption="seven"),
                "histogram": stepscope.Histogram(np_histogram=np.histogram([1.0, 2.0, 2.0], bins=2)),
                "html": [
                    stepscope.Html(one) for one in ("<i>text</i>", "page.html", Path("page.html"), file)
                ],
            }
        )
    with Reader.open() as reader:
        loaded = {
            series.name: [reader.load(series, record) for record in reader.records(series)]
            for series in reader.series(run.id)
            if not series.name.startswith("system/")
        }
    assert loaded["picture"][0].array()[:, :, 0].tolist() == [[7] * 3] * 2
    assert loaded["histogram"][0].counts.tolist() == [1, 2]
    assert [one.text for one in loaded["html"]] == [
        "```html\n<i>text</i>\n```",
        *["```html\n<b>page</b>\n```"] * 3,
    ]


def test_figures_are_pictures_as_well() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(2, 1))
    with stepscope.init() as run:
        run.log({"a": stepscope.Image(figure), "b": stepscope.Image(pyplot)})
    pyplot.close(figure)
    assert (kinds()["a"], kinds()["b"]) == ("image", "image")


def test_what_watch_refuses() -> None:
    with stepscope.init() as run:
        with pytest.raises(BadInput, match=r"needs a torch\.nn\.Module or a Keras model, but got str"):
            run.watch("model")
        with pytest.raises(
            BadInput, match=r'log as "gradients", "parameters", "all" or None, but got \'loss\''
        ):
            run.watch("model", log="loss")


def test_several_models_are_told_apart_and_left_alone_again() -> None:
    torch = pytest.importorskip("torch")
    models = [torch.nn.Linear(2, 2) for _ in range(2)]
    with stepscope.init() as run:
        run.watch(models, log="gradients", log_freq=1)
        for model in models:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        run.unwatch(models[0])
        run.unwatch()
    found = kinds()
    assert {"gradients/weight", "gradients/model_1/weight"} <= set(found)


def test_a_run_that_was_pickled_knows_its_methods() -> None:
    with stepscope.init() as run:
        copy = pickle.loads(pickle.dumps(run))  # noqa: S301 - our own
        copy.define_metric("a", summary="max")
        copy.finish()
