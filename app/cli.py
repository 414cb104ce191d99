"""The `stepscope` command. Each subcommand is a module in app/commands/."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from ..storage.errors import StepscopeError
from .commands import (
    artifacts,
    backup,
    change,
    compact,
    compare,
    demo,
    export,
    import_runs,
    runs,
    show,
    sync,
    tensorboard,
    ui,
    upgrade,
    verify,
)

GROUPS = {
    "look": (ui, demo, tensorboard, runs, show, compare, artifacts),
    "change runs": (change,),
    "hand on": (import_runs, export, sync, backup),
    "care for the store": (verify, compact, upgrade),
}
"""Title -> the modules whose subcommands `stepscope --help` lists under it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 1 a fault, 2 wrong usage, 130 Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a file that is not UTF-8 gets a ? for what it cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except StepscopeError as error:
        print(f"stepscope: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of a pipe has seen enough, as `head` does. What is still buffered must not fail, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"stepscope: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stepscope",
        description="Look at the training runs in a store, care for them, and hand them on to other tools.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stepscope {metadata.version('stepscope')}")
    commands = parser.add_subparsers(
        title="commands",
        metavar="COMMAND",
        required=True,
        help="one of those below; COMMAND --help tells more",
    )
    lists: list[str] = []
    for title, modules in GROUPS.items():
        before = set(commands.choices)
        for module in modules:
            module.add_to(commands)
        lines = [
            f"  {name:<11} {_phrase(one)}" for name, one in commands.choices.items() if name not in before
        ]
        lists.append("\n".join([f"{title}:", *lines]))
    parser.epilog = "\n\n".join(lists)
    return parser


def _phrase(parser: argparse.ArgumentParser) -> str:
    text = parser.description or ""
    return f"{text[:1].lower()}{text[1:]}".rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
