"""How each dashboard is started, and what there is to be seen and done on its page of charts."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from playwright.sync_api import Page


class ChartPage(ABC):
    """The page of charts of one dashboard, over what lies in a folder."""

    path: ClassVar[str]
    drawn: ClassVar[str]
    """JavaScript: whether the first chart shows its lines."""
    seen: ClassVar[str]
    """JavaScript: a list of texts, one for each chart in the window, that change with what it shows."""

    @abstractmethod
    def command(self, folder: Path, port: int) -> list[str | Path]:
        """Return what starts the server."""

    @abstractmethod
    def smooth(self, page: Page) -> None:
        """Smooth more."""

    @abstractmethod
    def tick(self, page: Page) -> None:
        """Take a run away, or show it again."""

    def remember(self, page: Page) -> str:
        """Remember what is seen; return the condition under which all of it is another."""
        page.evaluate(f"window.before = {self.seen}")
        return f"{self.seen}.every((one, at) => one !== window.before[at])"


class OurPage(ChartPage):
    """Stepscope's."""

    path = "/charts"
    drawn = "document.querySelector('.stepscope-chart[data-drawn]')"
    seen = """[...document.querySelectorAll('.stepscope-chart[data-drawn]')]
        .filter(b => b.getBoundingClientRect().top < innerHeight && b.getBoundingClientRect().bottom > 0)
        .map(b => b._fullData.map(t => t.y.reduce((sum, y) => sum + (y || 0), 0)).join())"""

    def command(self, folder: Path, port: int) -> list[str | Path]:
        program = Path(sys.executable).with_name("stepscope")
        return [program, "ui", "--store", folder / "runs.db", "--port", str(port)]

    def smooth(self, page: Page) -> None:
        slider = page.get_by_role("slider", name="Smoothing")
        slider.focus()
        page.keyboard.press("ArrowRight")

    def tick(self, page: Page) -> None:
        page.locator("label").filter(has_text="run0").first.click()


class TensorBoardPage(ChartPage):
    """TensorBoard's, with its data server where that is installed, and without TensorFlow."""

    path = "/"
    drawn = (
        "[...document.querySelectorAll('scalar-card-data-table')].some(t => /\\d\\.\\d/.test(t.textContent))"
    )
    seen = """[...document.querySelectorAll('scalar-card-data-table')]
        .filter(b => b.getBoundingClientRect().top < innerHeight && b.getBoundingClientRect().bottom > 0)
        .map(b => b.textContent)"""

    def command(self, folder: Path, port: int) -> list[str | Path]:
        code = (
            "import sys, types; sys.modules['tensorboard.compat.notf'] = types.ModuleType('notf'); "
            "from tensorboard.main import run_main; sys.exit(run_main())"
        )
        return [
            sys.executable,
            "-c",
            code,
            "--logdir",
            folder / "events",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]

    def smooth(self, page: Page) -> None:
        page.locator("input.slider-input").first.fill("0.9")

    def tick(self, page: Page) -> None:
        page.locator("tb-data-table-content-row mat-checkbox input").first.click()
