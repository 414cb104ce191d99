"""Login by a provider: what is refused without one, whose cookie counts, and the whole way with an issuer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.requests import Request
from streamlit import config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from contracts.filled_store import fill
from dashboard import free_port
from served import serve
from stepscope.app.access import oidc as oidc_login
from stepscope.app.access.entrance import Entrance
from stepscope.app.access.oidc import OidcLogin, oidc_from_secrets
from stepscope.storage.errors import BadInput, MissingExtra

SECRET = "a secret of the cookies, long enough"  # noqa: S105 - it guards nothing
ORIGIN = "https://runs.example"
SECRETS = """
[auth]
redirect_uri = "{origin}/oauth2callback"
cookie_secret = "{secret}"
client_id = "stepscope"
client_secret = "nobody knows"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
[stepscope]
allowed_emails = ["Ann@Lab.example", "*@team.example"]
"""


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Yield the secrets.toml of the current folder; Streamlit reads it anew for the test."""
    (tmp_path / ".streamlit").mkdir()
    file = tmp_path / ".streamlit" / "secrets.toml"
    file.write_text(SECRETS.format(origin=ORIGIN, secret=SECRET, issuer="https://issuer.example"))
    monkeypatch.setattr(oidc_login.util, "find_spec", lambda _: object())
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(file)])
    secrets_singleton._reset()
    yield file
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


def request(who: dict[str, Any], secret: str = SECRET) -> Request:
    cookie = create_signed_value(secret, USER_COOKIE_NAME, json.dumps(who))
    headers = [(b"cookie", USER_COOKIE_NAME.encode() + b"=" + cookie), (b"host", b"runs.example")]
    return Request({"type": "http", "headers": headers, "method": "GET", "path": "/", "query_string": b""})


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({}, True),
        ({"email": "someone@team.example"}, True),
        ({"email": "ann@lab.example", "email_verified": True}, True),
        ({"email": "ann@lab.example", "email_verified": False}, False),
        ({"email": "bob@lab.example"}, False),
        ({"email": "someone@team.example.evil"}, False),
        ({"email": None}, False),
        ({"origin": "https://other.example"}, False),
        ({"is_logged_in": False}, False),
    ],
)
def test_those_whom_the_file_allows_are_known(change: dict[str, Any], known: bool) -> None:
    login = oidc_from_secrets()
    who = {"email": "ann@lab.example", "origin": ORIGIN, "is_logged_in": True} | change
    assert login.knows(request(who)) is known
    assert not login.knows(request(who, "another secret"))


@pytest.mark.usefixtures("secrets")
def test_the_dashboard_is_reached_under_the_name_of_the_file() -> None:
    assert "runs.example" in Entrance(oidc=True).access(8501).names


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        (
            f'cookie_secret = "{SECRET}"',
            "",
            '--oidc needs \\[auth\\] .* missing the "cookie_secret" key',
        ),
        (
            'allowed_emails = ["Ann@Lab.example", "*@team.example"]',
            "",
            "expected allowed_emails .* but got None",
        ),
        ("/oauth2callback", "/elsewhere", "redirect_uri .* has to be the dashboard's address"),
    ],
)
def test_what_is_missing_is_said(secrets: Path, line: str, replacement: str, message: str) -> None:
    secrets.write_text(secrets.read_text().replace(line, replacement))
    with pytest.raises(BadInput, match=message):
        oidc_from_secrets()


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_login.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="stepscope\\[oidc\\]"):
        oidc_from_secrets()


def test_a_cookie_that_is_no_object_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_login, "get_cookie_secret", lambda: SECRET)
    login = OidcLogin(["*"], ORIGIN)
    assert not login.knows(request([1]))  # type: ignore[arg-type]
    assert not login.knows(request("x"))  # type: ignore[arg-type]


class Issuer(ThreadingHTTPServer):
    """An OIDC provider that takes everyone for `email`."""

    email = "ann@lab.example"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        jose = pytest.importorskip("joserfc.jwk")
        self.key = jose.RSAKey.generate_key(2048, {"kid": "one"})
        self.nonce = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def token(self) -> str:
        from joserfc import jwt

        now = int(time.time())
        claims = {"iss": self.address, "aud": "stepscope", "sub": "1", "iat": now, "exp": now + 60}
        claims |= {"nonce": self.nonce, "email": self.email, "email_verified": True}
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)


class _Answers(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/authorize":
            self.server.nonce = query.get("nonce", "")
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?code=x&state={query['state']}")
            self.end_headers()
        elif asked.path == "/jwks":
            self._json({"keys": [self.server.key.as_dict(private=False)]})
        else:
            own = self.server.address
            paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            found = {name: f"{own}/{path}" for name, path in paths.items()}
            self._json({"issuer": own, "id_token_signing_alg_values_supported": ["RS256"], **found})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._json({"access_token": "x", "token_type": "Bearer", "id_token": self.server.token()})

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def issuer() -> Generator[Issuer]:
    pytest.importorskip("authlib", reason="the extra oidc is not installed")
    issuer = Issuer()
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    yield issuer
    issuer.shutdown()
    issuer.server_close()


def test_the_whole_way_through_a_provider(store_url: str, tmp_path: Path, issuer: Issuer) -> None:
    fill(store_url)
    port = free_port()
    origin = f"http://localhost:{port}"
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(
        SECRETS.format(origin=origin, secret=SECRET, issuer=issuer.address)
    )
    with serve(store_url, "--oidc", "--port", str(port), cwd=tmp_path):
        browser = httpx.Client(
            base_url=origin, trust_env=False, follow_redirects=True, headers={"accept": "text/html"}
        )
        page = browser.get("/tensorboard/data/runs")
        assert page.url.path == "/login"
        address = page.text.partition('href="')[2].partition('"')[0]
        issuer.email = "mallory@evil.example"
        assert "mallory@evil.example may not see this dashboard" in browser.get(address).text
        issuer.email = "ann@lab.example"
        assert browser.get(address).url.path == "/"
        assert browser.get("/tensorboard/data/runs").json()
        assert browser.post("/logout").url.path == "/login"
        assert browser.get("/tensorboard/data/runs").url.path == "/login"
