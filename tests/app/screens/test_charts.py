"""The Charts page, run as Streamlit runs it; no browser."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import stepscope
from pages import change, charts, opened, said
from stepscope.app import queries
from stepscope.app.screens.charts import CHARTS_A_PAGE
from stepscope.app.widgets import chart
from stepscope.storage.read import Reader

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

STEPS = 200


def log(values: Mapping[str, Sequence[float]], **init: Any) -> str:
    """Log a run of some series; return its id."""
    with stepscope.init(**init) as run:
        for step in range(max(map(len, values.values()))):
            run.log({name: row[step] for name, row in values.items() if step < len(row)}, step=step)
    return run.id


def figure(test: AppTest, metric: str) -> dict[str, Any]:
    (found,) = [drawn for alt, drawn in charts(test).items() if alt.startswith(f"{metric} of")]
    return found


def lines(drawn: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines in front: no bands, no marks, nothing behind a smoothed line."""
    meta = [(trace, trace.get("meta", {})) for trace in drawn["data"]]
    return [trace for trace, said in meta if not {"band", "mark", "raw"} & set(said)]


def numbers(spec: dict[str, Any]) -> list[float]:
    return np.frombuffer(base64.b64decode(spec["bdata"]), spec["dtype"]).tolist()


def told(drawn: dict[str, Any]) -> str:
    return drawn["layout"]["title"].get("subtitle", {}).get("text", "")


def metrics_in_order(test: AppTest) -> list[str]:
    return [alt.split(" of ")[0] for alt in charts(test)]


@pytest.mark.usefixtures("store")
def test_a_wrong_expression_is_told_under_its_field_and_hides_nothing() -> None:
    log({"loss": [1.0], "accuracy": [0.5]})
    test = opened("charts", metrics="loss|(")
    assert metrics_in_order(test) == ["loss", "accuracy"]
    assert "No regular expression: missing ), unterminated subpattern at character 6." in said(test).replace(
        "\\", ""
    )
    assert metrics_in_order(opened("charts", metrics="acc.*y$")) == ["accuracy"]


@pytest.mark.usefixtures("store")
def test_pinned_charts_come_first_and_are_in_the_address() -> None:
    log({"loss": [1.0], "net/width": [2.0], "net/depth": [3.0]})
    test = opened("charts")
    assert metrics_in_order(test) == ["loss", "net/depth", "net/width"]
    test.button(key="pin net/width").click().run()
    assert json.loads(str(test.query_params["pins"])) == ["net/width"]
    assert metrics_in_order(test) == ["net/width", "loss", "net/depth"]
    assert test.expander[0].label == "**Pinned** :gray[1]"
    again = opened("charts", pins=str(test.query_params["pins"]))
    assert metrics_in_order(again) == ["net/width", "loss", "net/depth"]
    again.button(key="pin net/width").click().run()
    assert "pins" not in again.query_params
    assert metrics_in_order(again) == ["loss", "net/depth", "net/width"]


@pytest.mark.usefixtures("store")
def test_changing_the_smoothing_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    log({"loss": np.random.default_rng(0).normal(size=STEPS).tolist()})
    test = opened("charts")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("points were read again")

    monkeypatch.setattr(Reader, "points", refuse)
    before = numbers(lines(figure(test, "loss"))[0]["y"])
    test.slider(key="smoothing").set_value(0.9).run()
    assert not test.warning
    assert numbers(lines(figure(test, "loss"))[0]["y"]) != before


@pytest.mark.usefixtures("store")
def test_any_metric_is_an_axis_and_runs_without_it_are_told() -> None:
    log({"loss": [4.0, 3.0, 2.0], "epoch": [0.0, 0.0, 1.0], "lr": [0.1, 0.2, 0.4]}, name="with")
    log({"loss": [4.0]}, name="without")
    test = opened("charts", x="epoch", metrics="^loss")
    assert numbers(lines(figure(test, "loss"))[0]["x"]) == [0.0, 0.5, 1.0]
    assert told(figure(test, "loss")) == "1 line without epoch"
    test.selectbox(key="x").set_value("learning_rate").run()
    drawn = figure(test, "loss")
    assert numbers(lines(drawn)[0]["x"]) == [0.1, 0.2, 0.4]
    assert drawn["layout"]["xaxis"]["title"]["text"] == "learning_rate"


