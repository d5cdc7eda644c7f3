"""A child with deeds that do what hostile code would, once it runs there: `Sandbox(program=…)`."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_flow.evidence import child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, CLONE_NEWUSER = 16, 0x10000000
IO_URING_SETUP, OPENAT2 = 425, 437
MEMFD_CREATE, PTRACE, UNSHARE = {"x86_64": (319, 101, 272), "aarch64": (279, 117, 97)}[os.uname().machine]
KEPT: list[bytearray] = []


def call(*words: Any) -> None:
    """Make a system call; OSError when it is refused."""
    if LIBC.syscall(*words) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def raise_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def attempts(path: Path, parent: int) -> dict[str, Callable[[], Any]]:
    """Return what is tried, by name: on a file that is there, and on the parent."""
    new = path.with_suffix(".new")
    return {
        "read": lambda: os.open(path, os.O_RDONLY),
        "read through /proc": lambda: os.open(f"/proc/{parent}/environ", os.O_RDONLY),
        "reopen what is open": lambda: os.open("/proc/self/fd/0", os.O_RDWR),
        "overwrite": lambda: os.open(path, os.O_WRONLY | os.O_TRUNC),
        "create": lambda: os.open(new, os.O_CREAT | os.O_WRONLY),
        "openat2": lambda: call(OPENAT2, -100, bytes(path), ctypes.create_string_buffer(24), 24),
        "io_uring": lambda: call(IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
        "memory as a file": lambda: call(MEMFD_CREATE, b"x", 0),
        "list a folder": lambda: list(Path("/").iterdir()),
        "is it there": path.stat,
        "delete": path.unlink,
        "rename": lambda: path.rename(new),
        "link": lambda: new.symlink_to(path),
        "make a folder": new.mkdir,
        "allow to all": lambda: path.chmod(0o777),
        "TCP": lambda: socket.socket().connect(("127.0.0.1", 9)),
        "UDP": lambda: socket.socket(type=socket.SOCK_DGRAM),
        "Unix socket": lambda: socket.socket(socket.AF_UNIX),
        "netlink": lambda: socket.socket(socket.AF_NETLINK),
        "socket pair": socket.socketpair,
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "kill the parent": lambda: os.kill(parent, 9),
        "trace the parent": lambda: call(PTRACE, PTRACE_ATTACH, parent, 0, 0),
        "another user": lambda: os.setuid(1),
        "own world": lambda: call(UNSHARE, CLONE_NEWUSER),
        "raise a limit": raise_file_size,
        "limits of the parent": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
    }


def attempt(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Try everything; return how each was answered."""
    return {name: tried(what) for name, what in attempts(Path(arguments["path"]), arguments["parent"]).items()}


def tried(what: Callable[[], Any]) -> str:
    try:
        what()
    except OSError as refused:
        return errno.errorcode[refused.errno or 0]
    except ValueError as refused:
        return str(refused)
    return "done"


def think(_arguments: Mapping[str, Any]) -> list[int]:
    """Do what a decoder does in good faith: threads."""
    seen: list[int] = []
    threads = [threading.Thread(target=seen.append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seen)


def write(arguments: Mapping[str, Any]) -> str:
    """Write to the output as a muxer does: onward, back, over, and read it again; leave it or fail."""
    file = arguments["output"]
    for _piece in range(arguments["pieces"]):
        file.write(b"x" * 1_000)
    file.seek(0)
    file.write(b"head")
    file.flush()
    if arguments.get("fails"):
        raise RuntimeError
    file.seek(0)
    return str(file.read(6), "ascii")


def copy(arguments: Mapping[str, Any]) -> list[str]:
    """Read two inputs in turns, each at its own place, twice over."""
    with arguments["one"].open("rb") as one, arguments["two"].open("rb") as two, arguments["one"].open("rb") as again:
        return [str(file.read(2), "ascii") for file in (one, two, one, again, two)]


def swell(arguments: Mapping[str, Any]) -> int:
    """Hold on to memory from now on."""
    KEPT.append(bytearray(arguments["size"]))
    return os.getpid()


child.DEEDS |= {"attempt": attempt, "think": think, "write": write, "copy": copy, "swell": swell}

if __name__ == "__main__":
    child.main()
