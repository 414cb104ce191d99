"""How long the dashboard takes, in a real browser, and TensorBoard over the same curves.

10 runs of 12 metrics of 100,000 points each. A fresh server and a browser with an empty cache: the time from
the command to the first chart with lines, opening the page as soon as the server answers. Then three reloads,
of which the median counts; more smoothing, and a run that is taken away and shown again, until every chart in
the window shows it. TensorBoard runs without TensorFlow and with its data server, and keeps 1,000 points of
each series; a chart of its counts as drawn when the table under it has values.

The server's time is that of the page's script alone, with nothing in its cache and with all of it. Also
measured: the page of 2,000 runs with 50,000 points each, and how much memory the server takes more while a
page of charts follows a run: its last two thirds count.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from peers.base import Peer
from peers.registry import OURS
from plan import Case, Figure, Goal, Measures, Scale, Settings, Shown, Table, at_most

_RUNS, _METRICS, _POINTS = 10, 12, 100_000
_MANY_RUNS, _POINTS_EACH = 2_000, 50_000
_LIVE_SECONDS = 240
_RELOADS = 3
_THEIRS = "summary_writer"
_MANY, _LIVE, _SCRIPT = (f"{OURS}, {what}" for what in ("many runs", "live", "script"))


def _cases(scale: Scale) -> list[Case]:
    points = scale.count(_POINTS, 1000)
    runs = scale.count(_MANY_RUNS, 20)
    each = {"points": points}
    stores = {
        peer: Case("dashboard_data", peer, each, folder=f"dashboard-{peer}-{points}")
        for peer in (OURS, _THEIRS)
    }
    many = Case("dashboard_data", OURS, {"runs": runs}, f"{runs:,} runs", folder=f"dashboard-runs-{runs}")
    whole = scale.share == 1
    return [
        *(_case(peer, "charts", "", scale.rounds, stores[peer]) for peer in stores),
        _case(OURS, "script", _SCRIPT, scale.rounds, stores[OURS]),
        _case(OURS, "runs", _MANY, scale.rounds, many),
        Case(
            "dashboard",
            OURS,
            {"what": "live", "seconds": _LIVE_SECONDS if whole else 30 * scale.settle},
            _LIVE,
        ),
    ]


def _case(peer: str, what: str, label: str, rounds: int, store: Case) -> Case:
    return Case("dashboard", peer, {"what": what, **store.settings}, label, rounds, store.folder, store)


def _build(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    from big_series import add_run
    from dashboards.stores import write_events, write_store
    from stepscope.storage.write import Writer

    begun = time.perf_counter()
    if "runs" in settings:
        with Writer.open(folder / "runs.db") as writer:
            for number in range(settings["runs"]):
                add_run(writer, _POINTS_EACH, series=5, config={"lr": 0.001 * number})
    elif peer.module == "stepscope":
        write_store(folder / "runs.db", _RUNS, _METRICS, settings["points"])
    else:
        write_events(folder / "events", _RUNS, _METRICS, settings["points"])
    return {"build_s": time.perf_counter() - begun}


def _measure(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    measure = {"charts": _charts, "script": _script, "runs": _runs, "live": _live}[settings["what"]]
    return measure(peer, folder, settings)


def _charts(peer: type[Peer], folder: Path, _: Settings) -> Measures:
    from dashboards.browser import blank_page, free_port, running, seconds_until
    from dashboards.pages import OurPage, TensorBoardPage

    ours = OurPage() if peer.module == "stepscope" else TensorBoardPage()
    port = free_port()
    with blank_page() as page:
        begun = time.perf_counter()
        with running(ours.command(folder, port), port) as server:
            page.goto(f"http://127.0.0.1:{port}{ours.path}", wait_until="commit")
            page.wait_for_function(ours.drawn, polling="raf")
            measures = {"first_s": time.perf_counter() - begun}
            reloads: list[float] = []
            for _reload in range(_RELOADS):
                page.wait_for_load_state("networkidle")
                reloads.append(seconds_until(page, ours.drawn, lambda: page.reload(wait_until="commit")))
            measures["reload_s"] = statistics.median(reloads)
            _settle(page)
            measures["smooth_s"] = seconds_until(page, ours.remember(page), lambda: ours.smooth(page))
            _settle(page)
            seconds_until(page, ours.remember(page), lambda: ours.tick(page))
            _settle(page)
            measures["select_s"] = seconds_until(page, ours.remember(page), lambda: ours.tick(page))
            measures["memory_mib"] = _memory(server.pid)
    return measures


def _script(peer: type[Peer], folder: Path, _: Settings) -> Measures:
    """Run the page as Streamlit does, without server or browser: first with nothing read, then once more."""
    del peer
    from streamlit.testing.v1 import AppTest

    code = """
