"""Filters of runs: one line such as `lr < 0.01 and framework == "torch" and val/loss.min < 0.3`.

    condition  = comparison, joined by and, or, not, in brackets where needed
    comparison = operand (< <= > >= == != in, not in, is, is not) operand ...
    operand    = number | "text" | true | false | none | (operand, ...) | name
    name       = a field of the run (state, duration ...), else an entry of its config (dotted where it is
                 nested), else a metric as it was logged or is understood, with .min, .max or .last (which
                 is meant without any of them), else an entry of its summary; config.x, summary.x and
                 last["x"] say which; `backquotes` hold names with other signs

The text is taken apart here, never executed. What a run does not have is None. What cannot be ordered or
searched makes a comparison false.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from .filter_parser import FilterMistake, Parser
from .filter_values import FIELDS, OF_METRIC, metric_of, value_of
from .filter_words import Word
from .model import RunState
from .near import near_names

__all__ = ["FIELDS", "OF_METRIC", "FilterMistake", "RunFilter", "parse_filter"]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """A checked filter."""

    matches: Callable[[Any], bool]
    """Whether a run passes."""
    project: str | None = None
    """The only project that can pass, when the expression says so; the store then reads no other."""
    state: RunState | None = None
    """The same for the state."""
    text: str = ""
    names: tuple[Word, ...] = ()
    """What may be an entry of a config or a metric: only the store knows whether there is such a thing."""

    def missing(self, runs: Collection[Any]) -> list[Word]:
        """Return the names that none of some runs has."""
        return [word for word in self.names if all(value_of(word)(run) is None for run in runs)]

    def mistake(self, word: Word, known: Iterable[str]) -> FilterMistake:
        """Return the error that a name is not known, with near ones of those that are."""
        name = str(word.value)
        near = near_names(name, {*known, *FIELDS}) or near_names(metric_of(name)[0], known)
        compared = self.text[: word.at].rstrip().endswith(("=", "<", ">"))
        quotes = f' A text stands in quotes: "{name[:80]}".' if compared else ""
        what = f"there is no field, config entry or metric {name[:80]!r} in any run.{near}{quotes}"
        return FilterMistake(self.text, word.at, what)


def parse_filter(text: str) -> RunFilter:
    """Return what an expression means.

    Raises:
        FilterMistake: it is none, or uses more than a filter may.
    """
    parser = Parser(text.strip())
    whole = parser.whole()
    wanted = dict(whole.required)
    state = wanted.get("state")
    test = whole.value
    return RunFilter(
        lambda run: bool(test(run)),
        wanted.get("project"),
        None if state is None else RunState(state),
        text.strip(),
        tuple(parser.names),
    )
