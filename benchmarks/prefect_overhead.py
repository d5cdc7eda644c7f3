"""What Prefect costs here: ``python benchmarks/prefect_overhead.py``. Numbers go into docs/decisions/0001, with the load.

Starts an embedded server in a temporary home and compares ways to run a flow: a direct call in a warm process, an
in-process worker on a work pool, and a process of its own.
"""

from __future__ import annotations

import asyncio
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

HOME = Path(tempfile.mkdtemp(prefix="prefect-overhead-"))
os.environ["REVIEW_FLOW_HOME"] = str(HOME)
os.environ["REVIEW_FLOW_PREFECT_AUTH_STRING"] = "overhead:of-a-throwaway-home"  # before the home makes its own

import flows  # noqa: E402, F401 - settles Prefect's environment before Prefect is imported
from flows.server import PrefectServer, read_note  # noqa: E402 - after the path and the home are set
from review_flow.settings import Settings  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).resolve()


def memory_mb(pid: int | str = "self") -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def timed(deed: Callable[[], object]) -> float:
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def say(what: str, value: object) -> None:
    print(f"{what:<58}{value}", flush=True)


def started(server: PrefectServer) -> str:
    while not (url := server.url()):
        time.sleep(0.1)
    return url


def direct() -> None:
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    first_line: list[float] = []

    @task(cache_policy=NO_CACHE)
    def small(number: int) -> int:
        return number

    @flow
    def one() -> None:
        first_line.append(time.perf_counter())

    @flow
    def drain(items: int) -> None:
        for number in range(items):
            small(number)

    @flow
    def parent(items: int) -> None:
        for _number in range(items):
            one()

    one()
    whole = []
    waits = []
    for _round in range(10):
        began = time.perf_counter()
        one()
        whole.append(time.perf_counter() - began)
        waits.append(first_line[-1] - began)
    say("direct call: first line, median s", round(statistics.median(waits), 3))
    say("direct call: whole run, median s", round(statistics.median(whole), 3))
    say("100 items as tasks of one run, s", round(timed(functools.partial(drain, 100)), 2))
    say("then the next run's whole, s (the server still records)", round(timed(one), 2))
    time.sleep(5)
    say("20 items as subflows of one run, s", round(timed(functools.partial(parent, 20)), 2))
    say("memory of this warm process, MB", memory_mb())


async def pooled() -> None:
    from prefect import flow, get_client
    from prefect.flow_engine import run_flow
    from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult

    lines: dict[int, float] = {}

    @flow
    def one(number: int) -> None:
        lines[number] = time.perf_counter()

    class InProcess(BaseWorker):  # the whole of the alternative that was considered
        type = "in-process"
        job_configuration = BaseJobConfiguration

        async def run(self, flow_run, configuration, task_status=None):  # noqa: ARG002 - the base's signature
            if task_status:
                task_status.started(1)
            run = functools.partial(
                run_flow, one, flow_run=flow_run, parameters=flow_run.parameters, return_type="state"
            )
            await asyncio.to_thread(run)
            return BaseWorkerResult(identifier="here", status_code=0)

    async with get_client() as client, InProcess("in-process", name="bench") as worker:
        flow_id = await client.create_flow(one)
        deployment = await client.create_deployment(flow_id, "one", work_pool_name="in-process")

        async def book(number: int) -> None:
            await client.create_flow_run_from_deployment(deployment, parameters={"number": number})

        waits = []
        for number in range(10):
            began = time.perf_counter()
            await book(number)
            await worker.get_and_submit_flow_runs()  # at once: no polling interval
            while number not in lines:  # noqa: ASYNC110 - another thread writes it
                await asyncio.sleep(0.005)
            waits.append(lines[number] - began)
            await asyncio.sleep(1.5)
        say("in-process worker, asked at once: first line, median s", round(statistics.median(waits), 3))
        began = time.perf_counter()
        for number in range(20):
            await book(100 + number)
        while len(lines) < 30 and time.perf_counter() - began < 60:
            await worker.get_and_submit_flow_runs()
            await asyncio.sleep(0.1)
        say("in-process worker: 20 runs booked at once, s", round(time.perf_counter() - began, 2))
        say("in-process worker: of these ever started", len(lines) - 10)


def main() -> None:
    if "--one" in sys.argv:  # a process of its own
        from prefect import flow

        flow(lambda: print("first line", flush=True), name="one")()
        return
    with PrefectServer(Settings()) as server:
        say("embedded server: first start, s", round(timed(lambda: started(server)), 1))
    with PrefectServer(Settings()) as server:
        say("embedded server: later start, s", round(timed(lambda: started(server)), 1))
        note = read_note(Settings())
        assert note is not None
        from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        with temporary_settings({PREFECT_API_URL: note.url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            direct()
            asyncio.run(pooled())
        with temporary_settings({PREFECT_API_URL: note.url}):
            from prefect import flow

            say(
                "direct call with Prefect's heartbeat on: whole run, s",
                round(timed(flow(lambda: None, name="beat")), 2),
            )
        own = subprocess.Popen(
            [sys.executable, str(SCRIPT), "--one"],
            env={**os.environ, "PREFECT_API_URL": note.url, "PYTHONPATH": str(SCRIPT.parent.parent)},
            stdout=subprocess.PIPE,
        )
        assert own.stdout is not None
        say("a fresh process, started directly: first line, s", round(timed(own.stdout.readline), 2))
        own.wait()
        say("memory of the embedded server, MB", memory_mb(note.pid))


if __name__ == "__main__":
    main()
