"""The words of a filter of runs: names, numbers, texts and signs, each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import BadInput

WORDS = frozenset({"and", "or", "not", "in", "is"})
CONSTANTS = {"true": True, "false": False, "none": None}
NAME, TEXT, NUMBER, SIGN, END = "name", "text", "number", "sign", "end"

_WORD = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | `(?P<quoted>[^`]+)`
      | (?P<number>-?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?P<unit>s|min|h|d|w)?(?![\w./]))
      | (?P<name>\w+(?:[./:@-]+\w+)*)
      | (?P<sign><=|>=|==|!=|[<>()\[\],.])
    """,
    re.VERBOSE | re.DOTALL,
)
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t"}
_INSTEAD = {"=": "==", "&": "and", "|": "or", "!": "not", "+": "", "*": "", "/": "", "-": "", "%": ""}

Refuse = Callable[[int, str], BadInput]
"""From a place in the text and what is wrong there to the error."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a filter."""

    kind: str
    value: str | int | float | bool | None
    at: int
    """Its place in the text, counted from 0."""
    text: str
    """As it was written; "" at the end."""
    quoted: bool = False
    """Whether it is a name in backquotes: dots in it are its own."""

    def says(self, *words: str) -> bool:
        """Return whether it is one of these signs or of WORDS."""
        return self.kind == SIGN and self.value in words


def words_of(text: str, refuse: Refuse) -> list[Word]:
    """Return the words of a filter, and one more for its end. Raises what `refuse` returns."""
    found: list[Word] = []
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            raise refuse(at, _unknown(text, at))
        if match.lastgroup != "space":
            found.append(_word(match, refuse))
        at = match.end()
    return [*found, Word(END, None, len(text), "")]


def _word(match: re.Match[str], refuse: Refuse) -> Word:
    at, text, kind = match.start(), match[0], match.lastgroup or ""
    if kind == "quoted":
        return Word(NAME, match["quoted"], at, text, quoted=True)
    if kind == TEXT:
        return Word(TEXT, _ESCAPE.sub(lambda one: _ESCAPED.get(one[1], one[1]), text[1:-1]), at, text)
    if kind == NUMBER:
        unit = match["unit"] or ""
        return Word(NUMBER, _number(text.removesuffix(unit), at, refuse) * _SECONDS.get(unit, 1), at, text)
    if text.lower() in WORDS:
        return Word(SIGN, text.lower(), at, text)
    if text.lower() in CONSTANTS:
        return Word(NUMBER, CONSTANTS[text.lower()], at, text)
    return Word(kind, text, at, text)


def _number(text: str, at: int, refuse: Refuse) -> int | float:
    try:
        return int(text) if re.fullmatch(r"-?[\d_]+", text) else float(text)
    except ValueError:
        raise refuse(at, f"{text[:40]} is no number") from None


def _unknown(text: str, at: int) -> str:
    sign = text[at]
    if sign in "\"'`":
        return f"the text that begins here has no {sign} at its end"
    hint = _INSTEAD.get(sign)
    if hint == "":
        return (
            f"{sign} is not allowed: a filter compares, it does not calculate. Write a name in `backquotes`"
        )
    return f"{sign!r} is not allowed" + (f": write {hint}" if hint else "")
