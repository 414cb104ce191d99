"""Where a store lies: the database, its spool of journals and its large files."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .errors import BadInput
from .filesystems import network_kind

StoreArgument: TypeAlias = str | os.PathLike[str] | None
"""A path, `sqlite:///...`, `postgresql+psycopg://...`, or None for the default."""

DEFAULT_STORE = "stepscope.db"
STORE_VARIABLE = "STEPSCOPE_STORE"
_PLACES = ("host", "port", "dbname", "service")
"""What of a PostgreSQL URL's query tells which server and database it is."""


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """The places that belong to one store."""

    url: str
    """What SQLAlchemy connects to."""
    path: Path | None
    """The SQLite file; None for a server."""
    spool: Path
    """The folder of journals, one folder inside for each process that logs."""
    network: str | None = None
    """The kind of the network file system that the SQLite file lies on (such as "nfs4"); None for a disk."""

    @property
    def files(self) -> Path | None:
        """The folder of large blobs; None for a server, which keeps them all itself."""
        return None if self.path is None else self.path.with_name(self.path.name + ".files")

    @property
    def display(self) -> str:
        """How to name the store to a person: never with a password."""
        if self.path is not None:
            return str(self.path)
        return _without_account(self.url)


def locate(store: StoreArgument = None) -> StoreLocation:
    """Find the places of a store, without making any.

    Raises:
        BadInput: when it is no path, or a URL of neither database.
    """
    if store is not None and not isinstance(store, str | os.PathLike):
        raise BadInput(
            f"a store is a file path or a URL, but got {type(store).__name__} {store!r}. Pass a str."
        )
    text = "" if store is None else os.fspath(store)
    text = text or os.environ.get(STORE_VARIABLE, "") or DEFAULT_STORE
    if text.startswith(("postgresql://", "postgresql+psycopg://")):
        return _on_server(text)
    if text.startswith("sqlite:///"):
        text = text.removeprefix("sqlite:///")
    elif "://" in text:
        scheme = text.partition("://")[0]
        raise BadInput(
            f"a store is a file path, sqlite:///FILE or postgresql+psycopg://..., "
            f"but its URL began with {scheme}://. Pass one of these three."
        )
    if text in ("", ":memory:"):
        raise BadInput("a store needs a file, but :memory: was given. Pass a path such as runs.db")
    path = Path(text).expanduser().absolute()
    network = network_kind(path)
    spool = path.with_name(path.name + ".spool") if network is None else _local_spool(str(path.resolve()))
    return StoreLocation(f"sqlite:///{path}", path, spool, network)


def _on_server(url: str) -> StoreLocation:
    # The network may be away: what was logged waits on this machine.
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return StoreLocation(url, None, _local_spool(_place_of(url)))


def _without_account(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _place_of(url: str) -> str:
    # Whoever logs in, with whichever password and way of encryption: it is the same store.
    address, _, query = _without_account(url).partition("?")
    places = [pair for pair in query.split("&") if pair.partition("=")[0] in _PLACES]
    return "&".join((address, *sorted(places)))


def _local_spool(store: str) -> Path:
    digest = hashlib.sha256(store.encode(errors="surrogateescape")).hexdigest()[:16]
    return _local_folder() / "stepscope" / digest / "spool"


def _local_folder() -> Path:
    """Return a folder of this user's that outlives the process, and if possible lies on this machine."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    if network_kind(state) is None or sys.platform == "win32":
        return state
    # A home folder on the network, as clusters have it.
    own = Path(f"/var/tmp/stepscope-{os.getuid()}")  # noqa: S108 - checked to be this user's own
    taken = own.is_symlink() or (own.exists() and own.stat().st_uid != os.getuid())
    return state if taken or network_kind(own) is not None else own
