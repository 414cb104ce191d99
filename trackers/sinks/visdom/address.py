"""The URL of a Visdom server, taken apart: for the export to it and the import from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from ....storage.errors import BadInput

DEFAULT_PORT = 8097


@dataclass(frozen=True, slots=True)
class VisdomAddress:
    """Where a server is."""

    scheme: str
    host: str
    port: int
    path: str
    login: tuple[str, str] | None
    """The name and the password in the URL."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL such as "http://name:password@localhost:8097/base".

        Raises:
            BadInput: it is none.
        """
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BadInput(
                f"expected the URL of a Visdom server such as http://localhost:8097, but got {url!r}."
            )
        port = port or (443 if parts.scheme == "https" else DEFAULT_PORT)
        name, password = unquote(parts.username or ""), unquote(parts.password or "")
        login = None if parts.username is None else (name, password)
        return cls(parts.scheme, parts.hostname, port, parts.path, login)

    def url(self, base: str) -> str:
        """Return the URL with another path and without the login, fit for sentences and keys."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{base}"
