"""A process in a poor state: no descriptors left, no place to stand, nobody to tell; training goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostile import lost, points, stored, until_ended
from stepscope.storage.model import RunState
from support import run_python


@pytest.fixture(autouse=True)
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users have it: not strict."""
    monkeypatch.delenv("STEPSCOPE_STRICT")


NO_DESCRIPTORS = """
import os, resource, sys, time
import stepscope
from stepscope.trackers import init
init._SYSTEM_SECONDS = 1e6  # its measurements would be counted as well
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
run = stepscope.init(store=sys.argv[1])
run.log({"loss": 0.0}, step=0)
assert run.flush()
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for step in range(1, 200_000):
    run.log({"loss": float(step)}, step=step)
for step in range(200_000, 200_100):
    run.log({"words": stepscope.Text("x" * 100_000)}, step=step)
for descriptor in taken:
    os.close(descriptor)
assert run.flush()
# The system is asked again after a moment.
end = time.monotonic() + 1.0
while time.monotonic() < end:
    step += 1
    run.log({"loss": -1.0}, step=step)
    time.sleep(0.01)
run.finish()
print(run.id, step)
"""


def test_a_process_without_descriptors(store_url: str) -> None:
    run_id, last = run_python("-c", NO_DESCRIPTORS, store_url).split()
    assert until_ended(store_url, run_id).state is RunState.FINISHED
    found = points(store_url, run_id)
    assert found[int(last)] == -1.0
    counts = stored(store_url, run_id)
    assert sum(counts.values()) + lost(store_url, run_id) == int(last) + 1


ELSEWHERE = """
import os, shutil, sys
import stepscope
os.chdir(sys.argv[1])
run = stepscope.init(store="a.db")
run.log({"loss": 0.0}, step=0)
os.mkdir("gone")
os.chdir("gone")
os.rmdir(os.path.join(sys.argv[1], "gone"))
for step in range(1, 1000):
    run.log({"loss": float(step), "words": stepscope.Text("x" * 10_000)}, step=step)
assert run.flush()
child = os.fork()
if child == 0:
    run.log({"of child": 1.0}, step=0)
    os._exit(0)
os.waitpid(child, 0)
run.finish()
print(run.id)
"""


def test_a_process_whose_folder_is_gone(tmp_path: Path) -> None:
    run_id = run_python("-c", ELSEWHERE, tmp_path).strip()
    found = until_ended(tmp_path / "a.db", run_id)
    assert (found.state, found.dropped) == (RunState.FINISHED, {})
    assert stored(tmp_path / "a.db", run_id) == {"loss": 1000, "words": 999, "of child": 1}


NOBODY_TO_TELL = """
import os, sys
import stepscope
store = sys.argv[1]
run = stepscope.init(store=store)
if sys.argv[2] == "closed":
    os.close(2)
else:
    sys.stderr = sys.__stderr__ = None
for step in range(1000):
    run.log({"loss": float(step), "bad": None}, step=step)
stepscope.init(store=os.path.join(store, "no", "such", "folder")).log({"loss": 1.0})
run.finish("no such end")
run.log({"loss": 1.0})
print(run.id)
"""


@pytest.mark.parametrize("how", ["closed", "none"])
def test_a_process_that_has_nobody_to_tell(store_url: str, how: str) -> None:
    run_id = run_python("-c", NOBODY_TO_TELL, store_url, how).strip()
    assert until_ended(store_url, run_id).state is RunState.FINISHED
    assert len(points(store_url, run_id)) == 1000
    assert lost(store_url, run_id) == 1001, "the end that is none counts as one"
