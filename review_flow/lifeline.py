"""A process that ends with its parent, however that died: the pipe that the parent holds closes with it."""

from __future__ import annotations

import os
import signal
import sys
import threading

HELD = "REVIEW_FLOW_HELD"
"""Set for a process whose standard input is such a pipe."""
GRACE_S = 30.0


def hold_on() -> None:
    """Watch the pipe, where this process was started with one."""
    if os.environ.pop(HELD, None):
        threading.Thread(target=stop_with_parent, args=[GRACE_S], daemon=True).start()


def stop_with_parent(grace_s: float) -> None:
    """End this process when the parent's end of the pipe closes: politely, and at once so many seconds later."""
    while os.read(sys.stdin.fileno(), 1024):  # not its buffer, whose lock an ending interpreter would want
        pass
    last = threading.Timer(grace_s, os._exit, [1])
    last.daemon = True
    last.start()
    os.kill(os.getpid(), signal.SIGTERM)
