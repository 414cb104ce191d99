"""Network file systems: told from disks by the mount table, and a store that lies on one."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
from pathlib import Path

import pytest

import stepscope
from feed import new_run, series_of
from stepscope.storage import filesystems
from stepscope.storage.drain import recover_orphans
from stepscope.storage.filesystems import is_network, kind_of, network_kind, parse_mount, parse_mountinfo
from stepscope.storage.location import locate
from stepscope.storage.model import RunState
from stepscope.storage.read import Reader
from stepscope.storage.write import Writer
from support import forked

LINUX = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 0:30 / /home rw shared:2 master:3 - nfs4 server:/home rw,vers=4.2,addr=10.0.0.1
31 30 0:31 / /home/me/scratch rw - xfs /dev/nvme0n1 rw
32 27 0:32 / /my\\040share rw - cifs //server/share rw
33 27 0:33 / /auto rw - autofs systemd-1 rw
34 33 0:34 / /auto rw - fuse.sshfs me@host: rw
a line of another form
35 27 0:35 / /half
"""

MACOS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
server:/export/home on /Volumes/my home (nfs, nodev, nosuid)
//me@server/share on /Volumes/share (smbfs, nodev, nosuid, mounted by me)
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/homes/me", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/runs.db", "nfs4"),
        ("/home/me/scratch/runs.db", "xfs"),
        ("/my share/runs.db", "cifs"),
        ("/auto/runs.db", "fuse.sshfs"),
        ("/half/runs.db", "ext4"),
    ],
)
def test_the_longest_mount_tells_what_a_path_lies_on(path: str, kind: str) -> None:
    assert kind_of(Path(path), parse_mountinfo(LINUX)) == kind


def test_the_mounts_of_macos() -> None:
    mounts = parse_mount(MACOS)
    assert kind_of(Path("/Volumes/my home/runs.db"), mounts) == "nfs"
    assert kind_of(Path("/Volumes/share"), mounts) == "smbfs"
    assert kind_of(Path("/Users/me"), mounts) == "apfs"


def test_without_a_mount_nothing_is_known() -> None:
    assert kind_of(Path("/home"), []) is None


@pytest.mark.parametrize(
    ("kinds", "network"),
    [
        ("nfs nfs4 cifs smb3 smbfs lustre beegfs gpfs ceph glusterfs 9p afs fuse.sshfs fuse.s3fs", True),
        ("ext4 xfs btrfs zfs apfs tmpfs overlay fuseblk fuse.ntfs-3g f2fs vfat virtiofs", False),
    ],
)
def test_kinds_of_the_network(kinds: str, network: bool) -> None:
    assert [kind for kind in kinds.split() if is_network(kind) is not network] == []


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert network_kind(tmp_path / "runs.db") is None or os.environ.get("TMPDIR")


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the mount table says lies on NFS; the user's state lies on a disk."""
    made = tmp_path / "share"
    made.mkdir()
    table = tmp_path / "mountinfo"
    table.write_text(f"27 1 254:0 / / rw - ext4 /dev/vda rw\n30 27 0:30 / {made} rw - nfs4 server:/home rw\n")
    monkeypatch.setattr(filesystems, "_MOUNTINFO", table)
    monkeypatch.setattr(filesystems.sys, "platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return made


def mode_of(store: Path) -> str:
    connection = sqlite3.connect(store)
    mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
    connection.close()
    return mode


def test_a_store_on_the_network(share: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "stepscope")
    store = share / "runs.db"
    location = locate(store)
    assert (location.network, location.files) == ("nfs4", share / "runs.db.files")
    assert location.spool.is_relative_to(tmp_path / "state")
    with stepscope.init(store=store) as run, Reader.open(store) as reader:
        for step in range(1000):
            run.log({"loss": float(step)}, step=step)
        assert run.flush()
        assert reader.points(series_of(reader, run.id, "loss")).total == 1000
        with Writer.open(store) as writer, writer.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        run.log({"loss": -1.0}, step=1000)
    assert {path.name for path in share.iterdir()} == {"runs.db"}
    with Reader.open(store) as reader:
        assert reader.points(series_of(reader, run.id, "loss")).total == 1001
    (record,) = caplog.records
    assert "runs.db lies on a network file system (nfs4), where SQLite's fast mode" in record.getMessage()
    assert "after a crash only a run or a dashboard on this machine can store it." in record.getMessage()


def test_a_run_that_was_killed_is_recovered_from_the_local_disk(share: Path) -> None:
    store = share / "runs.db"
    Writer.open(store).close()

    def work() -> None:
        run = stepscope.init(store=store, name="killed")
        assert run.flush()
        for step in range(1000):
            run.log({"loss": float(step)}, step=step)
        os.kill(os.getpid(), signal.SIGKILL)

    assert os.waitpid(forked(work), 0)[1] == signal.SIGKILL
    with Writer.open(store) as writer:
        (run_id,) = recover_orphans(writer)
    with Reader.open(store) as reader:
        assert reader.run(run_id).state is RunState.KILLED
        assert reader.points(series_of(reader, run_id, "loss")).total == 1000


def test_a_store_with_a_log_leaves_it_when_nobody_else_has_it_open(share: Path) -> None:
    store = share / "runs.db"
    Writer.open(store).close()
    other = sqlite3.connect(store, isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("SELECT * FROM runs").fetchall()
    with Writer.open(store) as writer:
        new_run(writer)
    assert mode_of(store) == "wal"
    other.close()
    with Writer.open(store) as writer:
        new_run(writer)
    assert mode_of(store) == "delete"


def test_a_home_on_the_network_has_its_journals_elsewhere(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(share / "state"))
    spool = locate("postgresql://host/runs").spool
    assert not spool.is_relative_to(share)
    assert spool.relative_to("/var/tmp").parts[0] == f"stepscope-{os.getuid()}"  # noqa: S108
