"""What the contracts over a real store have in common: a subclass says which store."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from stepscope.storage.read import Reader
from stepscope.storage.write import Writer


class StoreContract:
    """A store, its Writer and its Reader."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError("a subclass says which store")

    @pytest.fixture
    def writer(self, url: str) -> Generator[Writer]:
        with Writer.open(url) as opened:
            yield opened

    @pytest.fixture
    def reader(self, writer: Writer) -> Generator[Reader]:
        with Reader.open(writer.location.url) as opened:
            yield opened
