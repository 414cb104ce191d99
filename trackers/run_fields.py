"""What a run says about itself, apart from its values: name, config, summary, tags, notes, surroundings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..storage.model import Run as StoredRun
from .guard import Guard
from .no_recorder import NoRecorder
from .recorder import Recorder
from .reproducibility import capture_reproducibility, merged
from .tracked_dict import TrackedDict, as_config, plain, text_of


class RunFields:
    """The part of a Run that is stored as fields of the run, and may be changed."""

    def __init__(self, stored: StoredRun, recorder: Recorder | NoRecorder, guard: Guard) -> None:
        """Begin as `stored` says."""
        self.id = stored.run_id
        self.project = stored.project
        self.guard = guard
        self._recorder = recorder
        self._name = stored.name or stored.run_id
        self._config = TrackedDict(stored.config, self._set_config)
        self._summary = TrackedDict(stored.summary, self._set_summary)
        self._tags, self._notes, self._group = stored.tags, stored.notes, stored.group
        self._environment: dict[str, Any] = {}
        self._framework = ""

    @property
    def name(self) -> str:
        """What people call the run; a change is stored."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = text_of(name)
        self.change({"name": self._name})

    @property
    def config(self) -> TrackedDict:
        """The hyperparameters: a dict whose entries are attributes as well; changes are stored."""
        return self._config

    @config.setter
    def config(self, values: Any) -> None:
        with self.guard("replacing config"):
            self._config.replace_with(as_config(values))

    @property
    def summary(self) -> TrackedDict:
        """Results that stand for the whole run, such as the best accuracy; changes are stored."""
        return self._summary

    @summary.setter
    def summary(self, values: Any) -> None:
        with self.guard("replacing summary"):
            self._summary.replace_with(as_config(values))

    def set_framework(self, framework: str) -> None:
        """Note which framework trains; hooks call it."""
        self.change({"framework": framework})
        if not self._framework:
            # Seeds and precision are set by now, and the training has not begun.
            self._framework = framework
            self.note_environment({})

    @property
    def tags(self) -> tuple[str, ...]:
        """Words to filter by; a change is stored."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self.set_tags(*tags)

    @property
    def notes(self) -> str:
        """A text in markdown; a change is stored."""
        return self._notes

    @notes.setter
    def notes(self, notes: str) -> None:
        self.set_notes(notes)

    @property
    def group(self) -> str | None:
        """The word that this run shares with others."""
        return self._group

    def set_tags(self, *tags: str) -> None:
        """Replace the tags."""
        self._tags = tuple(text_of(tag) for tag in tags)
        self.change({"tags": list(self._tags)})

    def set_notes(self, notes: str) -> None:
        """Replace the notes, a text in markdown."""
        self._notes = text_of(notes)
        self.change({"notes": self._notes})

    def change(self, change: Mapping[str, Any]) -> None:
        """Store changed fields of the run (see storage.write.Batch.changes)."""
        with self.guard("changing the run"), self._recorder.turn():
            self._recorder.change(plain(change))

    def note_environment(self, found: Mapping[str, Any]) -> None:
        """Add to what was captured of the machine, and look at seeds, precision and the like anew."""
        with self.guard("capturing the environment"), self._recorder.turn():
            before = self._environment.get("reproducibility", {})
            now = {"reproducibility": merged(before, capture_reproducibility())}
            if found or now["reproducibility"] != before:
                self._environment = {**self._environment, **found, **now}
                self._recorder.change(plain({"environment": self._environment}))

    def _set_config(self, config: dict[str, Any]) -> None:
        self.change({"config": config})

    def _set_summary(self, summary: dict[str, Any]) -> None:
        self.change({"summary": summary})
