"""Visdom's own client, with a time limit and with errors in sentences; the only file that imports visdom."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...storage.errors import BadInput, ExportRefused, MissingExtra
from .visdom_panes import Json, Pane

try:
    import requests
    from visdom import Visdom
except ImportError as error:
    raise MissingExtra("The export to a Visdom server", "visdom") from error

DEFAULT_PORT = 8097
_SECONDS = 30.0
"""How long a request may take: windows with many images are some 10 MB."""


class VisdomClient(Visdom):
    """Talks to one server. Only what the sink needs is made safe; the rest is Visdom's."""

    def __init__(self, url: str) -> None:
        """Take the server's URL, such as "http://localhost:8097/base"; nothing is sent yet.

        Raises:
            BadInput: it is not such a URL.
        """
        parts = _split(url)
        port = parts.port or (443 if parts.scheme == "https" else DEFAULT_PORT)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._requests = requests.Session()
        # Without `send`, the constructor neither posts nor warns that no socket comes back.
        super().__init__(
            server=f"{parts.scheme}://{host}",
            port=port,
            base_url=parts.path.rstrip("/") or "/",
            send=False,
            use_incoming_socket=False,
            raise_exceptions=True,
        )
        self.send = True

    def _handle_post(self, url: str, data: str | None = None) -> str:
        """Send a request; Visdom's client routes everything through here."""
        answer = self._requests.post(url, data=data, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.text


class VisdomServer:
    """A running server as the place where panes go."""

    def __init__(self, url: str) -> None:
        """Take the server's URL, such as "http://localhost:8097/base"; nothing is sent yet.

        Raises:
            BadInput: it is not such a URL.
        """
        self._url = url
        self._client: Any = VisdomClient(url)  # visdom's stubs leave out half of it
        self._envs: dict[str, None] = {}

    def put(self, env: str, pane: Pane) -> None:
        """Show a pane, in place of the window with its id. Raises ExportRefused."""
        self._envs[env] = None
        self._call("events", pane.message(env))
        if pane.type == "image_history" and len(pane.content) > 1:
            self._complete_history(env, pane)

    def finish(self) -> tuple[str, ...]:
        """Have the server write the environments to its disk. Raises ExportRefused."""
        self._call("save", {"data": list(self._envs)})
        return tuple(f"{self._url.rstrip('/')}/env/{env}" for env in self._envs)

    def _complete_history(self, env: str, pane: Pane) -> None:
        """Add all images but the first, which is there.

        Sending them one by one costs the server a comparison of the whole window each. So all but the
        last are put in place unseen, and the last as an update, which open pages are told of.
        """
        window = self.window(env, pane.win)
        if window is None:
            return  # somebody has closed it just now
        window["content"] = pane.content[:-1]
        self._call("win_data", {"win": pane.win, "eid": env, "data": json.dumps(window)})
        last = [{"type": pane.type, "content": pane.content[-1]}]
        self._call("update", {"win": pane.win, "eid": env, "data": last})

    def _call(self, endpoint: str, message: Json) -> str:
        """Post a message and return the answer.

        Raises:
            ExportRefused: the server is away, or does not take it.
        """
        try:
            return self._client._send(message, endpoint=endpoint)
        except (ConnectionError, requests.RequestException) as error:
            reason = error.__cause__ or error.__context__ or error
            raise ExportRefused(
                f"expected a Visdom server at {self._url}, but {endpoint!r} failed: {_brief(reason)}. "
                f"Start one with `visdom -port {DEFAULT_PORT}`, or export to files instead."
            ) from error

    def window(self, env: str, win: str) -> Json | None:
        """Return a window as the server holds it, None when there is none. Raises ExportRefused."""
        if self._call("win_exists", {"win": win, "eid": env}) != "true":
            return None
        return json.loads(self._call("win_data", {"win": win, "eid": env}))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput(f"expected the URL of a Visdom server such as http://localhost:8097, but got {url!r}.")
    return parts


def _brief(reason: BaseException) -> str:
    """Return an error's last and plainest part: requests nests "Connection refused" three deep."""
    while reason.args and isinstance(reason.args[-1], BaseException):
        reason = reason.args[-1]
    text = str(getattr(reason, "reason", "") or reason)
    return text.rsplit("] ", 1)[-1].rsplit(": ", 1)[-1][:120]
