"""The keys that docs/guide/commands.md promises are those that `--json` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from contracts.filled_store import fill
from stepscope.app.cli import main
from support import ROOT

if TYPE_CHECKING:
    import pytest

PAGE = (ROOT / "docs" / "guide" / "commands.md").read_text()
FREE = {"config", "summary", "environment", "last_values", "dropped", "context"}
"""What users name: its keys are not ours."""


def promised(verb: str) -> set[str]:
    """Return the words that the section of a command shows as code after "JSON:"."""
    section = PAGE.partition(f"\n### {verb}\n")[2].partition("\n#")[0]
    return set(re.findall(r"`(\w+)`", section.partition("\nJSON:")[2]))


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in FREE:
                yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_the_keys_are_those_of_the_guide(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(store_url, "first")
    fill(store_url, "second")
    places = {"sync": [store_url, f"{store_url}.copy.db"], "backup": [f"{store_url}.backup.db"]}
    commands = {
        "runs": [],
        "show": ["first"],
        "rename": ["first", "third"],
        "archive": ["third"],
        "restore": ["third"],
        "sync": [],
        "backup": [],
        "verify": [],
        "compact": [],
        "upgrade": [],
        "rm": ["third", "--yes"],
    }
    for verb, words in commands.items():
        store = [] if verb == "sync" else ["--store", store_url]
        assert main([verb, *places.get(verb, []), *words, *store, "--json"]) == 0
        printed = set(keys(json.loads(capsys.readouterr().out)))
        wanted = promised(verb)
        if verb == "show":
            wanted = (wanted | promised("runs")) - {"runs", "last_values"}
            wanted -= {"level", "title", "text", "step", "time"}  # there are no alerts
        if verb == "verify":
            wanted -= {"where", "what", "advice", "run_id"}  # there are no faults
        assert printed == wanted, verb


def test_every_command_is_in_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        main(["--help"])
    except SystemExit:
        listed = re.findall(r"^  (\w+) +\w", capsys.readouterr().out, flags=re.MULTILINE)
    told = {*re.findall(r"^### (\w+)$", PAGE, flags=re.MULTILINE), "COMMAND"}
    told |= {"ui", "tensorboard", "export"}  # which have pages of their own
    assert set(listed) == told
