"""A running Visdom server. Its interface is JSON over HTTP, so that nothing of Visdom is needed here."""

from __future__ import annotations

import hashlib
import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote

from ....storage.errors import ExportRefused
from .address import DEFAULT_PORT, VisdomAddress
from .panes import Json, Pane

_SECONDS = 30.0
"""How long a request may take: windows with many images are some 10 MB."""


class VisdomServer:
    """A server as the place where panes go. One connection stays open, for one thread at a time."""

    def __init__(self, url: str, seconds: float = _SECONDS) -> None:
        """Take the server's URL, such as "http://localhost:8097/base"; nothing is sent yet.

        A name and password in it, "http://name:password@host", are those of Visdom's own login. `seconds` is
        how long an answer may take.

        Raises:
            BadInput: it is not such a URL.
        """
        address = VisdomAddress.of(url)
        self.base = address.path.rstrip("/")
        self.url = address.url(self.base)
        self.connections = 0
        """How often a connection was made: more than once, and the server may have been started anew."""
        kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
        self._http = kind(address.host, address.port, timeout=seconds)
        self._login = address.login
        self._headers = {"Content-Type": "application/json"}
        self._envs: dict[str, None] = {}

    def put(self, env: str, pane: Pane) -> None:
        """Show a pane, in place of the window with its id. Raises ExportRefused."""
        self._envs[env] = None
        if pane.type == "image_history":
            self._put_history(env, pane)
        else:
            self.call("events", pane.message(env))

    def window(self, env: str, win: str) -> Json | None:
        """Return a window as the server holds it, None when there is none. Raises ExportRefused."""
        if not self.has(env, win):
            return None
        return json.loads(self.call("win_data", {"win": win, "eid": env}))

    def has(self, env: str, win: str) -> bool:
        """Whether there is a window. Raises ExportRefused."""
        return self.call("win_exists", {"win": win, "eid": env}) == "true"

    def append(self, env: str, pane: Pane) -> None:
        """Add a pane's content to that of the window with its id, which must be there. Raises ExportRefused.

        Of a plot, the points of its one trace go to the end of the trace with that name, which is made if
        there is none; those of several to the traces of the window, which are as many, in their order.
        """
        message = {**pane.message(env), "append": True}
        if pane.type == "plot" and len(pane.content["data"]) == 1:
            message["name"] = pane.content["data"][0]["name"]
        self.call("update", message)

    def replace(self, env: str, pane: Pane) -> None:
        """Give the trace of a plot, one that is there, other points. Raises ExportRefused."""
        name = pane.content["data"][0]["name"]
        self.call("update", {**pane.message(env), "append": False, "name": name})

    def make_env(self, env: str) -> None:
        """Make an environment, unless it is there: Visdom's updates need one. Raises ExportRefused."""
        self.call(f"env/{quote(env)}", {"eid": env})

    def finish(self) -> tuple[str, ...]:
        """Have the server write the environments to its disk. Raises ExportRefused."""
        self.call("save", {"data": list(self._envs)})
        self.close()
        return tuple(f"{self.url}/env/{env}" for env in self._envs)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._http.close()

    def call(self, endpoint: str, message: Json) -> str:
        """Post a message and return the answer.

        Raises:
            ExportRefused: the server is away, or does not take it.
        """
        try:
            if self._login is not None and "Cookie" not in self._headers:
                self._log_in(self._login)
            status, answer, _ = self._post(endpoint, message)
        except (OSError, HTTPException) as error:
            raise self._refused(
                endpoint, str(getattr(error, "strerror", "") or error or repr(error))
            ) from error
        if status != 200:
            # A server that was started anew may have another secret.
            self._headers.pop("Cookie", None)
            reason = "it asks for a name and a password" if status == 400 else f"it answered {status}"
            raise self._refused(endpoint, reason)
        return answer

    def _post(self, endpoint: str, message: Json) -> tuple[int, str, str | None]:
        """Send a message; return status, answer and cookie."""
        body = json.dumps(message).encode()
        for again in (True, False):
            fresh = self._http.sock is None
            try:
                if fresh:
                    self._http.connect()
                    self.connections += 1
                self._http.request("POST", f"{self.base}/{endpoint}", body, self._headers)
                answer = self._http.getresponse()
                return answer.status, answer.read().decode(), answer.getheader("Set-Cookie")
            except (OSError, HTTPException) as error:
                self._http.close()
                # A connection that was left alone, or whose server was started anew, ends at its next use.
                if fresh or isinstance(error, TimeoutError) or not again:
                    raise
        raise AssertionError

    def _log_in(self, login: tuple[str, str]) -> None:
        name, password = login
        # As Visdom's own client does it.
        secret = hashlib.sha256(password.encode()).hexdigest()
        status, _, cookie = self._post("", {"username": name, "password": secret})
        if status != 200 or cookie is None:
            raise self._refused("login", f"it does not know {name!r} with that password")
        self._headers["Cookie"] = cookie.partition(";")[0]

    def _put_history(self, env: str, pane: Pane) -> None:
        """Show a history of images: what is new of it, or all.

        An open page keeps the place of its slider, and breaks down, with all its windows, when there is no
        image any more at that place. So a history that did not only grow is closed first.
        """
        before = self.window(env, pane.win)
        known = {} if before is None else before
        there = known.get("content") if known.get("title") == pane.title else None
        if there and there == pane.content[: len(there)]:
            if len(there) < len(pane.content):
                self._complete_history(env, pane)
            return
        if before is not None:
            self.call("close", {"win": pane.win, "eid": env})
        self.call("events", pane.message(env))
        if len(pane.content) > 1:
            self._complete_history(env, pane)

    def _complete_history(self, env: str, pane: Pane) -> None:
        """Add all images that are not there yet; one is.

        Sending them one by one costs the server a comparison of the whole window each. So all but the
        last are put in place unseen, and the last as an update, which open pages are told of.
        """
        window = self.window(env, pane.win)
        if window is None:
            return  # somebody has closed it just now
        window["content"] = pane.content[:-1]
        self.call("win_data", {"win": pane.win, "eid": env, "data": json.dumps(window)})
        last = [{"type": pane.type, "content": pane.content[-1]}]
        self.call("update", {"win": pane.win, "eid": env, "data": last})

    def _refused(self, endpoint: str, reason: str) -> ExportRefused:
        return ExportRefused(
            f"expected a Visdom server at {self.url}, but {endpoint!r} failed: {reason[:120]}. "
            f"Start one with `visdom -port {DEFAULT_PORT}`, or export to files instead."
        )
