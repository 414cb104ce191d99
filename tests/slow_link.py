"""A link between the browser and the dashboard that a test makes slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from support import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute


class SlowLink:
    """What lies between the browser and the server: it can keep back what the server says."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._held: list[str | bytes] = []
        self._slow = False
        self._browsers: list[WebSocketRoute] = []
        page.route_web_socket("**/_stcore/stream", self._connect)

    def hold(self) -> None:
        """Keep back whatever the server says from now on."""
        self._slow = True

    def wait_for_drawings(self, times: int) -> None:
        """Wait until so many drawings of the page, or of a part of it, have ended in what is kept back."""
        wait_until(lambda: self._drawings() >= times, what=f"{times} answers of the server")

    def release_one_drawing(self) -> None:
        """Let the browser hear what belongs to the first drawing."""
        while self._held:
            message = self._held.pop(0)
            self._browsers[-1].send(message)
            if _ends_drawing(message):
                return

    def release(self) -> None:
        """Let the browser hear all of it."""
        self._slow = False
        for message in self._held:
            self._browsers[-1].send(message)
        self._held.clear()

    def _connect(self, browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        server.on_message(lambda said: self._held.append(said) if self._slow else browser.send(said))
        self._browsers.append(browser)

    def _drawings(self) -> int:
        self._page.wait_for_timeout(20)  # In which Playwright handles messages.
        return sum(map(_ends_drawing, self._held))


def _ends_drawing(message: str | bytes) -> bool:
    if isinstance(message, str):
        return False
    return ForwardMsg.FromString(message).WhichOneof("type") == "script_finished"
