"""Dictionaries of a run that notice every change: `run.config` and `run.summary`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, cast

from ..storage.errors import BadInput

_LARGEST = 10**4000
_DEEPEST = 50
"""How many containers may lie in each other; what is deeper is left out."""


class TrackedDict(MutableMapping[str, Any]):
    """A mapping whose entries are attributes as well, and whose changes are stored."""

    def __init__(self, values: Mapping[str, Any], changed: Callable[[dict[str, Any]], None]) -> None:
        """Begin with `values`; `changed` is called with the whole content after each change."""
        # Set around __setattr__, which would take them for entries.
        object.__setattr__(self, "_values", dict(values))
        object.__setattr__(self, "_changed", changed)

    def __getitem__(self, key: str) -> Any:
        """Return an entry."""
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        """Set an entry and store it."""
        self._values[key] = value
        self._changed(dict(self._values))

    def __delitem__(self, key: str) -> None:
        """Remove an entry."""
        del self._values[key]
        self._changed(dict(self._values))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        """Return an entry as an attribute."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"there is no entry {name!r}; there are {list(self)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an entry as an attribute."""
        self[name] = value

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copy and pickle as a dict: a copy is no longer the run's."""
        return dict, (dict(self._values),)

    def __repr__(self) -> str:
        """Show the entries."""
        return repr(self._values)

    def replace_with(self, values: Mapping[str, Any]) -> None:
        """Put `values` in the place of all entries."""
        self._values.clear()
        self.update(values)

    def update(self, values: Any = (), /, *, allow_val_change: bool | None = None, **entries: Any) -> None:  # noqa: ARG002
        """Set several entries, also of an argparse.Namespace, and store them once.

        `allow_val_change` is taken for scripts that pass it, and has no meaning: values may always change.
        """
        self._values.update(vars(values) if isinstance(values, argparse.Namespace) else values, **entries)
        self._changed(dict(self._values))

    def setdefaults(self, values: Mapping[str, Any]) -> None:
        """Set those entries that are not there."""
        self.update({key: value for key, value in values.items() if key not in self._values})

    def as_dict(self) -> dict[str, Any]:
        """Return a copy that is a plain dict."""
        return dict(self._values)


def as_config(config: Any) -> dict[str, Any]:
    """Return a config as a dict: a mapping, an argparse.Namespace or a dataclass instance.

    Raises:
        BadInput: it is something else.
    """
    kind = type(config).__name__
    if config is None:
        return {}
    if isinstance(config, Mapping):
        entries = plain(config)
    elif isinstance(config, argparse.Namespace):
        entries = plain(vars(config))
    elif dataclasses.is_dataclass(config) and not isinstance(config, type):
        entries = plain(_fields(config))
    else:
        raise BadInput(
            f"config needs a dict, an argparse.Namespace or a dataclass, but got "
            f"{kind}. Pass vars(...) or a dict."
        )
    if not isinstance(entries, dict):
        raise BadInput(f"config cannot be read: {kind} does not give its entries. Pass a dict.")
    return cast("dict[str, Any]", entries)


def plain(value: Any, inside: tuple[int, ...] = ()) -> Any:
    """Return a value as JSON can hold it: numpy's scalars become Python's, other objects their text.

    Never raises: what cannot be read becomes its text, as one bad entry must not cost the others.
    `inside` are the ids of what holds the value, since a container may hold itself.
    """
    if isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        # Python refuses to write larger ones in digits, and so does who reads them.
        return f"<{type(value).__name__} of {value.bit_length()} bits>"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if id(value) in inside or len(inside) == _DEEPEST:
        return "..."
    try:
        return _plain(value, (*inside, id(value)))
    except Exception:
        return text_of(value)


def _plain(value: Any, inside: tuple[int, ...]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = _fields(value)
    if isinstance(value, Mapping):
        entries = cast("Mapping[Any, Any]", value)
        return {text_of(key): plain(item, inside) for key, item in entries.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, inside) for item in cast("Iterable[Any]", value)]
    item: Any = getattr(cast("Any", value), "item", None)
    if callable(item) and getattr(cast("Any", value), "ndim", None) == 0:
        inner = item()
        # A long double is its own item.
        return text_of(value) if type(inner) is type(value) else plain(inner, inside)
    return text_of(value)


def text_of(value: Any) -> str:
    """Return str(value), or the name of its class if it has no text."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _fields(instance: Any) -> dict[str, Any]:
    return {field.name: getattr(instance, field.name, None) for field in dataclasses.fields(instance)}
