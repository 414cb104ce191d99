"""Find a Chromium for the browser tests, and install one when there is none.

Tests import `find_chromium`; `make test` runs this file. Looked for: the environment variable CHROMIUM,
the usual commands on PATH, the usual place on macOS, a browser that Playwright downloaded earlier.
Installed, when none is found: Debian's package as root, else the browser that Playwright downloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_PATHS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)


def find_chromium() -> Path | None:
    """Return the program of a Chromium or Chrome on this machine, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return _existing(Path(named))
    for command in COMMANDS:
        found = shutil.which(command)
        if found:
            return Path(found)
    return next((path for path in MAC_PATHS if path.exists()), None) or _playwright_chromium()


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SystemExit(f"CHROMIUM should name a Chromium, but there is no {path}. Correct or unset it.")
    return path


def _playwright_chromium() -> Path | None:
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() else None


def install_chromium() -> bool:
    """Install a Chromium in the way this machine offers; return whether a command for it succeeded."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"]
        if _succeeds(["apt-get", "update", "-qq"], environment) and _succeeds(install, environment):
            return True
    return _succeeds([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))


def _succeeds(command: list[str], environment: dict[str, str]) -> bool:
    print("Running", " ".join(command), flush=True)
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode == 0


def main() -> int:
    """Make sure that there is a Chromium, and say which."""
    found = find_chromium()
    if found is None and install_chromium():
        found = find_chromium()
    if found is None:
        print(
            "The browser tests need Chromium, and none was found or could be installed. Install the package"
            " chromium, or name a browser: CHROMIUM=/path/to/chrome make test",
            file=sys.stderr,
        )
        return 1
    print(f"Chromium: {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
