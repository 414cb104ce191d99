"""Write the tables of docs/pytorch-vs-tensorflow.md from a store that run_all.py has filled.

    python sample_runs/run_all.py --seeds 3 --device cpu --store samples.db
    python sample_runs/report.py samples.db
    python sample_runs/report.py --check

Figures are medians over all finished runs of a kind, with the smallest, the largest and how many. Whatever
stands between the markers of the page is replaced; the words around them stay. --check reads the page alone
and says what is missing on it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reporting.measures import read_processes, read_runs
from reporting.page import Source, blocks, faults, written

import stepscope

PAGE = Path(__file__).resolve().parent.parent / "docs" / "pytorch-vs-tensorflow.md"


def main() -> int:
    """Write the page, or check it; return 1 when something is wrong."""
    options = parsed()
    page: Path = options.page
    if options.check:
        said = faults(page.read_text(encoding="utf-8"))
        print("\n".join(said) or f"{page.name}: every block has its figures, and says where they come from.")
        return int(bool(said))
    return write(page, options.store)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", nargs="?", default="samples.db", help="path or URL (default: %(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the file with the markers")
    parser.add_argument("--check", action="store_true", help="only say what is missing on the page")
    return parser.parse_args()


def write(page: Path, store_name: str) -> int:
    """Replace the blocks of a page by tables of what a store holds."""
    with stepscope.open(store_name) as store:
        times = read_processes(store)
        processes = [process for _, found in times for process in found]
        runs = read_runs(store, processes)
        if not runs:
            print(
                f"{store_name} holds no run of run_all.py: run it first, with --store {store_name}",
                file=sys.stderr,
            )
            return 1
        made = blocks(runs, Source(store_name, [(run.config, found) for run, found in times]))
    page.write_text(written(page.read_text(encoding="utf-8"), made), encoding="utf-8")
    programs = {one.process for one in runs}
    print(f"{page}: {len(made)} blocks from {len(runs)} runs of {len(programs)} programs.")
    for process in processes:
        if process.state != "finished":
            reason = process.reason.partition("\n")[0]
            print(f"not in it: {process.pair} in {process.framework}, {process.state}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
