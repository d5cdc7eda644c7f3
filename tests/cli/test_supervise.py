from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.cli import supervise as supervising
from review_flow.cli.supervise import Child, supervise

STAYS = "import time; time.sleep(60)"


def until(holds: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_dies_is_started_again_and_all_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "FIRST_PAUSE_S", 0.1)
    children, stop = [Child("one", ["-c", STAYS]), Child("other", ["-c", STAYS])], threading.Event()
    runs = threading.Thread(target=supervise, args=(children,), kwargs={"stop": stop})
    runs.start()
    until(lambda: all(one.pid for one in children))
    first, other = children[0].pid, children[1].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: children[0].pid not in {None, first})
    assert children[1].pid == other
    stop.set()
    runs.join(15)
    assert [one.pid for one in children] == [None, None]


def test_what_dies_at_once_is_started_ever_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[float] = []
    monkeypatch.setattr(supervising.log, "warning", lambda text: said.append(float(text.split("，")[1].split()[0])))
    monkeypatch.setattr(supervising.time, "monotonic", clock := iter(range(0, 10**6, 30)).__next__)
    dies = Child("dies", ["-c", "raise SystemExit(3)"])
    for _turn in range(40):
        dies.watch()
        if dies._process is not None:
            dies._process.wait()
    assert clock() > 0
    assert said[:7] == [1, 2, 4, 8, 16, 32, 60]


def test_what_does_not_stop_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = Child(
        "stubborn", ["-c", f"import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); {STAYS}"]
    )
    stubborn.watch()
    stubborn.ask_to_stop()
    stubborn.end(time.monotonic())
    assert stubborn.pid is None
    nothing = Child("never started", [])
    nothing.ask_to_stop()
    nothing.end(time.monotonic())
    assert nothing.pid is None


HELD = """
import os, pathlib, time
from review_flow.lifeline import hold_on
hold_on()
pathlib.Path("held").write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.crash
def test_no_part_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    code = f"from review_flow.cli.supervise import Child, supervise; supervise([Child('part', ['-c', {HELD!r}])])"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as supervisor:
        until(lambda: (tmp_path / "held").exists() and (tmp_path / "held").read_text())
        part = Path("/proc", (tmp_path / "held").read_text())
        assert part.exists()
        supervisor.kill()
    until(lambda: not part.exists() or "Z" in (part / "stat").read_text().rsplit(")", 1)[1].split()[0])


def test_a_port_that_somebody_has_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["serve", "--port", str(port)])
    assert (done.exit_code, f"127.0.0.1:{port} 不能用" in done.output, "--port" in done.output) == (1, True, True)
    assert not (tmp_path / "home").exists()


def test_without_its_assets_it_says_so_instead_of_starting(tmp_path: Path) -> None:
    asked = ["-c", "from review_flow.web import assets; import sys; from pathlib import Path;"]
    asked[1] += f"assets.Assets.__init__.__defaults__ = (Path({str(tmp_path)!r}),);"
    asked[1] += "sys.argv[1:] = ['serve']; from review_flow.cli import main; main()"
    done = subprocess.run(
        [supervising.sys.executable, *asked],
        env={**os.environ, "REVIEW_FLOW_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "网页所需的文件缺失：vendor/assets.json" in done.stderr) == (1, True)


def test_a_part_waits_for_another_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    there = False
    second = Child("second", ["-c", STAYS], after=lambda: there)
    patient = Child("patient", ["-c", STAYS], after=lambda: False)
    second.watch()
    patient.watch()
    assert (second.pid, patient.pid) == (None, None)
    there = True
    second.watch()
    monkeypatch.setattr(supervising, "LONGEST_WAIT_S", 0)
    patient.watch()
    assert None not in {second.pid, patient.pid}
    for one in (second, patient):
        one.ask_to_stop()
        one.end(time.monotonic() + 15)
