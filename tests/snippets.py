"""Run snippets of documentation as programs, one after another in this process: a framework loads once.

python snippets.py FOLDER

Each `*.py` in FOLDER runs as `__main__` in an empty folder of its own, `FOLDER/<name>/`. What failed is
printed as JSON, name -> traceback; a snippet that left no store behind has failed too.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from pathlib import Path


def main(folder: Path) -> None:
    failed = {script.stem: error for script in sorted(folder.glob("*.py")) if (error := _error_of(script))}
    print(json.dumps(failed))


def _error_of(script: Path) -> str:
    place = script.with_suffix("")
    place.mkdir()
    os.chdir(place)
    sys.argv = [str(script)]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except (Exception, SystemExit):
        return traceback.format_exc()
    return "" if (place / "stepscope.db").exists() else "it made no store"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
