"""Takes a filter apart: words in, functions of a run out. The grammar stands in run_filter.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .errors import BadInput
from .filter_values import FIELDS, NESTED, OPERATORS, Value, entry_of, field_of, holds, value_of
from .filter_words import END, NAME, NUMBER, TEXT, Word, words_of
from .model import RunState

_DEEPEST = 100
"""Levels of an expression. What is nested deeper could exhaust Python's stack."""
_SHOWN = 300
"""Characters of an expression that a message repeats."""
_ALLOWED = (
    'Write comparisons of names and constants, joined by and, or, not: lr < 0.01 and "baseline" in tags and '
    f"val/loss.min < 0.3. A name is a field ({', '.join(FIELDS)}), else an entry of the config, else a metric"
)


class FilterMistake(BadInput):
    """A filter that means nothing; the message names the place and what is allowed."""

    def __init__(self, text: str, at: int, what: str) -> None:
        """Say what is wrong with a filter at a place in it, counted from 0."""
        lines = text[:at].split("\n")
        self.place = f"column {len(lines[-1]) + 1}"
        if len(lines) > 1:
            self.place = f"line {len(lines)}, {self.place}"
        self.what = what.rstrip(".")
        """What is wrong, without the filter and its place."""
        shown = repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
        super().__init__(f"filter {shown}, {self.place}: {self.what}. {_ALLOWED}")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression: what it is for a run, and what is known of it beforehand."""

    value: Value
    word: Word
    """Its first word."""
    field: str | None = None
    """The field of a run that it is."""
    items: tuple[Part, ...] | None = None
    """What it lists."""
    constant: bool = False
    required: tuple[tuple[str, str], ...] = ()
    """Field and value of each comparison `field == "value"` that a run must pass."""


class Parser:
    """Turns the words of one expression into functions of a run."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = words_of(text, lambda at, what: FilterMistake(text, at, what))
        self._at = 0
        self._depth = 0
        self.names: list[Word] = []

    def whole(self) -> Part:
        """Return the whole expression. Raises FilterMistake."""
        part = self._condition(self._any())
        if self._next.kind != END:
            raise self._wrong(
                self._next, f"{self._next.text[:_SHOWN]!r} follows where and, or, or the end is"
            )
        return part

    # The words

    @property
    def _next(self) -> Word:
        return self._words[self._at]

    def _take(self, *signs: str) -> Word | None:
        if not self._next.says(*signs):
            return None
        return self._step()

    def _step(self) -> Word:
        self._at += 1
        return self._words[self._at - 1]

    def _wrong(self, word: Word, what: str) -> FilterMistake:
        return FilterMistake(self._text, word.at, what)

    # Conditions

    def _any(self) -> Part:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        if len(parts) == 1:
            return parts[0]
        tests = [self._condition(part).value for part in parts]
        return Part(lambda run: any(test(run) for test in tests), parts[0].word)

    def _all(self) -> Part:
        parts = [self._negated()]
        while self._take("and"):
            parts.append(self._negated())
        if len(parts) == 1:
            return parts[0]
        tests = [self._condition(part).value for part in parts]
        required = tuple(pair for part in parts for pair in part.required)
        return Part(lambda run: all(test(run) for test in tests), parts[0].word, required=required)

    def _negated(self) -> Part:
        word = self._take("not")
        if word is None:
            return self._comparison()
        test = self._condition(self._deeper(word, self._negated)).value
        return Part(lambda run: not test(run), word)

    def _deeper(self, word: Word, parse: Callable[[], Part]) -> Part:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(word, f"it is nested more than {_DEEPEST} levels deep")
        part = parse()
        self._depth -= 1
        return part

    def _condition(self, part: Part) -> Part:
        if part.constant or part.items is not None:
            raise self._wrong(part.word, f"{part.word.text[:_SHOWN]} stands alone: compare it with a name")
        return part

    # Comparisons

    def _comparison(self) -> Part:
        sides, signs = [self._operand()], list[str]()
        while sign := self._operator():
            signs.append(sign)
            sides.append(self._searched(sign))
            self._check_states(sign, sides[-2:])
            self._check_tags(sign, sides[-2:])
        if not signs:
            return sides[0]
        tests = [(OPERATORS[sign], sides[at].value, sides[at + 1].value) for at, sign in enumerate(signs)]
        return Part(
            lambda run: all(holds(test, left(run), right(run)) for test, left, right in tests),
            sides[0].word,
            required=_required(signs, sides),
        )

    def _searched(self, sign: str) -> Part:
        """Take what follows a sign; after `in`, a constant alone in brackets is a list of one."""
        first = self._next
        part = self._operand()
        if not (sign.endswith("in") and first.says("(") and part.constant):
            return part
        return Part(lambda run: [part.value(run)], first, items=(part,))

    def _operator(self) -> str | None:
        if self._next.says("not") and self._words[self._at + 1].says("in"):
            self._at += 2
            return "not in"
        word = self._take(*OPERATORS)
        if word is None or word.value != "is":
            return None if word is None else str(word.value)
        sign = "is not" if self._take("not") else "is"
        if self._next.text.lower() not in ("none", "true", "false"):
            raise self._wrong(self._next, f"`{sign}` is followed by none, true or false: write == or !=")
        return sign

    def _check_states(self, sign: str, sides: Sequence[Part]) -> None:
        """Refuse what no state is, where `state` is compared with it or looked for in a list."""
        if not any(side.field == "state" for side in sides):
            return
        for side in sides:
            # `"fin" in state` asks for a part of a name, and `state in "finished"` the other way round.
            whole = side.items is not None or not sign.endswith("in")
            for part in (side,) if side.items is None else side.items:
                text = part.word.value
                if part.word.kind == TEXT and not _may_be_state(str(text), whole=whole):
                    raise self._wrong(part.word, f"a state is one of {', '.join(RunState)}, but not {text!r}")

    def _check_tags(self, sign: str, sides: Sequence[Part]) -> None:
        """Refuse to compare the list of tags with a text: no run would ever pass."""
        for one, other in (sides, sides[::-1]):
            if sign in ("==", "!=") and one.field == "tags" and other.word.kind == TEXT and other.constant:
                wanted = "in" if sign == "==" else "not in"
                raise self._wrong(
                    one.word, f"tags are a list: write {other.word.text[:_SHOWN]} {wanted} tags"
                )

    # Operands

    def _operand(self) -> Part:
        word = self._step()
        if word.kind in (TEXT, NUMBER):
            return Part(lambda _: word.value, word, constant=True)
        if word.kind == NAME:
            return self._named(word)
        if word.says("("):
            return self._deeper(word, lambda: self._bracketed(word))
        if word.says("["):
            return self._deeper(word, lambda: self._listed(word, [], "]"))
        self._at -= word.kind == END
        found = "the end" if word.kind == END else f"{word.text!r}"
        raise self._wrong(word, f"a name, a number or a text is expected here, but {found} came")

    def _bracketed(self, word: Word) -> Part:
        first = self._any()
        if self._take(","):
            return self._listed(word, [first], ")")
        self._close(")", word)
        return first

    def _listed(self, word: Word, parts: list[Part], end: str) -> Part:
        while not self._next.says(end):
            parts.append(self._any())
            if not self._take(","):
                break
        self._close(end, word)
        values = [part.value for part in parts]
        return Part(lambda run: [value(run) for value in values], word, items=tuple(parts))

    def _close(self, sign: str, opened: Word) -> None:
        if not self._take(sign):
            raise self._wrong(self._next, f"the {opened.text} of column {opened.at + 1} has no {sign} here")

    def _named(self, word: Word) -> Part:
        head, *path = [str(word.value)] if word.quoted else str(word.value).split(".")
        if self._next.says("("):
            raise self._wrong(word, f"`{word.text[:_SHOWN]}(`: a filter calls no functions")
        if word.quoted or head not in FIELDS:
            return self._of_store(word)
        if head == "last" and path:
            path = [".".join(path)]
        path += self._keys()
        if not path:
            return Part(field_of(head), word, field=head)
        if head not in NESTED:
            raise self._wrong(word, f"only {', '.join(NESTED)} have entries, not {head!r}")
        return Part(lambda run: entry_of(getattr(run, head), path), word)

    def _of_store(self, word: Word) -> Part:
        keys = self._keys()
        whole = Word(NAME, ".".join([str(word.value), *keys]), word.at, word.text, quoted=word.quoted)
        self.names.append(whole)
        return Part(value_of(whole), word)

    def _keys(self) -> list[str]:
        """Take what follows a name: `["key"]` or, after a bracket or a backquote, `.key`."""
        found: list[str] = []
        while sign := self._take("[", "."):
            word = self._step()
            if word.kind != (TEXT if sign.value == "[" else NAME):
                raise self._wrong(word, f'after a name, {sign.text} is followed by a text: config["a name"]')
            found += [str(word.value)] if sign.value == "[" else str(word.value).split(".")
            if sign.value == "[":
                self._close("]", sign)
        return found


def _may_be_state(text: str, *, whole: bool) -> bool:
    return text in set(RunState) if whole else any(text in state or state in text for state in RunState)


def _required(signs: Sequence[str], sides: Sequence[Part]) -> tuple[tuple[str, str], ...]:
    left, right = sides[0], sides[1]
    if list(signs) == ["=="] and left.field is not None and right.word.kind == TEXT:
        return ((left.field, str(right.word.value)),)
    return ()
