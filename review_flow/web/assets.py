"""What pages load: our own files and npm's, each under a URL that changes with its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from review_flow.errors import Refusal
from review_flow.i18n import _, listed

STATIC = Path(__file__).parent / "static"
LISTING = "vendor/assets.json"


class AssetsMissing(Refusal):
    """Without its styles and scripts the application does not start: half a page is worse than none."""

    status, text = 503, _("网页所需的文件缺失：{names}。请在源码目录运行 make setup，或重新安装。")


class Assets:
    """The files below a folder; raises AssetsMissing where one that the listing names is not there."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder
        listing = folder / LISTING
        if not listing.exists():
            raise AssetsMissing(names=LISTING)
        wanted = [f"vendor/{name}" for name in json.loads(listing.read_text(encoding="utf-8"))["files"]]
        gone = [name for name in wanted if not (folder / name).is_file()]
        if gone:
            raise AssetsMissing(names=listed(gone))
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        self._digests = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in found
        }

    def url(self, name: str) -> str:
        """Return where a file is; raises KeyError for one that was not there at the start."""
        return f"/static/{name}?v={self._digests[name]}"