@pytest.mark.usefixtures("store")
def test_a_metric_is_drawn_over_what_its_run_has_defined_and_steps_on_request() -> None:
    with stepscope.init() as run:
        run.define_metric("val/*", step_metric="epoch")
        run.define_metric("secret", hidden=True)
        for step in range(3):
            run.log({"val/loss": 1.0, "other": 1.0, "epoch": 10.0 * step, "secret": 1.0}, step=step)
    test = opened("charts")
    assert numbers(lines(figure(test, "loss"))[0]["x"]) == [0.0, 10.0, 20.0]
    assert numbers(lines(figure(test, "other"))[0]["x"]) == [0.0, 1.0, 2.0]
    assert "secret" not in metrics_in_order(test)
    test.selectbox(key="x").set_value("step").run()
    assert numbers(lines(figure(test, "loss"))[0]["x"]) == [0.0, 1.0, 2.0]
    test.text_input(key="metrics").set_value("secret").run()
    assert metrics_in_order(test) == ["secret"]


@pytest.mark.usefixtures("store")
def test_groups_are_lines_in_bands_with_the_number_of_their_runs() -> None:
    for lr, height in ((0.1, 1.0), (0.1, 3.0), (0.5, 9.0)):
        log({"loss": [height, height]}, config={"lr": lr})
    test = opened("charts", group_by="config.lr")
    low, high = lines(figure(test, "loss"))
    assert (low["name"], high["name"]) == ("0.1 · mean of 2 runs", "0.5 · 1 run")
    assert (numbers(low["y"]), numbers(high["y"])) == ([2.0, 2.0], [9.0, 9.0])
    band = next(trace for trace in figure(test, "loss")["data"] if trace["meta"].get("band"))
    assert sorted(numbers(band["y"])) == [1.0, 1.0, 3.0, 3.0]
    assert "0\\.1 (2 runs)" in said(test)
    test.segmented_control(key="band").set_value("standard error").run()
    assert sorted(numbers(figure(test, "loss")["data"][0]["y"])) == [1.0, 1.0, 3.0, 3.0]


@pytest.mark.usefixtures("store")
def test_older_attempts_of_a_resumed_run_are_ghosts_until_they_are_turned_off() -> None:
    run_id = log({"loss": [9.0, 8.0, 7.0, 6.0]}, name="resumed")
    with stepscope.init(id=run_id, resume="must") as run:
        for step in (2, 3, 4):
            run.log({"loss": 1.0}, step=step)
    test = opened("charts")
    assert numbers(lines(figure(test, "loss"))[0]["y"]) == [9.0, 8.0, 1.0, 1.0, 1.0]
    (ghost,) = [trace for trace in figure(test, "loss")["data"] if trace["meta"].get("raw")]
    assert ghost["name"] == "resumed · attempt 1"
    assert (numbers(ghost["x"]), numbers(ghost["y"])) == ([2.0, 3.0], [7.0, 6.0])
    assert "what a newer attempt of a run has replaced" in said(test)
    test.toggle(key="ghosts").set_value(False).run()
    assert not [trace for trace in figure(test, "loss")["data"] if trace["meta"].get("raw")]


@pytest.mark.usefixtures("store")
def test_alerts_and_notes_are_marks_at_their_steps() -> None:
    with stepscope.init(name="noted") as run:
        for step in range(3):
            run.log({"loss": 1.0}, step=step)
        run.alert("too <b>hot</b>", "the fan", level="error", step=1)
        run.log({"notes": stepscope.Text("changed the fan")}, step=2)
    test = opened("charts")
    (marks,) = [trace for trace in figure(test, "loss")["data"] if trace.get("yaxis") == "y2"]
    assert numbers(marks["x"]) == [1.0, 2.0]
    assert marks["text"] == [
        "noted · step 1 · error: too &lt;b&gt;hot&lt;/b&gt;: the fan",
        "noted · step 2 · note: changed the fan",
    ]
    test.toggle(key="marks").set_value(False).run()
    assert not [trace for trace in figure(test, "loss")["data"] if trace.get("yaxis") == "y2"]


def test_a_note_that_cannot_be_read_is_still_a_mark(store: str) -> None:
    with stepscope.init() as run:
        run.log({"loss": 1.0, "notes": stepscope.Text("x")}, step=1)
    change(store, "UPDATE records SET payload = x'ff'")
    (marks,) = [trace for trace in figure(opened("charts"), "loss")["data"] if trace.get("yaxis") == "y2"]
    assert numbers(marks["x"]) == [1.0]


@pytest.mark.usefixtures("store")
def test_where_the_viewer_zoomed_finer_points_are_read_and_the_whole_stays() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    log({"loss": values.tolist()})
    test = opened("charts", smoothing="0")
    (coarse,) = lines(figure(test, "loss"))
    assert told(figure(test, "loss")) == "1,000 of 20,000 points, all in the band"
    name = chart._name("metric loss", "step")  # pyright: ignore[reportPrivateUsage]
    zoomed = opened("charts", smoothing="0", zoom=json.dumps([f"{name}10000:10400::"]))
    (fine,) = lines(figure(zoomed, "loss"))
    x, y = np.array(numbers(fine["x"])), np.array(numbers(fine["y"]))
    seen = (x >= 10_000) & (x <= 10_400)
    np.testing.assert_allclose(y[seen], values[x[seen].astype(int)])
    assert (x[0], x[-1]) == (numbers(coarse["x"])[0], 19_999.0)
    assert told(figure(zoomed, "loss")) == "all 401 points in view"


