"""Measure Stepscope beside other trackers: `make bench`, or `make bench ARGS="--quick --only log_call"`.

Every trial is a fresh process, and the peers take turns: one trial of each, then the next of each. Medians
over the trials are compared within the run. A table of goals and one of all peers side by side are printed;
the numbers of all trials lie in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import report
from environments import HERE, NotInstalled, python_of, variables_of, versions_of
from figures.registry import FIGURES
from machine import SETTLE, describe
from peers.registry import PEERS
from plan import FULL, QUICK, TINY, Case, Measures, Scale

# Not below the repository: in one, dvclive makes a project of DVC of it.
_WORK = Path(tempfile.gettempdir()) / f"stepscope-bench-{os.getpid()}"
_TRIAL_SECONDS = 600


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    scale = TINY if arguments.tiny else QUICK if arguments.quick else FULL
    begun = time.time()
    os.environ[SETTLE] = str(scale.settle)
    results = report.Results(
        describe(_WORK.parent), time.strftime("%Y-%m-%d"), scale != FULL, list(arguments.only)
    )
    for name in arguments.peers:
        try:
            results.versions[name] = versions_of(name, python_of(name))
        except NotInstalled as error:
            results.missing[name] = str(error)
    for figure in arguments.only:
        _run_figure(figure, scale, results)
    shutil.rmtree(_WORK, ignore_errors=True)
    results.minutes = (time.time() - begun) / 60
    print(report.markdown(results))
    folder = arguments.results
    folder.mkdir(parents=True, exist_ok=True)
    part = results.partial or set(results.figures) != set(FIGURES) or set(arguments.peers) != set(PEERS)
    path = folder / f"{results.date}{'-part' if part else ''}.json"
    path.write_text(report.as_json(results))
    print(f"All numbers: {path}")
    if arguments.write_readme:
        report.write_into(HERE.parent / "README.md", results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), metavar="FIGURE")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--quick", action="store_true", help="a tenth of the counts, peers once, ours thrice")
    parser.add_argument(
        "--tiny", action="store_true", help="a thousandth: shows that every figure runs, no more"
    )
    parser.add_argument("--write-readme", action="store_true", help="replace the tables in README.md")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder of the JSON files")
    return parser.parse_args()


def _run_figure(name: str, scale: Scale, results: report.Results) -> None:
    cases = [case for case in FIGURES[name].cases(scale) if case.peer in results.versions]
    for turn in range(max((case.rounds for case in cases), default=0)):
        for case in cases:
            if turn < case.rounds and (case.figure, case.name) not in results.failed:
                _run_case(case, turn, results)


def _run_case(case: Case, turn: int, results: report.Results) -> None:
    if case.needs is not None and not (_WORK / case.needs.folder).exists():
        _run_case(case.needs, 0, results)
    if case.needs is None and case.folder and (_WORK / case.folder).exists():
        return
    begun = time.perf_counter()
    try:
        measures = _trial(case)
    except (subprocess.SubprocessError, OSError) as error:
        results.failed[case.figure, case.name] = _reason(error)
        print(f"{case.figure:20} {case.name:36} failed: {_reason(error)}", flush=True)
        return
    results.add(case, measures)
    took = time.perf_counter() - begun
    told = "  ".join(f"{key} {value:.4g}" for key, value in measures.items())
    print(f"{case.figure:20} {case.name:36} {turn + 1} of {case.rounds} ({took:.1f} s)  {told}", flush=True)


def _trial(case: Case) -> Measures:
    folder = _WORK / (case.folder or "trial")
    folder.mkdir(parents=True, exist_ok=True)
    result = _WORK / "result.json"
    result.unlink(missing_ok=True)
    settings = json.dumps(dict(case.settings))
    command = [python_of(case.peer), HERE / "trial.py", case.figure, case.peer, settings, folder, result]
    try:
        subprocess.run(
            command,
            env=variables_of(case.peer, folder),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TRIAL_SECONDS,
            check=True,
        )
        return json.loads(result.read_text())
    finally:
        if not case.folder:
            shutil.rmtree(folder, ignore_errors=True)


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    lines: Iterable[str] = [line for line in text.strip().splitlines() if line.strip()] or ["no word"]
    return list(lines)[-1].replace(str(HERE.parent), "...")[:200]


if __name__ == "__main__":
    main()
