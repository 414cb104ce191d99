"""Whether a path lies on a network file system, where SQLite's log and memory maps are not safe.

SQLite's write-ahead log needs memory that all its users share, which machines do not; locks and memory
maps over a network do not hold what they promise either (https://sqlite.org/wal.html, "disadvantages").
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_NETWORK = re.compile(
    "nfs[34]?|cifs|smb.*|afp.*|afs|auristorfs|coda|webdav|davfs|ncpfs|9p|vboxsf|vmhgfs|prl_fs"
    "|lustre|beegfs|gpfs|ceph|glusterfs|pvfs2|orangefs|panfs|wekafs|ocfs2|gfs2"
    "|fuse[.-](sshfs|s3fs|gcsfuse|goofys|mount-s3|rclone|juicefs|blobfuse2?|alluxio.*|davfs|gvfsd.*|cvmfs2"
    "|glusterfs|ceph.*|moosefs|mfs|lizardfs|seaweedfs|weed|vmhgfs-fuse|grpcfuse|osxfs)"
)
_MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_MACOS_LINE = re.compile(r"^.* on (?P<point>/.*) \((?P<kind>[\w.-]+)[,)]")


class Mount(NamedTuple):
    """Where a file system is mounted, and of which kind it is."""

    point: str
    kind: str


def network_kind(path: Path) -> str | None:
    """Return the kind of the network file system that a path lies on (such as "nfs4"), or None."""
    kind = kind_of(path.resolve(), _mounts())
    return kind if kind is not None and is_network(kind) else None


def is_network(kind: str) -> bool:
    """Return whether a kind of file system, as mount tables name it, lies on other machines."""
    return _NETWORK.fullmatch(kind) is not None


def kind_of(path: Path, mounts: list[Mount]) -> str | None:
    """Return the kind of the file system that an absolute path lies on; None when no mount fits."""
    best: Mount | None = None
    for mount in mounts:
        fits = path == Path(mount.point) or Path(mount.point) in path.parents
        # Of two at one place, the later one covers the earlier one.
        if fits and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return None if best is None else best.kind


def parse_mountinfo(text: str) -> list[Mount]:
    """Read Linux's /proc/self/mountinfo (proc_pid_mountinfo(5)); lines of another form are left out."""
    mounts: list[Mount] = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if dash and len(fields) >= 6 and kinds[0]:
            point = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), fields[4])
            mounts.append(Mount(point, kinds[0]))
    return mounts


def parse_mount(text: str) -> list[Mount]:
    """Read what macOS's `mount` prints: `server:/home on /Volumes/home (nfs, nodev)`."""
    found = (_MACOS_LINE.match(line) for line in text.splitlines())
    return [Mount(match["point"], match["kind"]) for match in found if match]


def _mounts() -> list[Mount]:
    try:
        if sys.platform == "darwin":
            return parse_mount(_mount_output())
        return parse_mountinfo(_MOUNTINFO.read_text(errors="surrogateescape"))
    except (OSError, subprocess.SubprocessError):
        return []


@lru_cache(1)
def _mount_output() -> str:
    asked = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=2, check=True)
    return asked.stdout
