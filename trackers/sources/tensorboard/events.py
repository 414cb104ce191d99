"""Reads the records of one event file: those with one number by columns, all others through protobuf.

What a tag holds is said by its first value alone, so a reader that begins in the midst of a file looks at
what came before when it meets a tag that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ....storage.errors import BadInput
from ....storage.journal_read import SeriesDefinition
from ....storage.nested import flatten
from ....storage.write_series import NewRecord
from ...media import HParams, Loggable
from ...sinks.tensorboard.protos import event_pb2, summary_pb2
from ...sinks.tensorboard.sidecar import PLUGIN as ORIGINALS
from ..base import Piece, record
from .blocks import Block
from .gathered import Gathered
from .hparams import PLUGIN as HPARAMS
from .hparams import session_of
from .meshes import PLUGIN as MESH
from .meshes import meshes_of
from .origin import Origin
from .originals import Originals
from .plain import Plain
from .scalars import Scalars
from .titles import title_record
from .values import Context, records_of, records_of_event

_NUMBERS = ("", "scalars")
"""Plugins whose tensors of one value are numbers."""


class EventReader:
    """Reads one file, block after block."""

    def __init__(self, origin: Origin, earlier: Callable[[], Iterable[Block]] | None = None) -> None:
        """Take a file.

        Args:
            origin: the file.
            earlier: gives the blocks before those that will be read; None when reading begins at the start.
        """
        self._origin = origin
        self._earlier = earlier
        self._scalars = Scalars(self._define)
        self._known: dict[str, tuple[str, bytes]] = {}
        self._titles: dict[str, tuple[str, str]] = {}
        self._originals = Originals() if origin.exported else None
        self._metrics: tuple[str, ...] = ()
        self._config = dict(origin.config)
        self._trial: _Trial | None = None
        self._has_graph = False

    def read(self, block: Block) -> Piece:
        """Return the values of a block."""
        if self._originals is not None:
            self._look_back()
            self._originals.learn(block)
        numbers, rest = self._scalars.take(block.data, block.records)
        found = Gathered(numbers, problems=list(block.problems))
        for place in rest.tolist():
            self._record(block, place, found)
        self._close_trial(found)
        self._tell_titles(found)
        return found.piece(block.next)

    def _record(self, block: Block, place: int, found: Gathered) -> None:
        start = int(block.records.start[place])
        data = block.data[start : start + int(block.records.length[place])]
        at = f"{self._origin.place}, byte {block.position + start:,}"
        try:
            event = event_pb2.Event.FromString(data)
        except Exception as error:  # protobuf's error, whose class depends on how it was built
            found.problems.append(f"{at}: a record of {len(data):,} bytes is no event: {error}")
            return
        if self._originals is not None:
            self._exported(event, place, found, at)
        elif event.WhichOneof("what") == "summary":
            self._summary(event, place, found, at)
        else:
            self._keep(lambda: self._other(event, found), found, at)

    def _exported(self, event: Any, place: int, found: Gathered, at: str) -> None:
        """Take what an export of Stepscope wrote beside what TensorBoard shows."""
        originals = self._originals
        if originals is None:
            return
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            if plugin == ORIGINALS:
                self._keep(lambda value=value: originals.take(event, value, found), found, at)
            elif plugin == HPARAMS:
                session = session_of(value.metadata.plugin_data.content)
                if session.ended and session.facts:
                    found.changes.append(session.facts)
            elif (definition := originals.number(value.tag)) is not None:
                number = float(value.simple_value)
                found.add_point(definition, place, event.step, event.wall_time, number)

    def _other(self, event: Any, found: Gathered) -> None:
        form = event.WhichOneof("what")
        if form == "meta_graph_def" and self._has_graph:
            return  # it repeats the graph that TensorFlow 1 writes before it
        self._has_graph = self._has_graph or form == "graph_def"
        found.records.extend(records_of_event(event, self._origin))

    def _summary(self, event: Any, place: int, found: Gathered, at: str) -> None:
        meshes: list[tuple[Any, bytes]] = []
        for value in event.summary.value:
            plugin, content = self._plugin(value)
            where = f"{at}: {value.tag!r} at step {event.step}"
            if value.metadata.plugin_data.plugin_name == HPARAMS:
                self._keep(lambda value=value: self._session(event, value, place, found), found, where)
            elif plugin == MESH and value.WhichOneof("value") == "tensor":
                meshes.append((value, content))
            else:
                context = Context(self._origin, value.tag, event.step, event.wall_time)
                self._keep(
                    lambda value=value, plugin=plugin, context=context: self._value(
                        value, plugin, context, place, found
                    ),
                    found,
                    where,
                )
        if meshes:
            self._keep(lambda: self._meshes(event, meshes, found), found, at)

    def _keep(self, take: Callable[[], None], found: Gathered, at: str) -> None:
        """Take a value; what is wrong with it becomes a sentence."""
        try:
            take()
        except Exception as error:
            # Whatever another program wrote into one value must not cost the others.
            reason = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
            found.problems.append(f"{at} was left out: {reason}")

    def _value(self, value: Any, plugin: str, context: Context, place: int, found: Gathered) -> None:
        for made in records_of(value, plugin, context):
            if isinstance(made, NewRecord):
                found.records.append(made)
            else:
                definition = self._origin.definition(value.tag, "scalar")
                found.add_point(definition, place, context.step, context.time, made)

    def _meshes(self, event: Any, values: list[tuple[Any, bytes]], found: Gathered) -> None:
        for name, mesh in meshes_of(values):
            found.records.append(self._made(name, mesh, event))

    def _made(self, name: str, value: Loggable, event: Any) -> NewRecord:
        return record(name, value, event.step, event.wall_time, self._origin.context)

    def _session(self, event: Any, value: Any, place: int, found: Gathered) -> None:
        session = session_of(value.metadata.plugin_data.content)
        self._metrics = session.metrics or self._metrics
        for tag, (display_name, description) in (session.titles or {}).items():
            self._titles.setdefault(tag, (display_name, description))
        if session.values is not None:
            self._close_trial(found)
            self._trial = _Trial(session.values, event)
            # What is nested in a file of Lightning's has the names of its parts joined here.
            known = {**self._config, **flatten(self._config, "/")}
            new = {key: one for key, one in session.values.items() if key not in known}
            if new:
                self._config.update(new)
                found.changes.append({"config": dict(self._config)})
        if session.ended and self._trial is not None:
            self._trial.ended = place
        if session.facts:
            found.changes.append(session.facts)

    def _close_trial(self, found: Gathered) -> None:
        """Keep the hyperparameters that a session began with, and the metrics that follow its end.

        That is how add_hparams writes them; the metrics of other sessions are series.
        """
        trial, self._trial = self._trial, None
        if trial is None:
            return
        ended = trial.ended
        reached = {} if ended is None else {tag: found.first_value(tag, ended) for tag in self._metrics}
        metrics = {tag: number for tag, number in reached.items() if number is not None}
        found.records.append(self._made("hparams", HParams(trial.values, metrics), trial.event))

    def _plugin(self, value: Any) -> tuple[str, bytes]:
        """Return the plugin of a value's tag, and the content that goes with it."""
        data = value.metadata.plugin_data
        known = self._known.get(value.tag)
        if known is None and not data.plugin_name and value.WhichOneof("value") == "tensor":
            self._look_back()
            known = self._known.get(value.tag)
        if known is None or (data.plugin_name == MESH and data.content != known[1]):
            known = self._learn(value.tag, value.metadata)
        return known

    def _learn(self, tag: str, metadata: Any) -> tuple[str, bytes]:
        """Note what the first value of a tag says of it."""
        data = metadata.plugin_data
        if metadata.display_name not in ("", tag) or metadata.summary_description:
            self._titles.setdefault(tag, (metadata.display_name, metadata.summary_description))
        self._known[tag] = (data.plugin_name, data.content)
        return self._known[tag]

    def _define(self, plain: Plain) -> SeriesDefinition | None:
        """Tell the series of an event with one number; None where protobuf is to look."""
        try:
            tag = plain.tag.decode()
            metadata = summary_pb2.SummaryMetadata.FromString(plain.metadata or b"")
        except Exception:  # protobuf says what is wrong when it reads the whole
            return None
        if self._originals is not None:
            return self._originals.number(tag)
        if metadata.plugin_data.plugin_name not in _NUMBERS:
            return None
        if tag not in self._known:
            self._learn(tag, metadata)
        return self._origin.definition(tag, "scalar")

    def _look_back(self) -> None:
        """Learn the tags of what came before the block with which reading began."""
        earlier, self._earlier = self._earlier, None
        for block in earlier() if earlier is not None else ():
            if self._originals is not None:
                self._originals.learn(block)
            else:
                self._learn_block(block)

    def _learn_block(self, block: Block) -> None:
        _, rest = self._scalars.take(block.data, block.records)
        for place in rest.tolist():
            start = int(block.records.start[place])
            try:
                data = block.data[start : start + int(block.records.length[place])]
                values = event_pb2.Event.FromString(data).summary.value
            except Exception:  # noqa: S112 - it was told when it was read
                continue
            for value in values:
                if value.tag not in self._known:
                    self._learn(value.tag, value.metadata)
        self._titles.clear()

    def _tell_titles(self, found: Gathered) -> None:
        time = float(found.numbers[0].columns.time[0]) if found.numbers else 0.0
        for tag, (display_name, description) in self._titles.items():
            if display_name not in ("", tag) or description:
                found.records.append(title_record(tag, display_name, description, time))
        self._titles.clear()


class _Trial:
    """A session that has begun."""

    def __init__(self, values: Any, event: Any) -> None:
        self.values = values
        self.event = event
        self.ended: int | None = None
