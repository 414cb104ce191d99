"""The identity of a run."""

from __future__ import annotations

import secrets

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_run_id() -> str:
    """Return 10 random characters of Crockford's base 32: 50 bits, no letters that look alike."""
    return "".join(secrets.choice(_CROCKFORD) for _ in range(10))
