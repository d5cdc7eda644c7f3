"""The web alone: `python -m review_flow.web --host 0.0.0.0 --port 8000`, as `review-flow serve` starts it."""

from __future__ import annotations

import argparse

import uvicorn

from review_flow.db import settings
from review_flow.logs import configure
from review_flow.web.app import create_app


def main() -> None:
    """Serve until told to stop; a database that is not migrated is seen at /readyz."""
    asked = argparse.ArgumentParser(prog="review_flow.web")
    asked.add_argument("--host", default="127.0.0.1")
    asked.add_argument("--port", type=int, default=8000)
    given = asked.parse_args()
    configure(as_json=settings().log_json)
    # No proxy's headers: who asks is who connects. Our own log line says more, and no address with a link's token.
    app = create_app(settings())
    uvicorn.run(app, host=given.host, port=given.port, proxy_headers=False, access_log=False, server_header=False)


if __name__ == "__main__":
    main()
