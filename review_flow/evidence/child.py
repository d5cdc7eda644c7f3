"""The child's side of the sandbox: bind yourself, then answer requests line by line until the pipe closes.

Started as ``python -m review_flow.evidence.child PARENT MEMORY_BYTES OPEN_FILES`` by `sandbox` alone.
"""

from __future__ import annotations

import base64
import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def bind(parent: int, memory_bytes: int, open_files: int) -> None:
    """Give up what decoding a file doesn't need, before anything else is loaded; never to be had back."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file grows; the answer goes through the pipe
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu(seconds: int) -> None:
    """Let the next request use this much CPU time; past it the kernel ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def check(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.check`."""
    from review_flow.evidence import faces
    from review_flow.evidence.check import check as judge
    from review_flow.evidence.check import search_from

    report = judge(
        Path(arguments["path"]),
        references=[faces.from_bytes(base64.b64decode(packed)) for packed in arguments["references"]],
        slot=arguments["slot"],
        known_hashes=arguments["known_hashes"],
        search=search_from(arguments["search"]),
        name=arguments["name"],
        sheet=arguments["sheet"],
    )
    sheet = base64.b64encode(report.sheet).decode("ascii") if report.sheet else None
    return {**report.as_json(), "sheet": sheet}


def fingerprint(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer `Sandbox.fingerprint`."""
    from review_flow.evidence import copies

    return [one.as_json() for one in copies.fingerprint(Path(arguments["path"]))]


def enrol(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.enrol`."""
    from review_flow.evidence import faces

    outcome = faces.enrol(Path(arguments["path"]))
    packed = None if outcome.encoding is None else faces.to_bytes(outcome.encoding)
    return {
        "encoding": base64.b64encode(packed).decode("ascii") if packed else None,
        "problems": [{"code": p.code, "level": str(p.level), "text": p.text} for p in outcome.problems],
    }


def warm(_arguments: Mapping[str, Any]) -> None:
    """Load everything a check needs."""
    import av
    import cv2

    from review_flow.evidence import faces

    importlib.import_module("review_flow.evidence.check")
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    faces.preload()


DEEDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "check": check,
    "fingerprint": fingerprint,
    "enrol": enrol,
    "warm": warm,
}


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do one request; a failure is named, not told: a stack trace is nothing a teacher can use."""
    from review_flow.i18n import language

    language.set(request["language"])
    allow_cpu(request["cpu_s"])
    try:
        return {"value": DEEDS[request["deed"]](request["arguments"])}
    except MemoryError:
        return {"failed": "memory"}
    except FileNotFoundError:
        return {"failed": "missing"}
    except Exception as error:  # noqa: BLE001 - whatever a file makes a decoder raise ends here
        return {"failed": type(error).__name__}


def main() -> None:
    """Serve requests; standard output is kept for answers alone, whatever a library prints."""
    bind(*(int(number) for number in sys.argv[1:4]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import cv2

    cv2.setNumThreads(1)
    for line in sys.stdin.buffer:
        answers.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
