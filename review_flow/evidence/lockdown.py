"""What the kernel takes from a child before it meets a file: Linux by seccomp and Landlock, elsewhere nothing.

`lock` is for a process that has loaded all it needs. From then on it may compute, read and write descriptors
it holds, and receive some from its parent: no file is opened, for reading or writing, no socket made, no
process started or signalled. What isn't on the list fails with EPERM, so that a library which asks in vain
goes on or raises; a foreign system-call table ends the process. Both layers are held by the kernel to the end
of the process and need no privilege. Seccomp covers x86-64 and ARM64; Landlock (Linux 5.13) any machine, and
TCP from 6.7 on. The numbers are the kernel's stable ones.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import socket
import struct
import sys
import tempfile
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
ANYBODYS = tempfile.gettempdir()  # where anybody may write; asked for at once, a locked child can't
SIGKILL = 9

# Name: (x86-64, ARM64); None where the machine has no such call.
Numbers = tuple[int | None, int | None]
ALLOWED: dict[str, Numbers] = {
    # bytes of descriptors it holds
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "preadv": (295, 69),
    "write": (1, 64),
    "writev": (20, 66),
    "pwrite64": (18, 68),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "fadvise64": (221, 223),
    "fallocate": (285, 47),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "close": (3, 57),
    "poll": (7, None),
    "ppoll": (271, 73),
    "recvmsg": (47, 212),
    # memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    # threads and signals of its own
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "get_robust_list": (274, 100),
    "rseq": (334, 293),
    "set_tid_address": (218, 96),
    "arch_prctl": (158, None),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "getcpu": (309, 168),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # time, chance and who it is
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "uname": (63, 160),
    "sysinfo": (99, 179),
}
CLONE3: Numbers = (435, 435)
CLONE_THREAD, AT_EMPTY_PATH = 0x10000, 0x1000
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
PR_SET_NAME, PR_SET_VMA = 15, 0x53564D41


@dataclass(frozen=True, slots=True)
class Conditional:
    """A call allowed when one argument's lower half is one of `equal`, or has the bits `has`."""

    numbers: Numbers
    argument: int
    equal: tuple[int, ...] = ()
    has: int = 0


def conditional() -> dict[str, Conditional]:
    """Return the calls that depend on an argument; this process's number is part of them."""
    own = os.getpid()
    return {
        "clone": Conditional((56, 220), 0, has=CLONE_THREAD),  # threads, as decoders start them; no processes
        "newfstatat": Conditional((262, 79), 3, has=AT_EMPTY_PATH),  # how newer C libraries spell fstat
        "tgkill": Conditional((234, 131), 0, equal=(own,)),  # abort()
        "prlimit64": Conditional((302, 261), 0, equal=(0, own)),
        "fcntl": Conditional((72, 25), 1, equal=(F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC)),
        "prctl": Conditional((157, 167), 0, equal=(PR_SET_NAME, PR_SET_VMA)),
    }


MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH of the kernel
X32 = 0x40000000  # x86-64's second table of calls starts here
LOAD, EQUAL, AT_LEAST, BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: ld word, jeq, jge, jset, ret
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16  # struct seccomp_data
SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
SET_MODE_FILTER, TSYNC = 1, 1


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def program(machine: str) -> bytes:
    """Return the seccomp filter for a machine of `MACHINES`, eight bytes a step."""
    column, arch = MACHINES[machine]
    steps = [
        _step(LOAD, ARCH_AT),
        _step(EQUAL, arch, if_true=1),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER_AT),
        _step(AT_LEAST, X32, if_false=1),
        _step(RETURN, REFUSE | errno.EPERM),
        # The C library falls back to clone(), whose flags can be seen.
        _step(EQUAL, CLONE3[column] or 0, if_false=1),
        _step(RETURN, REFUSE | errno.ENOSYS),
    ]
    for numbers in ALLOWED.values():
        number = numbers[column]
        if number is not None:
            steps += [_step(EQUAL, number, if_false=1), _step(RETURN, ALLOW)]
    for call in conditional().values():
        tests = [_step(BITS, call.has, if_false=1), _step(RETURN, ALLOW)] if call.has else []
        for value in call.equal:
            tests += [_step(EQUAL, value, if_false=1), _step(RETURN, ALLOW)]
        steps += [
            _step(EQUAL, call.numbers[column] or 0, if_false=len(tests) + 2),
            _step(LOAD, ARGUMENTS_AT + 8 * call.argument),
            *tests,
            _step(RETURN, REFUSE | errno.EPERM),
        ]
    return b"".join([*steps, _step(RETURN, REFUSE | errno.EPERM)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def forgo_privileges() -> None:
    """Die with the parent and never gain a right by starting a program; both layers below ask for the latter."""
    if sys.platform == "linux":
        libc = _libc()
        libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def filter_calls() -> bool:
    """Put the filter on all threads of this process; False where there is none."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in MACHINES or sys.maxsize < 1 << 32:
        return False
    code = program(machine)
    filled = _Program(len(code) // 8, code)
    return bool(_libc().syscall(SECCOMP_CALL[machine], SET_MODE_FILTER, TSYNC, ctypes.byref(filled)) == 0)


CREATE_RULESET, RESTRICT_SELF = 444, 446  # the same on every machine
ASK_VERSION = 1
# Rights of the file system as each version of Landlock brought them, by number of bits.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
TCP_SINCE, TCP = 4, 0b11
SCOPES_SINCE, SCOPES = 6, 0b11  # abstract Unix sockets, signals


def fence() -> bool:
    """Take every right to the file system (and to TCP) from this thread and those it starts; False where it can't be."""
    if sys.platform != "linux":
        return False
    libc = _libc()
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)
    if version < 1:
        return False
    files = (1 << FILE_RIGHTS.get(version, FILE_RIGHTS[max(FILE_RIGHTS)])) - 1
    parts = [files, TCP if version >= TCP_SINCE else 0, SCOPES if version >= SCOPES_SINCE else 0]
    wishes = struct.pack("=QQQ", *parts)[: 8 * (1 + (version >= TCP_SINCE) + (version >= SCOPES_SINCE))]
    rules = libc.syscall(CREATE_RULESET, wishes, ctypes.c_size_t(len(wishes)), 0)
    if rules < 0:
        return False
    try:
        return bool(libc.syscall(RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def lock() -> None:
    """Take from this process all that decoding doesn't need, as far as the kernel can: never to be had back."""
    fence()
    filter_calls()


def withheld() -> dict[str, bool]:
    """Try what a hostile file would, and return what was refused: the proof, not the intention.

    Refused are `files` when neither a file anybody may read can be opened nor a new one made, `network` when
    neither TCP nor UDP reaches this very machine, `processes` when none can be started.
    """
    attempts: dict[str, tuple[Callable[[], None], ...]] = {
        "files": (_read, _write),
        "network": (_connect, _send),
        "processes": (_start,),
    }
    return {right: all(_refused(attempt) for attempt in tried) for right, tried in attempts.items()}


def _refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _read() -> None:
    os.close(os.open(__file__, os.O_RDONLY))


def _write() -> None:
    name = os.path.join(ANYBODYS, uuid.uuid4().hex)  # noqa: PTH118 - as below
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.unlink(name)  # noqa: PTH108 - the plainest way is what is tried


def _connect() -> None:
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))


def _send() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.sendto(b"", ("127.0.0.1", 9))


def _start() -> None:
    if hasattr(os, "fork"):  # elsewhere nothing holds a process back
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":  # for `sandbox.protections`
    forgo_privileges()
    lock()
    print(json.dumps(withheld()))  # noqa: T201 - the answer
