"""The files of an artifact on their way into the store: copied when it is logged, hashed when it is stored.

They lie in `<store>.files/<run>/staged-<random>/` (with PostgreSQL beside the journals), cut into parts, so
that nothing ever needs more memory than one part. The journal names the folder: whoever stores the journal,
after a kill some other process, finds the parts, names each by its digest and enters it among the blobs. What
was not copied to its end is named by no journal, and `stepscope compact` removes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import BadInput, StoreDamaged
from .location import StoreLocation

PART_BYTES = 64 << 20
MOST_FILES = 100_000
STAGED = "staged-"
_MANIFEST = "manifest.json"
_COPY_BYTES = 8 << 20
_NOT_HERE = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.EBADF)
"""What the system says where it cannot copy between two files by itself."""


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """One file of an artifact."""

    path: str
    """Within the artifact, with slashes."""
    size: int
    digest: str
    """SHA-256 of the whole file, 64 hexadecimal digits."""
    parts: tuple[str, ...]
    """Digests of its parts of 64 MiB, in order: they are blobs of the run. None for an empty file."""


def staging_place(location: StoreLocation) -> Path:
    """Return the folder in which the parts of artifacts wait for the store, one folder a run."""
    # Where large blobs end: on the same disk, a part is then renamed into place and not copied.
    return location.spool.with_name("files") if location.files is None else location.files


def stage(location: StoreLocation, run_id: str, source: Path) -> tuple[str, list[dict[str, Any]]]:
    """Copy a file, or a folder with all files in it, as they are now.

    Where the file system can share blocks (btrfs, XFS), no byte is read; elsewhere the system copies, about
    a second for each gigabyte.

    Returns:
        The name of the folder with the copies, and path, size and number of each file.

    Raises:
        BadInput: it is neither a file nor a folder, or it holds too many files.
        OSError: it cannot be read, or the disk is full; no copy is left.
    """
    files = list(_files_of(source))
    if len(files) > MOST_FILES:
        raise BadInput(
            f"an artifact has at most {MOST_FILES} files, but {source} holds {len(files)}. Pack them first."
        )
    name = f"{STAGED}{secrets.token_hex(6)}"
    folder = staging_place(location) / run_id / name
    folder.mkdir(parents=True)
    try:
        listed = [
            {"path": inside, "size": _copy_in_parts(path, folder, number), "number": number}
            for number, (inside, path) in enumerate(files)
        ]
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return name, listed


def hash_staged(
    location: StoreLocation, run_id: str, name: str, listed: Sequence[Mapping[str, Any]]
) -> list[ArtifactFile]:
    """Return the files that `stage` copied, with their digests.

    Raises:
        StoreDamaged: some are gone.
        OSError: they cannot be read, or the disk is full.
    """
    folder = staging_place(location) / run_id / name
    manifest = folder / _MANIFEST
    # Parts that were moved into place by a transaction that failed are not here any more.
    if manifest.exists():
        return files_from(json.loads(manifest.read_text()))
    files = [_hashed(folder, one) for one in listed]
    fresh = folder / f"{_MANIFEST}.new"
    fresh.write_text(json.dumps([asdict(file) for file in files]))
    fresh.replace(manifest)
    return files


def files_from(listed: Any) -> list[ArtifactFile]:
    """Return the files of a stored list. Raises StoreDamaged when it is none."""
    try:
        return [ArtifactFile(one["path"], one["size"], one["digest"], tuple(one["parts"])) for one in listed]
    except (TypeError, KeyError) as error:
        raise StoreDamaged(f"the list of an artifact's files cannot be read: {error!r}") from error


def staged_parts(location: StoreLocation, run_id: str, name: str, number: int, count: int) -> list[Path]:
    """Return where the parts of a file wait."""
    folder = staging_place(location) / run_id / name
    return [folder / f"{number}.{part}" for part in range(count)]


def discard_staged(location: StoreLocation, run_id: str, name: str) -> None:
    """Remove a folder whose parts are in the store."""
    folder = staging_place(location) / run_id / name
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # which only an empty one allows


def digest_of_files(files: Sequence[ArtifactFile]) -> str:
    """Return the digest of an artifact: SHA-256 over path and digest of each file, sorted by path."""
    total = hashlib.sha256()
    for file in sorted(files, key=lambda one: one.path):
        total.update(f"{file.path}\0{file.digest}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _files_of(source: Path) -> Iterator[tuple[str, Path]]:
    mode = source.stat().st_mode
    if stat.S_ISREG(mode):
        yield source.name, source
        return
    if not stat.S_ISDIR(mode):
        raise BadInput(
            f"an artifact is a file or a folder, but {source} is neither. Write it to a file first."
        )
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            # No pipe, which would be read forever, and no link that leads nowhere.
            if path.is_file():
                yield path.relative_to(source).as_posix(), path


def _copy_in_parts(path: Path, folder: Path, number: int) -> int:
    """Copy a file into `<number>.0`, `<number>.1` ...; return its bytes."""
    done = 0
    with path.open("rb", buffering=0) as source:
        size = os.fstat(source.fileno()).st_size
        while done < size:
            with (folder / f"{number}.{done // PART_BYTES}").open("xb", buffering=0) as part:
                copied = _copy(source.fileno(), part.fileno(), done, min(PART_BYTES, size - done))
            done += copied
            if copied < PART_BYTES:
                break  # the end, or somebody cut the file short meanwhile
    return done


def _copy(source: int, target: int, start: int, size: int) -> int:
    """Copy bytes from `start` on; return how many there were."""
    done = 0
    if hasattr(os, "copy_file_range"):
        try:
            # Shares blocks where the file system can, and keeps the bytes out of this process elsewhere.
            while done < size:
                count = os.copy_file_range(source, target, size - done, start + done)
                if not count:
                    return done
                done += count
            return done
        except OSError as error:
            if done or error.errno not in _NOT_HERE:
                raise
    os.lseek(source, start, os.SEEK_SET)
    while done < size:
        data = os.read(source, min(_COPY_BYTES, size - done))
        if not data:
            break
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
        done += len(data)
    return done


def _hashed(folder: Path, listed: Mapping[str, Any]) -> ArtifactFile:
    whole, parts = hashlib.sha256(), list[str]()
    size = int(listed["size"])
    for part in range(-(-size // PART_BYTES)):
        path = folder / f"{listed['number']}.{part}"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreDamaged(f"the file {path} of an artifact is missing") from None
        whole.update(data)
        parts.append(whole.hexdigest() if size <= PART_BYTES else hashlib.sha256(data).hexdigest())
    return ArtifactFile(str(listed["path"]), size, whole.hexdigest(), tuple(parts))
