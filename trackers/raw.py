"""What the journal takes of a value that is not a number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Payload:
    """A value on its way into the journal, which copies it."""

    kind: str
    data: NDArray[Any] | bytes
    facts: dict[str, Any]

    def copied(self) -> Payload:
        """Return this with data of its own, for a journal that takes it a moment later."""
        return self if isinstance(self.data, bytes) else replace(self, data=self.data.copy())

    def meta(self) -> dict[str, Any]:
        """Return the facts, with dtype and shape of an array."""
        facts = {key: value for key, value in self.facts.items() if value is not None}
        if isinstance(self.data, bytes):
            return facts
        return {"dtype": self.data.dtype.str, "shape": self.data.shape, **facts}
