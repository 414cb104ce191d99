"""Embeddings for TensorBoard's projector: files beside a run's events, and a config that names them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ....storage.kinds.embedding import EmbeddingData
from ..files import AtomicFile, safe_name
from .protos import projector_config_pb2, text_format

CONFIG = "projector_config.pbtxt"
_FOLDER = "projector"


class ProjectorFiles:
    """The embeddings of one run: `projector/<number>-<tag>-<step>/` each, all at once with `commit`."""

    def __init__(self, folder: Path) -> None:
        """Take the run's folder. Nothing is written before the first embedding comes."""
        self._folder = folder
        self._config = projector_config_pb2.ProjectorConfig()
        self._files: list[AtomicFile] = []

    def add(self, tag: str, step: int, value: EmbeddingData) -> None:
        """Write an embedding. Raises ExportRefused."""
        place = f"{_FOLDER}/{len(self._config.embeddings)}-{safe_name(tag)}-{step}"
        info = self._config.embeddings.add(
            tensor_name=tensor_name(tag, step), tensor_path=f"{place}/tensors.tsv"
        )
        info.tensor_shape.extend(value.vectors.shape)
        rows = ["\t".join(map(repr, row)) for row in value.vectors.tolist()]
        self._write(info.tensor_path, "\n".join([*rows, ""]).encode())
        if value.rows:
            info.metadata_path = f"{place}/metadata.tsv"
            self._write(info.metadata_path, "\n".join([*metadata_lines(value), ""]).encode())
        if value.sprite is not None and value.image_size is not None:
            info.sprite.image_path = f"{place}/sprite.png"
            info.sprite.single_image_dim.extend(value.image_size)
            self._write(info.sprite.image_path, value.sprite)

    def commit(self) -> None:
        """Move the files to their places, the config last. Raises ExportRefused."""
        if not self._config.embeddings:
            return
        text: Any = text_format.MessageToString(self._config)
        self._write(CONFIG, text.encode())
        for file in self._files:
            file.commit()

    def discard(self) -> None:
        """Remove what is not at its place yet. Never raises."""
        for file in self._files:
            file.discard()

    def _write(self, path: str, data: bytes) -> None:
        file = AtomicFile(self._folder / path)
        self._files.append(file)
        file.write(data)


def tensor_name(tag: str, step: int) -> str:
    """Return what the projector calls the embedding of a step."""
    return f"{tag}:{step:05}"


def metadata_lines(value: EmbeddingData) -> list[str]:
    """Return the lines of the metadata, the names of the columns first where there are several."""
    # Of one column, TensorBoard takes the first line for a label already.
    head = [_line(value.header)] if len(value.header) > 1 else []
    return [*head, *map(_line, value.rows)]


def remove_projector(folder: Path) -> None:
    """Remove the embeddings of a run's folder, if it has any."""
    (folder / CONFIG).unlink(missing_ok=True)
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)


def _line(cells: Sequence[str]) -> str:
    # A tab or a line break in a cell would begin another one.
    return "\t".join(" ".join(cell.split()) for cell in cells)
