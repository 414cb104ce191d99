"""Anything that holds numbers becomes a number or a histogram; anything else is refused in one sentence."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stepscope
from stepscope.storage.errors import BadInput
from stepscope.trackers.device import Snapshot
from stepscope.trackers.media import Histogram, Image, Text
from stepscope.trackers.raw import Payload
from stepscope.trackers.values import from_array, prepare
from stored import Stored


def number(value: Any) -> float:
    (found,) = prepare("loss", value)
    assert type(found) is float
    return found


def histogram(value: Any) -> np.ndarray:
    (found,) = prepare("weights", value)
    assert isinstance(found, Payload)
    assert found.kind == "histogram"
    assert isinstance(found.data, np.ndarray)
    return found.data


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (True, 1.0),
        (-0.5, -0.5),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.uint8(255), 255.0),
        (np.True_, 1.0),
        (2**53 + 1, float(2**53)),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        (math.inf, math.inf),
        (np.array(7), 7.0),
        (np.array([[[2.5]]]), 2.5),
        (np.array([True]), 1.0),
        (np.array([2.5], ">f4"), 2.5),
        ([3.5], 3.5),
        ((4,), 4.0),
    ],
)
def test_one_number_is_a_number(value: Any, expected: float) -> None:
    assert number(value) == expected


def test_nan_is_a_number() -> None:
    assert math.isnan(number(math.nan))
    assert math.isnan(number(np.float32("nan")))


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5, True],
        [[1, 2], [3, 4]],
        (1, 2, 3),
        np.arange(6).reshape(2, 3),
        np.arange(6, dtype=">i2"),
        np.arange(6, dtype=np.longdouble),
        np.arange(6, dtype=np.float16)[::-2],
        np.array([True, False]),
    ],
)
def test_more_numbers_are_a_histogram(value: Any) -> None:
    found = histogram(value)
    np.testing.assert_array_equal(found.astype(float), np.asarray(value, float))
    assert found.dtype.str.lstrip("<|")[0] in "biuf"
    assert found.dtype.itemsize <= 8


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ("0.5", r"str '0\.5'\. Wrap text in stepscope\.Text"),
        (b"0.5", r"bytes b'0\.5'\. Convert it first"),
        (None, r"NoneType None\. Convert it first"),
        ({"a": 1}, r"dict \{'a': 1\}\. Convert it first"),
        ({1, 2}, r"set \{1, 2\}\. Convert it first"),
        (Decimal("0.5"), r"Decimal Decimal\('0\.5'\)\. Convert it first"),
        (1 + 2j, r"complex \(1\+2j\)\. Convert it first"),
        (range(5), r"range range\(0, 5\)\. Convert it first"),
        (len, r"builtin_function_or_method <built-in function len>\. Convert it first"),
        (datetime.date(2026, 1, 2), r"date datetime\.date\(2026, 1, 2\)\. Convert it first"),
    ],
)
def test_what_is_no_number_is_refused(value: Any, came: str) -> None:
    expected = r"^'loss' needs a number, an array, a tensor or a stepscope value such as Image, but got "
    with pytest.raises(BadInput, match=f"{expected}{came}\\.$"):
        list(prepare("loss", value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"an array needs at least one number, but its shape is \(0,\)"),
        (np.empty((3, 0)), r"an array needs at least one number, but its shape is \(3, 0\)"),
        (["a", "b"], r"needs real numbers, but got list of type <U1"),
        ([None, 1], r"needs real numbers, but got list of type object"),
        ([10**400, 1], r"needs real numbers, but got list of type object"),
        (np.complex64(1j), r"needs real numbers, but got complex64 of type complex64"),
        (np.complex128(1j), r"needs real numbers, but got complex128 of type complex128"),
        (np.array([1j, 2]), r"needs real numbers, but got ndarray of type complex128"),
        (np.array(["2026-01-02"], "M8[D]"), r"needs real numbers, but got ndarray of type datetime64\[D\]"),
        ([[1, 2], [3]], r"needs numbers, but list gave: setting an array element with a sequence"),
        ([Image(np.zeros((2, 2))), 5], r"a list must hold only wrapped values such as Image, but .* is int"),
        ([5, Image(np.zeros((2, 2)))], r"needs (real )?numbers, but"),
        (Image(np.zeros(5)), r"an image needs shape"),
    ],
)
def test_what_holds_no_numbers_is_refused(value: Any, message: str) -> None:
    with pytest.raises(BadInput, match=f"^'loss':? {message}"):
        list(prepare("loss", value))


def test_several_wrapped_values_are_several_records() -> None:
    found = list(prepare("digits", [Image(np.zeros((2, 2)), str(n)) for n in range(3)]))
    assert [value.facts["caption"] for value in found if isinstance(value, Payload)] == ["0", "1", "2"]
    found = list(prepare("words", (Text("a"), Text("b"))))
    assert [value.kind for value in found if isinstance(value, Payload)] == ["text", "text"]


def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    for one in (
        torch.tensor(0.5),
        torch.tensor([[0.5]], requires_grad=True),
        torch.tensor(0.5, dtype=torch.bfloat16),
        torch.nn.Parameter(torch.tensor([0.5])),
    ):
        assert number(one) == 0.5
    assert number(torch.tensor(True)) == 1.0
    assert number(torch.tensor(2**40)) == 2.0**40
    many = torch.arange(6.0).reshape(2, 3)
    for form in (many, many.t(), many.requires_grad_(), many.to(torch.bfloat16), many.half(), many.int()):
        np.testing.assert_array_equal(np.sort(histogram(form).reshape(-1).astype(float)), np.arange(6.0))
    assert histogram(many.to(torch.float8_e4m3fn)).dtype == np.float32
    with pytest.raises(BadInput, match=r"^'loss' needs real numbers, but got Tensor of type complex64"):
        number(torch.tensor(1j))
    with pytest.raises(BadInput, match=r"^'loss' needs numbers, but Tensor gave: "):
        number(torch.tensor([0.0, 5.0]).to_sparse())


def test_tensorflow_tensors() -> None:
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    for one in (tf.constant(0.5), tf.Variable([[0.5]]), keras.Variable(0.5), tf.constant(0.5, tf.bfloat16)):
        assert number(one) == 0.5
    np.testing.assert_array_equal(histogram(tf.range(5)), np.arange(5))
    np.testing.assert_array_equal(histogram(keras.Variable([1.0, 2.0])), [1, 2])
    with pytest.raises(BadInput, match=r"^'loss' needs real numbers, but got EagerTensor of type"):
        number(tf.constant("text"))

    caught = []

    @tf.function
    def traced(value: Any) -> None:
        with pytest.raises(
            BadInput, match=r"a symbolic tensor has no value yet.*Log outside of tf\.function"
        ):
            number(value)
        caught.append(value)

    traced(tf.constant(1.0))
    assert caught


def test_a_histogram_of_one_number_stays_a_histogram() -> None:
    (found,) = prepare("weights", Histogram(np.array([2.5])))
    assert isinstance(found, Payload)
    assert (found.kind, found.meta()["shape"]) == ("histogram", (1,))


def test_a_histogram_on_a_device_is_read_later() -> None:
    tensor = OnDevice([2.5])
    for value in (Histogram(tensor), [Histogram(tensor)]):
        (found,) = prepare("weights", value)
        assert isinstance(found, Snapshot)
        assert tensor.reads == 0
        later = from_array("weights", found.read(), histogram=found.histogram)
        assert isinstance(later, Payload)
        assert later.kind == "histogram"
        assert tensor.reads == 1
        tensor.reads = 0
    (number_later,) = prepare("loss", tensor)
    assert isinstance(number_later, Snapshot)
    assert not number_later.histogram


def test_a_histogram_on_a_device_is_stored_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_STORE", str(tmp_path / "s.db"))
    with stepscope.init() as run:
        run.log({"weights/bias": Histogram(OnDevice([2.5])), "none": Histogram(OnDevice([]))}, step=1)
        stored = Stored(run)
        assert stored.records("histogram", "weights/bias")[1].mean == 2.5
        assert stored.records("histogram", "none")[1].count == 0


class OnDevice:
    """What TensorFlow's eager tensor on a GPU shows of itself; counts how often it is waited for."""

    __module__ = "tensorflow.fake"
    device = "/job:localhost/replica:0/task:0/device:GPU:0"

    def __init__(self, values: list[float]) -> None:
        self.values = values
        self.reads = 0

    def numpy(self) -> np.ndarray:
        self.reads += 1
        return np.array(self.values)
