"""Who comes in: the password, its cookie and its end, guesses, other names, and refusing to be open."""

from __future__ import annotations

import argparse
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from stepscope.app.access import password as password_login
from stepscope.app.access.check import Access, AccessCheck
from stepscope.app.access.entrance import AccessRefused, Entrance, PortTaken
from stepscope.app.access.login_page import local_path
from stepscope.app.access.throttle import (
    ALL_FAILURES,
    ALL_SECONDS,
    FREE,
    LONGEST_SECONDS,
    LoginThrottle,
)
from stepscope.app.cli import main
from stepscope.app.commands import serving_options
from stepscope.storage.errors import BadInput

PASSWORD = "correct horse battery"  # noqa: S105 - it guards nothing
STREAM = "ws://127.0.0.1:8501/_stcore/stream"
BROWSER = {"accept": "text/html,*/*"}


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def _text(text: str) -> Callable[..., Any]:
    return lambda _: PlainTextResponse(text)


def client(access: Access, address: str = "203.0.113.5", base: str = "http://127.0.0.1:8501") -> TestClient:
    """Return a browser at a small application behind the check."""
    routes = [
        Route("/", _text("the runs"), methods=["GET", "POST"]),
        Route("/charts", _text("the charts")),
        Route("/page", lambda _: HTMLResponse("a page")),
        Route("/media/{name}", _text("<svg onload='alert(1)'>")),
        Mount("/tensorboard", Route("/{rest:path}", _text("TensorBoard"))),
        Mount("/visdom", Route("/{rest:path}", _text("Visdom"))),
        WebSocketRoute("/_stcore/stream", _echo),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(AccessCheck, access=access)])
    return TestClient(app, base_url=base, follow_redirects=False, client=(address, 50000))


def protected(**more: Any) -> Access:
    return Entrance(password=PASSWORD, **more).access(8501)


def logged_in(browser: TestClient, password: str = PASSWORD, here: str = "/") -> Any:
    return browser.post("/login", data={"password": password, "next": here})


def test_on_this_machine_nobody_is_asked() -> None:
    browser = client(Entrance().access(8501))
    answer = browser.get("/")
    assert answer.text == "the runs"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/", "/charts?runs=a", "/tensorboard/data/runs", "/media/x.svg", "/nothing"]
)
def test_without_a_login_nothing_is_shown(path: str) -> None:
    browser = client(protected())
    assert browser.get(path, headers={"accept": "*/*"}).status_code == 401
    assert browser.post(path).status_code == 401
    answer = browser.get(path, headers=BROWSER)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=%2F")
    assert "set-cookie" not in answer.headers


def test_a_websocket_without_a_login_is_refused() -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client(protected()).websocket_connect(STREAM),
    ):
        pass
    assert (refused.value.code, refused.value.reason) == (1008, "Log in first.")


