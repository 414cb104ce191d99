"""How far a window was taken, as one number: windows change in place, where files only grow.

A position tells how many forms or values of a window were taken before, how much of the newest one, and a
hash of that. What only grew still begins with what was taken, and goes on there.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple, Self

REVISIONS = 1 << 14
AMOUNTS = 1 << 24
_DIGESTS = 1 << 24


class Taken(NamedTuple):
    """How far a window was taken."""

    revision: int = 0
    """The number of the curve's form; of everything else, the next step."""
    amount: int = 0
    """How many points, pictures or characters of the newest form were taken; 0 where that does not count."""
    digest: int = 0
    """Of what was taken."""

    @classmethod
    def of(cls, position: int) -> Self:
        """Return what a position tells; 0 is nothing."""
        return cls(position // (AMOUNTS * _DIGESTS), position // _DIGESTS % AMOUNTS, position % _DIGESTS)

    def position(self) -> int:
        """Return it as a number below 2**62."""
        # What changes more often than can be counted goes on at the last step.
        revision, amount = min(self.revision, REVISIONS - 1), min(self.amount, AMOUNTS - 1)
        return (revision * AMOUNTS + amount) * _DIGESTS + self.digest % _DIGESTS


def digest(data: bytes) -> int:
    """Return a hash of 24 bits that is no 0, so that no position of something taken is 0."""
    return zlib.crc32(data) % (_DIGESTS - 1) + 1
