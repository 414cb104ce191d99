"""The hyperparameters that Lightning's logger keeps in hparams.yaml."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from ....storage.errors import BadInput

NAME = "hparams.yaml"


def config_of(data: bytes) -> dict[str, Any]:
    """Return what such a file holds: plain values; of a Python object, the values that it is made of.

    Raises:
        BadInput: it is no such file, or PyYAML is not installed.
    """
    try:
        yaml: Any = import_module("yaml")  # it comes with Lightning
    except ImportError as error:
        raise BadInput("PyYAML is not installed. Install it with: pip install pyyaml") from error

    class Loader(yaml.SafeLoader):
        """Makes no objects of the classes that a file names."""

    def plain(loader: Any, _: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", plain)
    try:
        found: Any = yaml.load(data, Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"expected YAML, but got: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise BadInput(f"expected names with values, but got {type(found).__name__}")
    return {str(key): value for key, value in cast("dict[Any, Any]", found or {}).items()}
