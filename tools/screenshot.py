"""Take the README's picture of the Charts page, from the real page over the two samples' runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from dashboard import running_dashboard
from ensure_chromium import find_chromium

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "charts.png"
EPOCHS = 12


def main() -> int:
    """Train, open the page, wait until its charts are drawn, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "stepscope.db")
        for sample in ("digits_pytorch.py", "digits_keras.py"):
            program = ROOT / "sample_runs" / sample
            command = [sys.executable, program, "--store", store, "--epochs", str(EPOCHS)]
            subprocess.run(command, check=True)
        with running_dashboard(store) as address:
            take(f"{address}/charts")
    print(PICTURE)
    return 0


def take(address: str) -> None:
    """Write the picture of one page once it draws at least two curves and nothing moves any more."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(address)
        page.locator(".js-line").nth(1).wait_for(state="attached", timeout=60_000)
        page.wait_for_timeout(2_000)  # charts that are drawn later move those below them
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
