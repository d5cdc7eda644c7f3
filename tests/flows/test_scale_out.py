"""Several machines as prefect.yaml describes them: PostgreSQL, Prefect's server, and two workers, each its own process.

The settings and commands are read from the head of that file, so that what an operator types is what was tested.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled
from ruamel.yaml import YAML
from sqlalchemy import select

from flows.environment import SILENCE
from flows.server import answers
from models import Evidence
from review_flow.db import make_engine, transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import invariants
from tests.conftest import Postgres
from tests.flows.conftest import ROOT, until
from tests.flows.test_crash import all_done, assert_every_file_was_checked_once, files_waiting

# For the test's sake: Prefect books runs and asks for them every few seconds rather than every minute and every ten.
PROOF = "county:0123456789abcdef"
HASTE = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2", "PREFECT_WORKER_QUERY_SECONDS": "2"}
STAYS_S = 15
ASK_EVERY_S = 0.5


def head() -> list[str]:
    """The lines of prefect.yaml's head that are to be typed."""
    lines = (ROOT / "prefect.yaml").read_text(encoding="utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return [line.removeprefix("#   ") for line in comment if line.startswith(("#   $ ", "#   export "))]


def documented_commands() -> list[str]:
    return [shlex.join(shlex.split(line, comments=True)[1:]) for line in head() if line.startswith("$ ")]


def documented_settings() -> dict[str, str]:
    words = [shlex.split(line, comments=True)[1:] for line in head() if line.startswith("export ")]
    return dict(word.split("=", 1) for word in itertools.chain(*words))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machines:
    """Runs the documented commands, each as if on a machine of its own: a home of its own, one shared storage."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder, self.settings = folder, settings
        self.left = set(documented_commands())
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "storage").mkdir(mode=0o700)

    def home(self, machine: str) -> Path:
        home = self.folder / machine
        if not home.exists():
            home.mkdir(mode=0o700)
            (home / "storage").symlink_to(self.folder / "storage")
        return home

    def type(
        self, command: str, *, instead: tuple[str, str] = ("", ""), more: Sequence[str] = (), machine: str = "first"
    ) -> subprocess.Popen[bytes]:
        """Start the documented command that begins so, with changed or further words; none may be left in the end."""
        (line,) = [line for line in documented_commands() if line.startswith(command)]
        self.left.discard(line)
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("REVIEW_FLOW_", "PREFECT_", "COV_"))
        }
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"REVIEW_FLOW_HOME": str(self.home(machine)), "HOME": str(self.folder), "PATH": programs}
        with (self.folder / "output.log").open("ab") as log:
            process = subprocess.Popen(
                [*shlex.split(line.replace(*instead)), *more],
                cwd=ROOT if "deploy --all" in line else self.folder,
                env={**ours, **self.settings, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def done(self, command: str) -> None:
        process = self.type(command)
        assert process.wait(90) == 0, (self.folder / "output.log").read_text(encoding="utf-8")

    def end(self) -> None:
        """Kill what was started here, and what that started: Prefect gives every run a session of its own."""
        ours = f"HOME={self.folder}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended, or is another user's
                if ours in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
        for process in self.processes:
            process.wait()
        sys.stdout.write((self.folder / "output.log").read_text(encoding="utf-8"))  # shown when the test fails


class Api:
    """What Prefect's server says, asked twice a second at most: it shares the processors with the workers."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self.client = client

    def runs(self, **wanted: object) -> list[FlowRun]:
        time.sleep(ASK_EVERY_S)
        return self.client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(wanted))

    def booked(self) -> set[UUID]:
        """The deployments of which Prefect's scheduler booked a run."""
        booked = [run for run in self.runs(state={"type": {"any_": ["SCHEDULED"]}}) if run.auto_scheduled]
        return {run.deployment_id for run in booked if run.deployment_id}

    def call_off_what_is_due(self) -> None:
        """A pause takes back what is booked ahead, but not what is late already."""
        for run in self.runs(state={"type": {"any_": ["SCHEDULED"]}}):
            self.client.set_flow_run_state(run.id, Cancelled())

    def ordered(self) -> list[FlowRun]:
        """The runs we asked for."""
        return self.runs(tags={"all_": ["ordered"]})

    def states(self) -> list[str | None]:
        return [run.state_name for run in self.ordered()]


