"""The embedded Prefect server's own process, started by `flows.server` alone as ``python -m flows.server_child``.

The kernel guards what must hold. A file lock lets one server serve a home, and is gone with its holder; the pipe
from the parent ends when the parent does, however it dies, and the server then stops by itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from review_flow.lifeline import stop_with_parent

SOMEBODY_ELSE_SERVES = 3
HOST = "127.0.0.1"
PORTS = range(4200, 4300)  # Prefect's own first; below the kernel's ephemeral ports, so a restart finds its port free
GRACE_S = 5.0

# The browser is held to this server as well: no script of the UI can send anything elsewhere.
POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; "
    b"frame-ancestors 'none'; form-action 'self'"
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def only_here(application: Application) -> Application:
    """Wrap an ASGI application so that every page it sends forbids the browser all other hosts."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"content-security-policy", POLICY)]
            await send(message)

        await application(scope, receive, send_with_policy if scope["type"] == "http" else send)

    return wrapped


def listen(preferred: int | None) -> socket.socket:
    """Return a socket bound to the preferred loopback port, else to the first free one; not yet listening."""
    for port in [*([preferred] if preferred else []), *PORTS, 0]:
        # Named as TCP, or asyncio leaves Nagle on: each answer would wait 40 ms for an acknowledgement.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
            # Bound but silent, two sockets may share a port; listening, it is ours. Until the server accepts,
            # whoever connects is kept waiting rather than refused.
            bound.listen(2048)
        except OSError:
            bound.close()
        else:
            return bound
    raise AssertionError  # port 0 always binds


def last_port(note: Path) -> int | None:
    """Return the port of the server before us, so that clients and bookmarks keep working."""
    try:
        return int(json.loads(note.read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, KeyError):
        return None


def serve(home: Path) -> int:
    """Serve until told to stop; return the exit code."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (home / "server.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return SOMEBODY_ELSE_SERVES
    threading.Thread(target=stop_with_parent, args=[GRACE_S], daemon=True).start()

    note = home / "server.json"
    bound = listen(last_port(note))
    port = bound.getsockname()[1]
    origin = f"http://{HOST}:{port}"
    fresh = note.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": os.getpid(), "port": port, "url": f"{origin}/api"}), encoding="utf-8")
    fresh.replace(note)

    os.environ["PREFECT_API_URL"] = os.environ["PREFECT_UI_API_URL"] = f"{origin}/api"
    os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] = origin  # the default lets any web page talk to it
    import uvicorn
    from prefect.server.api.server import create_app

    application = only_here(create_app(final=True))
    server = uvicorn.Server(
        uvicorn.Config(application, log_level="warning", lifespan="on", timeout_graceful_shutdown=int(GRACE_S) - 2)
    )
    server.run(sockets=[bound])
    return 0


if __name__ == "__main__":
    sys.exit(serve(Path(os.environ["PREFECT_HOME"])))
