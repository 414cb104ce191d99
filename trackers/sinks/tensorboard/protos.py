"""The parts of the tensorboard package that the export and the import use; the only file that imports it.

All are `Any` here: protobuf makes the messages when it loads them, so no type checker knows their fields.
None of these modules imports TensorFlow.
"""

from __future__ import annotations

from typing import Any

from ....storage.errors import MissingExtra

try:
    from google.protobuf import json_format as _json_format
    from google.protobuf import text_format as _text_format
    from tensorboard.compat.proto import config_pb2 as _config
    from tensorboard.compat.proto import event_pb2 as _event
    from tensorboard.compat.proto import graph_pb2 as _graph
    from tensorboard.compat.proto import meta_graph_pb2 as _meta_graph
    from tensorboard.compat.proto import node_def_pb2 as _node_def
    from tensorboard.compat.proto import summary_pb2 as _summary
    from tensorboard.compat.proto import tensor_pb2 as _tensor
    from tensorboard.compat.proto import tensor_shape_pb2 as _tensor_shape
    from tensorboard.compat.proto import types_pb2 as _types
    from tensorboard.plugins.audio import metadata as _audio
    from tensorboard.plugins.custom_scalar import layout_pb2 as _layout
    from tensorboard.plugins.custom_scalar import metadata as _custom_scalar
    from tensorboard.plugins.graph import keras_util as _keras_util
    from tensorboard.plugins.graph import metadata as _graph_metadata
    from tensorboard.plugins.histogram import metadata as _histogram
    from tensorboard.plugins.hparams import api_pb2 as _hparams_api
    from tensorboard.plugins.hparams import metadata as _hparams
    from tensorboard.plugins.hparams import plugin_data_pb2 as _hparams_data
    from tensorboard.plugins.image import metadata as _image
    from tensorboard.plugins.mesh import metadata as _mesh
    from tensorboard.plugins.mesh import plugin_data_pb2 as _mesh_data
    from tensorboard.plugins.pr_curve import metadata as _pr_curve
    from tensorboard.plugins.projector import projector_config_pb2 as _projector
    from tensorboard.plugins.text import metadata as _text
    from tensorboard.summary.writer import record_writer as _record_writer
except ImportError as error:
    raise MissingExtra("Writing and reading event files", "tensorboard") from error

config_pb2: Any = _config
event_pb2: Any = _event
graph_pb2: Any = _graph
meta_graph_pb2: Any = _meta_graph
node_def_pb2: Any = _node_def
summary_pb2: Any = _summary
tensor_pb2: Any = _tensor
tensor_shape_pb2: Any = _tensor_shape
types_pb2: Any = _types

audio_metadata: Any = _audio
custom_scalar_metadata: Any = _custom_scalar
graph_metadata: Any = _graph_metadata
histogram_metadata: Any = _histogram
image_metadata: Any = _image
keras_util: Any = _keras_util
mesh_metadata: Any = _mesh
layout_pb2: Any = _layout
mesh_data_pb2: Any = _mesh_data
pr_curve_metadata: Any = _pr_curve
projector_config_pb2: Any = _projector
text_metadata: Any = _text

hparams_api_pb2: Any = _hparams_api
hparams_data_pb2: Any = _hparams_data
hparams_metadata: Any = _hparams

record_writer: Any = _record_writer
json_format: Any = _json_format
text_format: Any = _text_format
