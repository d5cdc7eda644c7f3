"""The web alone: `python -m review_flow.web --host 0.0.0.0 --port 8000`, as `review-flow serve` starts it."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from review_flow.db import settings
from review_flow.lifeline import hold_on
from review_flow.logs import configure
from review_flow.settings import KeysLeftBehind
from review_flow.web.app import MOST_CONNECTIONS, create_app
from review_flow.web.line import PlainBeyondHere, require_line

if TYPE_CHECKING:
    from fastapi import FastAPI


def application() -> FastAPI:
    """Return the application over this installation's settings; each process of several makes its own."""
    configure(as_json=settings().log_json)
    made = create_app(settings())
    gc.freeze()  # what is here now stays: a full collection, a tenth of a second, need not look it through
    return made


def main() -> None:
    """Serve until told to stop; a database that is not migrated is seen at /readyz."""
    asked = argparse.ArgumentParser(prog="review_flow.web")
    asked.add_argument("--host", default="127.0.0.1")
    asked.add_argument("--port", type=int, default=8000)
    asked.add_argument("--workers", type=int, default=1)
    asked.add_argument("--tls-cert", type=Path)
    asked.add_argument("--tls-key", type=Path)
    asked.add_argument(
        "--proxy", action="append", default=[], help="address of a proxy whose X-Forwarded-* headers count"
    )
    asked.add_argument("--plain-http", action="store_true", help="speak plain HTTP to other machines")
    given = asked.parse_args()
    hold_on()
    plain = given.plain_http or settings().plain_http
    try:
        require_line(given.host, secure=given.tls_cert is not None, proxied=bool(given.proxy), plain=plain)
        settings().require_keys_moved()
    except (PlainBeyondHere, KeysLeftBehind) as no:
        asked.error(str(no))
    # No proxy's headers unless told so: who asks is who connects. Our own log line says more than the server's, and no
    # address with a link's token.
    uvicorn.run(
        "review_flow.web.__main__:application",
        factory=True,
        host=given.host,
        port=given.port,
        workers=given.workers,
        ssl_certfile=given.tls_cert,
        ssl_keyfile=given.tls_key,
        proxy_headers=bool(given.proxy),
        forwarded_allow_ips=given.proxy,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,  # beyond it 503 at once, instead of everybody waiting
        timeout_keep_alive=10,
    )


if __name__ == "__main__":
    main()
