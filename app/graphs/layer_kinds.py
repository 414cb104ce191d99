"""What frameworks call the same layer, and when two shapes are the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ...storage.kinds.graph import TensorShape

CONTAINERS = frozenset(("sequential", "functional", "model", "module", "modulelist", "moduledict", "scope"))
INPUT = "input"
ANY_ACTIVATION = "activation"
"""Keras' layer that applies some function, which its name does not tell."""

ACTIVATIONS = frozenset(
    (
        *("relu", "relu6", "leakyrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "glu", "sigmoid"),
        *("hardsigmoid", "logsigmoid", "tanh", "hardtanh", "tanhshrink", "softmax", "logsoftmax", "softplus"),
        *("softsign", "hardswish", ANY_ACTIVATION),
    )
)
MOVES_DATA = frozenset(
    (
        *("flatten", "reshape", "permute", "identity", "add", "subtract", "multiply", "concatenate"),
        *("pad1d", "pad2d", "pad3d", "cropping1d", "cropping2d", "cropping3d", INPUT),
    )
)
"""Layers that only arrange what others computed; code often does it without a layer."""
WHOLE = frozenset(("multiheadattention", "lstm", "gru", "rnn", "bidirectional"))
"""Layers whose inner layers differ from framework to framework; they are compared as one."""

_SAME = {
    "linear": "dense",
    "lazylinear": "dense",
    "einsumdense": "dense",
    "nondynamicallyquantizablelinear": "dense",
    "convtranspose1d": "conv1dtranspose",
    "convtranspose2d": "conv2dtranspose",
    "convtranspose3d": "conv3dtranspose",
    "syncbatchnorm": "batchnorm",
    "localresponsenorm": "lrn",
    "swish": "silu",
    "thresholdedrelu": "relu",
    "hardsilu": "hardswish",
    "simplernn": "rnn",
    "simplernncell": "rnncell",
    "embeddingbag": "embedding",
    "inputlayer": INPUT,
    "unflatten": "reshape",
    "upsamplingnearest2d": "upsampling2d",
    "upsamplingbilinear2d": "upsampling2d",
    "upsample": "upsampling2d",
    "groupqueryattention": "multiheadattention",
}
_RULES = (
    (re.compile(r"^lazy"), ""),
    (re.compile(r"normalization$"), "norm"),
    (re.compile(r"^(batch|instance)norm\dd$"), r"\1norm"),
    (re.compile(r"^adaptive(avg|max)pool(\d)d$"), r"global\1pool\2d"),
    (re.compile(r"averagepooling"), "avgpool"),
    (re.compile(r"pooling"), "pool"),
    (re.compile(r"^zeropad(ding)?(\d)d$"), r"pad\2d"),
    (re.compile(r"^(constant|reflection|replication)pad(\d)d$"), r"pad\2d"),
    (re.compile(r"^(spatial|alpha|featurealpha)?dropout(\dd)?$"), "dropout"),
)


@lru_cache(maxsize=4096)
def kind_of(layer_type: str, framework: str = "") -> str:
    """Return one word for all frameworks' names of a layer: "dense" for "Linear" and "Dense".

    Args:
        layer_type: the class name.
        framework: where it is from. transformers calls a Linear with a turned weight "Conv1D".
    """
    if framework == "torch" and layer_type == "Conv1D":
        return "dense"
    kind = layer_type.rpartition(".")[2].casefold().replace("_", "")
    for pattern, replacement in _RULES:
        kind = pattern.sub(replacement, kind)
    return _SAME.get(kind, kind)


@lru_cache(maxsize=4096)
def kind_of_operation(op: str) -> str:
    """Return the same word for an operation: "relu" for "aten.relu_", "Relu" and "aten::relu"."""
    name = re.split(r"[.:/]", op.casefold())[-1].strip("_").replace("_", "")
    for pattern, kind in _OPERATIONS:
        if pattern.search(name):
            return kind
    return kind_of(name)


_OPERATIONS = (
    (re.compile(r"^adaptiveavgpool"), "globalavgpool2d"),
    (re.compile(r"^adaptivemaxpool"), "globalmaxpool2d"),
    (re.compile(r"^maxpool(2d)?(withindices)?$"), "maxpool2d"),
    (re.compile(r"^(avgpool|averagepool)(2d)?$"), "avgpool2d"),
    (re.compile(r"^globalaveragepool$"), "globalavgpool2d"),
    (re.compile(r"^mean$"), "globalavgpool2d"),
    (re.compile(r"^(view|reshape|flatten|squeeze)$"), "flatten"),
    (re.compile(r"^(native)?dropout$"), "dropout"),
    (re.compile(r"^(pad|constantpadnd)(v2)?$"), "pad2d"),
    (re.compile(r"^addv2$"), "add"),
    (re.compile(r"^erfc?$"), "gelu"),
    (re.compile(r"^(cat|concatv2|concat)$"), "concatenate"),
)


def same_kind(one: str, other: str) -> bool:
    """Return whether two kinds may be the same layer: an activation without a name is any of them."""
    if one == other:
        return True
    return ANY_ACTIVATION in (one, other) and one in ACTIVATIONS and other in ACTIVATIONS


def grouped_alike(one: str, other: str) -> bool:
    """Return whether one kind is a convolution and the other the same, of each channel by itself.

    PyTorch calls both Conv2d: only the numbers of parameters and FLOPs tell them apart.
    """
    return one != other and one.removeprefix("depthwise") == other.removeprefix("depthwise")


def sizes_of(shape: TensorShape | None) -> TensorShape | None:
    """Return a shape without its batch; None when it is not known."""
    return None if shape is None else tuple(shape[1:])


def same_sizes(one: Sequence[int | None] | None, other: Sequence[int | None] | None) -> bool:
    """Return whether two shapes agree wherever both are known."""
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(
        a == b or a is None or b is None for a, b in zip(one, other, strict=True)
    )


def same_but_for_channels(one: TensorShape | None, other: TensorShape | None) -> bool:
    """Return whether two sizes agree once the channels of one of them are moved: NCHW and NHWC."""
    if one is None or other is None or len(one) < 2 or len(one) != len(other):
        return False
    return same_sizes(_channels_last(one), other) or same_sizes(one, _channels_last(other))


def _channels_last(sizes: TensorShape) -> TensorShape:
    return (*sizes[1:], sizes[0])
