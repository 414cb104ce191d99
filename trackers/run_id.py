"""The identity of a run."""

from __future__ import annotations

import secrets

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_LENGTH = 10


def new_run_id() -> str:
    """Return 10 random characters of Crockford's base 32: 50 bits, no letters that look alike."""
    return "".join(secrets.choice(CROCKFORD) for _ in range(ID_LENGTH))
