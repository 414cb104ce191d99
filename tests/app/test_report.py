"""The report: one HTML file that needs no server, and `stepscope compare`."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from made_runs import compared, train
from stepscope.app import report
from stepscope.app.cli import main
from stepscope.app.comparison.compare import Comparison
from stepscope.app.comparison.curves import Axis, Curve
from stepscope.app.comparison.repeats import repeated
from stepscope.app.comparison.strokes import Mark, Stroke
from stepscope.app.comparison.targets import default_target, leading
from stepscope.app.report_chart import drawing, log_ticks, ticks
from stepscope.app.views import compared as view
from support import ROOT

HOSTILE = "</script></style><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\"'"


class Elements(HTMLParser):
    """The elements of a page, its texts and its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a PyTorch and a Keras run of one task."""
    store = str(tmp_path_factory.mktemp("report") / "store.db")
    train(store, "torch")
    train(store, "keras", "keras", shift=0.3, seed=1, config={"lr": 0.2})
    return store


def shown(found: Comparison) -> report.Shown:
    row = leading(found.metrics)
    target = default_target(row) if row else None
    colours = {one.run.run_id: "#0072B2" for one in found.runs}
    return report.Shown("store.db", colours, Axis.EPOCH, row, target, repeated(found))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["compare", *arguments]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_the_report_tells_all_and_asks_for_nothing(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.html"
    assert said(capsys, "torch", "keras", "--store", store, "--to", str(file)) == f"Wrote {file}\n"
    page = Elements(html := file.read_text())
    for words in (
        "Comparison of torch and keras",
        "Time to accuracy · validation ≥",
        "200 samples/s ★ (2.00",
        "part at epoch 11",
        "The models of torch and keras are the same layer by layer",
        "mean of an epoch",
        store,
    ):
        assert words in page.text, words
    assert "≠lr0.10.2" in re.sub(r"\s", "", page.text)
    assert page.tags.count("svg") >= 3
    assert not {"script", "img", "link", "iframe", "form", "object"} & set(page.tags)
    assert "http://" not in html
    assert "https://" not in html
    assert len(html) < 100_000


def test_its_policy_allows_its_own_style_and_nothing_else(store: str) -> None:
    with stepscope.open(store) as opened:
        html = report.document(found := compared(store, [run.id for run in opened.runs()]), shown(found))
    assert "default-src 'none'; style-src 'sha256-" in html
    assert "unsafe" not in html
    assert not [name for name, _ in Elements(html).attributes if name == "style" or name.startswith("on")]


def test_every_drawing_says_what_it_shows(store: str) -> None:
    with stepscope.open(store) as opened:
        html = report.document(found := compared(store, [run.id for run in opened.runs()]), shown(found))
    labels = [value for name, value in Elements(html).attributes if name == "aria-label"]
    assert "loss · validation of keras, torch over epoch" in labels


def test_nothing_that_was_logged_becomes_markup(store_url: str) -> None:
    ids: list[str] = []
    for number in (0, 1):
        with stepscope.init(
            store=store_url, project=HOSTILE, name=HOSTILE, tags=(HOSTILE,), notes=HOSTILE,
            config={HOSTILE: number, "a": HOSTILE * number},
        ) as run:  # fmt: skip
            run.summary[HOSTILE] = HOSTILE * number
            for step in range(3):
                run.log({f"{HOSTILE}loss": 1.0 + number, "epoch": step}, step=step)
            ids.append(run.id)
    found = compared(store_url, ids)
    html = report.document(found, report.Shown(HOSTILE, **_rest(found)))
    page = Elements(html)
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith(("on", "src"))]
    assert page.text.count("alert(1)") > 10
    assert report.file_name(found).endswith(".html")
    assert not re.search(r"[^A-Za-z0-9.-]", report.file_name(found))


def _rest(found: Comparison) -> dict[str, Any]:
    given = shown(found)
    return {name: getattr(given, name) for name in ("colours", "axis", "row", "target", "groups")}


def test_numbers_at_the_ends_of_what_there_is_are_drawn(store_url: str) -> None:
    for name, value in (("large", 1.7e308), ("small", 5e-324)):
        with stepscope.init(store=store_url, name=name) as run:
            for step in range(3):
                accuracy = math.inf if step else value
                run.log({"loss": value * (-1) ** step, "accuracy": accuracy, "epoch": step}, step=step)
    with stepscope.open(store_url) as opened:
        found = compared(store_url, [run.id for run in opened.runs()])
    html = report.document(found, shown(found))
    assert Elements(html).tags.count("polyline") >= 2
    assert not re.search(r'points="[^"]*(nan|inf)', html)
    assert "∞ ★" not in html


def test_a_value_that_is_no_number_is_refused(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "torch", "keras", "--store", store, "--value", "nan", code=1)
    assert told == "stepscope: --value takes a number such as 0.9, but got nan.\n"


def test_runs_with_nothing_at_all_have_a_report(store_url: str) -> None:
    ids: list[str] = []
    for _ in range(2):
        with stepscope.init(store=store_url) as run:
            ids.append(run.id)
    found = compared(store_url, ids)
    page = Elements(report.document(found, shown(found)))
    assert "None of these runs has logged a metric." in page.text
    assert "svg" in page.tags  # the legend


def test_half_a_surrogate_pair_does_not_stop_the_report(store_url: str) -> None:
    ids: list[str] = []
    for number in (0, 1):
        with stepscope.init(store=store_url, config={"word": f"\ud800{number}"}) as run:
            ids.append(run.id)
    page = report.document(found := compared(store_url, ids), shown(found)).encode("utf-8")
    assert page.rstrip().endswith(b"</html>")
    assert b"word" in page


# ---- the command


def test_the_command_prints_what_differs(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = said(capsys, "torch", "keras", "--store", store)
    assert "Final accuracy · validation: torch" in printed
    assert "part at epoch 11" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["≠", "lr", "0.1", "0.2"] in lines


def test_the_command_prints_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--metric", "val/loss", "--value", "0.5", "--json"]
    found = json.loads(said(capsys, "torch", "keras", "--store", store, *told))
    assert [run["name"] for run in found["runs"]] == ["torch", "keras"]
    assert (found["time_to"]["metric"], found["time_to"]["split"]) == ("loss", "validation")
    assert [one["step"] for one in found["time_to"]["reached"]] == [40, 40]
    assert found["differences"]["config"] == {"lr": ["0.1", "0.2"]}
    assert {one["at"] for one in found["partings"] if one["metric"] == "loss"} == {11.0}
    assert found["models"][0]["same"]
    section = (ROOT / "docs" / "guide" / "commands.md").read_text().partition("\n### compare\n")[2]
    promised = set(re.findall(r"`(\w+)`", section.partition("\nJSON:")[2].partition("\n#")[0]))
    assert promised >= {*found, *found["metrics"][0], *found["partings"][0], *found["code"][0]}
    assert promised >= {*found["models"][0], *found["costs"][0], *found["time_to"], *found["differences"]}
    assert promised >= {
        *found["splits"][0],
        *found["splits"][0]["train"][0],
        *found["models"][0]["layers"][0],
    }


def test_what_cannot_be_compared_is_said(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a comparison needs two runs or more, but got run 'torch'" in said(
        capsys, "torch", "torch", "--store", store, code=1
    )
    assert "no run in" in said(capsys, "torch", "nobody", "--store", store, code=1)
    told = said(capsys, "torch", "keras", "--metric", "f1", "--store", store, code=1)
    assert "none of the runs has logged a metric 'f1'. Among theirs: 'loss · validation'" in told
    assert "No such file or directory" in said(
        capsys, "torch", "keras", "--store", store, "--to", "/nowhere/report.html", code=1
    )


# ---- charts


def stroke(y: list[float], name: str = "run") -> Stroke:
    return Stroke(name, "#0072B2", "7,4", Curve(np.arange(len(y), dtype=np.float64), np.array(y)), 0)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3.0, 12.0, [0, 5, 10]),
        (0.981, 0.995, [0.985, 0.99, 0.995]),
    ],
)
def test_ticks_are_round(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_ticks_of_a_logarithmic_axis() -> None:
    assert log_ticks(0.04, 3.0) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2])
    assert log_ticks(1e-9, 1.0) == pytest.approx([10.0**power for power in range(-9, 1)])


@pytest.mark.parametrize("y", [[1.0, 1.0], [0.0, 0.0], [1e-300, 1e300], [-1e300, 1e300], [1.0, 1000.0]])
def test_no_values_break_a_drawing(y: list[float]) -> None:
    told = drawing("a", [stroke(y)], "step", marks=[Mark(1.0, "here")], target=y[0])
    for upwards in (False, True):
        assert "nan" not in drawing("a", [stroke(y)], "step", target=-1.0, upwards=upwards)
    assert "nan" not in told
    assert "inf" not in told
    assert 'stroke-dasharray="7,4"' in told


def test_the_figure_of_the_page_holds_marks_and_values() -> None:
    figure = view.figure("loss", [stroke([1.0, 0.01], "<b>")], "step", marks=[Mark(1.0, "<i>")], target=0.5)
    (trace,) = figure["data"]
    assert trace["name"] == "&lt;b&gt;"
    assert trace["line"]["dash"] == "7px,4px"
    assert figure["layout"]["yaxis"]["type"] == "log"
    # Near its end, an accuracy differs by little: there, a logarithmic axis would hide what matters.
    rising = view.figure("accuracy", [stroke([0.01, 0.99])], "step", upwards=True)
    assert rising["layout"]["yaxis"]["type"] == "linear"
    assert [shape["line"]["dash"] for shape in figure["layout"]["shapes"]] == ["dash", "dot"]
    assert figure["layout"]["annotations"][0]["text"] == "&lt;i&gt;"
