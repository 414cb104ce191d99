"""The page that asks who it is, and the one on which a viewer leaves. Plain HTML that loads nothing."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from ..widgets.brand import MARK

LOGIN = "/login"
LOGOUT = "/logout"

_STYLE = Path(__file__).with_name("login.css").read_text(encoding="utf-8")
_PAGE = Template(Path(__file__).with_name("login.html").read_text(encoding="utf-8"))
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}


def password_page(here: str, problem: str = "", status: int = 200) -> HTMLResponse:
    """Return the page that asks for the password.

    Args:
        here: where the viewer wanted to go (see `local_path`).
        problem: why the last attempt failed.
        status: of the answer.
    """
    body = (
        f'<form method="post" action="{LOGIN}"><input type="hidden" name="next" value="{escape(here)}">'
        '<label for="password">Password</label><input id="password" name="password" type="password" '
        'autocomplete="current-password" required autofocus><button class="go">Log in</button></form>'
    )
    return _page("Stepscope", body, problem, status)


def provider_page(address: str, problem: str = "", status: int = 200) -> HTMLResponse:
    """Return the page that leads to the login of an OIDC provider."""
    body = f'<a class="go" href="{escape(address)}">Log in</a>'
    return _page("Stepscope", body, problem, status)


def logout_page() -> HTMLResponse:
    """Return the page on which a viewer leaves: by a button, so that no link or picture does it."""
    return _page(
        "Log out?", f'<form method="post" action="{LOGOUT}"><button class="go">Log out</button></form>'
    )


def local_path(text: str) -> str:
    """Return a path of the dashboard with its query; the first page for anything that leads elsewhere."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    # Browsers read a backslash as a slash, and drop tabs and line ends: //evil.example in disguise.
    odd = any(character <= " " or character in "\\\x7f" for character in text)
    if parts.scheme or parts.netloc or odd or not text.startswith("/") or text.startswith("//"):
        return "/"
    return text


def _page(title: str, body: str, problem: str = "", status: int = 200) -> HTMLResponse:
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    html = _PAGE.substitute(title=escape(title), style=_STYLE, mark=MARK, said=said, body=body)
    return HTMLResponse(html, status_code=status, headers=_HEADERS)