def test_the_password_opens_everything_and_leads_where_one_wanted_to_go() -> None:
    browser = client(protected())
    asked = browser.get("/charts?runs=a", headers=BROWSER)
    page = browser.get(asked.headers["location"])
    assert page.status_code == 200
    assert 'name="next" value="/charts?runs=a"' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    entered = logged_in(browser, here="/charts?runs=a")
    assert (entered.status_code, entered.headers["location"]) == (303, "/charts?runs=a")
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith("stepscope_session_8501=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert browser.get("/charts?runs=a").text == "the charts"
    assert browser.get("/tensorboard/x").text == "TensorBoard"
    with browser.websocket_connect(STREAM) as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "hello"


def test_over_https_the_cookie_never_travels_in_the_clear() -> None:
    access = protected(names=("runs.example",))
    browser = client(access, base="https://runs.example")
    assert "Secure" in logged_in(browser).headers["set-cookie"]


def test_who_leaves_is_out_also_with_a_copy_of_the_cookie_and_an_open_websocket() -> None:
    access = protected()
    browser, thief = client(access), client(access)
    logged_in(browser)
    thief.cookies = dict(browser.cookies)
    assert 'action="/logout"' in browser.get("/logout").text
    assert browser.get("/").text == "the runs"
    with thief.websocket_connect(STREAM) as websocket:
        assert browser.post("/logout").headers["location"] == "/login"
        websocket.send_text("still there?")
        with pytest.raises(WebSocketDisconnect) as ended:
            websocket.receive_text()
        assert (ended.value.code, ended.value.reason) == (1008, "Log in again.")
    assert thief.get("/").status_code == 401
    assert browser.get("/").status_code == 401
    assert logged_in(browser).status_code == 303


def test_a_login_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = client(protected())
    logged_in(browser)
    monkeypatch.setattr(password_login, "SESSION_SECONDS", -1)
    assert browser.get("/").status_code == 401


def test_a_cookie_of_another_server_or_made_up_is_nothing() -> None:
    browser, other = client(protected()), client(protected())
    logged_in(other)
    browser.cookies = dict(other.cookies)
    assert browser.get("/").status_code == 401
    for value in ("", "x", "a.b.c", "é", "0" * 5000):
        assert (
            browser.get("/", headers={"cookie": f"stepscope_session_8501={value}".encode()}).status_code
            == 401
        )


@pytest.mark.parametrize("password", ["", "Correct horse battery", PASSWORD + " ", "\ud800", "x" * 100_000])
def test_another_password_is_refused(password: str) -> None:
    browser = client(protected())
    answer = browser.post("/login", content=f"password={password}".encode(errors="replace"))
    assert answer.status_code == 403
    assert "This is not the password." in answer.text
    assert "set-cookie" not in answer.headers


def test_guesses_are_slowed_down_for_their_address() -> None:
    access = protected()
    guesser, owner = client(access), client(access, "203.0.113.6")
    for _ in range(FREE):
        assert logged_in(guesser, "guess").status_code == 403
    answer = logged_in(guesser)
    assert answer.status_code == 429
    assert "Too many wrong passwords. Try again in 1 seconds." in answer.text
    assert answer.headers["retry-after"] == "1"
    assert logged_in(owner).status_code == 303


def test_the_wait_doubles_up_to_a_limit_and_is_forgotten() -> None:
    now = [1000.0]
    throttle = LoginThrottle(lambda: now[0])
    waits: list[int] = []
    for _ in range(20):
        throttle.failed("192.0.2.1")
        waits.append(throttle.wait("192.0.2.1"))
        now[0] += LONGEST_SECONDS
    assert waits[: FREE + 3] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert waits[-1] == LONGEST_SECONDS
    now[0] += 4000
    assert throttle.wait("192.0.2.1") == 0
    throttle.failed("192.0.2.1")
    assert throttle.wait("192.0.2.1") == 0


def test_guesses_from_many_addresses_are_slowed_down_together() -> None:
    now = [1000.0]
    throttle = LoginThrottle(lambda: now[0])
    for number in range(20_000):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._failures) == 10_000
    assert throttle.wait("198.51.100.1") == ALL_SECONDS
    assert len(throttle._all) == ALL_FAILURES
    now[0] += ALL_SECONDS
    assert throttle.wait("198.51.100.1") == 0


def test_one_network_of_ipv6_is_one_guesser() -> None:
    throttle = LoginThrottle(lambda: 0.0)
    for number in range(FREE):
        throttle.failed(f"2001:db8::{number:x}")
    assert throttle.wait("2001:db8::ffff") == 1
    assert throttle.wait("2001:db8:0:1::1") == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/charts?runs=a,b", "/charts?runs=a,b"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("charts", "/"),
        ("//[", "/"),
        ("", "/"),
    ],
)
def test_the_login_leads_nowhere_else(given: str, expected: str) -> None:
    assert local_path(given) == expected
    assert logged_in(client(protected()), here=given).headers["location"] == expected


