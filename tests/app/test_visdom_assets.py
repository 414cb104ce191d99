"""Whether Visdom's page can work is read off the page itself."""

from __future__ import annotations

from pathlib import Path

from stepscope.app.visdom_live.assets import missing_assets, static_folder

PAGE = """
<link rel="stylesheet" href={{ static_url("css/bootstrap.min.css") }}>
<script src={{static_url('js/jquery.min.js')}}></script>
<link rel="stylesheet" href={{ static_url("../user/style.css") }}>
"""


def test_the_installed_visdom_is_found() -> None:
    folder = static_folder()
    assert folder is not None
    assert (folder / "index.html").is_file()


def test_without_the_page_nothing_can_be_shown(tmp_path: Path) -> None:
    assert missing_assets(tmp_path) == ["index.html"]


def test_what_the_page_asks_for_and_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(PAGE)
    assert missing_assets(tmp_path) == ["css/bootstrap.min.css", "js/jquery.min.js"]
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "jquery.min.js").touch()
    assert missing_assets(tmp_path) == ["css/bootstrap.min.css"]
