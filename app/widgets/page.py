"""The frame of a page that shows the chosen runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ...storage.errors import StepscopeError
from ...storage.model import Run
from .. import queries, url_state
from . import address, brand, jobs, live, notices, run_picker, welcome
from .run_picker import Choice

Options = TypeVar("Options")


def frame() -> None:
    """Begin a page: its style, the choice of runs put back into the address, the jobs under way."""
    brand.show()
    address.keep_history()
    url_state.restore()
    jobs.show()


def begin(read: Callable[[], Sequence[Run]] = queries.runs) -> Sequence[Run]:
    """Begin a page and return the runs; none after a word about why there are none, watched for a change."""
    frame()
    everything: Sequence[Run] = ()
    try:
        everything = read()
        if not everything:
            welcome.show()
    except StepscopeError as error:
        notices.store_problem(error)
    if not everything:
        live.watch()
    return everything


def of_runs(draw: Callable[[Choice, Options], None], controls: Callable[[], Options]) -> None:
    """Show a page: the list of runs in the sidebar, the page's controls, then what it draws of the runs.

    A store that is empty or cannot be read gets a sentence instead. While a chosen run trains, what `draw`
    drew is kept current.

    Args:
        draw: draws the page's content from the choice and the options.
        controls: draws what the viewer can set, and returns it.
    """
    everything = begin()
    if not everything:
        return
    run_picker.choose(everything)
    options = controls()
    chosen = run_picker.choice_of(everything)
    live.keep_current(lambda: _draw(draw, options), follow=chosen.running)


def _draw(draw: Callable[[Choice, Options], None], options: Options) -> None:
    try:
        everything = queries.runs()
        chosen = run_picker.choice_of(everything) if everything else None
        if chosen is None or not chosen.runs:
            notices.nothing("No run is chosen. Tick one in the list on the left, or press **Newest** there.")
        else:
            draw(chosen, options)
    except StepscopeError as error:
        notices.store_problem(error)
