"""aim: RocksDB, indexed by a server's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peers.base import Peer, Read


class Aim(Peer):
    """Without tracking of the machine and without capture of the terminal."""

    title = "aim"
    packages = ("aim",)
    module = "aim"
    versions_of = ("aim", "aimrocks")
    costly = True
    histograms = images = True

    def __init__(self, folder: Path) -> None:
        import aim

        self._aim = aim
        self.run = aim.Run(
            repo=str(folder),
            experiment="bench",
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )

    def log_all(self, values: Sequence[float]) -> None:
        run = self.run
        for step, value in enumerate(values):
            run.track(value, name="loss", step=step)

    def log(self, step: int, value: float) -> None:
        self.run.track(value, name="loss", step=step)

    def log_dicts(self, dicts: Sequence[Mapping[str, float]]) -> None:
        run = self.run
        for step, values in enumerate(dicts):
            run.track(values, step=step)

    def histogram(self, step: int, values: Any) -> None:
        self.run.track(self._aim.Distribution(values), name="weights", step=step)

    def image(self, step: int, pixels: Any) -> None:
        self.run.track(self._aim.Image(pixels), name="sample", step=step)

    def close(self) -> None:
        self.run.close()

    @classmethod
    def reader(cls, folder: Path) -> Read:
        from aim import Repo
        from aim.sdk.index_manager import RepoIndexManager
        from aim.storage.context import Context

        repo = Repo(str(folder))
        (run_hash,) = (path.name for path in (folder / ".aim" / "meta" / "chunks").iterdir())
        # A closed run cannot be seen until it is indexed, which is what the server does.
        RepoIndexManager.get_index_manager(repo).index(run_hash)

        def read(name: str) -> tuple[Any, Any]:
            run = repo.get_run(run_hash)
            # values.sparse_numpy() alone gives them by the hash of their step.
            steps, (values,) = run.get_metric(name, Context({})).data.view(["val"]).numpy()
            return steps, values

        return read
