"""The YAML that MLflow's file store writes: one mapping, in it texts, numbers, null and mappings of texts.

It is read here, so that an import of files needs neither MLflow nor a package for YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....storage.errors import BadInput

_LINE = re.compile(
    r"(?P<indent> *)(?P<key>'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|[^'\"\s][^:]*):(?: +(?P<value>.*))?"
)
_WHOLE = re.compile(r"-?[0-9]+")
_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|[0 _NLPae])")
_NAMED = {"0": 0, " ": 0x20, "_": 0xA0, "N": 0x85, "L": 0x2028, "P": 0x2029, "a": 7, "e": 27}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping of a file.

    Raises:
        BadInput: the file cannot be read, is empty or holds something else.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"expected MLflow's description in {path}, but it cannot be read: {error}") from error
    found: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for indent, key, value in _entries(lines):
        if indent:
            inner[key] = _scalar(value)
        else:
            inner = {}
            found[key] = _scalar(value) if value else inner
    if not found:
        raise BadInput(
            f"expected MLflow's description in {path}, but it holds no line such as `name: value`."
        )
    return found


def _entries(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield indent, key and value; a value that goes on in lines of its own is joined."""
    indent, key, value = 0, "", ""
    for line in lines:
        found = _LINE.fullmatch(line)
        goes_on = bool(key) and value != "" and line.startswith(" ") and (not indent or not found)
        if goes_on or _is_open(value):
            value = _continued(value, line.strip())
        elif found:
            if key:
                yield indent, key, value
            indent, key, value = (
                len(found["indent"]),
                str(_scalar(found["key"])),
                (found["value"] or "").strip(),
            )
    if key:
        yield indent, key, value


def _is_open(value: str) -> bool:
    """Tell whether a quoted value goes on in the next line."""
    if value.startswith("'"):
        return re.fullmatch(r"'(?:[^']|'')*'", value) is None
    return value.startswith('"') and re.fullmatch(r'"(?:[^"\\]|\\.)*"', value) is None


def _continued(value: str, line: str) -> str:
    if value.startswith('"') and value.endswith("\\"):
        return value[:-1] + line.removeprefix("\\")
    if not line:
        return value + "\n"
    return value + ("" if value.endswith("\n") else " ") + line


def _scalar(text: str) -> Any:
    if text in ("", "null", "~"):
        return None
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith('"'):
        return _unescaped(text)
    if _WHOLE.fullmatch(text):
        return int(text)
    return {} if text in ("{}", "[]") else text


def _unescaped(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        code = found[1]
        number = int(code[1:], 16) if code[0] in "xU" and len(code) > 1 else _NAMED[code]
        return json.dumps(chr(number))[1:-1]

    try:
        return str(json.loads(_ESCAPED.sub(character, text), strict=False))
    except ValueError:
        return text[1:-1]
