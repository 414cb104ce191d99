"""A PostgreSQL server in a temporary folder, for as long as the tests run, on a socket file only."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from support import wait_until

# The shell ends the server when its standard input closes, which happens even when the tests are killed.
_UNTIL_STDIN_CLOSES = '"$@" & server=$!; read -r _; kill -INT $server; wait $server'


class Server:
    """A server that may be stopped and started again, over data that stay."""

    def __init__(self, programs: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
        """Make its data; start it with `start`."""
        self._folder, self._account = folder, account
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        _run([*initdb, "--no-locale", "--no-sync"], folder, account)
        self._command = [programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        """The store URL of its database `postgres`."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self._folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _UNTIL_STDIN_CLOSES, "sh", *map(str, self._command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                **_as(self._account),
            )
        wait_until(lambda: _answers(self._folder), 30, f"PostgreSQL; it wrote: {log.read_text()}")

    def stop(self) -> None:
        """Stop it if it runs; its connections are cut."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate(timeout=30)

    @contextmanager
    def hanging(self) -> Generator[None]:
        """Let it neither answer nor end, as a machine that is overloaded or cut off."""
        assert self._process is not None
        stopped = psutil.Process(self._process.pid).children(recursive=True)
        for process in stopped:
            with suppress(psutil.NoSuchProcess):  # some come and go
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


@contextmanager
def own_server(programs: Path) -> Generator[Server]:
    """Start the server whose programs lie in that folder, and stop it in the end."""
    # Not pytest's tmp_path: the path of a socket has room for about 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="stepscope-pg-", dir="/tmp"))
    account = _account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        server = Server(_reachable(programs, folder, account), folder, account)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_server(programs: Path) -> Generator[str]:
    """Start the server whose programs lie in that folder; yield the URL of its database `postgres`."""
    with own_server(programs) as server:
        yield server.url


@contextmanager
def new_database(server: str) -> Generator[str]:
    """Yield the store URL of an empty database of that server, dropped afterwards."""
    name = f"stepscope_{secrets.token_hex(6)}"
    address, _, options = server.partition("?")
    plain = server.replace("postgresql+psycopg:", "postgresql:")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{address.rsplit('/', 1)[0]}/{name}{'?' if options else ''}{options}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _account() -> pwd.struct_passwd | None:
    """Return who shall run the server, which refuses to run as root; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("running as root, and there is neither an account `postgres` nor `nobody`")


def _as(account: pwd.struct_passwd | None) -> dict[str, object]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _reachable(programs: Path, folder: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the programs' folder, or a copy of it: a virtual environment below /root is closed to others."""
    try:
        _run([programs / "postgres", "--version"], folder, account)
    except PermissionError:
        site = programs.parents[2]
        installed = programs.parent.relative_to(site)
        for part in (installed, Path(f"{installed.parts[0]}.libs")):  # the second: what its wheel links to
            if (site / part).is_dir():
                shutil.copytree(site / part, folder / "site" / part, symlinks=True)
        return folder / "site" / programs.relative_to(site)
    return programs


def _run(command: list[str | Path], folder: Path, account: pwd.struct_passwd | None) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, **_as(account)
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True
