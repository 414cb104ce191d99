"""What decides whether a run can be repeated: seeds, determinism, precision, versions, devices.

Of each framework that the program has loaded the same keys are told; none is imported for it, and no device
is woken. What a framework does not have or does not tell is None.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

_log = logging.getLogger("stepscope")

_Finders = Mapping[str, Callable[[], Any]]
_MT_WORDS = 624
"""A generator of numpy that has drawn nothing yet stands there, and its first word is its seed."""


def capture_reproducibility() -> dict[str, Any]:
    """Return what can be said now; takes a millisecond and never raises.

    Returns:
        `python` (hash_seed), `numpy` (version, seed) and, of `torch` and `tensorflow` where they are loaded:
        version, seed, deterministic, cudnn_deterministic, cudnn_benchmark, float32_precision (of matrix
        products: "highest", "high" or "medium"), dtype (of new weights), autocast (the dtype that is computed
        in where it is not that one), cuda, cudnn, devices (names). Of `keras` what is its own: version,
        backend, seed, dtype, autocast, policy.
    """
    found: dict[str, Any] = {"python": {"hash_seed": os.environ.get("PYTHONHASHSEED")}}
    for name, finders_of in _LIBRARIES.items():
        module = sys.modules.get(name)
        if module is not None:
            finders: _Finders = _attempt(name, lambda of=finders_of, module=module: of(module)) or {}
            found[name] = {key: _attempt(name, find) for key, find in finders.items()}
    return found


def merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known after a second look: what can no longer be told stays as it was."""
    both = dict(before)
    for name, facts in now.items():
        known = dict(both.get(name) or {})
        both[name] = {**known, **{key: value for key, value in facts.items() if value is not None}}
        both[name] |= {key: None for key in facts if key not in both[name]}
    return both


def _attempt(name: str, find: Callable[[], Any]) -> Any:
    try:
        return find()
    except Exception as error:  # a library of another version, or one that is half loaded
        _log.debug("reproducibility: %s: %s", name, error)
        return None


def _numpy(numpy: Any) -> _Finders:
    def seed() -> int | None:
        _, words, position, *_ = numpy.random.get_state()
        return int(words[0]) if position == _MT_WORDS else None

    return {"version": lambda: str(numpy.__version__), "seed": seed}


def _torch(torch: Any) -> _Finders:
    cudnn = torch.backends.cudnn

    def autocast() -> str | None:
        kinds = [kind for kind in ("cuda", "cpu") if torch.is_autocast_enabled(kind)]
        return _word(torch.get_autocast_dtype(kinds[0])) if kinds else None

    def devices() -> list[str]:
        # Asking for names before the program used a GPU would take memory on it.
        ready = torch.cuda.is_initialized()
        return [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count() if ready else 0)]

    return {
        "version": lambda: str(torch.__version__),
        "seed": lambda: int(torch.initial_seed()),
        "deterministic": lambda: bool(torch.are_deterministic_algorithms_enabled()),
        "cudnn_deterministic": lambda: bool(cudnn.deterministic),
        "cudnn_benchmark": lambda: bool(cudnn.benchmark),
        "float32_precision": lambda: str(torch.get_float32_matmul_precision()),
        "dtype": lambda: _word(torch.get_default_dtype()),
        "autocast": autocast,
        "cuda": lambda: torch.version.cuda,
        "cudnn": lambda: str(cudnn.version()) if torch.version.cuda else None,
        "devices": devices,
    }


def _tensorflow(tensorflow: Any) -> _Finders:
    context = sys.modules.get("tensorflow.python.eager.context")

    def built(key: str) -> str | None:
        found = tensorflow.sysconfig.get_build_info().get(key)
        return None if found is None else str(found)

    def precision() -> str:
        fast = tensorflow.config.experimental.tensor_float_32_execution_enabled()
        return "high" if fast else "highest"

    def devices() -> list[str]:
        if context is None or not context.context()._initialized:
            return []
        details = tensorflow.config.experimental.get_device_details
        gpus = tensorflow.config.list_physical_devices("GPU")
        return [str(details(gpu).get("device_name", gpu.name)) for gpu in gpus]

    return {
        "version": lambda: str(tensorflow.__version__),
        "seed": lambda: None if context is None else context.global_seed(),
        "deterministic": _tensorflow_is_deterministic,
        "cudnn_deterministic": lambda: _is_set("TF_CUDNN_DETERMINISTIC") or _tensorflow_is_deterministic(),
        "cudnn_benchmark": lambda: os.environ.get("TF_CUDNN_USE_AUTOTUNE", "1") != "0",
        "float32_precision": precision,
        "dtype": lambda: "float32",
        "autocast": lambda: None,
        "cuda": lambda: built("cuda_version"),
        "cudnn": lambda: built("cudnn_version"),
        "devices": devices,
    }


def _tensorflow_is_deterministic() -> bool:
    config: Any = sys.modules.get("tensorflow.python.framework.config")
    enabled = config is not None and bool(config.is_op_determinism_enabled())
    return enabled or _is_set("TF_DETERMINISTIC_OPS")


def _keras(keras: Any) -> _Finders:
    """Tell what Keras adds: the rest is its backend's."""
    policy = keras.config.dtype_policy

    def autocast() -> str | None:
        return str(policy().compute_dtype) if policy().compute_dtype != policy().variable_dtype else None

    return {
        "version": lambda: str(keras.__version__),
        "backend": lambda: str(keras.config.backend()),
        "seed": lambda: sys.modules["keras.src.utils.rng_utils"].get_random_seed(),
        "dtype": lambda: str(policy().variable_dtype),
        "autocast": autocast,
        "policy": lambda: str(policy().name),
    }


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in ("1", "true")


def _word(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


_LIBRARIES: Mapping[str, Callable[[Any], _Finders]] = {
    "numpy": _numpy,
    "torch": _torch,
    "tensorflow": _tensorflow,
    "keras": _keras,
}
