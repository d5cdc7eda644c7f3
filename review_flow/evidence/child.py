"""The child's side of the sandbox: load, lock yourself in, then answer requests line by line until the pipe closes.

Started as ``python -m review_flow.evidence.child PARENT MEMORY_BYTES OPEN_FILES OUTPUT_BYTES`` by `sandbox` alone.
Whatever a deed imports or opens besides its inputs must be loaded by `warm`: afterwards no file can be opened.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import encodings
import errno
import importlib
import json
import os
import pkgutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_flow.evidence import lockdown
from review_flow.evidence.handed import HANDS_OVER, Handed

try:
    import resource
except ImportError:  # Windows has no such limits: the parent's clock is the only one there
    resource = None  # type: ignore[assignment]  # asked for before each use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from review_flow.evidence.faces import Encoding

LONGEST_PIECE = 1 << 16
MOST_DESCRIPTORS = 16


def bind(parent: int, memory_bytes: int, open_files: int, output_bytes: int) -> None:
    """Limit this process before anything else is loaded; the limits are never to be had back.

    The number of processes (RLIMIT_NPROC) isn't among them: it counts all that the user runs, and threads.
    """
    lockdown.forgo_privileges()
    if sys.platform == "linux" and os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)
    if resource is not None:
        _limit(resource.RLIMIT_AS, memory_bytes, memory_bytes)
        _limit(resource.RLIMIT_NOFILE, open_files, open_files)
        # While it loads, before it meets any input, Python may keep the bytecode it compiles: in a new installation
        # the next child then starts in 0.6 s of CPU, and compiles nothing. Later no file grows but the output of a request.
        _limit(resource.RLIMIT_FSIZE, output_bytes, output_bytes)
        _limit(resource.RLIMIT_CORE, 0, 0)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit where the system takes it: macOS has no working one on memory."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (soft, hard))


def allow_cpu(seconds: int) -> None:
    """Let this process use this much more CPU time; past it the kernel ends it."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def allow_output(size: int) -> None:
    """Let files grow to this many bytes: the output of the request is the only one that could."""
    if resource is not None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def check(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.check`."""
    from review_flow.evidence.check import check as judge
    from review_flow.evidence.check import search_from

    report = judge(
        arguments["path"],
        references=_unpacked(arguments["references"]),
        colleagues=[_unpacked(those) for those in arguments["colleagues"]],
        slot=arguments["slot"],
        known_hashes=arguments["known_hashes"],
        search=search_from(arguments["search"]),
        name=arguments["name"],
        sha256=arguments["sha256"],
        sheet=arguments["sheet"],
        before_search=lambda: allow_cpu(arguments["search_cpu_s"]),
    )
    sheet = base64.b64encode(report.sheet).decode("ascii") if report.sheet else None
    return {**report.as_json(), "sheet": sheet}


def fingerprint(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer `Sandbox.fingerprint`."""
    from review_flow.evidence import copies

    return [one.as_json() for one in copies.fingerprint(arguments["path"])]


def _unpacked(encodings: Sequence[str]) -> list[Encoding]:
    from review_flow.evidence import faces

    return [faces.from_bytes(base64.b64decode(packed)) for packed in encodings]


def enrol(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.enrol`."""
    from review_flow.evidence import enrolment, faces

    outcome = enrolment.enrol(arguments["path"])
    packed = None if outcome.encoding is None else faces.to_bytes(outcome.encoding)
    return {
        "encoding": base64.b64encode(packed).decode("ascii") if packed else None,
        "problems": [{"code": p.code, "level": str(p.level), "text": p.text} for p in outcome.problems],
    }


def agreement(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answer `Sandbox.agreement`."""
    from review_flow.evidence import enrolment
    from review_flow.evidence.likeness import calibration

    found = enrolment.agreement(_unpacked(arguments["references"]), calibration())
    return [{"code": one.code, "level": str(one.level), "text": one.text} for one in found]


def grounds(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.grounds`."""
    from review_flow.evidence import likeness

    return likeness.grounds(arguments["references"])


def recogniser(_arguments: Mapping[str, Any]) -> str:
    """Answer `Sandbox.recogniser`."""
    from review_flow.evidence import faces

    return faces.recogniser().name


def describe(arguments: Mapping[str, Any]) -> list[str] | None:
    """Answer `Sandbox.describe`."""
    from review_flow.evidence import enrolment, faces

    found = enrolment.describe(arguments["path"])
    return None if found is None else [base64.b64encode(faces.to_bytes(one)).decode("ascii") for one in found]


def present(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.present`."""
    from review_flow.evidence import playable

    made = playable.present(arguments["path"], _sink(arguments["output"]))
    poster = base64.b64encode(made.poster).decode("ascii") if made.poster else None
    return {"made": made.made, "poster": poster, "notes": list(made.notes)}


def blur(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer `Sandbox.blur`."""
    from review_flow.evidence import blur as covering

    return covering.blur(
        arguments["path"],
        _sink(arguments["output"]),
        form=arguments["form"],
        references=_unpacked(arguments["references"]),
        colleagues=[_unpacked(those) for those in arguments["colleagues"]],
        told=arguments["told"],
    ).as_json()


def _sink(output: Any) -> Callable[[int, bytes], None]:
    def sink(at: int, piece: bytes) -> None:
        output.seek(at)
        output.write(piece)

    return sink


def warm(_arguments: Mapping[str, Any]) -> None:
    """Say that everything is loaded: a child answers only then."""


DEEDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "agreement": agreement,
    "blur": blur,
    "check": check,
    "describe": describe,
    "enrol": enrol,
    "fingerprint": fingerprint,
    "grounds": grounds,
    "present": present,
    "recogniser": recogniser,
    "warm": warm,
}


def load() -> None:
    """Load all that any deed needs: modules that are imported late, models, fonts, words, codecs."""
    import av
    import cv2
    from PIL import Image

    from review_flow import evidence, i18n
    from review_flow.evidence import contact_sheet, faces, likeness

    for package in (evidence.__name__, *LATE_PACKAGES):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if module.name != __spec__.name and not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):  # a part for another package that isn't here
                    importlib.import_module(module.name)
    for module_name in LATE_MODULES:
        importlib.import_module(module_name)
    for codec in pkgutil.iter_modules(encodings.__path__):  # a document may name any: one not there is a file refused
        with contextlib.suppress(LookupError):  # another system's, or none
            codecs.lookup(codec.name)
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    Image.init()
    contact_sheet.preload()
    faces.preload()
    with contextlib.suppress(ValueError):  # the school's models before they are calibrated
        likeness.calibration()
    for code in i18n.LANGUAGES:
        i18n.catalogue(code)