import time
import streamlit as st
from stepscope.app.screens import charts
begun = time.perf_counter()
charts.show()
st.session_state["took"] = time.perf_counter() - begun
"""
    test = AppTest.from_string(code, default_timeout=60)
    spent: list[float] = []
    # The store that is not there has everything loaded that a running server has.
    for store in ("none.db", "runs.db", "runs.db", "runs.db", "runs.db"):
        os.environ["STEPSCOPE_STORE"] = str(folder / store)
        test.run()
        assert not test.exception
        spent.append(test.session_state["took"] * 1e3)
    return {"first_ms": spent[1], "again_ms": statistics.median(spent[2:])}


def _runs(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    from dashboards.browser import blank_page, free_port, running, seconds_until
    from dashboards.pages import OurPage

    port = free_port()
    counted = f"document.body.innerText.includes('{settings['runs']:,} runs')"
    drawn = f"document.querySelector('.stepscope-runs') && {counted}"
    with blank_page() as page, running(OurPage().command(folder, port), port):
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        page.wait_for_function(drawn, polling="raf")
        spent: list[float] = []
        for _reload in range(_RELOADS):
            page.wait_for_load_state("networkidle")
            spent.append(seconds_until(page, drawn, lambda: page.reload(wait_until="commit")))
    return {"runs_s": statistics.median(spent)}


def _live(peer: type[Peer], folder: Path, settings: Settings) -> Measures:
    del peer
    import stepscope
    from dashboards.browser import blank_page, free_port, running
    from dashboards.pages import OurPage

    run = stepscope.init(project="bench", name="run0", store=folder / "runs.db")
    ended = threading.Event()
    writer = threading.Thread(target=_log, args=(run, ended), daemon=True)
    writer.start()
    port, page_of_ours = free_port(), OurPage()
    with blank_page() as page, running(page_of_ours.command(folder, port), port) as server:
        page.goto(f"http://127.0.0.1:{port}{page_of_ours.path}", wait_until="commit")
        page.wait_for_function(page_of_ours.drawn, polling="raf")
        third = settings["seconds"] / 3
        page.wait_for_timeout(third * 1e3)
        before = _memory(server.pid)
        page.wait_for_timeout(2 * third * 1e3)
        after = _memory(server.pid)
    ended.set()
    writer.join()
    run.finish()
    return {"before_mib": before, "after_mib": after, "more_mib": after - before}


def _log(run: Any, ended: threading.Event) -> None:
    step = 0
    while not ended.wait(0.05):
        run.log({f"metric/{number}": 1 / (step + 1) + number for number in range(_METRICS)}, step=step)
        step += 1


def _settle(page: Any) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)


def _memory(pid: int) -> float:
    """Return the memory of a process and its children that belongs to them alone, MiB."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_full_info().uss for one in family) / 2**20


def _goals(table: Table) -> list[Goal]:
    rows = [
        (
            "from `stepscope ui` to the first chart, 10 runs x 12 metrics x 100,000 points",
            4,
            OURS,
            "first_s",
            "s",
        ),
        ("the same page reloaded", 1.5, OURS, "reload_s", "s"),
        ("server time of that page, nothing in its cache", 150, _SCRIPT, "first_ms", "ms"),
        ("server time of that page, drawn again", 150, _SCRIPT, "again_ms", "ms"),
        ("more smoothing, until all charts in the window show it", 0.5, OURS, "smooth_s", "s"),
        ("one more run, until all charts in the window show it", 0.5, OURS, "select_s", "s"),
        ("the page of 2,000 runs and 100,000,000 points", 1.5, _MANY, "runs_s", "s"),
        ("memory the server takes more in minutes of live updates", 5, _LIVE, "more_mib", "MiB"),
    ]
    return [
        at_most(what, limit, table[case][key], unit) for what, limit, case, key, unit in rows if case in table
    ]


FIGURES = (
    Figure("dashboard_data", lambda _: [], _build),
    Figure(
        "dashboard",
        _cases,
        _measure,
        _goals,
        (
            Shown("first_s", "dashboard: first chart, s"),
            Shown("reload_s", "dashboard: reload, s"),
            Shown("smooth_s", "dashboard: more smoothing, s"),
            Shown("select_s", "dashboard: one more run, s"),
            Shown("memory_mib", "dashboard: memory of the server, MiB"),
        ),
    ),
)
