"""From a deed to another system's door: a real receiver verifies as docs/api.md tells it to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models import WebhookDelivery
from review_flow.db import settings, transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import messages, webhooks
from review_flow.steps.work import enqueue
from tests.cast import School
from tests.due import do_due


@pytest.fixture
def got() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]], list[int]]]:
    """A receiver: where it is, what it got, and what it answers next."""
    taken: list[tuple[dict[str, str], bytes]] = []
    answers: list[int] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(answers.pop(0))
            self.end_headers()

        def log_message(self, *_said: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", taken, answers
    server.shutdown()
    server.server_close()


@pytest.fixture
def verify() -> Any:
    """The function that docs/api.md gives to receivers."""
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]


def test_news_arrives_signed_and_is_sent_again_when_it_did_not(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, installed: None, got: Any, verify: Any
) -> None:
    url, taken, answers = got
    monkeypatch.setenv("REVIEW_FLOW_WEBHOOK_NETWORKS", '["127.0.0.0/8"]')
    settings.cache_clear()
    with transaction(engine) as session:
        school = School(session)
        person_id = school.admin.id
        webhook, secret = webhooks.make(
            session,
            actor=school.admin,
            url=url,
            events=["round.opened"],
            seal_keys=settings().derived_keys("webhooks"),
            networks=settings().webhook_networks,
        )
        messages.tell(session, person_id=person_id, round_id=school.round.id, kind="round.opened", sentence="开始了")
    answers += [503, 204]
    assert do_due(WorkKind.DELIVER_WEBHOOKS) == 1
    with transaction(engine) as session:
        telling = session.scalars(select(WebhookDelivery)).one()
        assert (telling.status, telling.attempts, telling.delivered_at) == (503, 1, None)
        telling.next_at = telling.created_at
        enqueue(session, kind=WorkKind.DELIVER_WEBHOOKS, subject_id=webhook.id)
    assert do_due(WorkKind.DELIVER_WEBHOOKS) == 1
    with transaction(engine) as session:
        telling = session.scalars(select(WebhookDelivery)).one()
        assert (telling.status, telling.attempts, telling.next_at) == (204, 2, None)
    assert [headers["webhook-id"] for headers, _body in taken] == [telling.public_id] * 2
    for headers, body in taken:
        verify(secret, headers, body)
        assert json.loads(body)["data"]["person_id"] == person_id
        with pytest.raises(ValueError, match="not ours"):
            verify(secret, headers, body.replace(b"1", b"2"))
        with pytest.raises(ValueError, match="too old"):
            verify(secret, {**headers, "webhook-timestamp": "1"}, body)
