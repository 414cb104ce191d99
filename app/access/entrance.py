"""Where the dashboard listens, and whom it asks who they are: decided once, before anything is served."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...storage.errors import BadInput, StepscopeError
from .check import Access, Login
from .origin import LOOPBACK_NAMES
from .password import PasswordLogin

if TYPE_CHECKING:
    from .oidc import OidcLogin

LOCAL = "127.0.0.1"
SHORTEST_PASSWORD = 8
_FREE_FROM = 6006
"""Ports below are often of others, or for administrators only."""


class PortTaken(StepscopeError):
    """Another program listens on the port."""


class AccessRefused(StepscopeError):
    """The dashboard would be open to others without asking them anything."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What was asked for. By default only this machine's users reach the dashboard, and are asked nothing."""

    host: str = LOCAL
    """Address or name of this machine to listen on; 0.0.0.0 and :: are all of them."""
    names: Collection[str] = ()
    """Further names under which viewers reach it, such as that of a reverse proxy."""
    password: str | None = field(default=None, repr=False)
    oidc: bool = False
    command: str = "ui"
    """The command that serves: "ui", "demo", "demo --recorded" or "tensorboard"."""

    def access(self, port: int) -> Access:
        """Return who may see the dashboard.

        Args:
            port: where it listens.

        Raises:
            AccessRefused: others could reach it, and nobody would be asked anything.
            BadInput: the password is too short, or there are both ways to log in, or OIDC is not set up.
            MissingExtra: OIDC needs a package.
        """
        login = self._login(port)
        if login is None and not self._is_private():
            raise AccessRefused(
                f"{self._reached()} would be open to everyone who reaches it. Set a password: put it into "
                "STEPSCOPE_PASSWORD, or into a file that --password-file names."
                f"{' Or use --oidc.' if self.command == 'ui' else ''}"
            )
        return Access(frozenset(self._all_names(login)), self._listens_everywhere(), login)

    def listen(self, port: int) -> socket.socket:
        """Take the port before anything else: whether it is free decides whether there is a dashboard.

        Raises:
            PortTaken: another program listens there.
            BadInput: this machine has no such address.
        """
        family, address = self._address(port)
        listener = socket.socket(family)
        # Otherwise a dashboard that is started again has to wait for the last one's connections to expire.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            # Not only bound: until a socket listens, Linux lets a second dashboard bind the same port.
            listener.listen()
        except OSError as error:
            listener.close()
            raise self._cannot_listen(port, error) from None
        return listener

    def address(self, port: int) -> str:
        """Return the URL that viewers open."""
        host = socket.gethostname() if self._listens_everywhere() else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def _login(self, port: int) -> Login | None:
        if self.oidc and self.password is not None:
            raise BadInput("expected a password or --oidc, but got both. Choose one of them.")
        if self.oidc:
            from .oidc import oidc_from_secrets  # noqa: PLC0415 - brings Streamlit

            return oidc_from_secrets()
        if self.password is None:
            return None
        if len(self.password) < SHORTEST_PASSWORD:
            raise BadInput(
                f"expected a password of at least {SHORTEST_PASSWORD} characters, but got one of "
                f"{len(self.password)}. Take several words."
            )
        return PasswordLogin(self.password, f"stepscope_session_{port}")

    def _is_private(self) -> bool:
        return not self.names and _is_loopback(self.host)

    def _reached(self) -> str:
        what = "TensorBoard" if self.command == "tensorboard" else "The dashboard"
        return f"{what} on {', '.join(self.names) or self.host}"

    def _listens_everywhere(self) -> bool:
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - what it is compared with

    def _all_names(self, login: Login | None) -> set[str]:
        names = {name.lower() for name in self.names} | LOOPBACK_NAMES
        names |= {socket.gethostname().lower()} if self._listens_everywhere() else {self.host.lower()}
        oidc: OidcLogin | None = login if self.oidc else None  # type: ignore[assignment]
        return names | ({oidc.name} if oidc else set[str]())

    def _address(self, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
        try:
            [(family, _, _, _, address), *_] = socket.getaddrinfo(self.host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self._cannot_listen(port, error) from None
        return family, (str(address[0]), port)

    def _cannot_listen(self, port: int, error: OSError) -> StepscopeError:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            reason = "is taken" if error.errno == errno.EADDRINUSE else "is for administrators only"
            return PortTaken(
                f"port {port} of {self.host} {reason}. "
                f"Choose another one: stepscope {self.command} --port {max(port + 1, _FREE_FROM)}"
            )
        return BadInput(
            f"expected an address of this machine to listen on, but got {self.host!r}: {error.strerror}. "
            "0.0.0.0 stands for all of them."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
