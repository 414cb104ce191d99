"""Run every sample, one after the other, into one store, and print what each took.

    python sample_runs/run_all.py --seeds 3 --device cpu --store samples.db
    python sample_runs/report.py samples.db
    stepscope ui --store samples.db

Each sample is a process of its own, and twins run beside each other, so that a machine that grows slower by
and by is as unfair to the one as to the other; every other time the second of them goes first. What the
processes took is kept in the store too, as the table "processes" of the run in the project "run-all".
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reporting.children import Child, Stopped
from reporting.measures import PROCESSES, PROJECT, Process, process_table
from reporting.printed import print_runs
from reporting.samples import Sample, find_samples
from tqdm import tqdm

import stepscope


def main() -> int:
    """Run them all; return 1 when one failed, 130 after Ctrl-C, else 0."""
    options = parsed()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no sample is left behind
    done: list[Process] = []
    stopped = False
    try:
        run_jobs(list(jobs(options)), options, done)
    except KeyboardInterrupt:
        stopped = True
        print("\nStopped. What there is:", file=sys.stderr)
    keep(done, options)
    print_runs(options.store, done)
    return 130 if stopped else int(any(one.state == "failed" for one in done))


def parsed() -> argparse.Namespace:
    """Return the options."""
    pairs = list(find_samples())
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="samples.db", help="path or URL (default: %(default)s)")
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="auto: a GPU if any")
    parser.add_argument("--epochs", type=int, help="of each sample (default: its own)")
    parser.add_argument(
        "--seeds", type=int, default=1, help="run each under the seeds 0 to N-1; the pair seeds has its own"
    )
    parser.add_argument("--repeat", type=int, default=1, help="all of it so many times")
    parser.add_argument(
        "--only", nargs="+", choices=pairs, default=pairs, metavar="PAIR", help=f"of: {', '.join(pairs)}"
    )
    return parser.parse_args()


def jobs(options: argparse.Namespace) -> Iterator[tuple[Sample, int | None]]:
    """Give each sample with its seed, in the order in which they run."""
    samples = find_samples()
    for round_ in range(options.repeat):
        for seed in range(options.seeds):
            for pair in options.only:
                twins = samples[pair] if (round_ + seed) % 2 == 0 else reversed(samples[pair])
                for sample in twins:
                    if not sample.has_own_seeds:
                        yield sample, seed
                    elif seed == 0:
                        yield sample, None


def run_jobs(
    wanted: Sequence[tuple[Sample, int | None]], options: argparse.Namespace, done: list[Process]
) -> None:
    """Run one after the other, and append to `done` what became of each, also when Ctrl-C ends it."""
    with tqdm(wanted, unit="sample", dynamic_ncols=True) as progress:
        for sample, seed in progress:
            progress.set_postfix_str(sample.file.stem if seed is None else f"{sample.file.stem}, seed {seed}")
            one = skipped(sample, seed) or measured(sample, seed, options, done)
            done.append(one)
            if one.state != "finished":
                progress.write(f"{sample.file.name} {one.state}: {one.reason}", file=sys.stderr)


def skipped(sample: Sample, seed: int | None) -> Process | None:
    """Return a row for a sample that needs what is not installed; None when all is there."""
    missing = sample.missing()
    if not missing:
        return None
    reason = f"{', '.join(missing)} not installed"
    return Process(sample.pair, sample.framework, seed, "skipped", time.time(), 0.0, 0.0, 0.0, reason)


def measured(sample: Sample, seed: int | None, options: argparse.Namespace, done: list[Process]) -> Process:
    """Run one sample to its end, and say what became of it."""
    arguments = ["--store", options.store, "--device", options.device]
    arguments += [] if options.epochs is None else ["--epochs", str(options.epochs)]
    arguments += [] if seed is None else ["--seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        child = Child([sys.executable, str(sample.file), *arguments], Path(folder))
        try:
            used = child.wait()
        except Stopped as stop:
            done.append(Process(sample.pair, sample.framework, seed, "stopped", *stop.used, "Ctrl-C"))
            raise KeyboardInterrupt from stop
        failed = child.code != 0
        reason = f"exit status {child.code}\n{child.tail()}" if failed else ""
    return Process(sample.pair, sample.framework, seed, "failed" if failed else "finished", *used, reason)


def keep(done: Sequence[Process], options: argparse.Namespace) -> None:
    """Keep what was measured in the store; only now, so that nothing else ran beside the samples."""
    if not done:
        return
    config = vars(options)
    with stepscope.init(
        project=PROJECT, name="all samples", config=config, store=options.store, console=False
    ) as run:
        run.log({PROCESSES: process_table(done)})


if __name__ == "__main__":
    sys.exit(main())