def test_what_one_wanted_to_see_cannot_break_out_of_the_page() -> None:
    page = client(protected()).get("/login", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script>" not in page


def test_a_link_on_another_site_finds_one_logged_in() -> None:
    browser = client(protected())
    headers = {**BROWSER, "sec-fetch-site": "cross-site"}
    answer = browser.get('/charts?x="><script>', headers=headers)
    assert answer.status_code == 200
    [address] = re.findall('content="0;url=([^"]*)"', answer.text)
    assert address == "/charts?x=%22%3E%3Cscript%3E"
    assert browser.get(address, headers={**BROWSER, "sec-fetch-site": "same-origin"}).status_code == 303


@pytest.mark.parametrize("access", [Entrance().access(8501), Entrance(password=PASSWORD).access(8501)])
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_another_site_is_refused_before_anything_else(access: Access, headers: dict[str, str]) -> None:
    browser = client(access)
    logged_in(browser)
    for path in ("/", "/login", "/media/x.svg", "/tensorboard/x"):
        assert browser.get(path, headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect(STREAM, headers=headers):
        pass


@pytest.mark.parametrize("path", ["/page", "/tensorboard/x", "/visdom/x"])
def test_only_notebooks_on_the_viewers_machine_show_it_in_a_frame(path: str) -> None:
    policies = client(Entrance().access(8501)).get(path).headers.get_list("content-security-policy")
    framed_by = policies[-1].partition("frame-ancestors ")[2].split()
    assert framed_by[:3] == ["'self'", "http://localhost:*", "http://127.0.0.1:*"]
    assert not {"*", "http:", "https:"} & set(framed_by)


def test_a_picture_in_a_tab_of_its_own_runs_nothing() -> None:
    policy = client(Entrance().access(8501)).get("/media/x.svg").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("sandbox")


@pytest.mark.parametrize(
    "entrance", [{"host": "0.0.0.0"}, {"host": "192.0.2.1"}, {"names": ("runs.example",)}, {"host": "::"}]
)
def test_open_to_others_means_that_they_log_in(entrance: dict[str, Any]) -> None:
    with pytest.raises(AccessRefused, match="open to everyone who reaches it\\. Set a password"):
        Entrance(**entrance).access(8501)
    assert Entrance(**entrance, password=PASSWORD).access(8501).login is not None


def test_every_name_of_the_dashboard_is_answered() -> None:
    everywhere = protected(host="0.0.0.0", names=("Runs.Example",))
    for base in ("http://192.0.2.7:8501", f"http://{socket.gethostname()}:8501", "http://runs.example"):
        assert client(everywhere, base=base).get("/").status_code == 401
    assert client(everywhere, base="http://other.example").get("/").status_code == 403
    one = protected(host="192.0.2.7")
    assert client(one, base="http://192.0.2.7:8501").get("/").status_code == 401
    assert client(one, base="http://192.0.2.8:8501").get("/").status_code == 403


def test_a_short_password_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 8 characters, but got one of 6"):
        Entrance(password=PASSWORD[:6]).access(8501)


def test_two_ways_to_log_in_are_one_too_many() -> None:
    with pytest.raises(BadInput, match="a password or --oidc, but got both"):
        Entrance(password=PASSWORD, oidc=True).access(8501)


def test_an_address_that_this_machine_has_not() -> None:
    with pytest.raises(BadInput, match=r"an address of this machine to listen on, but got '192\.0\.2\.1'"):
        Entrance(host="192.0.2.1").listen(0)
    with pytest.raises(BadInput, match=r"but got 'no\.such\.host\.invalid'"):
        Entrance(host="no.such.host.invalid").listen(0)


def test_a_port_that_is_taken() -> None:
    with Entrance().listen(0) as listener, pytest.raises(PortTaken, match="is taken"):
        Entrance().listen(listener.getsockname()[1])


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{"password_file": None, "host": "127.0.0.1", "name": [], "oidc": False} | given
    )


def test_the_password_comes_from_the_environment_which_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSCOPE_PASSWORD", PASSWORD)
    assert serving_options.read_password(options()) == PASSWORD
    assert "STEPSCOPE_PASSWORD" not in os.environ
    assert serving_options.read_password(options()) is None


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\r\nsomething else\n")
    assert serving_options.read_password(options(password_file=str(file))) == PASSWORD
    with pytest.raises(BadInput, match="a text file with the password at"):
        serving_options.read_password(options(password_file=str(tmp_path / "none")))


def test_the_password_is_asked_for_where_there_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([PASSWORD, PASSWORD, PASSWORD, "another one"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(serving_options, "getpass", lambda _: next(typed))
    assert serving_options.read_password(options(host="0.0.0.0")) == PASSWORD
    with pytest.raises(BadInput, match="the two differ"):
        serving_options.read_password(options(host="0.0.0.0"))
    assert serving_options.read_password(options()) is None


def test_the_command_refuses_to_be_open_to_all(store_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ui", "--store", store_url, "--port", "0", "--host", "0.0.0.0"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("stepscope: The dashboard on 0.0.0.0 would be open to everyone who reaches it.")
