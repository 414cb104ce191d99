"""Take the README's pictures: real pages over the runs of the two samples, and of many short ones."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, sync_playwright

import stepscope
from dashboard import running_dashboard
from ensure_chromium import find_chromium

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "images"
EPOCHS = 12
SWEEP_RUNS = 60
SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: a page, its runs, what is chosen on it, and what must be drawn before it is taken."""

    page: str
    runs: str
    """The project whose runs are chosen."""
    drawn: str
    """A selector; its second match stands for a page that is complete."""
    options: tuple[tuple[str, str], ...] = ()


SHOTS = (
    Shot("runs", SWEEP, "[role=row], tr", (("find", SWEEP),)),
    Shot("charts", "digits", ".js-line"),
    Shot("distributions", "digits", ".js-line"),
    Shot("graph", "digits", "svg g"),
    Shot("hyperparameters", SWEEP, "svg path, canvas", (("find", SWEEP),)),
    Shot("compare", "digits", ".stDataFrame"),
    Shot("system", "digits", ".js-line"),
)


def main() -> int:
    """Train, open the pages, wait until they are drawn, and write their pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "stepscope.db")
        # The samples first: the oldest runs have the strongest colours.
        for sample in ("digits_pytorch.py", "digits_keras.py"):
            program = ROOT / "sample_runs" / sample
            command = [sys.executable, program, "--store", store, "--epochs", str(EPOCHS)]
            subprocess.run(command, check=True)
        sweep(store)
        with stepscope.open(store) as opened:
            chosen = {name: [run.id for run in opened.runs(project=name)] for name in ("digits", SWEEP)}
        with running_dashboard(store) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
            for shot in SHOTS:
                query = urlencode({"runs": ",".join(chosen[shot.runs][:4]), **dict(shot.options)})
                page = "" if shot.page == "runs" else shot.page
                take(browser, f"{address}/{page}?{query}", shot)
            browser.close()
    return 0


def sweep(store: str) -> None:
    """Log many short runs whose loss follows from their settings: a search as people make them."""
    chance = random.Random(7)  # noqa: S311
    for number in range(SWEEP_RUNS):
        rate, width = 10 ** chance.uniform(-4, -1), chance.choice([32, 64, 128, 256])
        config = {
            "learning_rate": float(f"{rate:.2g}"),
            "width": width,
            "optimizer": chance.choice(["sgd", "adam"]),
        }
        floor = 0.2 + 0.25 * (math.log10(rate) + 2.3) ** 2 + 4 / width + chance.gauss(0, 0.02)
        with stepscope.init(store=store, project=SWEEP, name=f"trial-{number:02}", config=config) as run:
            for step in range(100):
                run.log(
                    {"loss/val": floor + 2 * math.exp(-step * rate * 4) + chance.gauss(0, 0.01)}, step=step
                )


def take(browser: Browser, address: str, shot: Shot) -> None:
    """Write the picture of one page once it is drawn and nothing moves any more."""
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(address)
    page.locator(shot.drawn).nth(1).wait_for(state="attached", timeout=60_000)
    page.wait_for_timeout(3_000)  # charts that are drawn later move those below them
    picture = PICTURES / f"{shot.page}.png"
    page.screenshot(path=picture)
    page.close()
    print(picture)


if __name__ == "__main__":
    sys.exit(main())
