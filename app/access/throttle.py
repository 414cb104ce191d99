"""Slows down whoever guesses passwords: each address by itself, and all together."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

FREE = 5
"""Failures of an address before it has to wait; from then on, each doubles the wait."""
LONGEST_SECONDS = 300.0
FORGOTTEN_SECONDS = 3600.0
ALL_FAILURES = 60
"""The most failures of all addresses together, within ALL_SECONDS."""
ALL_SECONDS = 60.0
_MOST_ADDRESSES = 10_000


class LoginThrottle:
    """Counts failures. Its memory is bounded, whatever comes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Count from now on."""
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=ALL_FAILURES)

    def wait(self, address: str) -> int:
        """Return in how many seconds an address may try again; 0 for now."""
        now = self._clock()
        count, last = self._failures.get(_network(address), (0, -math.inf))
        own = 0.0
        if count >= FREE and now - last < FORGOTTEN_SECONDS:
            own = last + min(2.0 ** (count - FREE), LONGEST_SECONDS) - now
        everyone = self._all[0] + ALL_SECONDS - now if len(self._all) == ALL_FAILURES else 0.0
        return max(0, math.ceil(max(own, everyone)))

    def failed(self, address: str) -> None:
        """Count a failure."""
        now, network = self._clock(), _network(address)
        count, last = self._failures.pop(network, (0, now))
        self._failures[network] = (1 if now - last >= FORGOTTEN_SECONDS else count + 1, now)
        self._all.append(now)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(_network(address), None)


def _network(address: str) -> str:
    """Return what one attacker has of addresses: one of IPv4, the lower half of a network's of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
