"""Whether a request was caused by the dashboard's own pages.

Listening on 127.0.0.1 keeps other machines out, but not other web sites: a page of any site may make
the browser that shows it send requests to 127.0.0.1, and a name under that site's control may resolve to
127.0.0.1 as well. Both give themselves away in the headers. A link to the dashboard may be anywhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.datastructures import Headers

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def why_refused(
    headers: Headers, names: Collection[str] = LOOPBACK_NAMES, *, any_address: bool = False
) -> str | None:
    """Return why a request with these headers is refused, None when it is not.

    Args:
        headers: of the request.
        names: the names, in lower case, under which the dashboard is reached.
        any_address: whether it is also reached under any IP address. No other site can claim one.
    """
    host = headers.get("host", "")
    name = _hostname(f"//{host}")
    if name not in names and not (any_address and _is_address(name)):
        known = " or ".join(sorted(name for name in names if name != "::1"))
        return f"The dashboard answers requests for {known} only; this one was for {host!r}."
    origin = headers.get("origin")
    if origin is not None and not _same_place(origin, host):
        return f"The dashboard answers its own pages only; this request came from {origin!r}."
    if _is_part_of_another_site(headers):
        return "The dashboard answers its own pages only; this request came from a page of another site."
    return None


def _is_part_of_another_site(headers: Headers) -> bool:
    """Return whether a page asks for a picture, a script or the like, for which browsers name no origin."""
    elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return elsewhere and headers.get("sec-fetch-mode", "navigate") != "navigate"


def _same_place(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(name: str | None) -> bool:
    try:
        ipaddress.ip_address(name or "")
    except ValueError:
        return False
    return True