@pytest.mark.usefixtures("store")
def test_what_is_no_number_is_marked_also_in_the_middle_of_a_bucket() -> None:
    values = np.linspace(-1.0, 1.0, 20_000)
    values[7003], values[15_001] = math.nan, math.inf
    log({"loss": values.tolist()})
    test = opened("charts", smoothing="0")
    nan, infinite = [one for one in figure(test, "loss")["data"] if "mark" in one.get("meta", {})]
    assert (nan["hovertemplate"], infinite["hovertemplate"]) == ("NaN", "∞")
    assert numbers(nan["x"]) == pytest.approx([7003], abs=20)
    assert numbers(infinite["x"]) == pytest.approx([15_001], abs=20)
    test.segmented_control(key="scale").set_value("log").run()
    assert "10,000 points ≤ 0 cannot be on a log" in told(figure(test, "loss"))


@pytest.mark.usefixtures("store")
def test_of_an_axis_with_several_splits_what_has_none_takes_that_of_the_training() -> None:
    log({"loss/test": [9.0], "loss/train": [4.0, 3.0, 2.0], "loss/val": [5.0], "lr": [0.1, 0.2, 0.4]})
    test = opened("charts", x="loss", metrics="learning_rate")
    assert numbers(lines(figure(test, "learning_rate"))[0]["x"]) == [4.0, 3.0, 2.0]


@pytest.mark.usefixtures("store")
def test_what_an_axis_cannot_show_is_told() -> None:
    seconds = [2.8] + [0.02 + 0.0001 * (step % 7) for step in range(STEPS)]
    log({"step_time": seconds, "loss": [0.0, -1.0, 1.0, math.nan]})
    test = opened("charts")
    assert told(figure(test, "step_time")) == "1 above the axis, up to 2.8"
    assert figure(test, "step_time")["layout"]["yaxis"]["range"][1] < 0.03
    test.segmented_control(key="outliers").set_value("shown").run()
    assert "range" not in figure(test, "step_time")["layout"]["yaxis"]
    test.segmented_control(key="scale").set_value("log").run()
    test.segmented_control(key="x_scale").set_value("log").run()
    assert "2 points ≤ 0 cannot be on a log vertical axis" in told(figure(test, "loss"))
    assert "1 point ≤ 0 cannot be on a log horizontal axis" in told(figure(test, "loss"))
    assert figure(test, "loss")["layout"]["xaxis"]["type"] == "log"


@pytest.mark.usefixtures("store")
def test_sections_that_were_closed_or_opened_are_in_the_address() -> None:
    log({"loss": [1.0], "system/heat": [1.0]})
    test = opened("charts", sections='["system","metrics"]')
    assert metrics_in_order(test) == ["system/heat"]
    assert figure(test, "system/heat")["layout"]["xaxis"]["title"]["text"] == "seconds since start"
    assert metrics_in_order(opened("charts")) == ["loss"]


@pytest.mark.usefixtures("store")
def test_of_hundreds_of_metrics_a_page_is_drawn_and_later_sections_are_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log({f"layer {number}": [1.0] for number in range(40)} | {"a/x": [1.0], "b/x": [1.0]})
    drawn = [f"layer {number}" for number in range(CHARTS_A_PAGE)]
    assert metrics_in_order(opened("charts")) == [*drawn, "a/x", "b/x"]
    monkeypatch.setattr("stepscope.app.screens.charts.LINES_AT_ONCE", 6)
    test = opened("charts")
    assert metrics_in_order(test) == drawn[:6]
    assert len(test.expander) == 3


@pytest.mark.usefixtures("store")
def test_of_many_lines_each_has_few_points() -> None:
    with stepscope.init() as run:
        for rank in range(20):
            for step in range(1000):
                run.log({"loss": 1.0 / (step + 1)}, step=step, context={"rank": rank})
    test = opened("charts", ranks="all ranks")
    drawn = figure(test, "loss")
    assert sum(len(numbers(trace["x"])) for trace in lines(drawn)) <= 6 * queries.POINTS_A_LINE
    assert not [trace for trace in drawn["data"] if trace["meta"].get("band")]
    assert told(drawn).endswith("of 20,000 points, means of buckets")
    assert "and 8 more" in next(iter(charts(test)))
