"""Artifacts: files that a run keeps, and that others use."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import stepscope
from killed import recover_all
from stepscope.storage import artifact_files
from stepscope.storage.artifacts import Artifact, ArtifactInfo, artifacts_of
from stepscope.storage.backup import backup_store
from stepscope.storage.compact import compact
from stepscope.storage.errors import ArtifactNotFound, BadInput, StoreDamaged, StoreError
from stepscope.storage.location import locate
from stepscope.storage.maintain import delete_run
from stepscope.storage.read import Reader
from stepscope.storage.sync import Outcome, sync_run
from stepscope.storage.verify import verify
from stepscope.storage.write import Writer
from support import forked


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache out of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a folder with files, one of them in several parts and one empty."""
    folder = tmp_path / "model"
    (folder / "assets").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(os.urandom(5000))
    (folder / "assets" / "words.txt").write_text("a b c")
    (folder / "empty").touch()
    return folder


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_files, "PART_BYTES", 2048)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def stored(store: str, name: str | None = None) -> list[ArtifactInfo]:
    with Reader.open(store) as reader:
        return artifacts_of(reader, name=name)


@pytest.mark.usefixtures("small_parts")
def test_a_folder_comes_back_as_it_was_at_the_call(each_store_url: str, model: Path, tmp_path: Path) -> None:
    before = contents(model)
    with stepscope.init(store=each_store_url, project="digits") as run:
        run.log({"loss": 1.0}, step=5)
        logged = run.log_artifact(model, "classifier", type="model", metadata={"acc": 0.9}, aliases=["best"])
        # Written over, cut short and deleted: what was logged stays what it was.
        (model / "weights.bin").write_bytes(b"new")
        (model / "assets" / "words.txt").unlink()
        assert logged.wait().version == "v0"
        used = run.use_artifact("classifier:best")
    assert contents(used.path) == before
    assert contents(logged.download(tmp_path / "there")) == before
    assert (used.type, used.metadata, used.size) == ("model", {"acc": 0.9}, 5005)
    assert (used.digest, used.aliases, used.run_id) == (logged.digest, ("best", "latest"), run.id)
    assert {file.path: len(file.parts) for file in used.files} == {
        "weights.bin": 3,
        "assets/words.txt": 1,
        "empty": 0,
    }
    with Reader.open(each_store_url) as reader:
        assert verify(reader).ok
    assert not list(Path(tmp_path).rglob("staged-*"))


def test_a_file_and_its_name(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "my model (2).pt").write_bytes(b"123")
    with stepscope.init(store=store_url) as run:
        artifact = run.log_artifact(tmp_path / "my model (2).pt")
        assert artifact.name == "my-model-2-.pt"
        assert artifact.path.name == "my model (2).pt"
        assert artifact.path.read_bytes() == b"123"
        assert not os.access(artifact.path, os.W_OK) or os.getuid() == 0


