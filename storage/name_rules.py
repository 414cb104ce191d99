r"""Rules of the user's own for what names mean: `stepscope.toml`, in the folder of the store.

    [[name]]
    pattern = 'nll(.*)'     # a regular expression for a whole name; both cases fit
    metric = 'loss\1'      # what the name is to be read as; left out, the name stays

    [[name]]
    pattern = 'ood/(.+)'
    metric = '\1'
    split = "ood"           # and "granularity", where the pattern tells them

The first rule that fits rewrites the name, then the rules of names.py read what it says. What is stored
stays as it was logged: a rule holds for runs of yesterday as well, and is gone when its line is. It is a file
and no table because rules belong to a team's way of naming, as its code does: people read, compare and
version it, it needs no migration, and it serves a store on a server as well, by STEPSCOPE_NAMES.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from .errors import BadInput
from .location import StoreLocation
from .model import Context
from .names import MetricName, canonical_split, parse_name

FILE_NAME = "stepscope.toml"
FILE_VARIABLE = "STEPSCOPE_NAMES"
"""Names the file where it lies elsewhere."""
GRANULARITIES = ("batch", "epoch")
_KEYS = {"pattern", "metric", "split", "granularity"}


@dataclass(frozen=True, slots=True)
class NameRule:
    """One rule: a name that `pattern` fits whole is read as `metric`."""

    pattern: re.Pattern[str]
    metric: str | None = None
    """May refer to the pattern's groups."""
    split: str | None = None
    granularity: str | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """How names are understood in one store: by the user's rules, then by those that everybody has."""

    rules: tuple[NameRule, ...] = ()

    def parse(self, name: str, context: Context | None = None) -> MetricName:
        """Interpret a name as `names.parse_name` does, by the user's rules first."""
        if not self.rules:
            return parse_name(name, context)
        found = _parse(self.rules, name)
        given = parse_name("", context).split
        return found if given is None else replace(found, split=given)


@lru_cache(maxsize=65536)
def _parse(rules: tuple[NameRule, ...], name: str) -> MetricName:
    for rule in rules:
        match = rule.pattern.fullmatch(name)
        if match:
            found = parse_name(name if rule.metric is None else match.expand(rule.metric))
            split = None if rule.split is None else canonical_split(rule.split)
            each = rule.granularity or found.granularity
            return replace(found, split=split or found.split, granularity=each)
    return parse_name(name)


def naming_of(location: StoreLocation) -> Naming:
    """Return how names are understood in a store, as its file of rules says now.

    Raises:
        BadInput: the file holds something else than rules; the message names the place.
    """
    path = _file_of(location)
    try:
        status = path.stat()
    except OSError:
        return Naming()
    return _read(path, status.st_mtime_ns, status.st_size)


def _file_of(location: StoreLocation) -> Path:
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    return (Path() if location.path is None else location.path.parent) / FILE_NAME


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, size: int) -> Naming:  # noqa: ARG001 - the key: the file as it is now
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not written in TOML: {error}. Correct it, or remove it.") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error}. Correct it, or remove it.") from error
    given = found.get("name", [])
    if not isinstance(given, list):
        raise BadInput(f"{path} needs each rule under a line [[name]], but `name` is {given!r:.80}.")
    rules = cast("list[object]", given)
    return Naming(tuple(_rule(rule, f"rule {at} of {path}") for at, rule in enumerate(rules, 1)))


def _rule(given: object, where: str) -> NameRule:
    fields = cast("dict[str, object]", given) if isinstance(given, dict) else {}
    wrong = sorted(fields.keys() - _KEYS)
    texts = {key: value for key, value in fields.items() if isinstance(value, str) and value}
    if wrong or "pattern" not in texts or texts.keys() != fields.keys():
        raise BadInput(
            f"{where} needs a text `pattern`, and texts for `metric`, `split` and `granularity` if any, "
            f"but it is {given!r:.120}."
        )
    granularity = texts.get("granularity")
    if granularity not in (None, *GRANULARITIES):
        raise BadInput(f'{where} needs the granularity "batch" or "epoch", but got {granularity!r}.')
    try:
        pattern = re.compile(texts["pattern"], re.IGNORECASE)
        # Compiled as for a match: what it refers to must be there.
        re.compile(f"{pattern.pattern}|", re.IGNORECASE).sub(texts.get("metric", ""), "")
    except (re.error, IndexError) as error:
        raise BadInput(f"{where} is no regular expression with its replacement: {error}.") from error
    return NameRule(pattern, texts.get("metric"), texts.get("split"), granularity)
