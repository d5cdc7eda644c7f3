"""Code that runs where files are decoded reaches nothing: no file, no network, no process, no more than its output."""

from __future__ import annotations

import errno
import os
import platform
import re
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from review_flow.evidence import lockdown
from review_flow.evidence.limits import Allowance, Broken, Limits
from review_flow.evidence.sandbox import Sandbox, protections

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in lockdown.MACHINES, reason="no system-call filter here"
    ),
]
SMALL = Allowance(wall_s=20, cpu_s=10, output_bytes=10_000)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Sandbox]:
    with Sandbox(program="tests.evidence.hostile_child", limits=Limits(kept_bytes=1_200_000_000)) as box:
        yield box


def test_what_is_in_force_is_tried_out() -> None:
    assert protections() == {"files": True, "network": True, "processes": True}


def test_an_unlocked_process_is_told_as_it_is() -> None:
    assert lockdown.withheld() == {"files": False, "network": False, "processes": False}


def test_hostile_code_gets_nothing(hostile: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("secret", encoding="ascii")
    answers = hostile.run("attempt", {"path": str(path), "parent": os.getpid()})
    raised = {"raise a limit": "not allowed to raise maximum limit"}
    assert answers == {name: raised.get(name, "EPERM") for name in answers}
    assert len(answers) == 28
    assert [(one.name, one.read_text(encoding="ascii")) for one in tmp_path.iterdir()] == [("secret", "secret")]


def test_decoders_may_use_threads(hostile: Sandbox) -> None:
    assert hostile.run("think", {}) == [0, 1, 2, 3]


def test_inputs_are_read_each_at_its_own_place(hostile: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"abcdef")
    (tmp_path / "two").write_bytes(b"uvwxyz")
    given = {"one": tmp_path / "one", "two": tmp_path / "two"}
    assert hostile.run("copy", {}, inputs=given) == ["ab", "uv", "cd", "ab", "wx"]


def test_an_output_is_there_whole_or_not_at_all(hostile: Sandbox, tmp_path: Path) -> None:
    output = tmp_path / "made.mp4"
    assert hostile.run("write", {"pieces": 10}, output=output, allowance=SMALL) == "headxx"
    assert output.read_bytes() == b"head" + b"x" * 9_996
    with pytest.raises(Broken) as failed:
        hostile.run("write", {"pieces": 3, "fails": True}, output=output, allowance=SMALL)
    assert (failed.value.finding.code, failed.value.why) == ("check_crashed", "RuntimeError")
    assert output.stat().st_size == 10_000  # the one from before
    with pytest.raises(Broken) as failed:
        hostile.run("write", {"pieces": 11}, output=output, allowance=SMALL)
    assert failed.value.finding.code == "output_too_large"
    assert [one.name for one in tmp_path.iterdir()] == ["made.mp4"]
    assert hostile.run("write", {"pieces": 2}, output=output, allowance=SMALL) == "headxx"
    assert output.stat().st_size == 2_000


def test_no_request_s_output_exceeds_the_pool_s_limit(tmp_path: Path) -> None:
    with Sandbox(program="tests.evidence.hostile_child", limits=Limits(output_bytes=3_000)) as box:
        with pytest.raises(Broken) as failed:
            box.run("write", {"pieces": 4}, output=tmp_path / "made", allowance=SMALL)
        assert failed.value.finding.code == "output_too_large"
        with pytest.raises(Broken) as failed:  # one that asks for no output bytes gets none
            box.run("write", {"pieces": 1}, output=tmp_path / "made", allowance=Allowance(wall_s=20, cpu_s=10))
        assert failed.value.finding.code == "output_too_large"
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_holds_on_to_memory_is_renewed(hostile: Sandbox) -> None:
    first = hostile.run("swell", {"size": 1_000})
    assert hostile.run("swell", {"size": 900_000_000}) == first
    assert hostile.run("swell", {"size": 1_000}) != first


@pytest.mark.parametrize(
    ("machine", "header", "prefix"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "__NR_"),
        ("aarch64", "/usr/include/asm-generic/unistd.h", "__NR(?:3264)?_"),
    ],
)
def test_the_numbers_are_the_kernel_s(machine: str, header: str, prefix: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"no {header}")
    text = Path(header).read_text(encoding="ascii")
    kernel = {name: int(number) for name, number in re.findall(rf"#define {prefix}(\w+)\s+(\d+)", text)}
    kernel |= {"newfstatat": kernel.get("newfstatat", kernel.get("fstatat", -1))}
    column = lockdown.MACHINES[machine][0]
    ours = {name: numbers[column] for name, numbers in lockdown.ALLOWED.items()}
    ours |= {name: call.numbers[column] for name, call in lockdown.conditional().items()}
    ours |= {"clone3": lockdown.CLONE3[column]}
    assert ours == {name: kernel.get(name) for name in ours}
    assert kernel["seccomp"] == lockdown.SECCOMP_CALL[machine]


def answer(code: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Run a filter as the kernel does; an end without an answer raises IndexError."""
    call = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    at, held = 0, 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, 8 * at)
        tests = {
            lockdown.EQUAL: held == value,
            lockdown.AT_LEAST: held >= value,
            lockdown.BITS: bool(held & value),
        }
        if operation == lockdown.RETURN:
            return int(value)
        if operation == lockdown.LOAD:
            [held] = struct.unpack_from("=I", call, value)
        else:
            at += if_true if tests[operation] else if_false
        at += 1


@pytest.mark.parametrize("machine", lockdown.MACHINES)
def test_the_filter_answers_as_its_table_says(machine: str) -> None:
    code = lockdown.program(machine)
    column, arch = lockdown.MACHINES[machine]
    refused, allow = lockdown.REFUSE | errno.EPERM, lockdown.ALLOW
    allowed = {number for numbers in lockdown.ALLOWED.values() if (number := numbers[column]) is not None}
    conditional = {call.numbers[column]: call for call in lockdown.conditional().values()}
    for number in range(600):
        expected = allow if number in allowed else refused
        if number == lockdown.CLONE3[column]:
            expected = lockdown.REFUSE | errno.ENOSYS
        if number in conditional:
            call = conditional[number]
            given = [0] * 6
            given[call.argument] = call.has or call.equal[-1]
            assert answer(code, arch, number, tuple(given)) == allow
            given[call.argument] = 999_999 & ~call.has
        assert answer(code, arch, number, tuple(given) if number in conditional else ()) == expected
    assert answer(code, arch, lockdown.X32) == refused
    assert answer(code, arch ^ 1, 0) == lockdown.KILL
