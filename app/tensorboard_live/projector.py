"""TensorBoard's projector over the store: its page, with our answers.

The projector takes no data from a DataProvider. It reads files of the log directory, all of each run, and
only when the list of runs changes; so of its plugin, the page alone is used, and what that asks for is
answered out of the store: tensors one at a time, when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import json_format
from tensorboard import errors as _errors
from tensorboard.backend import http_util
from tensorboard.data import provider as _provider
from tensorboard.plugins.projector import projector_config_pb2, projector_plugin
from werkzeug import wrappers

from ...storage.kinds.embedding import EmbeddingData
from ...storage.model import Record
from ...trackers.sinks.tensorboard.projector import metadata_lines, tensor_name
from ..kept import Kept
from .catalogue import Catalogue, Shown
from .provider import StoreDataProvider

errors: Any = _errors
plugin: Any = projector_plugin
http: Any = http_util
protos: Any = projector_config_pb2
provider: Any = _provider
to_json: Any = json_format

STEPS_A_SERIES = 20
"""Of each embedding: the projector has no slider for steps, but a list of names."""


class StoreProjector(plugin.ProjectorPlugin):
    """The projector, with the embeddings of a store."""

    def __init__(self, context: Any) -> None:
        """Take what TensorBoard gives each of its plugins, our provider among it."""
        plugin.ProjectorPlugin.__init__(self, context)
        self._store: StoreDataProvider = context.data_provider
        # The page asks for tensor, metadata and sprite of one embedding one after the other.
        self._kept = Kept[EmbeddingData](1)

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """Return the routes: the page's own files, and our answers."""
        ours = {
            plugin.RUNS_ROUTE: self._runs,
            plugin.CONFIG_ROUTE: self._config,
            plugin.TENSOR_ROUTE: self._tensor,
            plugin.METADATA_ROUTE: self._metadata,
            plugin.SPRITE_IMAGE_ROUTE: self._sprite,
            plugin.BOOKMARKS_ROUTE: self._bookmarks,
        }
        files: dict[str, Any] = plugin.ProjectorPlugin.get_plugin_apps(self)
        return files | {route: wrappers.Request.application(answer) for route, answer in ours.items()}

    def is_active(self) -> bool:
        """Return whether there are embeddings."""
        return bool(self._store.ask(_runs_with_embeddings, []))

    def _runs(self, request: Any) -> Any:
        return http.Respond(request, self._store.ask(_runs_with_embeddings, []), "application/json")

    def _config(self, request: Any) -> Any:
        wanted = request.args.get("run", "")

        def config(catalogue: Catalogue) -> Any:
            found = _embeddings(catalogue, wanted)
            return protos.ProjectorConfig(embeddings=[_info(name, found[name][1].meta) for name in found])

        made = self._store.ask(config, protos.ProjectorConfig())
        return http.Respond(request, to_json.MessageToJson(made), "application/json")

    def _tensor(self, request: Any) -> Any:
        vectors = self._asked(request).vectors[: _rows(request)]
        return http.Respond(
            request, np.ascontiguousarray(vectors, "<f4").tobytes(), "application/octet-stream"
        )

    def _metadata(self, request: Any) -> Any:
        value = self._asked(request)
        rows = _rows(request)
        heading = 1 if len(value.header) > 1 else 0
        lines = metadata_lines(value)[: None if rows is None else rows + heading]
        return http.Respond(request, "".join(f"{line}\n" for line in lines), "text/plain")

    def _sprite(self, request: Any) -> Any:
        sprite = self._asked(request).sprite
        if sprite is None:
            raise errors.NotFoundError("this embedding has no pictures")
        return http.Respond(request, sprite, "image/png")

    def _bookmarks(self, _: Any) -> Any:
        raise errors.NotFoundError("embeddings of a store have no bookmarks")

    def _asked(self, request: Any) -> EmbeddingData:
        run, name = request.args.get("run", ""), request.args.get("name", "")

        def find(catalogue: Catalogue) -> EmbeddingData | None:
            found = _embeddings(catalogue, run).get(name)
            return None if found is None else self._load(catalogue, *found)

        value = self._store.ask(find, None)
        if value is None:
            raise errors.NotFoundError(f"run {run[:80]!r} has no embedding {name[:80]!r}")
        return value

    def _load(self, catalogue: Catalogue, shown: Shown, record: Record) -> EmbeddingData:
        key = (record.run_id, record.series_id, record.step, record.attempt, record.seq)
        return self._kept.get(key, lambda: catalogue.reader.load(shown.series, record))


def _runs_with_embeddings(catalogue: Catalogue) -> list[str]:
    return list(dict.fromkeys(shown.run for shown in catalogue.chosen(("embedding",), None)))


def _embeddings(catalogue: Catalogue, run: str) -> dict[str, tuple[Shown, Record]]:
    """Return the embeddings of a run or sub-run by the names that the projector lists, newest first."""
    chosen = catalogue.chosen(("embedding",), provider.RunTagFilter(runs=[run]))
    return {
        tensor_name(shown.tag, record.step): (shown, record)
        for shown in chosen
        for record in reversed(catalogue.reader.records(shown.series, max_records=STEPS_A_SERIES))
    }


def _info(name: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page needs to know before it loads: paths only say whether there is something."""
    shapes = {part["name"]: part["shape"] for part in meta["parts"]}
    info: dict[str, Any] = {"tensor_name": name, "tensor_shape": shapes["vectors"]}
    if "metadata" in shapes:
        info["metadata_path"] = "metadata.tsv"
    if "sprite" in shapes:
        info["sprite"] = {"image_path": "sprite.png", "single_image_dim": meta["image_size"]}
    return info


def _rows(request: Any) -> int | None:
    """Return how many rows the page asks for, None for all."""
    asked = request.args.get("num_rows", "")
    return int(asked) if asked.isdecimal() and 0 < len(asked) < 10 else None
