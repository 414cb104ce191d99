"""Login by an OIDC provider: Streamlit's own, checked in front of everything instead of in the pages.

Streamlit's routes talk to the provider and keep who it is in a cookie, signed with the `cookie_secret` of
secrets.toml. This file alone knows how: names and form are those of Streamlit 1.67.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from importlib import util
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse
from streamlit import auth_util
from streamlit.errors import StreamlitAuthError
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from ...storage.errors import BadInput, MissingExtra
from .login_page import LOGOUT, logout_page, provider_page

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response

PROVIDER = "default"
_STREAMLIT_LOGIN = "/auth/login"
_STREAMLIT_LOGOUT = "/auth/logout"
_CALLBACK = "/oauth2callback"


class OidcLogin:
    """Knows those whom the provider vouches for and the file allows."""

    open_paths: Collection[str] = (_STREAMLIT_LOGIN, _STREAMLIT_LOGOUT, _CALLBACK)

    def __init__(self, allowed: Sequence[str], origin: str) -> None:
        """Take who may come; use `oidc_from_secrets`.

        Args:
            allowed: e-mail addresses, with `*` for any characters, in lower case.
            origin: scheme and host of the dashboard, as viewers reach it.
        """
        self._allowed = allowed
        self._origin = origin

    @property
    def name(self) -> str:
        """The host name under which viewers reach the dashboard."""
        return urlsplit(self._origin).hostname or ""

    def knows(self, request: HTTPConnection) -> bool:
        """Return whether the request has the cookie of someone who is allowed."""
        return self._allows(_identity(request))

    async def page(self, request: Request) -> Response:
        """Answer LOGIN with the way to the provider, and LOGOUT."""
        if request.url.path == LOGOUT:
            return (
                RedirectResponse(_STREAMLIT_LOGOUT, status_code=303)
                if request.method == "POST"
                else logout_page()
            )
        token = auth_util.encode_provider_token(PROVIDER)
        address = f"{_STREAMLIT_LOGIN}?{urlencode({'provider': token})}"
        who = _identity(request)
        if who and not self._allows(who):
            problem = f"{who.get('email') or 'This account'} may not see this dashboard. Ask whoever runs it."
            return provider_page(address, problem, 403)
        return provider_page(address)

    def _allows(self, who: dict[str, Any]) -> bool:
        email = str(who.get("email") or "").lower()
        if not who.get("is_logged_in") or who.get("origin") != self._origin:
            return False
        # A provider may let anyone claim any address, and say so.
        if who.get("email_verified") is False:
            return False
        return any(pattern == "*" or fnmatchcase(email, pattern) for pattern in self._allowed)


def oidc_from_secrets() -> OidcLogin:
    """Return the login that `.streamlit/secrets.toml` describes.

    Raises:
        MissingExtra: authlib is not installed.
        BadInput: the file is missing, or lacks something.
    """
    if util.find_spec("authlib") is None:
        raise MissingExtra("The login with --oidc", "oidc")
    try:
        auth_util.validate_auth_credentials(PROVIDER)
    except StreamlitAuthError as error:
        raise BadInput(
            f"--oidc needs [auth] in .streamlit/secrets.toml. {' '.join(str(error).split())}"
        ) from None
    origin = auth_util.get_origin_from_redirect_uri()
    if (
        not origin
        or not urlsplit(str(auth_util.get_secrets_auth_section()["redirect_uri"])).path == _CALLBACK
    ):
        raise BadInput(
            "redirect_uri in .streamlit/secrets.toml has to be the dashboard's address with /oauth2callback, "
            "such as https://runs.example.org/oauth2callback"
        )
    return OidcLogin(_allowed(), origin)


def _allowed() -> list[str]:
    section: Any = secrets_singleton.get("stepscope") or {}
    allowed: Sequence[Any] | None = section.get("allowed_emails")
    if not isinstance(allowed, list | tuple) or not allowed:
        raise BadInput(
            "expected allowed_emails in the section [stepscope] of .streamlit/secrets.toml, such as "
            f'["ann@lab.example", "*@team.example"], but got {allowed!r}. Without it, everyone with an '
            "account at the provider could see the runs."
        )
    return [str(one).lower() for one in allowed]


def _identity(request: HTTPConnection) -> dict[str, Any]:
    """Return what the provider said of the viewer; nothing without a valid cookie."""
    secret = get_cookie_secret()

    def one(name: str) -> bytes | None:
        value = request.cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value.encode("latin-1"))

    try:
        found: Any = json.loads(auth_util.get_cookie_with_chunks(one, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
