"""Children that hang, swell or die become findings; the pool goes on, and no child outlives its parent."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from review_flow.demo import media
from review_flow.evidence import sandbox
from review_flow.evidence.limits import Limits
from review_flow.evidence.sandbox import Sandbox
from review_flow.rules.verdict import Finding, Level
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from review_flow.evidence.check import Report
    from review_flow.evidence.faces import Encoding

pytestmark = pytest.mark.crash
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only Linux ends a child with its parent")


def children(parent: int) -> set[int]:
    """Return the sandbox processes that a process started."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if state[0] != "Z" and int(state[1]) == parent and b"review_flow.evidence.child" in command:
            found.add(int(folder.name))
    return found


def wait_for(what: Callable[[], object], *, seconds: float = 15) -> None:
    """Wait until something holds, or fail."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def still_works(box: Sandbox, folder: Path) -> None:
    """Hold that the pool checks the next file as if nothing had been."""
    report = box.check(media.txt(folder / "next.txt", "下一个文件"))
    assert (report.verdict, report.media["chars"], report.findings) == (Verdict.VALID, 5, ())


def only_finding(report: Report) -> str:
    """Return the code of the one finding of a check that broke off: a human looks, nobody is refused."""
    assert (report.verdict, report.present, report.media["kind"]) == (Verdict.HUMAN, None, "unknown")
    assert [finding.level for finding in report.findings] == [Level.HUMAN]
    assert report.findings[0].text.endswith("。")
    return report.findings[0].code


@contextlib.contextmanager
def frozen(box: Sandbox) -> Iterator[int]:
    """Stop a pool's only child, as a hang does; yields its number."""
    before = children(os.getpid())
    box.warm()
    [child] = children(os.getpid()) - before
    os.kill(child, signal.SIGSTOP)
    yield child


@linux
def test_a_check_that_hangs_is_ended_at_the_wall(tmp_path: Path) -> None:
    path = media.txt(tmp_path / "a.txt", "四个汉字")
    with Sandbox(limits=Limits(wall_s=2)) as box, frozen(box):
        began = time.monotonic()
        report = box.check(path)
        assert 1.9 < time.monotonic() - began < 6
        assert only_finding(report) == "check_timed_out"
        assert 1.9 < report.cost["wall_s"] < 6
        still_works(box, tmp_path)


def test_what_is_no_regular_file_is_never_waited_for(box: Sandbox, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.mp4")  # whoever opens it waits for a writer that never comes
    assert only_finding(box.check(tmp_path / "endless.mp4")) == "file_missing"
    assert only_finding(box.check(tmp_path)) == "file_missing"


def test_a_file_that_swells_in_memory_is_given_up(tmp_path: Path) -> None:
    Image.new("RGB", (8900, 8900), "#336699").save(tmp_path / "large.png", compress_level=1)
    with Sandbox(limits=Limits(memory_bytes=700_000_000)) as box:
        assert only_finding(box.check(tmp_path / "large.png")) == "check_out_of_memory"
        still_works(box, tmp_path)


def test_a_file_that_burns_the_processor_is_given_up(
    tmp_path: Path, films: dict[str, Path], grace: list[Encoding]
) -> None:
    with Sandbox(limits=Limits(cpu_s=0)) as box:
        report = box.check(films["eileen"], references=grace)
        assert only_finding(report) == "check_timed_out"
        assert report.media["size"] == films["eileen"].stat().st_size


@linux
def test_a_child_killed_at_work_is_a_finding_and_is_replaced(tmp_path: Path) -> None:
    path = media.txt(tmp_path / "a.txt", "四个汉字")
    with Sandbox() as box, ThreadPoolExecutor(1) as crew, frozen(box) as child:
        checked = crew.submit(box.check, path)
        time.sleep(0.3)
        os.kill(child, signal.SIGKILL)
        assert only_finding(checked.result(timeout=10)) == "check_crashed"
        still_works(box, tmp_path)
        assert child not in children(os.getpid())


@linux
def test_a_child_killed_while_idle_is_replaced_unnoticed(tmp_path: Path) -> None:
    before = children(os.getpid())
    with Sandbox() as box:
        still_works(box, tmp_path)
        [child] = children(os.getpid()) - before
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        still_works(box, tmp_path)


@linux
def test_a_child_serves_its_number_of_files_and_is_renewed(tmp_path: Path) -> None:
    before, seen = children(os.getpid()), []
    with Sandbox(limits=Limits(files_per_child=2)) as box:
        for _file in range(3):
            still_works(box, tmp_path)
            seen.append(children(os.getpid()) - before)
    assert len(set().union(*seen)) == 2


@linux
def test_children_die_with_a_parent_that_is_killed() -> None:
    program = (
        "import sys, time\n"
        "from review_flow.evidence.sandbox import Sandbox\n"
        "box = Sandbox(workers=2)\n"
        "box.warm()\n"
        "print('warm', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"warm\n"
        alive = children(parent.pid)
        assert len(alive) == 2
        parent.kill()
    wait_for(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in alive))


def test_several_threads_share_a_pool_and_get_their_own_answers(box: Sandbox, tmp_path: Path) -> None:
    paths = [media.txt(tmp_path / f"{chars}.txt", media.essay(chars)) for chars in range(10, 30)]
    with ThreadPoolExecutor(4) as crew:
        reports = list(crew.map(box.check, paths))
    assert [report.media["chars"] for report in reports] == list(range(10, 30))


def test_one_shot_and_a_file_that_is_gone(tmp_path: Path) -> None:
    report = sandbox.check(tmp_path / "gone.mp4")
    assert only_finding(report) == "file_missing"
    assert report.media == {"kind": "unknown", "format": "unknown"}


@linux
def test_a_reference_that_breaks_the_child_is_a_problem_like_any_other(tmp_path: Path) -> None:
    path = media.lesson_photo(tmp_path / "a.jpg", person="grace")
    with Sandbox(limits=Limits(wall_s=1)) as box, frozen(box):
        outcome = box.enrol(path)
    assert outcome.encoding is None
    text = "文件太复杂，自动检查超时，将由人工查看；也可以重新导出再传（视频用普通 MP4、1080p，文档用 PDF）。"
    assert outcome.problems == (Finding("check_timed_out", Level.HUMAN, text),)


def test_a_bound_process_can_write_no_file(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from review_flow.evidence.child import bind\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "bind(os.getppid(), 2_000_000_000, 64, 0)\n"
        "file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "try:\n"
        "    os.write(file, b'x')\n"
        "except OSError as refused:\n"
        "    print(refused.errno)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "written")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert (int(done.stdout), (tmp_path / "written").stat().st_size) == (errno.EFBIG, 0)


@linux
def test_a_child_knows_no_secret_and_holds_no_file_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_ENCRYPTION_KEY", "do-not-tell")
    private = tmp_path / "review-flow.db"
    private.touch()
    before = children(os.getpid())
    with private.open("rb") as file, Sandbox() as box:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - it takes no name
        still_works(box, tmp_path)
        [child] = children(os.getpid()) - before
        assert b"do-not-tell" not in Path(f"/proc/{child}/environ").read_bytes()
        held = {str(entry.readlink()) for entry in Path(f"/proc/{child}/fd").iterdir()}
        assert {link for link in held if not link.startswith(("pipe:", "socket:", "/dev/null"))} == set()
