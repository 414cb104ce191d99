"""Several processes that train together, and the one run that all of them log into.

Nothing is configured and nobody waits for anybody: each process derives the same run id from what its
launcher told all of them, and whichever stores first enters the run. What launchers tell is unique for a
launch where it can be: the job step of Slurm, the launcher's own process on one machine, a word that the
ranks agree on through torch.distributed's store. Where it may not be (a fixed address and port of several
machines, launched again), `generation` steps over runs that are those of an earlier launch.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from ..storage.model import Run, RunState
from .run_id import CROCKFORD, ID_LENGTH

_VARIABLES = (
    ("RANK", ("WORLD_SIZE",), "LOCAL_RANK"),
    ("OMPI_COMM_WORLD_RANK", ("OMPI_COMM_WORLD_SIZE",), "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("MV2_COMM_WORLD_RANK", ("MV2_COMM_WORLD_SIZE",), "MV2_COMM_WORLD_LOCAL_RANK"),
    ("HOROVOD_RANK", ("HOROVOD_SIZE",), "HOROVOD_LOCAL_RANK"),
    ("PMI_RANK", ("PMI_SIZE",), "MPI_LOCALRANKID"),
    ("SLURM_PROCID", ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"), "SLURM_LOCALID"),
)
"""Rank, size, local rank: torchrun, Open MPI, MVAPICH, Horovod, MPICH, Slurm; the first counts."""

_LOCAL_SIZES = (
    ("LOCAL_WORLD_SIZE", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_SIZE"),
    ("MPI_LOCALNRANKS", "PMI_SIZE"),
    ("HOROVOD_LOCAL_SIZE", "HOROVOD_SIZE"),
)
_NAMES_OF_A_LAUNCH = (
    "SLURM_CLUSTER_NAME", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT",
    "PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PMI_JOBID",
    "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT",
)  # fmt: skip
_HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared with, never listened on
_CLOCKS_APART = 60.0
"""Seconds by which the clocks of two machines, and the starts of their processes, may differ."""

_inits = itertools.count()


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process stands among those that train together."""

    rank: int
    size: int
    local_rank: int | None
    """The rank on this machine; None when nobody told."""
    launch: str
    """What the processes of one launch have in common, and those of another have not."""

    def run_id(self, generation: int) -> str:
        """Return the id of the run, the same on each rank."""
        digest = hashlib.sha256(f"{self.launch} {generation}".encode()).digest()
        bits = int.from_bytes(digest[:8], "big")
        return "".join(CROCKFORD[bits >> 5 * place & 31] for place in range(ID_LENGTH))

    def is_ours(self, found: Run) -> bool:
        """Whether a run with our id can be the one of this launch.

        Of an earlier launch are runs that were begun, or had ended, before this process was, and those whose
        process is gone without a word; and for rank 0 all that another rank 0 began: only a rank that came
        first, as `pid` 0 tells, has left it to us.
        """
        since = process_began()
        ended = found.finished_at is not None and found.finished_at < since
        old = found.created_at < since - _CLOCKS_APART
        return not (ended or old or _is_gone(found) or (self.rank == 0 and found.pid))


def process_began() -> float:
    """Return when this process began, in seconds since the epoch; on Linux to a hundredth of one."""
    if sys.platform != "linux":
        return psutil.Process().create_time()
    # Where the machine's start is known to whole seconds only, which is the age of a short run.
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


def _is_gone(run: Run) -> bool:
    if run.state is RunState.KILLED:
        return True
    here = run.host == platform.node() and run.pid != 0
    return run.state is RunState.RUNNING and here and not psutil.pid_exists(run.pid)


def find_place() -> Place | None:
    """Return where this process stands, from torch.distributed or the environment; None when it is alone.

    Called once for each `stepscope.init`: the second run of a program is another one on each rank.
    """
    environ = os.environ
    ranks = _from_torch() or _from_variables(environ) or _from_tf_config(environ)
    if ranks is None or ranks[1] < 2 or not 0 <= ranks[0] < ranks[1]:
        return None
    launch = [_agreed_in_torch() or _launch_of(environ), str(next(_inits))]
    return Place(ranks[0], ranks[1], ranks[2], " ".join(launch))


def _from_variables(environ: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    for rank, sizes, local in _VARIABLES:
        size = next((environ[name] for name in sizes if name in environ), "")
        if environ.get(rank, "").isdecimal() and size.isdecimal():
            here = environ.get(local, "")
            return int(environ[rank]), int(size), int(here) if here.isdecimal() else None
    return None


def _from_tf_config(environ: Mapping[str, str]) -> tuple[int, int, int | None] | None:
    """Read TensorFlow's description of a cluster: the chief is rank 0, the workers follow."""
    try:
        described: Any = json.loads(environ.get("TF_CONFIG", "{}"))
        cluster, task = described["cluster"], described["task"]
        places = [
            (kind, index) for kind in ("chief", "worker") for index in range(len(cluster.get(kind, ())))
        ]
        return places.index((task["type"], int(task["index"]))), len(places), None
    except (ValueError, KeyError, TypeError, AttributeError):
        # No cluster, or a task that does not train: an evaluator, a parameter server.
        return None


def _launch_of(environ: Mapping[str, str]) -> str:
    named = [environ.get(name, "") for name in _NAMES_OF_A_LAUNCH]
    named.append(json.dumps(_cluster(environ), sort_keys=True, default=str))
    if _is_one_machine(environ):
        # Two launches with the same port and names, one after the other or in two containers.
        launcher = psutil.Process().parent()
        named += [platform.node(), f"{launcher.pid} {launcher.create_time()}" if launcher else ""]
    return "|".join(named)


def _cluster(environ: Mapping[str, str]) -> Any:
    try:
        return json.loads(environ.get("TF_CONFIG", "{}")).get("cluster")
    except (ValueError, AttributeError):
        return None


def _is_one_machine(environ: Mapping[str, str]) -> bool:
    for local, size in _LOCAL_SIZES:
        if local in environ and size in environ:
            return environ[local] == environ[size]
    if "SLURM_STEP_ID" in environ and "RANK" not in environ:
        return False  # the step's number is enough, and is the same everywhere
    if "TF_CONFIG" in environ:
        return False
    return environ.get("MASTER_ADDR", "localhost") in _HERE


def _torch_distributed() -> Any:
    """Return torch.distributed where a process group was made; torch is not imported to find out."""
    found: Any = getattr(sys.modules.get("torch"), "distributed", None)
    return found if found is not None and found.is_available() and found.is_initialized() else None


def _from_torch() -> tuple[int, int, int | None] | None:
    group = _torch_distributed()
    if group is None:
        return None
    here = os.environ.get("LOCAL_RANK", "")
    return int(group.get_rank()), int(group.get_world_size()), int(here) if here.isdecimal() else None


def _agreed_in_torch() -> str | None:
    """Return a word that all ranks of a process group get: that of the first one that asks."""
    group = _torch_distributed()
    if group is None:
        return None
    try:
        store: Any = group.distributed_c10d._get_default_store()
        return cast("bytes", store.compare_set("stepscope/launch", "", secrets.token_hex(8))).decode()
    except (AttributeError, RuntimeError, NotImplementedError):
        return None  # a store without compare_set; the environment tells