def test_versions_aliases_and_the_same_content_again(store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "data"
    for content, alias in ((b"a", "best"), (b"b", "best"), (b"b", "again"), (b"a", "old")):
        file.write_bytes(content)
        with stepscope.init(store=store_url, project="p") as run:
            run.log_artifact(file, "data", aliases=[alias])
            run.log_artifact(file, "other")
    with stepscope.init(store=store_url, project="elsewhere") as run:
        assert run.log_artifact(file, "data").version == "v0"
        assert run.use_artifact("p/data:best").version == "v1"
    found = [(one.project, one.version, one.aliases) for one in stored(store_url, "data")]
    assert found == [
        ("elsewhere", 0, ("latest",)),
        ("p", 0, ()),
        ("p", 1, ("again", "best")),
        ("p", 2, ("latest", "old")),
    ]
    with stepscope.open(store_url) as opened:
        assert [opened.artifact(f"data:{which}", "p").version for which in ("latest", "v0", "again")] == [
            "v2",
            "v0",
            "v1",
        ]
        assert len(opened.artifacts("p")) == 6
        assert opened.run(run.id).used_artifacts[0]["version"] == 1
        assert [one.name for one in opened.run(run.id).artifacts] == ["data"]


def test_what_is_not_there_is_named(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with stepscope.init(store=store_url, project="p") as run:
        run.log_artifact(tmp_path / "data", "digits")
        with pytest.raises(ArtifactNotFound, match=r"has no artifact 'digit'\. Near names: 'digits'"):
            run.use_artifact("digit")
        with pytest.raises(ArtifactNotFound, match=r"has no 'v7'\. It has: v0, latest"):
            run.use_artifact("digits:v7")
        with pytest.raises(BadInput, match="an artifact is named by a text"):
            run.use_artifact(7)  # pyright: ignore[reportArgumentType]


def test_what_cannot_be_an_artifact_says_so(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    os.mkfifo(tmp_path / "pipe")
    with stepscope.init(store=store_url) as run:
        for path, options, sentence in (
            (tmp_path / "none", {}, "but there is none at"),
            (tmp_path / "pipe", {}, "is a file or a folder, but .*pipe is neither"),
            (7, {}, "needs the path of a file or a folder, but got 7"),
            (tmp_path / "data", {"name": "../x"}, "an artifact's name has letters"),
            (tmp_path / "data", {"aliases": ["v3"]}, "cannot look like a version, but 'v3' does"),
            (tmp_path / "data", {"metadata": [1]}, "metadata is a dict, but got"),
            (tmp_path / "data", {"metadata": {"a": "x" * 2**21}}, "has at most 1 MiB"),
        ):
            with pytest.raises(BadInput, match=sentence):
                run.log_artifact(path, **options)  # pyright: ignore[reportArgumentType]
    assert stored(store_url) == []


def test_without_a_store_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPSCOPE_STRICT")
    (tmp_path / "data").touch()
    with stepscope.init(store=tmp_path / "no" / "such" / "folder" / "x.db") as run:
        artifact = run.log_artifact(tmp_path / "data")
        missing = run.log_artifact(tmp_path / "missing")
        for one in (artifact, missing):
            with pytest.raises(StoreError, match="the artifact was not kept"):
                _ = one.digest
        with pytest.raises(StoreError, match="no artifact can be used"):
            run.use_artifact("data")


@pytest.mark.crash
def test_a_kill_keeps_what_was_logged_and_nothing_half(store_url: str, model: Path) -> None:
    before = contents(model)

    def train(*, copied: bool) -> None:
        run = stepscope.init(store=store_url, name="copied" if copied else "cut")
        if not copied:
            kill_at_second_file()
        run.log_artifact(model, "model")
        os.kill(os.getpid(), signal.SIGKILL)

    def kill_at_second_file() -> None:
        copy = artifact_files._copy

        def cut(*arguments: int) -> int:
            done = copy(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
            return done

        artifact_files._copy = cut

    for copied in (True, False):
        os.waitpid(forked(lambda copied=copied: train(copied=copied)), 0)
        recover_all(store_url)
    (found,) = stored(store_url)
    with stepscope.open(store_url) as opened:
        assert contents(opened.artifact("model").path) == before
        assert found.run_id == opened.run("copied").id
    assert list(Path(f"{store_url}.files").rglob("staged-*"))
    with Writer.open(store_url) as writer:
        assert compact(writer).files_removed >= 1
    assert not list(Path(f"{store_url}.files").rglob("staged-*"))
    with Reader.open(store_url) as reader:
        assert verify(reader).ok


@pytest.fixture
def filled(store_url: str, tmp_path: Path) -> tuple[str, bytes]:
    """Return a store with an artifact of two files, a large one and a small one, and the large one."""
    (tmp_path / "data").mkdir()
    large = os.urandom(3 << 20)
    (tmp_path / "data" / "large").write_bytes(large)
    (tmp_path / "data" / "copy").write_bytes(large)
    (tmp_path / "data" / "small").write_bytes(b"small")
    with stepscope.init(store=store_url, project="p", name="maker") as run:
        run.log_artifact(tmp_path / "data", "data").wait()
    return store_url, large


def opened_artifact(store: str) -> Artifact:
    with stepscope.open(store) as opened:
        return opened.artifact("p/data")


def test_the_same_bytes_are_stored_once(filled: tuple[str, bytes]) -> None:
    store, large = filled
    files = [path for path in Path(f"{store}.files").rglob("*") if path.is_file()]
    assert [path.stat().st_size for path in files] == [len(large)]
    with Reader.open(store) as reader:
        assert verify(reader).blobs == 2


def test_sync_and_backup_take_them_along(filled: tuple[str, bytes], tmp_path: Path, cache: Path) -> None:
    store, large = filled
    backup = backup_store(locate(store), tmp_path / "backup.db")
    copy = str(tmp_path / "copy.db")
    with Reader.open(store) as reader, Writer.open(copy) as writer:
        assert sync_run(reader, writer, reader.runs()[0]).outcome is Outcome.COPIED
    Path(store).unlink()
    shutil.rmtree(f"{store}.files")
    for place in (str(backup.path), copy):
        shutil.rmtree(cache, ignore_errors=True)
        assert (opened_artifact(place).path / "large").read_bytes() == large
        with Reader.open(place) as reader:
            assert verify(reader).ok


def test_deleting_a_run_removes_its_files(filled: tuple[str, bytes]) -> None:
    store, _ = filled
    with Writer.open(store) as writer, Reader.open(store) as reader:
        delete_run(writer, reader.find_run("maker").run_id)
    assert not list(Path(f"{store}.files").rglob("*"))
    assert stored(store) == []


def test_damage_is_found_by_verify_and_when_it_is_used(filled: tuple[str, bytes]) -> None:
    store, _ = filled
    (file,) = [path for path in Path(f"{store}.files").rglob("*") if path.is_file()]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with Reader.open(store) as reader:
        assert "does not hold the bytes that were stored" in str(verify(reader).faults[0])
    with pytest.raises(StoreDamaged, match="is not what was stored"):
        _ = opened_artifact(store).path
    file.unlink()
    with Reader.open(store) as reader:
        assert "is missing" in str(verify(reader).faults[0])


def test_a_file_that_would_lie_outside_is_refused(filled: tuple[str, bytes], tmp_path: Path) -> None:
    store, _ = filled
    info = stored(store)[0]
    evil = artifact_files.ArtifactFile("../../evil", 5, info.files[0].digest, info.files[0].parts)
    artifact = Artifact("x", lambda: replace_files(info, evil), store)
    with pytest.raises(StoreDamaged, match="would lie outside of its folder"):
        artifact.download(tmp_path / "out" / "deep")
    assert not list(tmp_path.rglob("evil"))


def replace_files(info: ArtifactInfo, file: artifact_files.ArtifactFile) -> ArtifactInfo:
    return replace(info, files=(file,))


def test_a_download_never_writes_over_something(filled: tuple[str, bytes], tmp_path: Path) -> None:
    artifact = opened_artifact(filled[0])
    with pytest.raises(BadInput, match="needs a new or an empty folder"):
        artifact.download(tmp_path / "data")
    # A cache that somebody changed is made anew.
    (artifact.path / "small").chmod(0o644)
    (artifact.path / "small").write_bytes(b"changed!")
    assert (opened_artifact(filled[0]).path / "small").read_bytes() == b"small"
