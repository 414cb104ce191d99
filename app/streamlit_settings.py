"""Streamlit's settings, stated here so that they hold from any folder and over any config.toml."""

from __future__ import annotations

from typing import Any

from streamlit.web import bootstrap

SETTINGS: dict[str, Any] = {
    # Nothing leaves this machine, and no error page offers to ask a search engine.
    "browser.gatherUsageStats": False,
    "client.showErrorLinks": False,
    # The command decides whether a browser opens; an installed package does not change while it is served.
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "global.developmentMode": False,
    # The mounts and the address that is printed count on the root.
    "server.baseUrlPath": "",
    # Streamlit would otherwise print the value of any line of main.py that is an expression.
    "runner.magicEnabled": False,
    "client.toolbarMode": "minimal",
    "theme.light.primaryColor": "#3b5bdb",
    "theme.dark.primaryColor": "#748ffc",
    "theme.baseRadius": "0.4rem",
}


def apply_settings(port: int) -> None:
    """Load Streamlit's configuration with the settings above on top.

    Args:
        port: where the dashboard listens; Streamlit puts it into addresses that it makes.
    """
    bootstrap.load_config_options({**SETTINGS, "server.address": "127.0.0.1", "server.port": port})