@contextmanager
def county(postgres: Postgres, folder: Path) -> Iterator[tuple[Machines, Api]]:
    """PostgreSQL, Prefect's server on it, the work pool and the deployments, as prefect.yaml says; nothing booked."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    chosen = {
        "REVIEW_FLOW_HOME": "",  # each machine's own
        "REVIEW_FLOW_DATABASE_URL": postgres.url(postgres.database()),
        "REVIEW_FLOW_ENCRYPTION_KEY": "5e" * 32,
        "REVIEW_FLOW_CERTIFICATE_KEY": "7c" * 32,
        "REVIEW_FLOW_PREFECT_API_URL": url,
        "REVIEW_FLOW_PREFECT_AUTH_STRING": PROOF,
        "PREFECT_API_URL": url,
        "PREFECT_API_AUTH_STRING": PROOF,
        "PREFECT_SERVER_API_AUTH_STRING": PROOF,
        "REVIEW_FLOW_CODE": str(ROOT),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": postgres.url(postgres.database()).replace("psycopg", "asyncpg"),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
    }
    assert documented_settings().keys() == chosen.keys() | SILENCE.keys()
    machines = Machines(folder, documented_settings() | chosen | HASTE)
    try:
        server = machines.type("prefect server start")
        machines.done("review-flow migrate")
        until(lambda: answers(url))
        machines.done("prefect work-pool create")
        for queue in [machines.type(f"prefect work-queue create {name}") for name in ("urgent", "steady", "heavy")]:
            assert queue.wait(90) == 0
        machines.done("prefect --no-prompt deploy --all")
        with (
            temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: PROOF}),
            get_client(sync_client=True) as client,
        ):
            machines.done("prefect deployment schedule pause")
            api = Api(client)
            api.call_off_what_is_due()
            yield machines, api
        assert server.poll() is None
    finally:
        machines.end()


def test_the_documented_server_listens_on_its_own_machine_and_no_shell_changes_a_value() -> None:
    """Its line is plain: the proxy beside it speaks TLS. A password may hold whatever a shell minds."""
    assert documented_settings()["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    filled_in = [line for line in head() if line.startswith("export ") and ("…" in line or "?" in line)]
    assert [line for line in filled_in if not re.match(r"export [A-Z_]+='[^']+'(\s+#|$)", line)] == []


def test_the_documented_settings_let_prefect_phone_nobody() -> None:
    assert SILENCE.items() - documented_settings().items() == set()


def test_every_drain_is_deployed() -> None:
    document = YAML(typ="safe").load(ROOT / "prefect.yaml")

    entrypoints = [deployment["entrypoint"] for deployment in document["deployments"]]

    assert sorted(entrypoints) == sorted(f"flows/{kind.value}.py:{kind.value}" for kind in WorkKind)


@pytest.mark.slow
def test_two_machines_share_the_files_to_check(postgres: Postgres, tmp_path: Path) -> None:
    with county(postgres, tmp_path) as (machines, api):
        stays = ["--param", f"patience={STAYS_S}", "--tag", "ordered"]
        orders = [machines.type("prefect deployment run", more=stays) for _order in range(2)]
        assert [order.wait(90) for order in orders] == [0, 0]
        one_each = ("--limit 4", "--limit 1")  # else the first to ask takes both
        workers = [machines.type("prefect worker start", instead=one_each, machine=name) for name in ("left", "right")]
        until(lambda: api.states() == ["Running", "Running"])
        engine = make_engine(machines.settings["REVIEW_FLOW_DATABASE_URL"])
        files_waiting(engine, machines.home("first"), teachers=3)
        until(lambda: all_done(engine, WorkKind.CHECK_EVIDENCE))
        until(lambda: api.states() == ["Completed", "Completed"])

        assert [worker.poll() for worker in workers] == [None, None]
        assert_every_file_was_checked_once(engine)
        with transaction(engine) as session:
            everything = {f"evidence:{number}" for number in session.scalars(select(Evidence.id))}
            assert invariants.broken(session) == []
        engine.dispose()
        one, other = ({tag for tag in run.tags if tag.startswith("evidence:")} for run in api.ordered())
        assert one | other == everything
        assert one & other == set()

        machines.done("prefect deployment schedule resume")
        drain = api.ordered()[0].deployment_id
        assert drain is not None
        until(lambda: drain in api.booked())
    assert machines.left == set()
