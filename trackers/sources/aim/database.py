"""Aim's databases: RocksDB, with a path of texts and numbers as each key. Read as they are, without a lock.

A path is its parts, each followed by a byte that no UTF-8 holds; in front of a number the byte stands, too.
A value is a byte that tells its type, and its content. A long value is empty at its own key; it lies at the
same key after another prefix.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

from ....storage.errors import BadInput, MissingPackage

END = b"\xfe"
_BLOBS = b"BLOBS\xfe"
_NONE, _BOOL, INT, FLOAT, _STRING, _BYTES, _ARRAY, _OBJECT, CUSTOM = 0, 1, 2, 3, 4, 5, 6, 7, 15
_NUMBER_BYTES = 8

Key: TypeAlias = str | int


class Custom(NamedTuple):
    """An object of one of Aim's classes."""

    kind: str
    """"aim.image", "aim.text" ..."""
    fields: dict[Key, Any]


class AimDatabase:
    """One database, as it was when it was opened."""

    def __init__(self, path: Path) -> None:
        """Open it for reading, so that nothing in its folder changes.

        Raises:
            BadInput: it cannot be read.
        """
        self.path = path
        rocks = load_rocks()
        if not (path / "CURRENT").is_file():
            raise BadInput(f"{path} is no database of Aim's: its file CURRENT is missing.")
        try:
            self._database: Any = rocks.DB(str(path), rocks.Options(create_if_missing=False), read_only=True)
        except Exception as error:  # its errors have no base of their own
            raise BadInput(f"{path} cannot be read: {error}") from error

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield what lies under a prefix: the rest of the key, and the value. Raises BadInput."""
        try:
            found = self._database.iteritems()
            found.seek(prefix)
            for key, value in found:
                if not key.startswith(prefix):
                    return
                yield key[len(prefix) :], value
        except Exception as error:  # as above
            raise BadInput(f"{self.path} cannot be read: {error}") from error

    def collect(self, prefix: bytes) -> Any:
        """Return the value at a key with all that lies below it, None for nothing. Raises BadInput."""
        root: list[Any] = []
        for rest, data in self.items(prefix):
            value = self._long(prefix + rest) if not data else decoded(data)
            _enter(root, path_of(rest), value)
        return _plain(root[0]) if root else None

    def _long(self, key: bytes) -> Any:
        data = self._database.get(_BLOBS + key)
        return None if data is None else decoded(data)


def load_rocks() -> Any:
    """Return the library of Aim's databases. Raises MissingPackage when aim is not installed."""
    try:
        return import_module("aimrocks")
    except ImportError as error:
        raise MissingPackage("Importing from Aim", "aim") from error


def key_of(*path: Key) -> bytes:
    """Return the key of a path."""
    return b"".join(
        (part.encode() if isinstance(part, str) else END + part.to_bytes(_NUMBER_BYTES, "big", signed=True))
        + END
        for part in path
    )


def path_of(key: bytes) -> list[Key]:
    """Return the path that a key is. What is none, of a damaged database, ends it."""
    path: list[Key] = []
    at = 0
    while at < len(key):
        if key[at : at + 1] == END:
            path.append(int.from_bytes(key[at + 1 : at + 1 + _NUMBER_BYTES], "big", signed=True))
            at += _NUMBER_BYTES + 2
            continue
        end = key.find(END, at)
        end = len(key) if end < 0 else end
        path.append(key[at:end].decode("utf-8", "replace"))
        at = end + 1
    return path


def decoded(data: bytes) -> Any:
    """Return what a stored value is; an empty list, dict or Custom whose parts have keys of their own."""
    kind, content = data[0], data[1:]
    if kind == _BOOL:
        return content[:1] != b"\0"
    if kind == INT:
        return int.from_bytes(content, "little", signed=True)
    if kind == FLOAT:
        return struct.unpack("<d", content)[0] if len(content) == _NUMBER_BYTES else None
    if kind == _STRING:
        return content.decode("utf-8", "replace")
    if kind == _BYTES:
        return content
    made: dict[int, Any] = {
        _ARRAY: _Array(),
        _OBJECT: {},
        CUSTOM: Custom(content.decode("utf-8", "replace"), {}),
    }
    return made.get(kind)


class _Array(dict[Key, Any]):
    """A list whose items are entered by their places."""


def _enter(root: list[Any], path: Sequence[Key], value: Any) -> None:
    if not path:
        root[:] = [value]
        return
    if not root:
        root.append({})
    inner = _fields(root[0])
    for key in path[:-1]:
        following = inner.get(key)
        if not isinstance(following, dict | Custom):
            following = inner[key] = {}
        inner = _fields(following)
    inner[path[-1]] = value


def _fields(value: Any) -> dict[Key, Any]:
    return value.fields if isinstance(value, Custom) else cast("dict[Key, Any]", value)


def _plain(value: Any) -> Any:
    if isinstance(value, Custom):
        return Custom(value.kind, {key: _plain(inner) for key, inner in value.fields.items()})
    if isinstance(value, _Array):
        return [_plain(inner) for inner in value.values()]  # in the order of their places, as keys are
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in cast("dict[Key, Any]", value).items()}
    return value
