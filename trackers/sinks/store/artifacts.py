"""Artifacts of runs that are imported: their files are copied into the store, as those of a run's own are."""

from __future__ import annotations

from ....storage.artifacts import is_version
from ....storage.journal_read import SeriesDefinition
from ....storage.kinds import EVENT, RawValue
from ....storage.location import StoreLocation
from ....storage.write_series import NewRecord
from ...artifacts import copy, describe, possible_name, series_of
from ...sources.base import FoundArtifact


def artifact_record(location: StoreLocation, run_id: str, found: FoundArtifact) -> NewRecord:
    """Copy an artifact; return what tells of the copy.

    Raises:
        BadInput: there is no such file or folder, or it holds too many.
        OSError: it cannot be read, or the disk is full.
    """
    name = possible_name(found.name)
    # Versions are counted anew here: the other program's are no aliases.
    aliases = [possible_name(alias) for alias in found.aliases if not is_version(alias)]
    given = describe(found.path, name, found.type, found.metadata, aliases)
    _, payload = copy(location, run_id, given)
    assert isinstance(payload.data, bytes)  # noqa: S101 - what `copy` makes
    definition = SeriesDefinition(series_of(name), EVENT.name, {})
    return NewRecord(definition, 0, found.time, EVENT.encode(RawValue(payload.meta(), payload.data)))
