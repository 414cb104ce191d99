"""A running Visdom server, asked for its windows. Nothing of Visdom's own is needed for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from ....storage.errors import BadInput
from ...sinks.visdom.address import VisdomAddress

_SECONDS = 60.0


class VisdomHttp:
    """Reads one server; with a user and a password in its URL it logs in first."""

    def __init__(self, url: str) -> None:
        """Take a URL such as "http://localhost:8097/base/env/main"; nothing is sent yet.

        Raises:
            BadInput: it is no such URL.
        """
        address = VisdomAddress.of(url)
        base, _, self._env = address.path.partition("/env/")
        self.url = address.url(base.rstrip("/"))
        self._login = address.login
        self._opener: OpenerDirector | None = None

    def environments(self) -> list[str]:
        """Return the names of the environments, or of the one that the URL names. Raises BadInput."""
        with self._answer("env_state", {}) as answer:
            found: Any = json.load(answer)
        if not isinstance(found, list):
            raise BadInput(f"expected a Visdom server at {self.url}, but it names no environments.")
        names = [str(one) for one in found]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        wanted = unquote(self._env).rstrip("/").replace("/", "_")
        if not wanted:
            return names
        if wanted not in names:
            raise BadInput(
                f"expected an environment {wanted!r} at {self.url}, but it has only "
                f"{', '.join(sorted(names)[:10])}."
            )
        return [wanted]

    def windows(self, env: str, into: IO[bytes]) -> None:
        """Write the JSON of an environment's windows to a file. Raises BadInput."""
        with self._answer("win_data", {"win": None, "eid": env}) as answer:
            shutil.copyfileobj(answer, into, 1 << 20)

    def _answer(self, endpoint: str, message: Mapping[str, Any]) -> Any:
        try:
            if self._opener is None:
                self._opener = self._logged_in()
            return self._post(self._opener, f"/{endpoint}", message)
        except HTTPError as error:
            # Visdom answers 400 to whoever is not logged in, and 500 for an environment that it cannot read.
            reason = "asks for a login" if error.code == 400 else f"failed with status {error.code}"
            hint = (
                "Put the user and the password into the URL" if error.code == 400 else "See what its log says"
            )
            raise BadInput(
                f"the Visdom server at {self.url} {reason}, asked for {endpoint}. {hint}."
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise BadInput(
                f"expected a Visdom server at {self.url}, but it does not answer: {reason}."
            ) from error

    def _logged_in(self) -> OpenerDirector:
        opener = build_opener(HTTPCookieProcessor(CookieJar()))
        if self._login is not None:
            name, password = self._login
            secret = hashlib.sha256(password.encode()).hexdigest()
            self._post(opener, "", {"username": name, "password": secret}).close()
        return opener

    def _post(self, opener: OpenerDirector, path: str, message: Mapping[str, Any]) -> Any:
        request = Request(self.url + path, json.dumps(message).encode())  # noqa: S310 - the scheme is checked
        request.add_header("Content-Type", "application/json")
        return opener.open(request, timeout=_SECONDS)