LATE_PACKAGES = ("av", "pypdf", "xml.etree", "xml.parsers")  # they import parts when they need them
LATE_MODULES = (
    "numpy.fft",
    "numpy.ma",
    "numpy.polynomial",
    "numpy.random",
)  # numpy loads them when they are first asked for


def answer(request: Mapping[str, Any], descriptors: Sequence[int], told: Callable[[int], None]) -> dict[str, Any]:
    """Do one request; a failure is named, not told: a stack trace is nothing a teacher can use.

    A long deed may call `told` with the percent that is done.
    """
    from review_flow.i18n import language

    language.set(request["language"])
    allow_cpu(request["cpu_s"])
    allow_output(request["output_bytes"])
    try:
        with _files(request, descriptors) as files:
            return {"value": DEEDS[request["deed"]]({**request["arguments"], **files, "told": told})}
    except MemoryError:
        return {"failed": "memory"}
    except FileNotFoundError:
        return {"failed": "missing"}
    except BaseException as error:  # noqa: BLE001 - whatever a file makes a decoder raise ends here; a Rust panic is no Exception
        too_large = isinstance(error, OSError) and error.errno == errno.EFBIG
        return {"failed": "output" if too_large else type(error).__name__}
    finally:
        allow_output(0)


@contextlib.contextmanager
def _files(request: Mapping[str, Any], descriptors: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the request's files by the names of its arguments, and close them."""
    inputs, handed = request["inputs"], list(descriptors)
    with contextlib.ExitStack() as stack:
        for descriptor in handed:
            stack.callback(os.close, descriptor)
        if not HANDS_OVER:
            files: dict[str, Any] = {name: Path(path) for name, path in inputs.items()}
        else:
            files = {name: Handed.of(path, handed.pop(0)) for name, path in inputs.items()}
        if request["output"]:
            output = handed.pop(0) if handed else request["output"]
            files["output"] = stack.enter_context(open(output, "r+b", closefd=not HANDS_OVER))
        yield files


def requests(channel: socket.socket | None) -> Iterator[tuple[bytes, list[int]]]:
    """Yield each line that comes, with the descriptors that came with it."""
    if channel is None:
        yield from ((line, []) for line in sys.stdin.buffer)
        return
    line, descriptors = b"", list[int]()
    while True:
        piece, came, _flags, _address = socket.recv_fds(channel, LONGEST_PIECE, MOST_DESCRIPTORS)
        if not piece:
            return
        line += piece
        descriptors += came
        if piece.endswith(b"\n"):
            yield line, descriptors
            line, descriptors = b"", []


def main() -> None:
    """Serve requests; standard output is kept for answers alone, whatever a library prints."""
    bind(*(int(number) for number in sys.argv[1:5]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    load()
    allow_output(0)
    channel = socket.socket(fileno=0) if HANDS_OVER else None
    lockdown.lock()
    answers.write(b"ready\n")
    answers.flush()

    def write(line: object) -> None:
        answers.write(json.dumps(line).encode() + b"\n")
        answers.flush()

    for line, descriptors in requests(channel):
        write(answer(json.loads(line), descriptors, write))


if __name__ == "__main__":
    main()
