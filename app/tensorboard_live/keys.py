"""The keys by which TensorBoard asks for pictures, sounds and graphs. Pure.

A key goes through the browser and back, so what comes back is taken apart strictly.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from ...storage.model import Record

_RUN_ID = r"[0-9A-HJKMNP-TV-Z]{10}"
_BLOB_KEY = re.compile(rf"({_RUN_ID})((?:\.-?\d{{1,19}}){{4}})\.([a-z]+)")
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class BlobKey:
    """Which bytes of which record."""

    run_id: str
    series_id: int
    step: int
    attempt: int
    seq: int
    part: str
    """"data", or the name of a number that TensorBoard keeps beside it: "width", "height"."""

    def encode(self) -> str:
        """Return the key in letters, digits, "-" and "_" only, as TensorBoard demands."""
        text = f"{self.run_id}.{self.series_id}.{self.step}.{self.attempt}.{self.seq}.{self.part}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, record: Record, part: str) -> BlobKey:
        """Return the key of a part of a record."""
        return cls(record.run_id, record.series_id, record.step, record.attempt, record.seq, part)

    def fits(self, record: Record) -> bool:
        """Return whether the key is one of that record."""
        return (self.attempt, self.seq) == (record.attempt, record.seq)


def decode_blob_key(text: str) -> BlobKey | None:
    """Return what `BlobKey.encode` put into the text, None when it did not make it."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    fit = _BLOB_KEY.fullmatch(plain)
    if fit is None:
        return None
    run_id, numbers, part = fit.groups()
    series_id, step, attempt, seq = (int(number) for number in numbers[1:].split("."))
    # A number that no store can hold would be an error of the database.
    if any(number not in _INT64 for number in (series_id, step, attempt, seq)):
        return None
    return BlobKey(run_id, series_id, step, attempt, seq, part)
