"""Untrusted bytes are decoded in limited child processes: a crash, a hang or a bomb ends as a Finding.

The parent starts `python -m review_flow.evidence.child` afresh (no fork of its own state, so threads,
asyncio and Prefect around it don't matter) and talks JSON lines over two pipes. A child loads its models, then
gives up for good what decoding doesn't need: `lockdown` says what each kernel takes. It has a bounded memory
and number of open files, knows none of our secrets, and dies with its parent.

Files cross as descriptors, by `Sandbox.run(deed, arguments, inputs=…, output=…, allowance=…)`. An input is opened
by the parent, once, and only when it is a regular file; the deed finds a `Path` of that name in its arguments that
reads through the descriptor. An output is a new file of the parent's, open for reading, writing and seeking, as
muxers need it; the deed finds it as `arguments["output"]`. It is the one thing a locked child can write to, so the
kernel's limit on file sizes is its limit (`Allowance.output_bytes`; past it writing fails, and the deed with it).
It gets its name when the deed has ended well and is gone otherwise: nobody meets half a file. Where descriptors
can't be sent (Windows) both cross by name.

Time is limited per request: CPU by the kernel, wall by the parent, which kills at the deadline. A file gets what
its size may need, so a small one that hangs is over soon.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import review_flow
from review_flow.evidence.blur import Blurred
from review_flow.evidence.check import Report, broken_off, search_as_json
from review_flow.evidence.copies.prints import Print
from review_flow.evidence.enrolment import Enrolment
from review_flow.evidence.faces import MODELS, Encoding, from_bytes, to_bytes
from review_flow.evidence.handed import HANDS_OVER
from review_flow.evidence.limits import CRASHED, NOT_THERE, REASONS, TIMED_OUT, TOO_MUCH, Allowance, Broken, Limits
from review_flow.evidence.playable import Copy
from review_flow.evidence.presence import Search
from review_flow.i18n import language
from review_flow.rules.verdict import Finding, Level, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType


LONGEST_PERCENT = len(b"100\n")


class _NotTakenError(Exception):
    """The child was gone before it took the request: another one may."""


class _Child:
    """One process, one request at a time."""

    def __init__(self, limits: Limits, program: str, models: Path | None) -> None:
        self.limits, self.served, self.ready = limits, 0, False
        package = Path(review_flow.__file__).parent.parent
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join([str(package), *(entry for entry in sys.path if entry)]),
            **({"PYTHONDONTWRITEBYTECODE": "1"} if sys.dont_write_bytecode else {}),
            "LC_ALL": "C.UTF-8",
            **({MODELS: str(models.absolute())} if models else {}),
            "MIMALLOC_ARENA_RESERVE": "65536",  # KiB; rensa's allocator would take 1 GiB of the address space at once
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        }
        numbers = (os.getpid(), limits.memory_bytes, limits.open_files, limits.output_bytes)
        ours, theirs = socket.socketpair() if HANDS_OVER else (None, None)
        self.process = subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            [sys.executable, "-m", program, *map(str, numbers)],
            stdin=subprocess.PIPE if theirs is None else theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            close_fds=True,
            start_new_session=True,
        )
        if theirs is not None:
            theirs.close()
        self.requests = ours

    def ask(
        self, request: Mapping[str, Any], descriptors: Sequence[int], allowance: Allowance, told: Callable[[int], None]
    ) -> Any:
        """Send one request and return its answer; Broken when none comes, the child being gone then.

        A line with a number alone is the percent done so far, for `told`; the answer is an object.

        At the deadline a timer kills the child, which ends both a write it never took and the wait for it.
        _NotTakenError when it was gone before it had the request.
        """
        assert self.process.stdout is not None
        readline = self.process.stdout.readline
        if not self.ready:
            self.ready = self._within(self.limits.start_s, lambda: readline(16), b"ready\n") == b"ready\n"
        self.served += 1
        sent = json.dumps(request).encode() + b"\n"

        def exchange() -> bytes:
            try:
                self._send(sent, descriptors)
            except OSError as gone:
                raise _NotTakenError from gone
            line = readline(allowance.answer_bytes)
            while line.strip().isdigit() and len(line) <= LONGEST_PERCENT:
                told(int(line))
                line = readline(allowance.answer_bytes)
            return line

        answer = json.loads(self._within(allowance.wall_s, exchange, b"\n"))
        if "value" in answer:
            return answer["value"]
        raise Broken(*REASONS.get(answer["failed"], CRASHED), answer["failed"])

    def _send(self, line: bytes, descriptors: Sequence[int]) -> None:
        if self.requests is None:
            assert self.process.stdin is not None
            self.process.stdin.write(line)
            self.process.stdin.flush()
            return
        sent = socket.send_fds(self.requests, [line], descriptors) if descriptors else 0
        self.requests.sendall(memoryview(line)[sent:])

    def _within(self, seconds: float, work: Callable[[], bytes], end: bytes) -> bytes:
        """Return the line that `work` gets, or end the child and raise Broken when it gets none in time."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(seconds, give_up)
        timer.start()
        line = b""
        try:
            with contextlib.suppress(OSError):
                line = work()
        except _NotTakenError:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
            timer.join()
            if not line.endswith(end):  # also when we are interrupted: a late answer must not meet the next request
                self.end(grace_s=0.5)  # one that died by itself keeps its own reason
        if line.endswith(end):
            return line
        slow = late.is_set() or self.process.returncode == -getattr(signal, "SIGXCPU", 0)
        raise Broken(*(TIMED_OUT if slow else TOO_MUCH if line else CRASHED), f"exit {self.process.returncode}")

    def _kill(self) -> None:
        if sys.platform == "win32":
            self.process.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """Whether it can take another request."""
        return (
            self.process.poll() is None
            and self.served < self.limits.files_per_child
            and self._held() <= self.limits.kept_bytes
        )

    def _held(self) -> int:
        """Return the bytes of address space it holds; 0 where only the kernel knows."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()
            return int(pages[0]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return 0

    def end(self, *, grace_s: float = 0.0) -> None:
        """Kill it and whatever it may have started; returns when it is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        if self.process.returncode is None:
            self._kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.requests):
            if pipe is not None:
                with contextlib.suppress(OSError):  # an unsent rest for a dead child
                    pipe.close()


