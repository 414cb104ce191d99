"""A bar on the terminal, while something takes its time. Standard output and logs stay without it."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

_WHOLE = 1000


class ProgressBar:
    """Shows a share or, where nobody knows the whole, what was done and how long it took."""

    def __init__(self) -> None:
        """Show nothing as yet, and nothing at all where standard error is no terminal."""
        self._shown: tqdm[Any] | None = None
        self._known = False

    def show(self, text: str, done: int, total: int) -> None:
        """Show how far it is; `total` is 0 when that is not known."""
        if self._shown is None or self._known != (total > 0):
            self._begin(text, known=total > 0)
        shown = self._shown
        if shown is None or shown.disable:
            return
        shown.desc = text
        # The whole may grow while it is done.
        shown.update(min(_WHOLE, _WHOLE * done // total) - shown.n if total else 1)

    def say(self, text: str) -> None:
        """Print a line to standard error, above the bar."""
        if self._shown is None or self._shown.disable:
            print(text, file=sys.stderr, flush=True)
        else:
            self._shown.write(text, file=sys.stderr)

    def _begin(self, text: str, *, known: bool) -> None:
        if self._shown is not None:
            self._shown.close()
        form = (
            "{desc} {percentage:3.0f}% |{bar:24}| {elapsed}, {remaining} left"
            if known
            else "{desc}, {elapsed}"
        )
        self._known = known
        # disable=None: shown on a terminal only.
        whole = _WHOLE if known else None
        self._shown = tqdm(total=whole, desc=text, bar_format=form, disable=None, leave=False)

    def __enter__(self) -> Self:
        """Return the bar."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away: what comes last is said in words."""
        if self._shown is not None:
            self._shown.close()
