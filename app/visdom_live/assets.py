"""The web assets that Visdom's page needs, which Visdom does not bring but downloads when it first starts."""

from __future__ import annotations

import re
from importlib import util
from pathlib import Path

PAGE = "index.html"
_STATIC_URL = re.compile(r"static_url\(\s*['\"]([^'\"]+)['\"]\s*\)")


def static_folder() -> Path | None:
    """Return where the installed Visdom looks for its assets, None when Visdom is not installed."""
    spec = util.find_spec("visdom")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "static"


def missing_assets(static: Path) -> list[str]:
    """Return the assets that Visdom's page asks for but that are not there, by their path in the folder."""
    page = (static / PAGE).read_text(encoding="utf-8") if (static / PAGE).is_file() else ""
    # `../user/style.css` is a route of the server, not a file.
    wanted = [name for name in _STATIC_URL.findall(page) if not name.startswith("..")]
    return [name for name in [PAGE, *wanted] if not (static / name).is_file()]
