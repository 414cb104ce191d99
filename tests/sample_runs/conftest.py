"""The samples, run as programs of their own in a process that has loaded their framework once."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from sample_runs.sampling import Samples


@pytest.fixture(scope="session")
def samples() -> Generator[Samples]:
    """Yield what runs samples."""
    samples = Samples()
    yield samples
    samples.close()