class Sandbox:
    """A pool of warm children; safe to call from several threads, each call holding one child.

    ``with Sandbox(workers=2) as box: box.check(path, references=…)``. Children start when first needed,
    load the face models once, are replaced when they die, hold on to too much memory, or have served
    their number of files. A request that a dead child never took goes to the next. `models` is the folder
    of the school's own face models; `program` is the module
    that a child runs.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        limits: Limits | None = None,
        models: Path | None = None,
        program: str = "review_flow.evidence.child",
    ) -> None:
        self.limits, self.models, self.program = limits or Limits(), models, program
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
            list(crew.map(lambda _worker: self.run("warm", {}), range(self._workers)))

    def run(
        self,
        deed: str,
        arguments: Mapping[str, Any],
        *,
        inputs: Mapping[str, Path] | None = None,
        output: Path | None = None,
        allowance: Allowance | None = None,
        told: Callable[[int], None] = lambda _percent: None,
    ) -> Any:
        """Have a child do one of `child.DEEDS` and return its answer; Broken when it gives none.

        `inputs` are files by the names of the arguments that will hold them; `output` is written when the deed
        ends well, and replaced if it is there. Default allowance: as for a file of the inputs' size. A long deed
        calls `told` with the percent that is done.
        """
        given = dict(inputs or {})
        with contextlib.ExitStack() as stack:
            descriptors = [stack.enter_context(_opened(path)) for path in given.values()]
            allowance = allowance or self.limits.for_size(sum(os.fstat(one).st_size for one in descriptors))
            part = stack.enter_context(_part(output)) if output else None
            request = {
                "deed": deed,
                "arguments": arguments,
                "inputs": {name: str(path.absolute()) for name, path in given.items()},
                "output": part and part.name,
                "language": language.get(),
                "cpu_s": allowance.cpu_s,
                "output_bytes": allowance.output_bytes,
            }
            answer = self._asked(request, [*descriptors, *([part.fileno()] if part else [])], allowance, told)
            if output and part:
                part.close()
                Path(part.name).replace(output)
            return answer

    def _asked(
        self, request: Mapping[str, Any], descriptors: Sequence[int], allowance: Allowance, told: Callable[[int], None]
    ) -> Any:
        child = self._idle.get()
        try:
            while True:
                if child is None or not child.alive:
                    if child is not None:
                        child.end()
                        child = None
                    child = self._starter.submit(_Child, self.limits, self.program, self.models).result()
                try:
                    return child.ask(request, descriptors if HANDS_OVER else (), allowance, told)
                except _NotTakenError as gone:
                    if child.served == 1:  # a new one: it isn't the child
                        raise Broken(*CRASHED, "gone at once") from gone
        except OSError as refused:  # the machine has no process left for us
            raise Broken(*CRASHED, str(refused)) from refused
        finally:
            self._idle.put(child)

    def check(
        self,
        path: Path,
        *,
        references: Sequence[Encoding] = (),
        colleagues: Sequence[Sequence[Encoding]] = (),
        slot: Slot | Mapping[str, Any] | None = None,
        known_hashes: Mapping[str, str] | None = None,
        search: Search | None = None,
        name: str | None = None,
        sha256: str | None = None,
        sheet: bool = False,
    ) -> Report:
        """Do `evidence.check.check` in a child; whatever the file does, a Report comes back."""
        began = time.monotonic()
        wanted = slot if isinstance(slot, Slot) else Slot.of(slot)
        search = search or Search()
        size = path.stat().st_size if path.exists() else None
        arguments = {
            "references": [_packed(reference) for reference in references],
            "colleagues": [[_packed(reference) for reference in those] for those in colleagues],
            "slot": wanted.as_mapping(),
            "known_hashes": dict(known_hashes or {}),
            "search": search_as_json(search),
            "search_cpu_s": self.limits.for_search(search),
            "name": name,
            "sha256": sha256,
            "sheet": sheet,
        }
        try:
            allowance = self.limits.for_size(size or 0, search)
            answer = self.run("check", arguments, inputs={"path": path}, allowance=allowance)
        except Broken as broken:
            return broken_off(broken.finding, wall_s=time.monotonic() - began, size=size)
        drawn = answer.pop("sheet")
        return Report.from_json(answer, sheet=base64.b64decode(drawn) if drawn else None)

    def fingerprint(self, path: Path) -> list[Print]:
        """Do `evidence.copies.fingerprint` in a child; raises Broken when the file breaks it."""
        return [Print.from_json(one) for one in self.run("fingerprint", {}, inputs={"path": path})]

    def enrol(self, path: Path) -> Enrolment:
        """Do `evidence.faces.enrol` in a child; a photo that breaks it is a problem like any other."""
        try:
            answer = self.run("enrol", {}, inputs={"path": path})
        except Broken as broken:
            return Enrolment(None, (broken.finding,))
        problems = tuple(Finding(p["code"], Level(p["level"]), p["text"]) for p in answer["problems"])
        packed = answer["encoding"]
        return Enrolment(from_bytes(base64.b64decode(packed)) if packed else None, problems)

    def agreement(self, references: Sequence[Encoding]) -> tuple[Finding, ...]:
        """Do `evidence.enrolment.agreement` in a child: it has the recogniser's calibration at hand."""
        answer = self.run("agreement", {"references": [_packed(one) for one in references]})
        return tuple(Finding(p["code"], Level(p["level"]), p["text"]) for p in answer)

    def grounds(self, references: Sequence[Encoding]) -> dict[str, Any]:
        """Return what an answer about these references rests on: see `likeness.grounds`."""
        advice = [finding.text for finding in self.agreement(references)] if references else []
        return {**self.run("grounds", {"references": len(references)}), "advice": advice}

    def recogniser(self) -> str:
        """Return the name of what the children see faces with."""
        return str(self.run("recogniser", {}))

    def describe(self, path: Path) -> tuple[Encoding, Encoding] | None:
        """Do `evidence.enrolment.describe` in a child; None also for a photo that breaks it."""
        try:
            packed = self.run("describe", {}, inputs={"path": path})
        except Broken:
            return None
        if packed is None:
            return None
        whole, alone = (from_bytes(base64.b64decode(one)) for one in packed)
        return whole, alone

    def present(self, path: Path, into: Path) -> Copy:
        """Do `evidence.playable.present` in a child, which writes the copy to a file of ours, replaced when it is whole.

        Raises Broken where nothing could be made. The pool's limits hold in full: a film's size says little of its work.
        """
        limits = self.limits
        allowance = Allowance(wall_s=limits.wall_s, cpu_s=limits.cpu_s, output_bytes=limits.output_bytes)
        answer = self.run("present", {}, inputs={"path": path}, output=into, allowance=allowance)
        poster = answer["poster"]
        return Copy(answer["made"], base64.b64decode(poster) if poster else None, tuple(answer["notes"]))

    def blur(
        self,
        path: Path,
        into: Path,
        *,
        references: Sequence[Encoding] = (),
        colleagues: Sequence[Sequence[Encoding]] = (),
        told: Callable[[int], None] = lambda _percent: None,
    ) -> Blurred:
        """Do `evidence.blur.blur` in a child; `into` names the form (.mp4, .jpg, .png) and is there only when it is whole."""
        limits = self.limits
        allowance = Allowance(wall_s=limits.wall_s, cpu_s=limits.cpu_s, output_bytes=limits.output_bytes)
        arguments = {
            "references": [_packed(reference) for reference in references],
            "colleagues": [[_packed(reference) for reference in those] for those in colleagues],
            "form": into.suffix.lower(),
        }
        try:
            answer = self.run("blur", arguments, inputs={"path": path}, output=into, allowance=allowance, told=told)
        except Broken as broken:
            return Blurred(findings=(broken.finding,))
        made = Blurred.from_json(answer)
        if made.made is None:
            into.unlink(missing_ok=True)
        return made


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a regular file for reading, never waiting for one that isn't; Broken when it can't be had."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as gone:
        raise Broken(*NOT_THERE, str(gone)) from gone
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Broken(*NOT_THERE, "no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _part(output: Path) -> Iterator[Any]:
    """Make the file that will become `output`, beside it; what is still there in the end is removed."""
    with tempfile.NamedTemporaryFile("w+b", dir=output.parent, prefix=output.name, delete=False) as part:
        try:
            yield part
        finally:
            Path(part.name).unlink(missing_ok=True)


def _packed(encoding: Encoding) -> str:
    return base64.b64encode(to_bytes(encoding)).decode("ascii")


def check(path: Path, *, limits: Limits | None = None, **wishes: Any) -> Report:
    """Check one file in a child of its own; arguments as `Sandbox.check`."""
    with Sandbox(limits=limits) as box:
        return box.check(path, **wishes)


def protections() -> dict[str, bool]:
    """Return what the kernel of this machine keeps from children, tried out in a process: see `lockdown.withheld`."""
    package = Path(review_flow.__file__).parent.parent
    command = [sys.executable, "-m", "review_flow.evidence.lockdown"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30, cwd=package)  # noqa: S603 - our own module
    return dict(json.loads(done.stdout))
