"""`stepscope artifacts`: which there are; `stepscope get`: the files of one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...storage.artifacts import ArtifactInfo, artifacts_of, find_artifact, open_artifact
from ...storage.read import Reader
from . import output
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands


def add_to(commands: Commands) -> None:
    """Describe both subcommands to argparse."""
    parser = add_command(commands, "artifacts", "list the artifacts of a store", run)
    parser.add_argument("--project", metavar="PROJECT", help="only those of this project")
    parser = add_command(commands, "get", "write the files of an artifact into a folder", get)
    parser.add_argument(
        "artifact",
        metavar="ARTIFACT",
        help="NAME:VERSION or NAME:ALIAS; NAME alone for its latest version",
    )
    parser.add_argument("--project", metavar="PROJECT", default="default", help="where to look for it")
    parser.add_argument("--to", metavar="FOLDER", help="a new or an empty one; else artifacts/NAME-VERSION")


def run(options: argparse.Namespace) -> None:
    """Print the artifacts, each version on a line."""
    with Reader.open(options.store) as reader:
        found = artifacts_of(reader, options.project)
    if options.json:
        output.print_json({"store": reader.location.display, "artifacts": [_described(one) for one in found]})
    elif found:
        output.print_table(_columns(found))
    else:
        print("no artifacts")


def get(options: argparse.Namespace) -> None:
    """Write the files of one version, and print where they are."""
    with Reader.open(options.store) as reader:
        info = find_artifact(reader, options.project, options.artifact)
        path = open_artifact(reader, info).download(None if options.to is None else Path(options.to))
    if options.json:
        output.print_json({"store": reader.location.display, "artifact": _described(info), "path": str(path)})
    else:
        print(path)


def _columns(found: Sequence[ArtifactInfo]) -> dict[str, list[str]]:
    return {
        "project": [one.project for one in found],
        "artifact": [f"{one.name}:v{one.version}" for one in found],
        "aliases": [", ".join(one.aliases) for one in found],
        "type": [one.type for one in found],
        "files": [str(len(one.files)) for one in found],
        "size": [output.size(one.size) for one in found],
        "run": [one.run_id for one in found],
        "logged": [output.moment(one.time) for one in found],
    }


def _described(one: ArtifactInfo) -> dict[str, object]:
    facts = asdict(one)
    files = [{key: file[key] for key in ("path", "size", "digest")} for file in facts["files"]]
    return {**facts, "version": f"v{one.version}", "files": files}
