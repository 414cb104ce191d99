"""One password for the dashboard. Who knows it gets a signed cookie, which ends by itself."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Collection
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import RedirectResponse

from .login_page import LOGIN, LOGOUT, local_path, logout_page, password_page
from .throttle import LoginThrottle

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response

SESSION_SECONDS = 12 * 3600
_MOST_BYTES = 8192


class PasswordLogin:
    """Asks for the password. All logins end with the server: the key that signs them is made anew."""

    open_paths: Collection[str] = ()

    def __init__(self, password: str, cookie: str = "stepscope_session") -> None:
        """Take the password.

        Args:
            password: what viewers have to know.
            cookie: its name. Ports of one machine share their cookies, so each dashboard needs its own.
        """
        self._password = sha256(password.encode()).digest()
        self._cookie = cookie
        self._signer = URLSafeTimedSerializer(secrets.token_bytes(32), salt="stepscope-session")
        self._throttle = LoginThrottle()
        self._left: dict[str, float] = {}

    def knows(self, request: HTTPConnection) -> bool:
        """Return whether the request has the cookie of a login that has neither ended nor been left."""
        session = self._session(request)
        return session is not None and session not in self._left

    async def page(self, request: Request) -> Response:
        """Answer LOGIN and LOGOUT: GET shows the page, POST does it."""
        if request.url.path == LOGOUT:
            return self._leave(request) if request.method == "POST" else logout_page()
        here = local_path(request.query_params.get("next", "/"))
        if request.method != "POST":
            return password_page(here)
        return self._enter(request, await _form(request))

    def _enter(self, request: Request, form: dict[str, str]) -> Response:
        here = local_path(form.get("next", "/"))
        address = request.client.host if request.client else ""
        wait = self._throttle.wait(address)
        if wait:
            answer = password_page(here, f"Too many wrong passwords. Try again in {wait} seconds.", 429)
            answer.headers["Retry-After"] = str(wait)
            return answer
        given = sha256(form.get("password", "").encode(errors="replace")).digest()
        if not hmac.compare_digest(given, self._password):
            self._throttle.failed(address)
            return password_page(here, "This is not the password.", 403)
        self._throttle.succeeded(address)
        answer = RedirectResponse(here, status_code=303)
        self._set_cookie(request, answer)
        return answer

    def _leave(self, request: Request) -> Response:
        session = self._session(request)
        if session is not None:
            now = time.time()
            # Only what could still be used is worth remembering.
            self._left = {one: end for one, end in self._left.items() if end > now}
            self._left[session] = now + SESSION_SECONDS
        answer = RedirectResponse(LOGIN, status_code=303)
        answer.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return answer

    def _set_cookie(self, request: Request, answer: Response) -> None:
        answer.set_cookie(
            self._cookie,
            self._signer.dumps(secrets.token_urlsafe(16)),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def _session(self, request: HTTPConnection) -> str | None:
        try:
            return self._signer.loads(request.cookies.get(self._cookie, ""), max_age=SESSION_SECONDS)
        except BadSignature:
            return None


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return {}
    fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}
