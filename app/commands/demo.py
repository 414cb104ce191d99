"""`stepscope demo`: the dashboard over two samples while they train, or over runs that were recorded."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

from .options import add_store_option
from .serving_options import add_open_option, add_serving_options, announcer, read_password

if TYPE_CHECKING:
    from ..access.entrance import Entrance
    from ..demo.training import Training
    from .options import Commands

DEFAULT_PORT = 8501


def add_to(commands: Commands) -> None:
    """Describe the subcommand to argparse."""
    text = "Train one network in PyTorch and in Keras with the dashboard open, or show recorded runs."
    parser = commands.add_parser("demo", description=text)
    parser.add_argument(
        "--recorded",
        action="store_true",
        help="train nothing: show runs that come with Stepscope, in a copy that is removed at the end",
    )
    add_store_option(parser)
    parser.add_argument("--epochs", type=int, metavar="N", help="epochs of each network (default: its own)")
    parser.add_argument(
        "--check", action="store_true", help="end when both are trained; exit code 0: all well"
    )
    add_serving_options(parser, DEFAULT_PORT)
    add_open_option(parser)
    parser.set_defaults(run=run, oidc=False, refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return 1 when a sample did not end well."""
    if options.recorded and (options.store or options.epochs is not None or options.check):
        options.refuse("expected --recorded or some of --store, --epochs and --check, but got both")
    password = read_password(options)
    from ..access.entrance import Entrance  # noqa: PLC0415 - brings Starlette, which takes a moment

    command = "demo --recorded" if options.recorded else "demo"
    entrance = Entrance(options.host, tuple(options.name), password, command=command)
    # As Ctrl-C: what was begun here is ended and removed here.
    signal.signal(signal.SIGTERM, _interrupt)
    return _show_recorded(options, entrance) if options.recorded else _train(options, entrance)


def _show_recorded(options: argparse.Namespace, entrance: Entrance) -> int:
    from ..demo.recorded import description, recorded_copy  # noqa: PLC0415 - as above
    from ..server import serve  # noqa: PLC0415

    announce = announcer(options)
    with recorded_copy() as store, suppress(KeyboardInterrupt):
        told = f"{description(store)}.\nThis is a copy of them: what is changed in it is gone when this ends."

        def begin(sentence: str, address: str) -> None:
            announce(f"{told}\n{sentence}", address)

        serve(str(store), options.port, begin, entrance=entrance)
    print("\nThe copy is removed.")
    return 0


def _train(options: argparse.Namespace, entrance: Entrance) -> int:
    from ..demo.training import TWINS, Training, check_packages  # noqa: PLC0415 - as above
    from ..server import serve  # noqa: PLC0415

    check_packages()
    training = Training(options.store, options.epochs, TWINS)
    announce = announcer(options)

    def begin(sentence: str, address: str) -> None:
        announce(f"{sentence}\nIts charts move while the samples train.", address)
        Thread(target=_follow, args=(training, options.check), daemon=True).start()

    with suppress(KeyboardInterrupt):
        serve(options.store, options.port, begin, entrance=entrance)
    training.stop()
    if not options.check:
        command = "stepscope" if shutil.which("stepscope") else Path(sys.executable).with_name("stepscope")
        print(f"\nThe dashboard is stopped. Open it again with: {command} ui --store {training.store}")
    return int(bool(training.missing) or (options.check and not training.complete))


def _follow(training: Training, check: bool) -> None:
    """Train to the end; stop the server then if this is a check, or if the training went wrong."""
    try:
        training.run()
    finally:
        for what in training.missing:
            print(f"stepscope: expected {what}", file=sys.stderr)
        if check or training.missing:
            os.kill(os.getpid(), signal.SIGINT)
        elif training.complete:
            print("\nThe dashboard stays open (Ctrl-C stops it).", flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
