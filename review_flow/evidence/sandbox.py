"""Untrusted bytes are decoded in limited child processes: a crash, a hang or a bomb ends as a Finding.

The parent starts `python -m review_flow.evidence.child` afresh (no fork of its own state, so threads,
asyncio and Prefect around it don't matter) and talks JSON lines over two pipes. A child has a bounded
memory, CPU time per file and number of open files, may write no file at all, inherits nothing but the
pipes, knows none of our secrets, and dies with its parent.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import review_flow
from review_flow.evidence.check import Report, broken_off, search_as_json
from review_flow.evidence.copies.prints import Print
from review_flow.evidence.faces import Encoding, Enrolment, from_bytes, to_bytes
from review_flow.evidence.presence import Search
from review_flow.i18n import _, language, say
from review_flow.rules.verdict import Finding, Level, Slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use; CPU and wall time per file, memory as address space (code and models take 0.45 GB of it, an 8K film 0.8)."""

    memory_bytes: int = 2_000_000_000
    cpu_s: int = 150
    wall_s: float = 180.0
    open_files: int = 64
    answer_bytes: int = 32_000_000
    files_per_child: int = 200


class Broken(Exception):  # noqa: N818 - it is an answer, not a fault
    """A child gave no answer; `finding` says so to the teacher and asks a human to look."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.finding = Finding(code, Level.HUMAN, say(sentence))


TIMED_OUT = ("check_timed_out", _("文件太复杂，自动检查超时，将由人工查看；也可以导出为普通 MP4（1080p）再传。"))
CRASHED = ("check_crashed", _("自动检查打不开这个文件，将由人工查看；如果您自己也打不开，请重新导出后再传。"))
TOO_MUCH = (
    "check_out_of_memory",
    _("文件展开后太大，自动检查放弃了，将由人工查看；也可以导出为普通 MP4（1080p）再传。"),
)
NOT_THERE = ("file_missing", _("文件不在了或读不到，将由人工处理。"))
REASONS = {"memory": TOO_MUCH, "missing": NOT_THERE}


class _Child:
    """One process, one request at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.served = limits, 0
        package = Path(review_flow.__file__).parent.parent
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join([str(package), *(entry for entry in sys.path if entry)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            "MIMALLOC_ARENA_RESERVE": "65536",  # KiB; rensa's allocator would take 1 GiB of the address space at once
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        numbers = (os.getpid(), limits.memory_bytes, limits.open_files)
        self.process = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            [sys.executable, "-m", "review_flow.evidence.child", *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            close_fds=True,
            start_new_session=True,
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Send one request and return its answer; Broken when none comes, the child being gone then.

        At the deadline a timer kills the child, which ends both a write it never took and the wait for it.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.served += 1
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(self.limits.wall_s, give_up)
        timer.start()
        line = b""
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline(self.limits.answer_bytes)
        except OSError:  # it died before it had read everything
            pass
        finally:
            timer.cancel()
            timer.join()
            if not line.endswith(b"\n"):  # also when we are interrupted: a late answer must not meet the next request
                self.end(grace_s=0.5)  # one that died by itself keeps its own reason
        if not line.endswith(b"\n"):
            slow = late.is_set() or self.process.returncode == -signal.SIGXCPU
            raise Broken(*(TIMED_OUT if slow else TOO_MUCH if line else CRASHED))
        answer = json.loads(line)
        if "value" in answer:
            return answer["value"]
        raise Broken(*REASONS.get(answer["failed"], CRASHED))

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """Whether it can take another request."""
        return self.process.poll() is None and self.served < self.limits.files_per_child

    def end(self, *, grace_s: float = 0.0) -> None:
        """Kill it and whatever it may have started; returns when it is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        if self.process.returncode is None:
            self._kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # an unsent rest for a dead child
                    pipe.close()


class Sandbox:
    """A pool of warm children; safe to call from several threads, each call holding one child.

    ``with Sandbox(workers=2) as box: box.check(path, references=…)``. Children start when first needed,
    load the face models once, are replaced when they die and after a number of files.
    """

    def __init__(self, *, workers: int = 1, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        # Linux ends a child when the *thread* that started it ends: so one thread starts them all and
        # lives as long as the pool, whichever threads come and go with requests.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _worker in range(workers):
            self._idle.put(None)
        self._workers = workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all children, waiting for those still at work."""
        for _worker in range(self._workers):
            child = self._idle.get()
            if child is not None:
                child.end()
        self._workers = 0
        self._starter.shutdown()

    def warm(self) -> None:
        """Start every child and load its models now, each at the same time."""
        with ThreadPoolExecutor(self._workers) as crew:
            list(crew.map(lambda _worker: self._run("warm", {}), range(self._workers)))

    def _run(self, deed: str, arguments: Mapping[str, Any]) -> Any:
        """Have a child do one of `child.DEEDS`; Broken when it can't."""
        child = self._idle.get()
        try:
            if child is None or not child.alive:
                if child is not None:
                    child.end()
                    child = None
                child = self._starter.submit(_Child, self.limits).result()
            return child.ask(
                {"deed": deed, "arguments": arguments, "language": language.get(), "cpu_s": self.limits.cpu_s}
            )
        except OSError as refused:  # the machine has no process left for us
            raise Broken(*CRASHED) from refused
        finally:
            self._idle.put(child)

    def check(
        self,
        path: Path,
        *,
        references: Sequence[Encoding] = (),
        slot: Slot | Mapping[str, Any] | None = None,
        known_hashes: Mapping[str, str] | None = None,
        search: Search | None = None,
        name: str | None = None,
        sheet: bool = False,
    ) -> Report:
        """Do `evidence.check.check` in a child; whatever the file does, a Report comes back."""
        began = time.monotonic()
        wanted = slot if isinstance(slot, Slot) else Slot.of(slot)
        arguments = {
            "path": str(path.absolute()),
            "references": [_packed(reference) for reference in references],
            "slot": wanted.as_mapping(),
            "known_hashes": dict(known_hashes or {}),
            "search": search_as_json(search or Search()),
            "name": name,
            "sheet": sheet,
        }
        try:
            answer = self._run("check", arguments)
        except Broken as broken:
            size = path.stat().st_size if path.exists() else None
            return broken_off(broken.finding, wall_s=time.monotonic() - began, size=size)
        drawn = answer.pop("sheet")
        return Report.from_json(answer, sheet=base64.b64decode(drawn) if drawn else None)

    def fingerprint(self, path: Path) -> list[Print]:
        """Do `evidence.copies.fingerprint` in a child; raises Broken when the file breaks it."""
        return [Print.from_json(one) for one in self._run("fingerprint", {"path": str(path.absolute())})]

    def enrol(self, path: Path) -> Enrolment:
        """Do `evidence.faces.enrol` in a child; a photo that breaks it is a problem like any other."""
        try:
            answer = self._run("enrol", {"path": str(path.absolute())})
        except Broken as broken:
            return Enrolment(None, (broken.finding,))
        problems = tuple(Finding(p["code"], Level(p["level"]), p["text"]) for p in answer["problems"])
        packed = answer["encoding"]
        return Enrolment(from_bytes(base64.b64decode(packed)) if packed else None, problems)


def _packed(encoding: Encoding) -> str:
    return base64.b64encode(to_bytes(encoding)).decode("ascii")


def check(path: Path, *, limits: Limits | None = None, **wishes: Any) -> Report:
    """Check one file in a child of its own; arguments as `Sandbox.check`."""
    with Sandbox(limits=limits) as box:
        return box.check(path, **wishes)
