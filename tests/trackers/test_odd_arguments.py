"""What users pass to a run may be anything: each odd thing costs at most itself."""

from typing import Any

import pytest

import stepscope
from stepscope.storage.errors import RunNotFound
from stepscope.storage.model import Run
from stepscope.storage.read import Reader


class Odd:
    """An object without a text."""

    def __repr__(self) -> str:
        raise ValueError("no text")


def stored(store: str, run_id: str) -> Run:
    with Reader.open(store) as reader:
        return reader.run(run_id)


def test_one_odd_entry_leaves_the_rest_of_the_config(store_url: str) -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    with stepscope.init(store=store_url, config={"lr": 0.1, "loop": loop, "odd": Odd()}) as run:
        run.config["worse"] = Odd()
        run.config["good"] = 5
    assert stored(store_url, run.id).config == {
        "lr": 0.1,
        "loop": [1, "..."],
        "odd": "<Odd>",
        "worse": "<Odd>",
        "good": 5,
    }


def test_a_change_inside_of_an_entry_is_there_at_the_end(store_url: str) -> None:
    with stepscope.init(store=store_url, config={"optimizer": {"lr": 0.1}}) as run:
        run.config["optimizer"]["lr"] = 0.2
    assert stored(store_url, run.id).config == {"optimizer": {"lr": 0.2}}


def test_config_and_summary_can_be_replaced(store_url: str) -> None:
    with stepscope.init(store=store_url, config={"lr": 0.1}) as run:
        run.config = {"batch": 32}
        run.summary = {"best": 0.9}
        assert run.config.batch == 32
    assert (stored(store_url, run.id).config, stored(store_url, run.id).summary) == (
        {"batch": 32},
        {"best": 0.9},
    )


def test_words_without_a_text(store_url: str) -> None:
    odd: Any = Odd()
    with stepscope.init(project=odd, name=odd, group=odd, notes=odd, tags=[odd], store=store_url) as run:
        run.set_tags(odd, "b")
        run.set_notes(odd)
    found = stored(store_url, run.id)
    assert {found.project, found.name, found.group, found.notes} == {"<Odd>"}
    assert found.tags == ("<Odd>", "b")


def test_nothing_given_is_nothing(store_url: str) -> None:
    with stepscope.init(project=None, notes=None, tags=None, store=store_url) as run:
        pass
    found = stored(store_url, run.id)
    assert (found.project, found.notes, found.tags) == ("default", "", ())


def test_resume_takes_no_beginning_of_an_id(store_url: str) -> None:
    with stepscope.init(store=store_url) as run:
        pass
    with pytest.raises(RunNotFound, match=f"has the id or name '{run.id[:4]}'"):
        stepscope.init(store=store_url, resume=run.id[:4])
    with stepscope.init(store=store_url, resume=run.id) as again:
        assert again.id == run.id
