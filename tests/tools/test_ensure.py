"""What `make test` does on a machine without a browser or a database server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ensure_postgres import find_postgres
from support import ROOT

APT_THAT_INSTALLS = """#!/bin/sh
[ "$1" = update ] && exit 0
printf '#!/bin/sh\\n' > "{folder}/chromium" && /bin/chmod +x "{folder}/chromium"
"""


def ensure_chromium(monkeypatch: pytest.MonkeyPatch, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the tool where nothing but that folder is on PATH, and no browser of Playwright's is there."""
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(path / "browsers"))
    monkeypatch.setenv("PLAYWRIGHT_DOWNLOAD_HOST", "http://127.0.0.1:1")
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "ensure_chromium.py"], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif("os.geteuid() != 0 or sys.platform != 'linux'", reason="apt-get is used as root only")
def test_chromium_is_installed_by_apt_as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "apt-get").write_text(APT_THAT_INSTALLS.format(folder=tmp_path))
    (tmp_path / "apt-get").chmod(0o755)
    done = ensure_chromium(monkeypatch, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"Chromium: {tmp_path / 'chromium'}\n")


@pytest.mark.skipif("sys.platform != 'linux'", reason="on macOS, browsers lie outside PATH")
def test_without_any_way_to_a_browser_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = ensure_chromium(monkeypatch, tmp_path)
    assert done.returncode == 1
    assert "name a browser: CHROMIUM=/path/to/chrome make test" in done.stderr


def test_a_browser_named_wrongly_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    done = ensure_chromium(monkeypatch, tmp_path)
    assert "CHROMIUM should name a Chromium, but there is no /no/such/browser." in done.stderr


def test_the_postgres_that_is_found_is_a_server() -> None:
    programs = find_postgres()
    assert programs is not None
    shown = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("postgres (PostgreSQL)")
