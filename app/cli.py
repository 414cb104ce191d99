"""The `stepscope` command. Each subcommand is a module in app/commands/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata

from ..storage.errors import StepscopeError
from .commands import export, ui, upgrade


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 1 a fault, 2 wrong usage, 130 Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except StepscopeError as error:
        print(f"stepscope: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stepscope", description="Look at the training runs in a store, and hand them on to other tools."
    )
    parser.add_argument("--version", action="version", version=f"stepscope {metadata.version('stepscope')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (ui, export, upgrade):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
