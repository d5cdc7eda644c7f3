from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from sqlalchemy import Engine

from flows.worker import known_drains
from review_flow.db import transaction
from review_flow.rules.words import WorkKind
from review_flow.steps.work import enqueue
from tests.flows.conftest import ROOT, Workers, until

pytestmark = pytest.mark.slow
ENDED = {"COMPLETED", "FAILED"}


def put(engine: Engine, *subjects: int) -> None:
    with transaction(engine) as session:
        for subject in subjects:
            enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=subject)


def asked(api: str, proof: str, what: str, **wishes: object) -> list[dict]:
    known = {"content-type": "application/json", "authorization": f"Basic {base64.b64encode(proof.encode()).decode()}"}
    request = urllib.request.Request(f"{api}/{what}/filter", json.dumps(wishes).encode(), known)
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_done_shows_in_prefect_by_ids_alone(workers: Workers, prefect_api: str, prefect_proof: str) -> None:
    put(workers.engine, 9001, 9002, 9003)
    process = workers.start(idle=1, broken=9002)

    output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    assert workers.effects == [9001, 9003]
    # The failed one went back to the queue, for later; the worker's own log alone knows why.
    assert workers.rows("SELECT subject_id, attempts, lease_token, parked_at FROM due_work WHERE done_at IS NULL") == [
        (9002, 1, None, None)
    ]
    assert "张三的照片打不开" in output

    def shown(subject: int) -> list[tuple[str, str, str]]:
        runs = asked(prefect_api, prefect_proof, "task_runs", flow_runs={"tags": {"all_": [f"evidence:{subject}"]}})
        ended = [run for run in runs if run["name"].endswith(f" {subject}") and run["state_type"] in ENDED]
        return [(run["name"], run["state_type"], run["state"]["message"]) for run in ended]

    until(lambda: all(shown(subject) for subject in (9001, 9002, 9003)))
    assert [shown(subject) for subject in (9001, 9003)] == [
        [("check_evidence 9001", "COMPLETED", "")],
        [("check_evidence 9003", "COMPLETED", "")],
    ]
    assert shown(9002) == [
        (
            "check_evidence 9002",
            "FAILED",
            "Task run encountered an exception ItemFailed: check_evidence 9002: ValueError",
        )
    ]
    artifacts = asked(
        prefect_api, prefect_proof, "artifacts", artifacts={"key": {"any_": ["verdict-9001", "verdict-9002"]}}
    )
    assert [(found["key"], found["data"]) for found in artifacts] == [("verdict-9001", "证据 9001：有效")]
    assert [line for line in asked(prefect_api, prefect_proof, "logs") if "张三" in line["message"]] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_stop_finishes_the_item_at_work_and_begins_no_other(workers: Workers) -> None:
    put(workers.engine, 1, 2, 3)
    process = workers.start(seconds=2)
    until(lambda: workers.rows("SELECT 1 FROM due_work WHERE lease_token IS NOT NULL"))

    process.send_signal(signal.SIGTERM)

    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert workers.effects == [1]
    assert workers.rows("SELECT subject_id, attempts, lease_token FROM due_work WHERE done_at IS NULL ORDER BY 1") == [
        (2, 0, None),
        (3, 0, None),
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_stop_gives_an_endless_item_back(workers: Workers) -> None:
    put(workers.engine, 1)
    process = workers.start(seconds=3600, grace=0.5)
    until(lambda: workers.rows("SELECT 1 FROM due_work WHERE lease_token IS NOT NULL"))

    process.send_signal(signal.SIGTERM)

    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert workers.rows("SELECT attempts, lease_token, done_at FROM due_work") == [(0, None, None)]


@pytest.mark.crash
def test_a_killed_worker_loses_nothing_and_nothing_is_done_twice(workers: Workers) -> None:
    subjects = list(range(1, 9))
    put(workers.engine, *subjects)
    killed = workers.start(seconds=0.3, lease=2)
    until(lambda: workers.effects)
    killed.kill()
    killed.wait()
    assert len(workers.effects) < len(subjects)

    workers.start(seconds=0.05, lease=2)

    until(lambda: workers.effects == subjects)
    until(lambda: workers.rows("SELECT count(*) FROM due_work WHERE done_at IS NULL") == [(0,)])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_share_the_work(workers: Workers) -> None:
    subjects = list(range(1, 41))
    crew = [workers.start(seconds=0.1, width=2) for _worker in range(2)]
    until(lambda: all((workers.home / "prefect").exists() or process.poll() is None for process in crew))
    put(workers.engine, *subjects)

    until(lambda: workers.effects == subjects)

    assert {pid for (pid,) in workers.rows("SELECT DISTINCT pid FROM effect")} <= {process.pid for process in crew}
    assert [process.poll() for process in crew] == [None, None]


def test_every_flow_module_offers_the_flow_of_its_name() -> None:
    assert {kind for kind, flow in known_drains().items() if flow.name != kind.value} == set()


def test_importing_the_flows_reaches_nobody_and_leaves_nothing(tmp_path) -> None:
    program = """
import sys
seen = []
sys.addaudithook(lambda name, arguments: seen.append((name, arguments)) if name in (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname") else None)
import flows.drain, flows.worker, flows.server
import prefect.main
assert seen == [], seen
"""
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"REVIEW_FLOW_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)},
        check=True,
    )
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["home", "home/prefect"]
